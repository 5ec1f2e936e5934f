"""What can go wrong with a push; unless the message says otherwise, nothing became visible."""

from __future__ import annotations

from tfx_janitor.errors import JanitorError


class PushError(JanitorError):
    """The push could not be carried out."""


class ModelRefused(PushError):
    """The model is empty, incomplete, damaged, or holds something that cannot be copied faithfully."""


class OptionError(PushError, ValueError):
    """An option of the push that cannot be understood."""


class ManifestError(JanitorError):
    """A version directory has no manifest, or one that cannot be trusted."""
