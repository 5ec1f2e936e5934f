"""Standard output: tables for people, or one JSON document with nothing beside it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from tfx_janitor.cli.exits import writing

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text
    from rich.tree import Tree

_UNLIMITED = 10_000
"""Width where no terminal is: lines are for `grep` then, and are not folded."""

_GUIDE = 4
"""Width of a tree's guides at each level."""


def print_json(document: Mapping[str, Any]) -> None:
    """One JSON document."""
    print_pieces([json.dumps(document, indent=2), "\n"])


def print_pieces(pieces: Iterable[str]) -> None:
    """Text that is made piece by piece, such as a plan of a million decisions."""
    _tolerate_any_text()
    with writing():
        for piece in pieces:
            sys.stdout.write(piece)


def show(*renderables: RenderableType) -> None:
    """Tables and texts as wide as the terminal, but for what people copy: a path is never broken.

    Plain strings and texts that say `no_wrap`, such as commands, are not folded at all.
    """
    from rich.text import Text

    from tfx_janitor.report.text import to_copy

    console = _console()

    def print_all() -> None:
        for given in renderables:
            renderable = to_copy(given) if isinstance(given, str) else given
            if not isinstance(renderable, Text):
                console.print(renderable)
                continue
            too_long = any(len(word) > console.width - 8 for word in renderable.plain.split())
            if renderable.no_wrap or too_long:
                console.print(renderable, soft_wrap=True)
            else:
                console.print(_hanging(renderable))

    _print(console, print_all)


def _hanging(line: Text) -> RenderableType:
    """A line whose folds go on below its beginning, however far that is indented."""
    from rich.padding import Padding

    indent = len(line.plain) - len(line.plain.lstrip())
    return Padding(line[indent:], (0, 0, 0, indent), expand=False) if indent else line


def show_tree(tree: Tree) -> None:
    """A tree of texts, folded to the terminal beforehand: rich would break paths as well."""
    console = _console()
    _fold(tree, console, console.width)
    console.width = _UNLIMITED
    _print(console, lambda: console.print(tree, crop=False))


def _fold(tree: Tree, console: Console, room: int) -> None:
    from rich.text import Text

    if isinstance(tree.label, Text):
        lines: list[Text] = []
        for line in tree.label.split("\n"):
            fits = all(len(word) <= room for word in line.plain.split())
            lines += line.wrap(console, room) if fits else [line]
        tree.label = Text("\n").join(lines)
    for child in tree.children:
        _fold(child, console, room - _GUIDE)


def _print(console: Console, print_all: Callable[[], None]) -> None:
    with writing():
        if console.is_terminal:
            print_all()
            return
        with console.capture() as captured:
            print_all()
        # Cells are padded with blanks, which only a terminal hides.
        sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def _console() -> Console:
    from rich.console import Console

    _tolerate_any_text()
    terminal = sys.stdout.isatty()
    return Console(highlight=False, markup=False, emoji=False, width=None if terminal else _UNLIMITED)


def _tolerate_any_text() -> None:
    # A name that the terminal's encoding lacks must not end a command half-way.
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")
