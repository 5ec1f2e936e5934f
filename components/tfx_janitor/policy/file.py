"""Reads a policy's text, YAML 1.2 or JSON, into plain values that remember their lines.

Values mean what YAML 1.2 says: `no` and `2026-01-31` are texts, `010` is ten. A key that is given twice is an
error, never the last one wins: in a policy that would silently drop what was to be kept.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from tfx_janitor.errors import JanitorError

Format = Literal["yaml", "json"]
FieldPath = tuple["str | int", ...]
"""Where a value stands: `("rules", 0, "keep", "last")`."""

_TAG = "tag:yaml.org,2002:"
_TEXT_TAGS = frozenset(_TAG + name for name in ("str", "timestamp", "value"))


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a policy.

    Attributes:
      message: what was expected, what came, and what to do.
      at: the field; empty for the policy as a whole.
      line: line in the file, from 1; None where there is no file.
    """

    message: str
    at: FieldPath = ()
    line: int | None = None

    @property
    def field(self) -> str:
        """The field as people write it: `rules[0].keep.last`."""
        text = ""
        for part in self.at:
            text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
        return text

    def to_dict(self) -> dict[str, str]:
        """JSON-ready form of what is told of a policy that was read."""
        return {"field": self.field, "message": self.message}


class PolicyError(JanitorError):
    """A policy that cannot be read or must not be used; one line per problem, all problems at once.

    Attributes:
      source: the file, or what else the policy came from.
      problems: in the order of their lines.
    """

    def __init__(self, source: str, problems: tuple[Problem, ...]) -> None:
        self.source = source
        self.problems = problems
        super().__init__("\n".join(map(self._sentence, problems)))

    def _sentence(self, problem: Problem) -> str:
        place = self.source if problem.line is None else f"{self.source}:{problem.line}"
        return ": ".join(filter(None, (place, problem.field, problem.message)))


@dataclass(frozen=True, slots=True)
class Document:
    """What a policy's text says, and where.

    Attributes:
      source: name for messages, usually the path of the file.
      data: the text's one value: dict, list, str, int, float, bool or None.
    """

    source: str
    data: Any
    _root: Node | None = field(repr=False, default=None)

    def line_of(self, at: FieldPath) -> int | None:
        """The line, from 1, of a field's key or of a list's item; of what lacks it, if it is missing."""
        node = self._root
        line: int | None = None
        for part in at:
            if line is None and isinstance(node, MappingNode):
                line = _line(node)
            found = _child(node, part)
            if found is None:
                break
            line, node = found
        return line


def read(path: str | os.PathLike[str], *, format: Format) -> Document:
    """Reads a policy file.

    Raises:
      PolicyError: there is no such file, it cannot be read, or it is not YAML (JSON) in UTF-8.
    """
    source = os.fspath(path)
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        _fail(source, "no such file; give the path of a policy in YAML or JSON")
    except IsADirectoryError:
        _fail(source, "expected a policy file, got a directory; give the path of the file in it")
    except OSError as error:
        _fail(source, f"cannot be read: {error.strerror or error}")
    except ValueError as error:  # a NUL in the path
        _fail(source, f"no path of a file: {error}")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        _fail(
            source,
            f"expected text in UTF-8, got byte 0x{content[error.start]:02x}; save the file as UTF-8",
            line,
        )
    return parse(text, source=source, format=format)


def parse(text: str, *, source: str, format: Format) -> Document:
    """Reads a policy's text.

    Raises:
      PolicyError: the text is empty, or not one document of YAML (JSON), or gives a key twice.
    """
    if not text.strip():
        _fail(source, "the policy is empty; expected at least version, roots and rules")
    try:
        return _parse_json(text, source) if format == "json" else _parse_yaml(text, source)
    except RecursionError:
        _fail(source, "nested too deeply for a policy")


def _parse_yaml(text: str, source: str) -> Document:
    root = _compose(text, source)
    if root is None:
        _fail(source, "the policy is empty; expected at least version, roots and rules")
    return Document(source, _Values(source).value(root, ()), root)


