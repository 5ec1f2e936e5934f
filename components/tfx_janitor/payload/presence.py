"""Whether something lies at a path. What cannot be looked at is not gone.

`os.path.lexists` takes every error for absence: a directory that one may not search, a disk that answers with
an I/O error, a file server that restarts. Here only the system's word that there is no such name counts.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from tfx_janitor.payload.filesystem import kind, reason


@dataclass(frozen=True, slots=True)
class Unread:
    """What keeps something from being looked at.

    Attributes:
      path: absolute, of what cannot be read: the thing itself, something in it, or a directory around it.
      problem: as the end of a sentence about it.
    """

    path: str
    problem: str

    @property
    def forbidden(self) -> bool:
        """Whether somebody else may read it."""
        return self.problem == reason(PermissionError())

    def __str__(self) -> str:
        return f"{self.path} {self.problem}"


def on_the_way(path: str) -> Unread | None:
    """The first thing that keeps one from coming to an absolute path; None if there is none, or no such path.

    What lies at the path, and whether that can be read, is not looked at.
    """
    parts = path.split("/")
    for depth in range(2, len(parts) + 1):
        way = "/".join(parts[:depth])
        try:
            os.lstat(way)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except PermissionError as error:  # it is the directory that one may not search
            return Unread(os.path.dirname(way), reason(error))
        except OSError as error:
            return Unread(way, reason(error))
    return None


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
