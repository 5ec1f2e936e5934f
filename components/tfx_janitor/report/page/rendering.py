"""Puts the contents into the template: the page as one text.

Jinja escapes every value. The data are compressed and in base64, so that nothing in them can end their
element. And the page forbids itself (by its Content-Security-Policy) every script but its own, which it names
by their hashes, and every request to anywhere.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from itertools import groupby
from typing import TYPE_CHECKING, Any

import jinja2
from markupsafe import Markup, escape

from tfx_janitor.report.audit import command_line, subject
from tfx_janitor.report.explanation import plans_of
from tfx_janitor.report.page.columns import page_data
from tfx_janitor.report.page.contents import Contents
from tfx_janitor.report.policy_text import policy_sentence, rule_sentence
from tfx_janitor.report.sentences import sentence, totals
from tfx_janitor.report.text import count, minute, printable, second, size
from tfx_janitor.version import VERSION

if TYPE_CHECKING:
    from tfx_janitor.audit.finding import Finding
    from tfx_janitor.deletion.act import Act

BEGINNING = "<!DOCTYPE html>\n<!-- tfx-janitor report -->\n"
"""By which a file is known for such a page."""

MOST_FINDINGS = 100
"""Findings of one kind on the page; `tfx-janitor audit` has all of them."""

MOST_ACTS = 200
"""Acts on the page, the newest ones; `tfx-janitor history` has all of them."""

MOST_ORPHANS = 200
"""Directories that no artifact claims on the page; the plan has all of them."""

_ASSETS = resources.files(__name__.rpartition(".")[0]) / "assets"

_LIBRARIES = ("vendor/echarts.min.js", "vendor/tabulator.min.js", "vendor/dagre.min.js")
_SCRIPTS = ("store.js", "lineage.js", "treemap.js", "charts.js", "detail.js", "table.js", "start.js")
_STYLES = ("vendor/tabulator.min.css", "page.css")

_SOURCE_MAP = re.compile(r"(//|/\*)# sourceMappingURL=.*")
"""Would make a browser's tools ask for a file that is not there."""


def render(contents: Contents) -> str:
    """The page, as HTML."""
    scripts = [_asset(name) for name in _LIBRARIES]
    # One function around all of them: their names are nobody else's.
    own = "\n".join(_asset(name) for name in _SCRIPTS)
    scripts.append(f'(() => {{\n"use strict";\n{own}\n}})();')
    page = _environment().get_template("page.html.j2")
    return BEGINNING + page.render(
        contents=contents,
        plan=contents.plan,
        summary=contents.plan.summary,
        rules=[rule_sentence(rule) for rule in contents.policy.rules],
        policy_told=policy_sentence(contents.policy),
        finding_groups=list(_finding_groups(contents)),
        severities=_severities(contents),
        acts=[_act(act) for act in contents.acts[::-1][:MOST_ACTS]],
        orphans=(contents.plan.orphans or ())[:MOST_ORPHANS],
        version=VERSION,
        hashes=" ".join(f"'{_hash(script)}'" for script in scripts),
        scripts=[Markup(script) for script in scripts],
        style=Markup("\n".join(_asset(name) for name in _STYLES)),
        licences=[(name, escape(text)) for name, text in _licences()],
        data=Markup(_packed(page_data(contents))),
    )


@dataclass(frozen=True)
class _FindingGroup:
    """Findings of one kind: those that are shown, how many there are, what they waste in bytes."""

    code: str
    severity: str
    meaning: str
    found: int
    wasted: int
    shown: list[tuple[str, Finding]]
    commands: list[str]


def _finding_groups(contents: Contents) -> Iterator[_FindingGroup]:
    findings = () if contents.audited is None else contents.audited.findings
    for code, group in groupby(findings, key=lambda finding: finding.code):
        found = list(group)
        commands = (command_line(finding, contents.policy_file) for finding in found)
        yield _FindingGroup(
            code=code,
            severity=found[0].severity.value,
            meaning=found[0].meaning,
            found=len(found),
            wasted=sum(finding.bytes for finding in found),
            shown=[(subject(finding), finding) for finding in found[:MOST_FINDINGS]],
            commands=[c for c in dict.fromkeys(commands) if c is not None][:MOST_FINDINGS],
        )


def _severities(contents: Contents) -> str:
    """`2 errors, 1 warning`; empty if nothing was found."""
    findings = () if contents.audited is None else contents.audited.findings
    counted = Counter(finding.severity.value for finding in findings)
    return ", ".join(count(number, name) for name, number in counted.items())


def _act(act: Act) -> dict[str, Any]:
    became = totals(**Counter(outcome.done for outcome in act.outcomes)) if act.ended else "not finished"
    freed = sum(outcome.freed for outcome in act.outcomes)
    return {"act": act, "became": became, "freed": freed, "plans": plans_of(act)}


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_asset),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: printable(value) if type(value) is str else value,
    )
    environment.filters |= {"size": size, "second": second, "minute": minute, "sentence": sentence}
    environment.globals |= {"count": count}
    return environment


def _licences() -> Iterator[tuple[str, str]]:
    """Of the libraries and of what they have in them: the package's name, and the text."""
    for file in sorted((_ASSETS / "vendor").iterdir(), key=lambda file: file.name):
        if file.name.endswith(".txt"):
            yield file.name.partition(".")[0], file.read_text(encoding="utf-8")


def _asset(name: str) -> str:
    text = (_ASSETS / name).read_text(encoding="utf-8")
    return _SOURCE_MAP.sub("", text)


def _hash(script: str) -> str:
    """As a Content-Security-Policy names it."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"


def _packed(data: dict[str, Any]) -> str:
    packed = gzip.compress(json.dumps(data, separators=(",", ":")).encode(), 6, mtime=0)
    return base64.b64encode(packed).decode()