def _parse_json(text: str, source: str) -> Document:
    def constant(name: str) -> NoReturn:
        _fail(source, f"expected a number, got {name}; JSON has no such number")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members: dict[str, Any] = {}
        for key, value in pairs:
            if key in members:
                _fail(source, f'the key "{key}" is given twice; keep one of them')
            members[key] = value
        return members

    try:
        data = json.loads(text, parse_constant=constant, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        _fail(source, f"not JSON: {error.msg} (column {error.colno})", error.lineno)
    except PolicyError:
        # The YAML reader finds the same fault and knows its line.
        _parse_yaml(text, source)
        raise
    except ValueError as error:  # an integer of thousands of digits
        _fail(source, f"not JSON: {error}")
    try:
        root = _compose(text, source)
    except PolicyError:
        # JSON is all but a subset of YAML: without this tree the messages merely lack their lines.
        root = None
    return Document(source, data, root)


def _compose(text: str, source: str) -> Node | None:
    try:
        return YAML(typ="safe", pure=True).compose(text)
    except ReaderError as error:
        _fail(
            source, f"expected text, got the control character {error.character:#04x}; is this a policy file?"
        )
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = ", ".join(part.strip() for part in (error.context, error.problem) if part)
        column = "" if mark is None else f" (column {mark.column + 1})"
        hint = '; quote a pattern that begins with *, as in "*"' if "alias" in said else ""
        _fail(source, f"not YAML: {said}{column}{hint}", None if mark is None else mark.line + 1)
    except YAMLError as error:
        _fail(source, f"not YAML: {error}")


class _Values:
    """Plain values of YAML nodes; aliased nodes give the same object, so that a file costs only its size."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._known: dict[int, Any] = {}
        self._open: set[int] = set()

    def value(self, node: Node, at: FieldPath) -> Any:
        key = id(node)
        if key in self._open:
            self._refuse("an alias that contains itself; write the value out", at, node)
        if key not in self._known:
            self._open.add(key)
            self._known[key] = self._read(node, at)
            self._open.discard(key)
        return self._known[key]

    def _read(self, node: Node, at: FieldPath) -> Any:
        if isinstance(node, MappingNode) and node.tag == _TAG + "map":
            return self._mapping(node, at)
        if isinstance(node, SequenceNode) and node.tag == _TAG + "seq":
            return [self.value(item, (*at, index)) for index, item in enumerate(node.value)]
        if isinstance(node, ScalarNode):
            try:
                return _scalar(node)
            except ValueError as error:
                self._refuse(str(error), at, node)
        self._refuse(f"the tag {node.tag} means nothing in a policy; remove it", at, node)

    def _mapping(self, node: MappingNode, at: FieldPath) -> dict[str, Any]:
        members: dict[str, Any] = {}
        lines: dict[str, int] = {}
        merged: list[Any] = []
        for key_node, value_node in node.value:
            if _merges(key_node):
                bases = self.value(value_node, at)
                merged += bases if isinstance(bases, list) else [bases]
                continue
            if not isinstance(key_node, ScalarNode) or key_node.tag not in _TEXT_TAGS:
                came = f" {key_node.value}" if isinstance(key_node, ScalarNode) else " a list or mapping"
                self._refuse(f"expected a text as key, got{came}; quote it", at, key_node)
            key = key_node.value
            if key in lines:
                message = f"given twice, first on line {lines[key]}; keep one of them"
                self._refuse(message, (*at, key), key_node)
            lines[key] = _line(key_node)
            members[key] = self.value(value_node, (*at, key))
        for base in merged:
            if not isinstance(base, dict):
                self._refuse("expected << to take in a mapping or a list of mappings", at, node)
            members = {**base, **members}
        return members

    def _refuse(self, message: str, at: FieldPath, node: Node) -> NoReturn:
        raise PolicyError(self._source, (Problem(message, at, _line(node)),))


def _scalar(node: ScalarNode) -> str | int | float | bool | None:
    text: str = node.value
    kind = node.tag.removeprefix(_TAG)
    if node.tag in _TEXT_TAGS:
        return text
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    digits = text.replace("_", "").lower()
    if kind == "int":
        sign, digits = (-1, digits[1:]) if digits.startswith("-") else (1, digits.lstrip("+"))
        base = {"0x": 16, "0o": 8, "0b": 2}.get(digits[:2], 10)
        return sign * int(digits, base)
    if kind == "float":
        return float(digits.replace(".inf", "inf").replace(".nan", "nan"))
    raise ValueError(f"the tag {node.tag} means nothing in a policy; remove it")


def _child(node: Node | None, part: str | int) -> tuple[int, Node] | None:
    if isinstance(node, SequenceNode):
        if isinstance(part, int) and part < len(node.value):
            return _line(node.value[part]), node.value[part]
        return None
    if isinstance(node, MappingNode):
        for key_node, value_node in node.value:
            if isinstance(key_node, ScalarNode) and key_node.value == part:
                return _line(key_node), value_node
        for key_node, value_node in node.value:
            if _merges(key_node):
                bases = value_node.value if isinstance(value_node, SequenceNode) else [value_node]
                for base in bases:
                    found = _child(base, part)
                    if found is not None:
                        return found
    return None


def _merges(key_node: Node) -> bool:
    return isinstance(key_node, ScalarNode) and key_node.tag == _TAG + "merge"


def _line(node: Node) -> int:
    return node.start_mark.line + 1


def _fail(source: str, message: str, line: int | None = None) -> NoReturn:
    raise PolicyError(source, (Problem(message, line=line),))
