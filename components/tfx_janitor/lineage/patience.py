"""An MLMD store that waits where others write too, instead of failing.

Many pipelines may write to one store at once, and MLMD says so by an error: aborted, where it rolled a
transaction back, or unavailable, where the server did not answer. Its own client waits for the first only,
two seconds on average before each attempt, and not for the second.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import tenacity
from ml_metadata import MetadataStore, errors

from tfx_janitor import effects

_log = logging.getLogger(__name__)

_NOTICEABLE = 5
"""Seconds of waiting after which somebody may wonder why nothing happens."""

_PATIENCE = tenacity.Retrying(
    retry=tenacity.retry_if_exception_type((errors.AbortedError, errors.UnavailableError)),
    wait=tenacity.wait_random_exponential(multiplier=0.05, max=2),
    stop=tenacity.stop_after_delay(60),
    reraise=True,
)


class PerhapsDone(errors.FailedPreconditionError):
    """A write that was refused, and an attempt at it went unanswered before: that one may be the reason."""


class PatientStore(MetadataStore):
    """A store each of whose calls is made again while the store is busy, for a minute at most.

    Attributes:
      database: path of its sqlite file, if it is one.
    """

    def __init__(self, config: Any) -> None:
        """Opens the store.

        Raises:
          ml_metadata.errors.StatusError: it does not open.
        """
        _PATIENCE.copy(before_sleep=_telling())(super().__init__, config)
        self.database: str | None = config.sqlite.filename_uri or None

    def _call(self, method_name: str, request: Any, response: Any, extra_options: Any = None) -> None:
        # All of the client's calls come through here. One that failed as unavailable may have been carried
        # out all the same: whoever writes must bear that it happens twice.
        del extra_options
        unanswered = False

        def attempt() -> None:
            nonlocal unanswered
            try:
                self._attempt(method_name, request, response)
            except errors.UnavailableError:
                unanswered = True
                raise
            except errors.FailedPreconditionError as error:
                if unanswered:
                    raise PerhapsDone(error.message) from None
                raise

        _PATIENCE.copy(before_sleep=_telling())(attempt)

    def _attempt(self, method_name: str, request: Any, response: Any) -> None:
        def call() -> None:
            self._call_method(method_name, request, response)

        if method_name.startswith("Put"):
            effects.perform("mlmd", method_name, call)
        else:
            call()


def _telling() -> Callable[[tenacity.RetryCallState], None]:
    """Says once of a call that it waits, when that has become noticeable."""
    told = False

    def tell(state: tenacity.RetryCallState) -> None:
        nonlocal told
        if not told and (state.seconds_since_start or 0) >= _NOTICEABLE:
            told = True
            _log.warning("the metadata store is busy: waiting for it, for a minute at most")

    return tell
