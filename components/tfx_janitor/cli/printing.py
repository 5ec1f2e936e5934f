"""Standard output: tables for people, or one JSON document with nothing beside it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.tree import Tree

_UNLIMITED = 10_000
"""Width where no terminal is: lines are for `grep` then, and are not folded."""


def print_json(document: Mapping[str, Any]) -> None:
    """One JSON document."""
    print_pieces([json.dumps(document, indent=2), "\n"])


def print_pieces(pieces: Iterable[str]) -> None:
    """Text that is made piece by piece, such as a plan of a million decisions."""
    _tolerate_any_text()
    for piece in pieces:
        sys.stdout.write(piece)


def show(*renderables: RenderableType) -> None:
    """Tables and sentences as wide as the terminal; what people copy, such as a path, is never broken."""
    from rich.text import Text

    console = _console()

    def print_all() -> None:
        for renderable in renderables:
            words = str(renderable).split() if isinstance(renderable, str | Text) else ()
            console.print(renderable, soft_wrap=any(len(word) > console.width - 8 for word in words))

    _print(console, print_all)


def show_tree(tree: Tree) -> None:
    """A tree as wide as the terminal, or as its longest word, such as a path: none is broken."""
    console = _console()
    console.width = max(console.width, console.measure(tree).minimum)
    _print(console, lambda: console.print(tree, crop=False))


def _print(console: Console, print_all: Callable[[], None]) -> None:
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
