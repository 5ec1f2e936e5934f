#!/usr/bin/env bash
# What the tests of the report's page need beside Python: a Chromium, Debian's own, and the accessibility checker.
# Installs what is missing where it may; where it may not, the tests say what is missing, and are skipped.
set -uo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

say() { printf 'browser: %s\n' "$*" >&2; }

if ! type -P chromium >/dev/null; then
  if [[ $EUID == 0 ]] && type -P apt-get >/dev/null; then
    say "installing chromium"
    apt-get update -qq >&2 &&
      DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null ||
      say "apt-get could not install it"
  else
    say "no chromium here, and no way to install it (Debian and Ubuntu, as root: apt-get install chromium)"
  fi
fi

if [[ ! -s .tools/axe/axe.min.js ]]; then
  type -P npm >/dev/null && scripts/vendor.sh --axe .tools/axe || say "axe-core could not be fetched with npm"
fi
exit 0
