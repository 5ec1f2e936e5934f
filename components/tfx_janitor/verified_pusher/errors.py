"""What can go wrong with a push; unless the message says otherwise, nothing became visible."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from tfx_janitor.errors import JanitorError


class PushError(JanitorError):
    """The push could not be carried out."""


class ModelRefused(PushError):
    """The model is empty, incomplete, damaged, or holds something that cannot be copied faithfully."""


class OptionError(PushError, ValueError):
    """An option of the push that cannot be understood."""


class ManifestError(JanitorError):
    """A version directory has no manifest, or one that cannot be trusted."""


@contextlib.contextmanager
def naming(path: str, target: str | None = None) -> Iterator[None]:
    """Lets the error of a call that knows only descriptors say what they are of: there may be two disks."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = path
            if target is not None:
                error.filename2 = target
        raise
