"""Whether something lies at a path. What cannot be looked at is not gone.

`os.path.lexists` takes every error for absence: a directory that one may not search, a disk that answers with
an I/O error, a file server that restarts. Here only the system's word that there is no such name counts.
"""

from __future__ import annotations

import os

from tfx_janitor.payload.filesystem import kind, reason


def is_missing(path: str) -> bool:
    """Whether nothing lies at a path; a link counts as something, wherever it leads."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def has_vanished(path: str) -> bool:
    """Whether nothing lies at a path, while what it lay in is there: else its disk may not be mounted."""
    return is_missing(path) and os.path.isdir(os.path.dirname(path))


def why_no_directory(path: str) -> str:
    """What is at a path instead of a directory, as the end of a sentence: "there is no /srv/serving"."""
    try:
        mode = os.lstat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return f"there is no {path}"
    except OSError as error:
        return f"{path} {reason(error)}"
    return f"{path} is {kind(mode)}"
