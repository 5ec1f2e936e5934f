"""A stand-in for TensorFlow Serving, whose own binary comes neither from PyPI nor from Debian.

    with ModelServer(base, "inception") as server:       # in this process, on a free port
        server.address                                   # "127.0.0.1:41234"

    python -m tests.serving BASE --model inception       # in its own process; prints the address

It speaks through the real stubs of tensorflow-serving-api. Of TensorFlow Serving's behaviour it copies:

- **The source** (`file_system_storage_path_source`): it polls a base directory, takes every child whose whole
  name is an integer that is not negative for a version, ignores all others, and aspires the latest N (1, the
  default) or all.
- **The manager** (`aspired_versions_manager`, availability preserving, one at a time): a version goes
  through START, LOADING, AVAILABLE, UNLOADING, END. What is aspired is loaded first; what is no longer
  aspired, or has vanished, is unloaded when another aspired version is AVAILABLE, or when none is aspired. A
  version that fails to load ends in END with an error, and is tried again only when it was not aspired for a
  while. What was loaded answers from memory, whatever becomes of its directory.
- **GetModelStatus**: all versions that it ever knew, with states and errors; NOT_FOUND for a model without
  any.
- **Predict**: the latest AVAILABLE version, or the one asked for; NOT_FOUND where there is none. The answer
  names the version.

What it leaves out: retries of a failed load, configuration files, labels, batching, REST, and everything
that makes TensorFlow Serving fast. Models are loaded by TensorFlow (`tensorflow_model`), or by reading and
verifying the files alone (`light_model`), which is enough for most tests.
"""

from tests.serving.client import Answers, keep_predicting, predict
from tests.serving.model_server import ModelServer
from tests.serving.models import (
    LoadError,
    label_of,
    labelled_model,
    light_model,
    tensorflow_model,
    unservable,
)

__all__ = [
    "Answers",
    "LoadError",
    "ModelServer",
    "keep_predicting",
    "label_of",
    "labelled_model",
    "light_model",
    "predict",
    "tensorflow_model",
    "unservable",
]
