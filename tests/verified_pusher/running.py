"""Real pipelines of an imported model and pushers, on LocalDagRunner; one takes a fraction of a second."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Pusher = Callable[[Any], Any]
"""Makes the node, given the channel of the model."""


def verified(base: Path, **options: Any) -> Pusher:
    """Our pusher."""

    def make(model: Any) -> Any:
        from tfx_janitor.verified_pusher import VerifiedPusher

        return VerifiedPusher(model=model, push_destination=_destination(base), **options)

    return make


def stock(base: Path, **options: Any) -> Pusher:
    """The Pusher that TFX brings."""

    def make(model: Any) -> Any:
        from tfx.components import Pusher

        return Pusher(model=model, push_destination=_destination(base), **options)

    return make


def ours_in_stock(base: Path, **options: Any) -> Pusher:
    """The Pusher that TFX brings, with our executor."""
    from tfx.dsl.components.base import executor_spec

    from tfx_janitor.verified_pusher.executor import Executor

    return stock(base, custom_executor_spec=executor_spec.ExecutorClassSpec(Executor), **options)


@dataclass(frozen=True)
class Pipeline:
    """One pipeline with its root and its metadata store in a directory."""

    directory: Path

    def run(self, artifact: Path, *pushers: Pusher, cache: bool = False) -> None:
        """Imports a Model artifact from where it lies and pushes it.

        Raises:
          Exception: of the node that failed.
        """
        from tfx.dsl.components.common.importer import Importer
        from tfx.orchestration import metadata, pipeline
        from tfx.orchestration.local.local_dag_runner import LocalDagRunner
        from tfx.types import standard_artifacts

        importer = Importer(source_uri=str(artifact), artifact_type=standard_artifacts.Model)
        importer = importer.with_id("model")
        LocalDagRunner().run(
            pipeline.Pipeline(
                pipeline_name="digits",
                pipeline_root=str(self.directory / "root"),
                components=[importer, *(pusher(importer.outputs["result"]) for pusher in pushers)],
                enable_cache=cache,
                metadata_connection_config=metadata.sqlite_metadata_connection_config(
                    str(self.directory / "metadata.db")
                ),
            )
        )

    @property
    def store(self) -> Any:
        """Its metadata store."""
        from ml_metadata.metadata_store.metadata_store import MetadataStore
        from tfx.orchestration import metadata

        config = metadata.sqlite_metadata_connection_config(str(self.directory / "metadata.db"))
        return MetadataStore(config)

    def pushed(self) -> list[Mapping[str, Any]]:
        """What is recorded of each push that says of itself that it was one, oldest first: its properties."""
        found = sorted(self.store.get_artifacts_by_type("PushedModel"), key=lambda artifact: artifact.id)
        properties = [
            {key: getattr(value, value.WhichOneof("value")) for key, value in one.custom_properties.items()}
            for one in found
        ]
        return [one for one in properties if one.get("pushed") == 1]


def artifact_of(saved_model: Path, artifact: Path) -> Path:
    """Moves a SavedModel to where a Trainer would have put it below its artifact's URI."""
    artifact.mkdir(parents=True)
    saved_model.rename(artifact / "Format-Serving")
    return artifact


def _destination(base: Path) -> Any:
    from tfx.v1 import proto

    return proto.PushDestination(filesystem=proto.PushDestination.Filesystem(base_directory=str(base)))
