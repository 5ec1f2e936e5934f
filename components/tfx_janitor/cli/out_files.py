"""`--out FILE`: looked at before the work that is to be written there begins."""

from __future__ import annotations

import os

from tfx_janitor.errors import JanitorError


def check_out(out: str, *, begins: bytes, what: str) -> None:
    """A slip such as `--out metadata.db` must not cost anything but a message, nor must hours of work.

    Args:
      begins: how a file begins that may be overwritten.
      what: such a file is, in words.

    Raises:
      JanitorError: there is another file, or none can be written there.
    """
    directory = os.path.dirname(os.path.abspath(out))
    try:
        if os.path.isdir(out):
            raise JanitorError(f"{out} is a directory; name a file for --out")
        if not os.path.isdir(directory):
            raise JanitorError(f"there is no directory {directory}; name another file for --out")
        if not os.access(out if os.path.exists(out) else directory, os.W_OK):
            raise JanitorError(f"{out} may not be written; name another file for --out")
        if not os.path.isfile(out) or os.path.getsize(out) == 0:
            return
        with open(out, "rb") as file:
            found = file.read(len(begins))
    except OSError as error:
        raise JanitorError(f"{out} cannot be looked at: {error.strerror}") from None
    if found != begins:
        raise JanitorError(f"{out} exists and is no {what}; name another file for --out")
