#!/usr/bin/env bash
# Prints the Python that fits this machine: the path of its interpreter, or only a version ("3.10") when none
# is there and uv shall fetch one. PYTHON=/path/to/python overrules the search.
set -euo pipefail

die() {
  printf 'set-up: %s\n' "$@" >&2
  exit 1
}

# The wheels of TFX and ML Metadata exist for one platform only.
platform="$(uname -s) $(uname -m)"
[[ $platform == "Linux x86_64" ]] || die \
  "TFX has wheels for Linux on x86_64 only; this is $platform." \
  "On another machine, use a container: docker run --platform linux/amd64 -it -v \"\$PWD\":/src -w /src python:3.10 make demo"

glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null | sed -n 's/^glibc //p') || true
[[ $glibc =~ ^2\.[0-9]+ ]] || die "TFX needs the GNU C library (glibc); this system has another one (Alpine?)."
minor=${glibc#2.}
minor=${minor%%.*}
((minor >= 28)) || die "glibc 2.28 or newer is needed; this system has $glibc."

# ml-metadata from 1.17 on is built for glibc 2.39: below that only TFX 1.16 installs, which ends at Python 3.10.
if ((minor < 39)); then
  fitting=(3.10)
else
  fitting=(3.13 3.12 3.11 3.10)
fi

skipped=()

# Prints the version of the interpreter $1 if it runs and has what TFX and the build of its dependencies need;
# else why not. A pyenv shim may exist and exit with 127, and a Python built by hand may lack modules.
examine() {
  "$1" -I - 2>/dev/null <<'PYTHON' || printf 'does not run\n'
import importlib.util, os, sys, sysconfig

version = "%d.%d" % sys.version_info[:2]
lacking = [m for m in ("_bz2", "_ctypes", "_sqlite3", "_ssl", "zlib") if importlib.util.find_spec(m) is None]
if sys.implementation.name != "cpython":
    print("is " + sys.implementation.name + ", not CPython")
elif sysconfig.get_config_var("Py_GIL_DISABLED"):
    print("is a free-threaded build")
elif lacking:
    print("was built without " + ", ".join(lacking))
elif not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")):
    print("has no Python.h (on Debian and Ubuntu: apt-get install python" + version + "-dev)")
else:
    print("fits " + version)
PYTHON
}

# Succeeds when the interpreter $1 fits and is of version $2.
fits() {
  local answer
  answer=$(examine "$1")
  [[ $answer == "fits $2" ]] && return
  skipped+=("$1 ${answer/#fits/is Python}")
  return 1
}

if [[ -n ${PYTHON:-} ]]; then
  chosen=$(type -P -- "$PYTHON") || die "PYTHON=$PYTHON: no such program."
  for version in "${fitting[@]}"; do
    fits "$chosen" "$version" && { printf '%s\n' "$chosen"; exit 0; }
  done
  die "PYTHON=$PYTHON does not fit: ${skipped[0]}." "With glibc $glibc, give one of: ${fitting[*]}; or unset PYTHON."
fi

# Interpreters of version $1: those of pyenv, newest first, whether or not pyenv is on the PATH; then the PATH's.
candidates() {
  local root
  for root in "${PYENV_ROOT:-}" "${HOME:-/root}/.pyenv"; do
    [[ -n $root ]] && printf '%s\n' "$root"/versions/"$1".*/bin/"python$1"
  done | sort -rV | uniq
  type -ap "python$1" python3 python || true
}

for version in "${fitting[@]}"; do
  while IFS= read -r path; do
    [[ -x $path ]] || continue
    if fits "$path" "$version"; then
      printf '%s\n' "$path"
      exit 0
    fi
  done < <(candidates "$version")
done

printf 'set-up: no Python %s here; uv will fetch one.\n' "${fitting[*]}" >&2
# One line for each interpreter that was looked at, for whoever wonders.
if ((${#skipped[@]})); then
  printf '%s\n' "${skipped[@]}" | sort -u | sed 's/^/set-up:   passed over: /' >&2
fi
printf '%s\n' "${fitting[0]}"
