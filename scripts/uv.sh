#!/usr/bin/env bash
# Runs uv: the one on the PATH if it works and is new enough, else a copy of the project's own in .tools/uv.
#
#   scripts/uv.sh lock --check
set -euo pipefail

readonly OWN_VERSION=0.13.9
readonly OLDEST=0.7.0 # older ones do not read this lock

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
own=$root/.tools/uv/bin/uv

# Succeeds if the program $1 runs (a pyenv shim may not) and is at least version $2.
works() {
  local version
  version=$("$1" --version 2>/dev/null) || return 1
  version=${version#uv }
  version=${version%% *}
  [[ $version =~ ^[0-9]+(\.[0-9]+)+ ]] || return 1
  [[ $(printf '%s\n' "$2" "$version" | sort -V | sed -n 1p) == "$2" ]]
}

# Installs uv into .tools/uv with the Python $1. Debian's python3 may lack venv, or pip, or both.
install_with() {
  local pip=(-I -m pip install --quiet --disable-pip-version-check --no-input "uv==$OWN_VERSION")
  rm -rf "$root/.tools/uv"
  if "$1" -I -m venv "$root/.tools/uv" >/dev/null 2>&1; then
    "$root/.tools/uv/bin/python" "${pip[@]}" >&2 || return 1
  else
    rm -rf "$root/.tools/uv"
    "$1" -I -m pip --version >/dev/null 2>&1 || return 1
    PIP_REQUIRE_VIRTUALENV=0 PIP_ROOT_USER_ACTION=ignore "$1" "${pip[@]}" --target "$root/.tools/uv" >&2 || return 1
  fi
  works "$own" "$OWN_VERSION"
}

find_uv() {
  local path python
  while IFS= read -r path; do
    works "$path" "$OLDEST" && { uv=$path; return; }
  done < <(type -ap uv)
  uv=$own
  works "$own" "$OWN_VERSION" && return

  printf 'set-up: uv %s into .tools/uv\n' "$OWN_VERSION" >&2
  # Settings that would send pip's work elsewhere than into .tools/uv; index and certificate settings stay.
  unset PIP_USER PIP_TARGET PIP_PREFIX PIP_ROOT PIP_CONSTRAINT PIP_REQUIREMENT PIP_DRY_RUN PIP_PYTHON
  while IFS= read -r python; do
    [[ -x $python ]] && install_with "$python" && return
  done < <(
    type -ap python3
    PYTHON='' "$root/scripts/python.sh" 2>/dev/null
  )
  printf 'set-up: %s\n' \
    "cannot install uv: it takes a Python with venv or pip, and access to a package index." \
    "On Debian and Ubuntu: apt-get install python3-venv. Or put uv on the PATH, any version from $OLDEST on." >&2
  exit 1
}

find_uv

# A person's settings for other projects must not change this one's environment. What says how to reach the
# network, where to cache and where fetched Pythons lie stays.
for name in $(compgen -e); do
  case $name in
    UV_CACHE_DIR | UV_NO_CACHE | UV_LINK_MODE | UV_OFFLINE | UV_CONCURRENT_* | UV_PYTHON_INSTALL_* | UV_PYTHON_DOWNLOADS) ;;
    UV_HTTP_* | UV_NATIVE_TLS | UV_SYSTEM_CERTS | UV_INSECURE_HOST | UV_KEYRING_PROVIDER) ;;
    UV_INDEX* | UV_DEFAULT_INDEX | UV_EXTRA_INDEX_URL) ;;
    UV_* | VIRTUAL_ENV | CONDA_PREFIX | PYTHONHOME | PYTHONPATH) unset "$name" ;;
  esac
done
export UV_PROJECT_ENVIRONMENT=$root/.venv

# Succeeds if the directory $1 can be written to, or made.
writable() {
  local path=$1
  until [[ -e $path ]]; do path=$(dirname -- "$path"); done
  [[ -d $path && -w $path ]]
}

# Service accounts and containers often have no home that they may write to.
if [[ -z ${UV_CACHE_DIR:-}${UV_NO_CACHE:-} ]] && ! writable "${XDG_CACHE_HOME:-${HOME:-}/.cache}/uv"; then
  export UV_CACHE_DIR=$root/.tools/uv-cache
fi
if [[ -z ${UV_PYTHON_INSTALL_DIR:-} ]] && ! writable "${XDG_DATA_HOME:-${HOME:-}/.local/share}/uv"; then
  export UV_PYTHON_INSTALL_DIR=$root/.tools/pythons
fi

cd "$root"
exec "$uv" "$@"
