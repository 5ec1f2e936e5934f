"""What the pages say can be followed: each link, each command line, each policy, each piece of Python."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from ruamel.yaml import YAML

import tfx_janitor
from tfx_janitor.cli.application import app
from tfx_janitor.policy.schema import RetentionPolicy

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"(?:^|^\$ |^ *- (?:run: )?|^ExecStart=|^[\d *]+ tfx +)(?:\S*/)?tfx-janitor (.*)")
REST_OF_THE_LINE = re.compile(r" (?:2?>|\||&&|#|<) ?.*")


def blocks(page: Path, *languages: str) -> Iterator[str]:
    for language, text in FENCED.findall(page.read_text(encoding="utf-8")):
        if language in languages:
            yield text


def commands() -> Iterator[Any]:
    """What a reader would copy after `tfx-janitor`: from shells, crontabs, units and CI files."""
    for page in PAGES:
        for block in blocks(page, "", "sh", "console", "yaml", "ini"):
            for line in block.splitlines():
                if found := COMMAND.search(line):
                    arguments = REST_OF_THE_LINE.sub("", found[1])
                    yield pytest.param(arguments, id=f"{page.name}: {arguments[:60]}")


def anchors(page: Path) -> set[str]:
    """Of the headings, as GitHub makes them."""
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_link_leads_somewhere(page: Path):
    lost = []
    for link in re.findall(r"\]\(([^)]+)\)", FENCED.sub("", page.read_text(encoding="utf-8"))):
        name, _, anchor = link.partition("#")
        if name.startswith("https://"):
            continue
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            lost.append(link)
    assert lost == []


def test_the_first_page_leads_to_every_other():
    linked = set(re.findall(r"\]\((docs/[\w-]+\.md)", (ROOT / "README.md").read_text(encoding="utf-8")))
    # These two are the evidence behind a page that is linked.
    evidence = {"docs/mutation.md", "docs/mutation-survivors.md"}
    assert linked | evidence == {f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")}


@pytest.mark.parametrize("arguments", commands())
def test_each_command_is_understood(arguments: str):
    group: Any = typer.main.get_command(app)
    context = group.make_context("tfx-janitor", shlex.split(arguments))
    name, command, rest = group.resolve_command(context, context._protected_args + context.args)
    assert command is not None
    command.make_context(name, rest, parent=context)


def policies() -> Iterator[Any]:
    for page in PAGES:
        for number, text in enumerate(blocks(page, "yaml")):
            if text.startswith(("version: 1\n", "# janitor.yaml\n")):
                yield pytest.param(text, id=f"{page.name}, {number}")


@pytest.mark.parametrize("text", policies())
def test_each_policy_is_one(text: str):
    RetentionPolicy.from_dict(YAML(typ="safe").load(text))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_piece_of_python_imports_what_there_is(page: Path):
    for text in blocks(page, "python"):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom) and node.module == "tfx_janitor":
                assert {name.name for name in node.names} <= set(tfx_janitor.__all__)
