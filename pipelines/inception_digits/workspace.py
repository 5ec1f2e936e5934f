"""The one directory that holds everything that the demo makes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from tfx_janitor.deletion import remove
from tfx_janitor.payload import places

_MARKER = ".inception-digits-demo"


@dataclass(frozen=True, slots=True)
class Workspace:
    """Where what lies; `directory` is absolute, because MLMD remembers paths for ever."""

    directory: Path
    pipeline: str

    @property
    def metadata(self) -> Path:
        """Sqlite file of ML Metadata."""
        return self.directory / "metadata.db"

    @property
    def metadata_url(self) -> str:
        """The same, as the command line wants it."""
        return f"sqlite://{self.metadata}"

    @property
    def pipelines(self) -> Path:
        """Parent of the pipelines' roots: the only place where the janitor may delete."""
        return self.directory / "pipelines"

    @property
    def root(self) -> Path:
        """The pipeline's artifacts."""
        return self.pipelines / self.pipeline

    @property
    def serving(self) -> Path:
        """Base directory of the pushed versions."""
        return self.directory / "serving" / self.pipeline

    @property
    def spans(self) -> Path:
        """The digits that arrive."""
        return self.directory / "data" / "arrived"

    @property
    def held_out(self) -> Path:
        """TFRecord of the digits that no training ever sees."""
        return self.directory / "data" / "held_out.tfrecord"

    @property
    def policy(self) -> Path:
        """The policy in force."""
        return self.directory / "janitor.yaml"

    def write_policy(self, template: Path) -> Path:
        """Writes the policy in force: the template with this directory's roots."""
        # JSON strings are YAML strings, whatever the path holds.
        roots = f"roots: [{json.dumps(str(self.pipelines))}]\nserving: [{json.dumps(str(self.serving))}]\n"
        self.policy.write_text(f"{roots}\n{template.read_text(encoding='utf-8')}", encoding="utf-8")
        return self.policy

    @property
    def log(self) -> Path:
        """What TFX, TensorFlow and Beam said."""
        return self.directory / "run.log"


def open_workspace(directory: Path, pipeline: str, *, fresh: bool) -> Workspace:
    """Makes the directory, or continues in one that this function made before.

    Args:
      directory: made if missing; links in it are resolved.
      pipeline: name of the pipeline.
      fresh: removes what earlier demos left there.

    Raises:
      ValueError: the directory holds something else.
    """
    directory = directory.resolve()
    if directory.exists() and not (directory / _MARKER).exists() and any(directory.iterdir()):
        raise ValueError(
            f"expected an empty directory or one of an earlier demo, but {directory} holds other things"
        )
    if fresh:
        parent = [places.resolve(str(directory.parent))]
        remove.finish(str(directory), directory.name, roots=parent)
        remove.vanish(str(directory), directory.name, roots=parent)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / _MARKER).touch()
    return Workspace(directory, pipeline)
