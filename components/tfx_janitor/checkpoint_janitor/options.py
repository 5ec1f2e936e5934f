"""What a CheckpointJanitor is told, and how it travels: as parameters that MLMD stores and TFX logs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message
from ml_metadata.proto import metadata_store_pb2

from tfx_janitor.checkpoint_janitor.unrooted import UnrootedPolicy
from tfx_janitor.errors import JanitorError
from tfx_janitor.lineage import connection
from tfx_janitor.policy import file as policy_file
from tfx_janitor.policy.schema import RetentionPolicy

POLICY = "policy"
METADATA = "metadata_connection_config"
WHOLE_STORE = "whole_store"
FAIL_PIPELINE = "fail_pipeline"
HTML = "html"


class OptionError(JanitorError, ValueError):
    """A CheckpointJanitor was told something that it cannot work with."""


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a CheckpointJanitor.

    Attributes:
      policy: decides, in the bounds of the holds. Without roots it gets the pipeline root when it runs.
      metadata: connection config of the MLMD store that the pipeline itself writes to.
      whole_store: judges what all pipelines of the store produced, not only its own.
      fail_pipeline: lets the node fail when the janitor fails, refuses, or fails on an item.
      html: leaves a page for a browser beside the report.

    Raises:
      OptionError: one of them is of a wrong type, or the connection config carries a password.
      StoreError: the connection config names a store that cannot be opened from here.
    """

    policy: RetentionPolicy | UnrootedPolicy
    metadata: metadata_store_pb2.ConnectionConfig
    whole_store: bool = False
    fail_pipeline: bool = False
    html: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.policy, RetentionPolicy | UnrootedPolicy):
            raise OptionError(
                f"expected policy to be a RetentionPolicy, got {type(self.policy).__name__}; read one with "
                "RetentionPolicy.from_yaml(path)"
            )
        if not isinstance(self.metadata, metadata_store_pb2.ConnectionConfig):
            raise OptionError(
                "expected metadata_connection_config to be the ConnectionConfig that the pipeline has, such "
                f"as sqlite_metadata_connection_config(path) makes, got {type(self.metadata).__name__}"
            )
        for field in _passwords(self.metadata):
            raise OptionError(
                f"expected metadata_connection_config without {field}, got one that has it: MLMD stores the "
                "parameters of an execution and TFX logs them, so it would be there for everybody to read; "
                "leave it out and give it in the environment of the process that runs the pipeline"
            )
        connection.url_of(self.metadata)

    def to_parameters(self) -> dict[str, str | int]:
        """As execution parameters; `from_parameters` reads them back to the same options."""
        return {
            POLICY: json.dumps(self.policy.to_dict(), sort_keys=True),
            METADATA: json_format.MessageToJson(self.metadata, indent=0, sort_keys=True),
            WHOLE_STORE: int(self.whole_store),
            FAIL_PIPELINE: int(self.fail_pipeline),
            HTML: int(self.html),
        }

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> Options:
        """Reads what `to_parameters` wrote.

        Raises:
          JanitorError: somebody else wrote it.
        """
        try:
            metadata = json_format.Parse(parameters[METADATA], metadata_store_pb2.ConnectionConfig())
            policy = _policy(parameters[POLICY])
        except (KeyError, json_format.ParseError) as error:
            raise OptionError(f"expected the parameters of a CheckpointJanitor, got {error}") from None
        return cls(
            policy,
            metadata,
            whole_store=bool(parameters.get(WHOLE_STORE)),
            fail_pipeline=bool(parameters.get(FAIL_PIPELINE)),
            html=bool(parameters.get(HTML, True)),
        )


def _policy(text: str) -> RetentionPolicy | UnrootedPolicy:
    source = "the policy of CheckpointJanitor"
    mapping = policy_file.parse(text, source=source, format="json").data
    unrooted = isinstance(mapping, Mapping) and mapping.get("roots", ()) is None
    return (UnrootedPolicy if unrooted else RetentionPolicy).from_dict(mapping, source=source)


def _passwords(message: Message, path: str = "") -> Iterator[str]:
    for field, value in message.ListFields():
        if isinstance(value, Message):
            yield from _passwords(value, f"{path}{field.name}.")
        elif "password" in field.name:
            yield f"{path}{field.name}"
