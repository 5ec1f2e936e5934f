"""The few fields of TensorFlow's protocol buffers that are read here, under names and in a pool of our own.

TensorFlow registers its messages in protobuf's default pool; declaring them there again would clash as soon
as both are in one process. Fields that are not listed are skipped by the parser. Enums are read as integers
and names as bytes, which is the same on the wire and never fails on odd input.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

_PACKAGE = "tfx_janitor.payload"
_FIELD = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "int32": _FIELD.TYPE_INT32,
    "int64": _FIELD.TYPE_INT64,
    "uint64": _FIELD.TYPE_UINT64,
    "fixed32": _FIELD.TYPE_FIXED32,
    "double": _FIELD.TYPE_DOUBLE,
    "bool": _FIELD.TYPE_BOOL,
    "bytes": _FIELD.TYPE_BYTES,
    "string": _FIELD.TYPE_STRING,
}

# Message -> (field, number, type); "*" marks a repeated field. Sources: tensor_bundle.proto,
# tensor_shape.proto, tensor_slice.proto, versions.proto, fingerprint.proto, saved_model.proto,
# meta_graph.proto, graph.proto, saved_object_graph.proto and checkpoint_state.proto of TensorFlow.
_MESSAGES = {
    "Version": (("producer", 1, "int32"), ("min_consumer", 2, "int32")),
    "BundleHeader": (("num_shards", 1, "int32"), ("endianness", 2, "int32"), ("version", 3, "Version")),
    "Dimension": (("size", 1, "int64"),),
    "Shape": (("dim", 2, "*Dimension"),),
    "Extent": (("start", 1, "int64"), ("length", 2, "int64")),
    "Slice": (("extent", 1, "*Extent"),),
    "BundleEntry": (
        ("dtype", 1, "int32"),
        ("shape", 2, "bytes"),
        ("shard_id", 3, "int32"),
        ("offset", 4, "int64"),
        ("size", 5, "int64"),
        ("crc32c", 6, "fixed32"),
        ("slices", 7, "*Slice"),
    ),
    "Fingerprint": (
        ("saved_model_checksum", 1, "uint64"),
        ("checkpoint_hash", 5, "uint64"),
        ("version", 6, "Version"),
    ),
    "Node": (("op", 2, "bytes"),),
    "Graph": (("node", 1, "*Node"),),
    "AssetFile": (("filename", 2, "bytes"),),
    "Empty": (),
    "MetaInfo": (("tags", 4, "*bytes"),),
    "MetaGraph": (
        ("meta_info_def", 1, "MetaInfo"),
        ("graph_def", 2, "Graph"),
        ("asset_file_def", 6, "*AssetFile"),
        ("object_graph_def", 7, "Empty"),
    ),
    "SavedModel": (("meta_graphs", 2, "*MetaGraph"),),
    "MetaGraphFrame": (
        ("meta_info_def", 1, "MetaInfo"),
        ("graph_def", 2, "bytes"),
        ("asset_file_def", 6, "*AssetFile"),
        ("object_graph_def", 7, "bytes"),
    ),
    "SavedModelFrame": (("meta_graphs", 2, "*MetaGraphFrame"),),
    "CheckpointState": (
        ("model_checkpoint_path", 1, "string"),
        ("all_model_checkpoint_paths", 2, "*string"),
        ("all_model_checkpoint_timestamps", 3, "*double"),
        ("last_preserved_timestamp", 4, "double"),
    ),
}


def _declare() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(
        name="tfx_janitor/payload.proto", package=_PACKAGE, syntax="proto2"
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind in fields:
            label = _FIELD.LABEL_REPEATED if kind.startswith("*") else _FIELD.LABEL_OPTIONAL
            kind = kind.removeprefix("*")
            declared = message.field.add(name=field, number=number, label=label)
            if kind in _SCALARS:
                declared.type = _SCALARS[kind]
            else:
                declared.type = _FIELD.TYPE_MESSAGE
                declared.type_name = f".{_PACKAGE}.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: _class(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")) for name in _MESSAGES}


def _class(descriptor: Any) -> Any:
    get_message_class = getattr(message_factory, "GetMessageClass", None)
    if get_message_class is not None:
        return get_message_class(descriptor)
    # protobuf before 4.22
    return message_factory.MessageFactory(descriptor.file.pool).GetPrototype(descriptor)  # pyright: ignore


def parse(message: Any, data: bytes) -> Any:
    """Parses bytes as one of the messages below.

    Raises:
      DecodeError: the bytes are not such a message. Where warnings are errors, protobuf 3 raises one instead.
    """
    try:
        return message.FromString(data)
    except RuntimeWarning as warning:
        raise DecodeError(str(warning)) from warning


def parse_file(message: Any, data: bytes) -> Any:
    """Parses a whole file, which has no other checksum, as one of the messages below.

    Protobuf 3 takes a message for whole that a zero byte or the end of a group follows; here that is an
    error, so that appended bytes show.

    Raises:
      DecodeError: the bytes are not such a message from their first to their last.
    """
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == 0:
            _, at = _varint(data, at)
        elif kind == 1:
            at += 8
        elif kind == 2:
            length, at = _varint(data, at)
            at += length
        elif kind == 5:
            at += 4
        else:
            raise DecodeError(f"no field has the wire type {kind}")
        if not tag >> 3:
            raise DecodeError("no field has the number 0")
    if at != len(data):
        raise DecodeError("the last field is cut off")
    return parse(message, data)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise DecodeError("a number does not end")


_CLASSES = _declare()

BundleHeader: Any = _CLASSES["BundleHeader"]
BundleEntry: Any = _CLASSES["BundleEntry"]
Shape: Any = _CLASSES["Shape"]
Fingerprint: Any = _CLASSES["Fingerprint"]
Graph: Any = _CLASSES["Graph"]
SavedModel: Any = _CLASSES["SavedModel"]
SavedModelFrame: Any = _CLASSES["SavedModelFrame"]
CheckpointState: Any = _CLASSES["CheckpointState"]
