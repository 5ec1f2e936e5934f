#!/usr/bin/env bash
# Fetches what other people wrote for the page of `tfx-janitor report`, at these versions and with these hashes,
# into the package: the page works without a network. Run after a change of the table below; the files are
# committed.
#
#   scripts/vendor.sh               the libraries of the page, into components/tfx_janitor/report/page/assets/vendor
#   scripts/vendor.sh --axe DIR     the accessibility checker of the tests, into DIR; it is no part of the package
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

readonly VENDOR=components/tfx_janitor/report/page/assets/vendor

# package, version, sha256 of its tarball, then the files that are taken from it. ECharts has zrender in it, and
# dagre graphlib and lodash: of these come the licences alone.
readonly LIBRARIES="
echarts 6.1.0 681aff88cc1038c3fa941a3a53d1b177a52250b05335efc607d6105ae13be481 dist/echarts.min.js LICENSE NOTICE licenses/LICENSE-d3
zrender 6.1.0 38f2fb722a638be016ca0175b139c40c886ef47fc2afdb741b2e7e7ae9683f9c LICENSE
tabulator-tables 6.5.3 a3aeb833e5cf924c8a686fa6748c1070c5fde8e605e0b1734000c35b78571a9b dist/js/tabulator.min.js dist/css/tabulator.min.css LICENSE
dagre 0.8.5 ffaf576ea24546aed65aa2bed174d77fe4fbfe7985aa6c4a7cd0293c1994c4ed dist/dagre.min.js LICENSE
graphlib 2.1.8 81848a4b3f03343148da3ebbce25dc71bc0164a17276ce469ec3ba67e86f6f3c LICENSE
lodash 4.17.15 541c2fe70b322dcaaf2df79e7c6117ca2ca392e9dc15a2cd6c4b3f5cebefcc0d LICENSE
"
readonly AXE="
axe-core 4.14.1 e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745 axe.min.js LICENSE
"

# Takes the files of each package in the table $1 into the directory $2; licences get the package's name.
fetch() {
  local table=$1 into=$2 package version digest files file name
  mkdir -p "$into"
  while read -r package version digest files; do
    [[ -n $package ]] || continue
    (cd "$scratch" && npm pack --silent "$package@$version" >/dev/null)
    printf '%s  %s\n' "$digest" "$scratch/$package-$version.tgz" | sha256sum --check --quiet
    tar -xzf "$scratch/$package-$version.tgz" -C "$scratch"
    for file in $files; do
      name=${file##*/}
      case $name in LICENSE* | NOTICE) name=$package.$name.txt ;; esac
      install -m 644 "$scratch/package/$file" "$into/$name"
    done
    rm -rf "$scratch/package"
    printf 'vendor: %s %s\n' "$package" "$version" >&2
  done <<<"$table"
}

scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT

if [[ ${1:-} == --axe ]]; then
  fetch "$AXE" "${2:?where to put it}"
else
  fetch "$LIBRARIES" "$VENDOR"
fi
