"""The executor of VerifiedPusher, which also serves as `custom_executor_spec` of a stock Pusher."""

from __future__ import annotations

import itertools
import logging
import os
import time
from typing import Any

from tfx import types
from tfx.components.pusher import executor as stock
from tfx.proto.pusher_pb2 import PushDestination, Versioning  # pyright: ignore[reportAttributeAccessIssue]
from tfx.types import artifact_utils, standard_artifacts, standard_component_specs
from tfx.utils import proto_utils

from tfx_janitor import effects
from tfx_janitor.payload import places
from tfx_janitor.verified_pusher import closed_loop, options, push, rename, versions
from tfx_janitor.verified_pusher.errors import OptionError, PushError
from tfx_janitor.verified_pusher.manifest import Execution, Source

_log = logging.getLogger(__name__)

_Artifacts = dict[str, list[types.Artifact]]


class Executor(stock.Executor):
    """Pushes a model after proving it, so that a model server sees all of it or nothing.

    The seams of the stock executor stay: override `CheckBlessing` to decide whether, and `GetModelPath` to
    decide what to push.
    """

    def Do(self, input_dict: _Artifacts, output_dict: _Artifacts, exec_properties: dict[str, Any]) -> None:
        """Pushes the model, if it is blessed, to the file system destination.

        Args:
          input_dict: `model`, `model_blessing`, `infra_blessing`, as for the stock executor.
          output_dict: `pushed_model`, one PushedModel. Its custom properties are those of the stock executor
            (`pushed`, `pushed_destination`, `pushed_version`), and if pushed `content_digest`, `manifest`
            (path), `archive` (`link`, `copy` or `none`), `source_model_uri` and `source_model_id` (or
            `source_infra_blessing_id`, if that is what was pushed), `retired_versions` and
            `retirement_problem` where there are any.
          exec_properties: `push_destination` as JSON; those of `options`; `custom_config` as JSON.

        Raises:
          ModelRefused: the model is empty, incomplete or damaged; nothing became visible.
          NotServed: a model server did not load the new version in time, which was taken back.
          PushError: the push failed, or an option is not understood.
          NotImplementedError: the destination is no file system, or the versioning is unknown.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        pushed_model = artifact_utils.get_single_instance(
            output_dict[standard_component_specs.PUSHED_MODEL_KEY]
        )
        # Read first: a wrong option shall not wait for the first blessed model to be noticed.
        push_options = options.from_exec_properties(exec_properties)
        base_directory = _base_directory(exec_properties, push_options.versioning)
        if not self.CheckBlessing(input_dict):
            self._MarkNotPushed(pushed_model)
            return
        source = _source(input_dict)
        _set_aside(pushed_model.uri)
        done = closed_loop.push_until_served(
            self.GetModelPath(input_dict),
            base_directory,
            source=source,
            execution=self._execution(),
            now_ms=time.time_ns() // 1_000_000,
            options=push_options,
            archive=pushed_model.uri,
        )
        self._MarkPushed(pushed_model, pushed_destination=done.destination, pushed_version=str(done.version))
        _link(pushed_model, source, done)
        _log.info("Version %d in %s serves %s.", done.version, done.destination, source.uri)

    def _execution(self) -> Execution:
        context = self._context
        if context is None:
            return Execution()
        unique_id = str(context._unique_id or "")
        node, pipeline = context.pipeline_node, context.pipeline_info
        return Execution(
            id=int(unique_id) if unique_id.isdecimal() else None,
            pipeline=pipeline.id if pipeline is not None else None,
            run=context.pipeline_run_id or None,
            node=node.node_info.id if node is not None else None,
        )


def _base_directory(exec_properties: dict[str, Any], numbering: versions.Versioning) -> str:
    given = exec_properties.get(standard_component_specs.PUSH_DESTINATION_KEY)
    if not given:
        raise PushError("expected a push_destination with a filesystem.base_directory, got none")
    destination = PushDestination()
    proto_utils.json_to_proto(given, destination)
    kind = destination.WhichOneof("destination")
    if kind != "filesystem":
        raise NotImplementedError(f"Invalid push destination {kind}")
    versioning = destination.filesystem.versioning
    if versioning not in (Versioning.AUTO, Versioning.UNIX_TIMESTAMP):
        raise NotImplementedError(f"Invalid Versioning {versioning}")
    if versioning == Versioning.UNIX_TIMESTAMP and numbering is not versions.Versioning.TIMESTAMP:
        raise OptionError(
            f"expected one way to number versions, got {options.VERSIONING}={numbering.value!r} and a "
            "push_destination with UNIX_TIMESTAMP; remove one of them"
        )
    return destination.filesystem.base_directory


def _set_aside(uri: str) -> None:
    """Gives another name to what lies already where the output of this execution is to come.

    A metadata store that was lost and begun anew gives the ids of executions once more, and with them the
    URIs of their outputs. What lies there is the archive of another model, which may be all that is left of
    it: it is no part of this push, and not this push's to delete.
    """
    place = places.parse(uri)
    if not place.local or not os.path.isdir(place.path) or not os.listdir(place.path):
        return
    for number in itertools.count(1):
        aside = f"{place.path}.before-{number}"
        try:
            rename.to_free_name(place.path, aside)
        except FileExistsError:
            continue
        effects.mkdir(place.path)
        _log.warning(
            "%s held files, of an execution that this metadata store does not know; they are now in %s.",
            place.path,
            aside,
        )
        return


def _source(input_dict: _Artifacts) -> Source:
    # The order in which GetModelPath of the stock executor looks.
    pushed = input_dict.get(standard_component_specs.MODEL_KEY) or input_dict.get(
        standard_component_specs.INFRA_BLESSING_KEY
    )
    if not pushed:
        raise PushError("expected a model, or an infra_blessing that holds one, got neither")
    artifact = artifact_utils.get_single_instance(pushed)
    return Source(artifact.uri, artifact.id or None, artifact.type_name)


def _link(pushed_model: types.Artifact, source: Source, done: push.Push) -> None:
    pushed_model.set_string_custom_property("source_model_uri", source.uri)
    if source.artifact_id is not None:
        is_model = source.artifact_type == standard_artifacts.Model.TYPE_NAME
        key = "source_model_id" if is_model else "source_infra_blessing_id"
        pushed_model.set_int_custom_property(key, source.artifact_id)
    pushed_model.set_string_custom_property("content_digest", done.content_digest)
    pushed_model.set_string_custom_property("archive", done.archived.value)
    if done.manifest is not None:
        pushed_model.set_string_custom_property("manifest", done.manifest)
    if done.retirement.retired:
        retired = ",".join(map(str, done.retirement.retired))
        pushed_model.set_string_custom_property("retired_versions", retired)
    if done.retirement.problems:
        pushed_model.set_string_custom_property("retirement_problem", "; ".join(done.retirement.problems))
