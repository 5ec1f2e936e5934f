"""SavedModels: where they lie in an artifact's payload, and whether they are whole.

What is checked stands in TensorFlow's own files: `fingerprint.pb` keeps FarmHash fingerprints of
`saved_model.pb` and of `variables/variables.index` (fingerprinting.cc), and the index keeps sizes and
checksums of all that lies in the variables' shards. Assets carry no checksum anywhere: of them only presence
is checked.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from google.protobuf import text_format
from google.protobuf.message import DecodeError

from tfx_janitor.payload import answers, filesystem, loading, protos, smoke, tensor_bundle, tensor_checksum
from tfx_janitor.payload.farm_fingerprint import fingerprint64
from tfx_janitor.payload.smoke import SmokeTest
from tfx_janitor.payload.verification import Damage, Level, Verification

KIND = "SavedModel"

_GRAPH, _GRAPH_TEXT, _GRAPH_CHUNKED = "saved_model.pb", "saved_model.pbtxt", "saved_model.cpb"
_FINGERPRINT = "fingerprint.pb"
_VARIABLES = "variables"
_INDEX = "variables/variables.index"
_SERVING = ("Format-Serving", "serving_model_dir")
_EVALUATION = ("Format-TFMA", "eval_model_dir")

_PROTO_LIMIT = (1 << 31) - 1
"""Protocol buffers end at 2 GiB."""

# Ops that hold a variable of the checkpoint, of every generation of graphs.
_VARIABLE_OPS = frozenset((b"VarHandleOp", b"VariableV2", b"Variable", b"AutoReloadVariable"))

# Before this version of the fingerprint, field 1 was a hash of something else: of the graph inside its frame.
_CHECKSUM_OF_FILE_SINCE = 1


def find(path: str) -> tuple[str, ...]:
    """The SavedModel directories of an artifact's payload, the one for serving first.

    Looked for at the path itself, below `Format-Serving` and `Format-TFMA` (in older TFX `serving_model_dir`
    and `eval_model_dir`, there also as timestamped exports of estimators), and else one level down. A
    directory that is named for a SavedModel counts even when it is empty: that is damage, not absence.

    Returns:
      Absolute or relative as the path was; empty if there is none. Links are not followed.
    """
    if is_saved_model(path):
        return (path,)
    directories = _directories(path)
    found = [
        model
        for name in (*_SERVING, *_EVALUATION)
        if name in directories
        for model in _exports(os.path.join(path, name))
    ]
    return tuple(found or _newest_first(path))


def is_saved_model(path: str) -> bool:
    """Whether a directory holds a SavedModel or what is left of one."""
    names = (_GRAPH, _GRAPH_TEXT, _GRAPH_CHUNKED, _FINGERPRINT, _INDEX)
    return any(os.path.lexists(os.path.join(path, name)) for name in names)


def is_for_evaluation(path: str, model: str) -> bool:
    """Whether one of the SavedModels that `find` found at a path is for an Evaluator, not for serving."""
    return os.path.relpath(model, path).split(os.sep)[0] in _EVALUATION


@dataclass(frozen=True, slots=True)
class Structure:
    """What a look at a SavedModel tells without reading what lies in the shards of its variables.

    Attributes:
      damages: everything found wrong.
      files: number of its files.
      bytes: their apparent size together.
      variables: of the variables' bundle, with file names relative to `variables/`.
      tag_sets: of each of its graphs.
    """

    damages: tuple[Damage, ...]
    files: int = 0
    bytes: int = 0
    variables: tensor_bundle.Structure = field(default_factory=tensor_bundle.Structure)
    tag_sets: tuple[loading.Tags, ...] = ()

    @property
    def checksummed(self) -> frozenset[str]:
        """The variables' shards, relative to the SavedModel; none if any byte of them has no checksum."""
        whole = self.variables.checksummed >= self.variables.held.keys()
        return frozenset(f"{_VARIABLES}/{shard}" for shard in self.variables.held if whole)

    def verification(self, path: str) -> Verification:
        """The same as the outcome of a verification that looked no deeper."""
        return _verification(path, Level.STRUCTURE, self, self.damages)


def verify(path: str, level: Level, smoke_test: SmokeTest = smoke.WARM_UP) -> Verification:
    """Checks one SavedModel.

    - STRUCTURE: everything inside is a file; the graph parses; the index of the variables matches its own
      checksums, and is there if the graph has variables; graph and index match `fingerprint.pb`; every shard
      has exactly the size that the index says; the assets that the graph names are there. A SavedModel
      without `fingerprint.pb` (older TensorFlow, estimators) has no checksum of its graph.
    - CHECKSUMS: also every tensor's bytes.
    - LOAD: also `tf.saved_model.load`, if nothing was found until then. Of several graphs the one that model
      servers load.
    - SMOKE: also the answers to a smoke test.

    Nothing that lies there makes it fail: whatever cannot be read is a damage.

    Args:
      path: one SavedModel's directory, as `find` gives them; it may itself be a link.
      level: how deep to look.
      smoke_test: what is asked at level SMOKE.

    Raises:
      SmokeTestError: the examples of the smoke test cannot be read.
    """
    structure = look(path)
    if level is not Level.STRUCTURE:
        structure = compare(path, structure)
    return conclude(path, structure, level, smoke_test)


