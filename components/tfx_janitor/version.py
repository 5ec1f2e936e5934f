"""The version that is recorded with every act."""

from __future__ import annotations

from importlib import metadata

try:
    VERSION = metadata.version("tfx-janitor")
except metadata.PackageNotFoundError:  # run from a source tree that is not installed
    VERSION = "0+source"
