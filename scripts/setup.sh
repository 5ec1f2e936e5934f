#!/usr/bin/env bash
# Makes .venv: a fitting Python, the locked packages, compiled once. Does nothing when that is done already.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

readonly STAMP=.venv/tfx-janitor-setup       # written last: what the environment was made from
readonly UNFINISHED=.tools/setup-unfinished  # there while a set-up runs, and after one that was cut short

say() { printf 'set-up: %s\n' "$*" >&2; }

# What the environment depends on. The place counts: scripts in .venv/bin name it.
wanted() {
  printf 'root %s\n' "$root"
  sha256sum pyproject.toml uv.lock scripts/setup.sh
}

# The environment's Python runs, and the packages that everything starts with are there.
usable() {
  .venv/bin/python -I -c '
import sys
from importlib.util import find_spec
sys.exit(not all(map(find_spec, ("tfx_janitor", "tfx", "tensorflow", "ml_metadata", "pytest"))))' 2>/dev/null
}

# PYTHON=... asks for another Python than the one that the environment has.
same_python() {
  [[ -z ${PYTHON:-} ]] && return
  local base='import os, sys; print(os.path.realpath(sys.executable))'
  [[ $("$PYTHON" -I -c "$base" 2>/dev/null) == "$(.venv/bin/python -I -c "$base")" ]]
}

ready() {
  [[ ! -e $UNFINISHED && -r $STAMP && $(<"$STAMP") == "$(wanted)" ]] && usable && same_python
}

ready && exit 0

mkdir -p .tools
if type -P flock >/dev/null; then
  exec 9>.tools/setup.lock
  flock -n 9 || { say "waiting for another set-up of this directory"; flock 9; }
  ready && exit 0
fi

SECONDS=0
python=$(scripts/python.sh)

# A package that was being installed when a set-up was cut short looks installed; a moved directory leaves its
# old place in every script. Linking anew from the cache takes a second.
if [[ -e .venv || -L .venv ]]; then
  reason=
  if [[ -e $UNFINISHED ]]; then
    reason="the last set-up did not end"
  elif ! .venv/bin/python -I -c '' 2>/dev/null; then
    reason="its Python does not run"
  elif [[ -r $STAMP && $(sed -n 1p "$STAMP") != "root $root" ]]; then
    reason="it was made in another place"
  elif [[ -r $STAMP ]] && ! usable; then
    reason="packages are missing"
  fi
  if [[ -n $reason ]]; then
    say "making .venv anew: $reason"
    rm -rf .venv
  fi
fi
: >"$UNFINISHED"
rm -f "$STAMP"

if [[ $python == */* ]]; then
  say "Python $("$python" -I -c 'import platform; print(platform.python_version())') at $python"
  choice=(--python "$python")
else
  choice=(--python "$python" --python-preference only-managed)
fi

scripts/uv.sh --version >/dev/null

say "locked packages into .venv: 0.7 GB to download if none is cached, then half a minute on two idle cores"
# Every file is compiled here, by all cores. Left to the first import, it would be by one core; and never,
# where PYTHONDONTWRITEBYTECODE is set. Of what uv says, only the totals and the big downloads are news.
if ! env -u PYTHONDONTWRITEBYTECODE scripts/uv.sh sync --frozen --compile-bytecode "${choice[@]}" 2>&1 |
  sed -u -E -e '/^ [-+~] |^ *(Downloaded|Building|Built) |^Downloading .* \(([0-9.]{3}M|[0-9.]+K)iB\)$/d' \
    -e 's/^/set-up:   /' >&2; then
  say "failed; the reason stands above."
  if [[ $python != */* ]]; then
    say "Could uv not fetch Python $python? Install it (pyenv install $python), or name one: PYTHON=/path/to/python make setup"
  fi
  if ! type -P c++ g++ >/dev/null; then
    say "There is no C++ compiler; pyfarmhash, which TFX needs, has no wheel (Debian and Ubuntu: apt-get install g++)."
  fi
  exit 1
fi

wanted >"$STAMP"
rm -f "$UNFINISHED"
say "ready after $SECONDS s: $(du -sm .venv | cut -f1) MB in .venv"
