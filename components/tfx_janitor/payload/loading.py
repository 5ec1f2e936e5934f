"""TensorFlow itself (or h5py, which comes with it) loads the payload.

Besides `evaluation`, which reads with TensorFlow Model Analysis, the only module of this package that imports
either, and only inside its functions.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import sys
from collections.abc import Callable, Collection, Iterator
from typing import IO, Any

from tfx_janitor.errors import JanitorError

_MESSAGE_LIMIT = 500
"""TensorFlow's errors can quote whole graphs; the first few lines say what happened."""

Tags = tuple[str, ...]
"""What tells the graphs of one SavedModel apart."""

SERVED: Tags = ("serve",)
"""The graph that model servers load."""


class NotInstalled(JanitorError):
    """A library that loads payloads is not there; the payload is not to blame."""


def load_saved_model(path: str, tag_sets: Collection[Tags]) -> str | None:
    """Loads a SavedModel with `tf.saved_model.load`, on the CPU.

    Args:
      path: its directory.
      tag_sets: the tags of each of its graphs. If one of them is for serving, only that one is loaded: others
        may be for machines that are not here.

    Returns:
      Why it does not load, as the end of a sentence; None if it does.
    """

    def load(tf: Any) -> None:
        for tags in (SERVED,) if SERVED in tag_sets else tag_sets:
            restore(tf, path, tags)

    return attempt(load)


def restore(tf: Any, path: str, tags: Tags) -> Any:
    """What `tf.saved_model.load` makes, on the CPU, of the graph that has just these tags.

    Raises:
      Exception: of any kind; it does not load.
    """
    with without_wildcards(path) as plain, tf.device("CPU:0"):
        return tf.saved_model.load(plain, list(tags))


def load_checkpoint(prefix: str) -> str | None:
    """Reads every tensor of a TF checkpoint with TensorFlow's own reader.

    Variants (the state of data iterators) have no value outside a graph and are left to their checksums.

    Args:
      prefix: path without `.index`. Its directory is taken literally; TensorFlow itself cannot load a
        checkpoint whose own name holds wildcards.

    Returns:
      Why it does not load, as the end of a sentence; None if it does.
    """

    def load(tf: Any) -> None:
        directory, name = os.path.split(prefix)
        with without_wildcards(directory or ".") as plain:
            # Not tf.train.load_checkpoint, which looks inside if a directory has the prefix as its name.
            reader = tf.compat.v1.train.NewCheckpointReader(os.path.join(plain, name))
            for key, dtype in reader.get_variable_to_dtype_map().items():
                if dtype != tf.variant:
                    reader.get_tensor(key)

    return attempt(load)


def load_hdf5(file: IO[bytes]) -> str | None:
    """Reads every dataset of an open HDF5 file.

    Returns:
      Why it does not load, as the end of a sentence; None if it does.

    Raises:
      NotInstalled: there is no h5py.
    """
    with _installed("h5py"):
        import h5py

    def read(_: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            item[()]

    try:
        with h5py.File(file, "r") as content:
            content.visititems(read)
    # HDF5 reports damage through whatever exception fits its C error stack.
    except Exception as error:
        return _sentence("h5py", error)
    return None


def attempt(load: Callable[[Any], None]) -> str | None:
    """Lets TensorFlow load something, in silence. Several threads may do so at once.

    Args:
      load: what is to be done; it is given the module `tensorflow`.

    Returns:
      Why it does not load, as the end of a sentence; None if it does.

    Raises:
      NotInstalled: there is no TensorFlow.
    """
    with tensorflow() as tf:
        try:
            load(tf)
        # A damaged payload can surface as any exception of TensorFlow's or of the libraries below it, and
        # each is the very finding that was asked for.
        except Exception as error:
            return _sentence("TensorFlow", error)
    return None


@contextlib.contextmanager
def tensorflow() -> Iterator[Any]:
    """The module `tensorflow`, which logs nothing meanwhile. Several threads may have it at once.

    Raises:
      NotInstalled: there is none.
    """
    with _quiet(), _installed("tensorflow"):
        import tensorflow as tf

        logger = tf.get_logger()

        def silence(_: logging.LogRecord) -> bool:
            return False

        # A filter of one's own, and not a level to set back: other threads have theirs.
        logger.addFilter(silence)
        try:
            yield tf
        finally:
            logger.removeFilter(silence)


def require() -> None:
    """Makes sure that payloads can be loaded, where one that cannot be would merely count as not judged.

    Raises:
      NotInstalled: there is no TensorFlow.
    """
    with tensorflow():
        pass


def is_installed() -> bool:
    """Whether there is a TensorFlow, without importing it, which takes seconds."""
    return importlib.util.find_spec("tensorflow") is not None


@contextlib.contextmanager
def without_wildcards(directory: str) -> Iterator[str]:
    """A path to the same directory that TensorFlow, which takes paths for patterns, reads literally."""
    if not any(character in directory for character in "*?[\\"):
        yield directory
        return
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def told(error: Exception) -> str:
    """An error by its kind and its first words, on one line."""
    message = " ".join(str(error).split())
    if len(message) > _MESSAGE_LIMIT:
        message = f"{message[:_MESSAGE_LIMIT]} ..."
    return f"{type(error).__name__}: {message}"


@contextlib.contextmanager
def _installed(library: str) -> Iterator[None]:
    """While the block runs, a library is imported that only comes with the extra `tfx`."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name != library:  # it is there, and something that it needs is not
            raise
        raise NotInstalled(
            f"loading a payload takes {library}, which is not installed here; "
            'pip install "tfx-janitor[tfx]" brings it, and the level checksums does without'
        ) from None


def _sentence(who: str, error: Exception) -> str:
    return f"is not loaded by {who}: {told(error)}"


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps TensorFlow's greetings off standard error while it is imported for the first time."""
    name = "TF_CPP_MIN_LOG_LEVEL"
    if "tensorflow" in sys.modules or name in os.environ:
        yield
        return
    os.environ[name] = "3"
    try:
        yield
    finally:
        # Another thread that came at the same time may have been faster.
        os.environ.pop(name, None)
