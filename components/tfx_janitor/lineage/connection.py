"""From a URL, or from the ConnectionConfig that a pipeline has, to an open MLMD store."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from tfx_janitor.errors import JanitorError

if TYPE_CHECKING:
    from ml_metadata import MetadataStore
    from ml_metadata.proto import metadata_store_pb2

ENVIRONMENT = "TFX_JANITOR_METADATA"

_NOT_YET = frozenset(("mysql", "postgresql", "grpc"))
"""Schemes of stores that MLMD knows, and that do not open here."""

_QUOTED = {ord(letter): f"%{ord(letter):02X}" for letter in "%?#"}
"""What means something else in the path of a URL."""


class StoreError(JanitorError):
    """A metadata URL that is none, or a store that does not open."""


class _CutOff(StoreError):
    """A process died while it wrote; whoever opens the store to write puts that right."""


def open_url(url: str | None, *, readonly: bool) -> tuple[MetadataStore, str]:
    """Opens the MLMD store at a URL.

    Args:
      url: `sqlite:///absolute/path`; None takes it from the environment variable TFX_JANITOR_METADATA.
      readonly: opens without the power to write, for everything that only looks.

    Returns:
      The store, and the URL in its normal form, without a password: the store's name in plans and acts.

    Raises:
      StoreError: no URL, not one that is understood, no store there, or it cannot be opened.
    """
    url = url or os.environ.get(ENVIRONMENT)
    if not url:
        raise StoreError(
            f"expected --metadata sqlite:///absolute/path, or {ENVIRONMENT} in the environment; got neither"
        )
    config = _config_of(url)
    return open_config(config, readonly=readonly), url_of(config)


def url_named(url: str) -> str:
    """The normal form of a URL, without a password, whether a store is there or not.

    Raises:
      StoreError: it is not understood.
    """
    return url_of(_config_of(url))


def name_of(url: str | None) -> str:
    """The name of the store at a URL, whether it opens or not; of a URL that is not understood, its scheme.

    Whatever else stands there may be a password.
    """
    url = url or os.environ.get(ENVIRONMENT) or ""
    try:
        return url_named(url)
    except (StoreError, ValueError):
        scheme, separator, _ = url.partition("://")
        return f"{scheme}://..." if separator else ""


def open_config(config: metadata_store_pb2.ConnectionConfig, *, readonly: bool) -> MetadataStore:
    """Opens the store that a pipeline's own connection config names; never creates one.

    Raises:
      StoreError: no store there, it cannot be opened, or not written where that was asked for.
    """
    url = url_of(config)
    path = os.path.realpath(config.sqlite.filename_uri)
    if not os.path.isfile(path):
        found = f"{path} is a directory" if os.path.isdir(path) else f"there is no file {path}"
        raise StoreError(f"expected an MLMD store at {url}, but {found}")
    # To look first: where MLMD may write, it makes its tables in whatever database it is led to.
    try:
        store = _open(config, path, readonly=True)
    except _CutOff:
        if readonly:
            raise
    else:
        if readonly:
            return store
    for place in (path, os.path.dirname(path)):  # SQLite keeps its journal beside the file
        if not os.access(place, os.W_OK):
            raise StoreError(
                f"expected to write to {url}, but {place} is read-only, or not this user's to write"
            )
    return _open(config, path, readonly=False)


def url_of(config: metadata_store_pb2.ConnectionConfig) -> str:
    """The normal form of a store's URL; the name by which plans know it.

    Raises:
      StoreError: a backend other than sqlite.
    """
    kind = config.WhichOneof("config")
    if kind != "sqlite":
        raise StoreError(f"expected an sqlite metadata connection config, got {kind or 'an empty one'}")
    path = os.path.realpath(config.sqlite.filename_uri)
    return f"sqlite://{path.translate(_QUOTED)}"


def _open(config: metadata_store_pb2.ConnectionConfig, path: str, *, readonly: bool) -> MetadataStore:
    from ml_metadata import errors
    from ml_metadata.proto import metadata_store_pb2

    from tfx_janitor.lineage.in_words import READONLY, StoreInWords, in_words

    own = metadata_store_pb2.ConnectionConfig()
    own.CopyFrom(config)
    own.sqlite.connection_mode = own.sqlite.READONLY if readonly else own.sqlite.READWRITE
    # Many pipelines may write to one sqlite file: a busy database is waited for, not failed on.
    own.retry_options.max_num_retries = max(own.retry_options.max_num_retries, 100)
    journal = f"{path}-journal"
    cut_off = os.path.exists(journal) and os.path.getsize(journal) > 0
    try:
        store = StoreInWords(own)
        store.get_artifact_types()
    except (errors.StatusError, RuntimeError) as error:
        # Who only looks writes for two reasons: SQLite to take back what a process that died has left half
        # written, and MLMD to make its tables.
        if readonly and READONLY in str(error):
            if cut_off:
                raise _CutOff(
                    f"a process died while it wrote to {path}: whatever opens it to write puts that right, a "
                    "pipeline or `tfx-janitor purge`"
                ) from None
            words = f"{path} has none of MLMD's tables: name the file that your pipelines write to"
        else:
            words = in_words(str(error), path) or f"{path} does not open as one: {error}"
        raise StoreError(f"expected an MLMD store, but {words}") from None
    return store


def _config_of(url: str) -> metadata_store_pb2.ConnectionConfig:
    from ml_metadata.proto import metadata_store_pb2

    try:
        parts = urlsplit(url)
    except ValueError:  # a bracket too few or too many
        parts = urlsplit(url.partition("://")[0] + "://")
    if parts.scheme != "sqlite":
        shown = f"{parts.scheme}://..." if parts.scheme else repr(url)
        if parts.scheme in _NOT_YET:
            shown += "; an sqlite file is the only store that works so far"
        elif os.path.isfile(url):
            shown += f"; that file is sqlite://{os.path.abspath(url).translate(_QUOTED)}"
        raise StoreError(f"expected a metadata URL such as sqlite:///absolute/path/metadata.db, got {shown}")
    if parts.netloc or not parts.path.startswith("/"):
        # What stands before an @ may be a password.
        shown = url if "@" not in parts.netloc else "sqlite://..."
        raise StoreError(f"expected three slashes and an absolute path, sqlite:///absolute/path, got {shown}")
    config = metadata_store_pb2.ConnectionConfig()
    config.sqlite.filename_uri = unquote(parts.path)
    return config