def look(path: str) -> Structure:
    """Checks the structure of one SavedModel; see `verify`."""
    damages: list[Damage] = []
    found: dict[str, os.stat_result] = {}
    try:
        for entry in filesystem.walk(path):
            found[entry.name] = entry.status
            if not stat.S_ISREG(entry.status.st_mode):
                damages.append(Damage(entry.name, f"is {filesystem.kind(entry.status.st_mode)}, not a file"))
    except OSError as error:
        where = os.path.relpath(error.filename, path) if isinstance(error.filename, str) else "."
        damages.append(Damage(where, filesystem.reason(error)))
        if where == ".":
            return Structure(tuple(damages))
    fingerprint, problems = _fingerprint(path, found)
    damages += problems
    graph, problems = _graph(path, found, fingerprint)
    damages += problems
    if graph is not None:
        damages += _assets(graph, found)
    problems, variables = _variables(path, found, graph, fingerprint)
    damages += problems
    size = sum(status.st_size for status in found.values())
    tag_sets = () if graph is None else tuple(_tag_sets(graph))
    return Structure(tuple(damages), len(found), size, variables, tag_sets)


def compare(path: str, structure: Structure, read: tensor_checksum.Read = tensor_checksum.pread) -> Structure:
    """Goes on where `look` ended, with the bytes of every tensor; of the files it opens only the shards.

    Args:
      path: one SavedModel's directory.
      structure: of this SavedModel, or of one whose shards are copied here.
      read: reads the shards, each from front to back.

    Returns:
      The structure, with what was found among its damages.
    """
    variables = os.path.join(path, _VARIABLES)
    found = _in_variables(tensor_bundle.compare(variables, structure.variables, read))
    return replace(structure, damages=(*structure.damages, *found))


def conclude(
    path: str, structure: Structure, level: Level, smoke_test: SmokeTest = smoke.WARM_UP
) -> Verification:
    """Does what a level asks for beyond `look` and `compare`: loads the model if nothing was found.

    Args:
      path: one SavedModel's directory.
      structure: of this SavedModel, or of one of which this is a copy.
      level: how deep to look.
      smoke_test: what is asked at level SMOKE.

    Raises:
      SmokeTestError: the examples of the smoke test cannot be read.
    """
    damages = list(structure.damages)
    if level.loads and not damages:
        damages += _loading(path, structure.tag_sets, smoke_test if level is Level.SMOKE else None)
    return _verification(path, level, structure, damages)


def _verification(path: str, level: Level, structure: Structure, damages: Iterable[Damage]) -> Verification:
    return Verification(
        path,
        KIND,
        level,
        tuple(dict.fromkeys(damages)),
        structure.files,
        structure.bytes,
        structure.variables.tensors,
    )


def _loading(path: str, tag_sets: Sequence[loading.Tags], smoke_test: SmokeTest | None) -> Iterator[Damage]:
    if smoke_test is not None:
        if damage := answers.ask(path, tag_sets, smoke_test):
            yield damage
    elif problem := loading.load_saved_model(path, tag_sets):
        yield Damage(".", problem)


def _tag_sets(graph: Any) -> Iterator[loading.Tags]:
    for meta_graph in graph.meta_graphs:
        yield tuple(sorted(os.fsdecode(tag) for tag in meta_graph.meta_info_def.tags))


def _directories(path: str) -> list[str]:
    with contextlib.suppress(filesystem.ReadError):
        return [name for name, status in filesystem.entries(path).items() if stat.S_ISDIR(status.st_mode)]
    return []


def _newest_first(path: str) -> list[str]:
    """SavedModels one level down; exports are named by their time in seconds."""
    models = [name for name in _directories(path) if is_saved_model(os.path.join(path, name))]
    models.sort(key=lambda name: (int(name) if name.isdecimal() else -1, name), reverse=True)
    return [os.path.join(path, name) for name in models]


def _exports(directory: str) -> list[str]:
    """The SavedModel at a directory named for one, or the timestamped ones inside (`export/NAME/TIME`)."""
    if is_saved_model(directory):
        return [directory]
    exporters = os.path.join(directory, "export")
    found = _newest_first(directory)
    for name in _directories(exporters):
        found += _newest_first(os.path.join(exporters, name))
    return found or [directory]


