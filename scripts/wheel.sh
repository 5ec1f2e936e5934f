#!/usr/bin/env bash
# Builds the wheel, and runs the command line from it in an environment of its own, without TFX or TensorFlow:
# what `pip install tfx-janitor` gives to somebody who has no clone.
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

scripts/uv.sh --quiet build --wheel --out-dir "$place" --python .venv/bin/python
wheel=("$place"/*.whl)

# All that git knows of the package, and nothing else but the metadata.
diff <(git ls-files --cached --others --exclude-standard components/tfx_janitor | sed 's,^components/,,' | sort) \
  <("$root/.venv/bin/python" -m zipfile --list "${wheel[0]}" | awk 'NR > 1 && $1 !~ /\.dist-info\// {print $1}' | sort)

# The versions of the lock; without [tool.uv], whose overrides are for the development group.
scripts/uv.sh --quiet export --frozen --no-dev --no-emit-project --no-hashes --output-file "$place/locked.txt" >/dev/null
scripts/uv.sh --quiet venv --python .venv/bin/python "$place/venv"
scripts/uv.sh --quiet pip install --no-config --python "$place/venv/bin/python" \
  --constraints "$place/locked.txt" "${wheel[0]}"

cd "$place"
venv/bin/tfx-janitor --version
cat >janitor.yaml <<'YAML'
version: 1
roots: [/srv]
rules: [{name: models, match: {type: Model}, keep: {last: 1}}]
YAML
venv/bin/python - <<'PYTHON'
from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2

config = metadata_store_pb2.ConnectionConfig()
config.sqlite.filename_uri = "metadata.db"
config.sqlite.connection_mode = metadata_store_pb2.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
MetadataStore(config)
PYTHON
venv/bin/tfx-janitor --metadata "sqlite://$place/metadata.db" report --policy janitor.yaml --out report.html