def _fingerprint(path: str, found: Mapping[str, os.stat_result]) -> tuple[Any, list[Damage]]:
    if _FINGERPRINT not in found:
        return None, []
    try:
        data = filesystem.read(os.path.join(path, _FINGERPRINT), _PROTO_LIMIT)
        message = protos.parse_file(protos.Fingerprint, data)
    except filesystem.ReadError as error:
        return None, [Damage(_FINGERPRINT, str(error))]
    except DecodeError:
        return None, [Damage(_FINGERPRINT, "cannot be parsed")]
    return (message, []) if data else (None, [Damage(_FINGERPRINT, "is empty")])


def _graph(path: str, found: Mapping[str, os.stat_result], fingerprint: Any) -> tuple[Any, list[Damage]]:
    """The graph, and what is wrong with it; compared with a fingerprint if one is given."""
    name = next((name for name in (_GRAPH, _GRAPH_TEXT) if name in found), None)
    if name is None:
        if _GRAPH_CHUNKED in found:
            return None, [Damage(_GRAPH_CHUNKED, "is a chunked SavedModel, a format that is not understood")]
        return None, [Damage(_GRAPH, "is missing")]
    try:
        data = filesystem.read(os.path.join(path, name), _PROTO_LIMIT)
    except filesystem.ReadError as error:
        return None, [Damage(name, str(error))]
    if not data:
        return None, [Damage(name, "is empty")]
    damages: list[Damage] = []
    expected = _checksum_of_graph(fingerprint) if name == _GRAPH else 0
    if expected and fingerprint64(data) != expected:
        damages.append(Damage(name, f"does not match its fingerprint in {_FINGERPRINT}"))
    # Where the fingerprint has spoken, the frame of the graph is all that is needed: an order of magnitude
    # faster.
    kind = protos.SavedModelFrame if expected else protos.SavedModel
    try:
        if name == _GRAPH:
            message = protos.parse_file(kind, data)
        else:
            message = text_format.Parse(data.decode(), kind(), allow_unknown_field=True)
    except (DecodeError, text_format.ParseError, UnicodeDecodeError, RecursionError):
        return None, [*damages, Damage(name, "cannot be parsed")]
    if not message.meta_graphs:
        return None, [*damages, Damage(name, "holds no graph")]
    return message, damages


def _checksum_of_graph(fingerprint: Any) -> int:
    """The fingerprint that `saved_model.pb` should have; 0 if nothing says so."""
    if fingerprint is None or fingerprint.version.producer < _CHECKSUM_OF_FILE_SINCE:
        return 0
    return fingerprint.saved_model_checksum


def _assets(graph: Any, found: Mapping[str, os.stat_result]) -> Iterator[Damage]:
    for meta_graph in graph.meta_graphs:
        for asset in meta_graph.asset_file_def:
            name = f"assets/{os.fsdecode(asset.filename)}"
            if name not in found:
                yield Damage(name, "is missing, but the graph uses it")


def _variables(
    path: str, found: Mapping[str, os.stat_result], graph: Any, fingerprint: Any
) -> tuple[list[Damage], tensor_bundle.Structure]:
    if _INDEX not in found:
        left = any(name.startswith(f"{_VARIABLES}/") for name in found)
        needed = left or bool(fingerprint is not None and fingerprint.checkpoint_hash)
        if needed or (graph is not None and _has_variables(graph)):
            return [Damage(_INDEX, "is missing, but the graph has variables")], tensor_bundle.Structure()
        return [], tensor_bundle.Structure()
    damages: list[Damage] = []
    if fingerprint is not None and fingerprint.checkpoint_hash:
        try:
            data = filesystem.read(os.path.join(path, _INDEX), tensor_bundle.INDEX_LIMIT)
            if fingerprint64(data) != fingerprint.checkpoint_hash:
                damages.append(Damage(_INDEX, f"does not match its fingerprint in {_FINGERPRINT}"))
        except filesystem.ReadError as error:
            damages.append(Damage(_INDEX, str(error)))
    structure = tensor_bundle.look(os.path.join(path, _VARIABLES), "variables")
    return [*damages, *_in_variables(structure.damages)], structure


def _in_variables(damages: Iterable[Damage]) -> Iterator[Damage]:
    for damage in damages:
        yield Damage(f"{_VARIABLES}/{damage.file}", damage.problem, damage.tensor)


def _has_variables(graph: Any) -> bool:
    """Whether a graph cannot be restored without a checkpoint.

    TensorFlow 2 writes one with every object graph, and fails to load without it even when there is no
    variable; older graphs need one only if an op of theirs holds a variable.
    """
    return any(
        meta_graph.HasField("object_graph_def")
        or any(node.op in _VARIABLE_OPS for node in _nodes(meta_graph.graph_def))
        for meta_graph in graph.meta_graphs
    )


def _nodes(graph: Any) -> Any:
    return protos.parse(protos.Graph, graph).node if isinstance(graph, bytes) else graph.node
