"""Files and texts that are no policy, and where in them the problem is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.policy.small_policies import EXAMPLE, SMALL, refusal, written
from tfx_janitor.policy.schema import PolicyError, RetentionPolicy


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "janitor.yaml: the policy is empty; expected at least version, roots and rules"),
        ("# later\n", "janitor.yaml: the policy is empty; expected at least version, roots and rules"),
        ("- version: 1\n", "janitor.yaml: expected a mapping with version, roots and rules, got a list"),
        ("janitor\n", 'janitor.yaml: expected a mapping with version, roots and rules, got "janitor"'),
        (
            "version: 1\ngrace: 7d\nmin_age: 1d\ngrace: 1d\n",
            "janitor.yaml:4: grace: given twice, first on line 2; keep one of them",
        ),
        (
            "rules:\n- match: {type: Model,\n          type: Examples}\n",
            "janitor.yaml:3: rules[0].match.type: given twice, first on line 2; keep one of them",
        ),
        (
            "a: 1\n---\nb: 2\n",
            "janitor.yaml:2: not YAML: expected a single document in the stream, "
            "but found another document (column 1)",
        ),
        (
            "roots: [/srv\nrules: 3",
            "janitor.yaml:2: not YAML: while parsing a flow sequence, "
            "expected ',' or ']', but got ':' (column 6)",
        ),
        ("a: &a [*a]\n", "janitor.yaml:1: a[0]: an alias that contains itself; write the value out"),
        (
            "a: !!python/name:os.system x\n",
            "janitor.yaml:1: a: the tag tag:yaml.org,2002:python/name:os.system "
            "means nothing in a policy; remove it",
        ),
        ("1: a\n", "janitor.yaml:1: expected a text as key, got 1; quote it"),
        ("a: {<<: 3}\n", "janitor.yaml:1: a: expected << to take in a mapping or a list of mappings"),
        (
            "\x00\x01\x02",
            "janitor.yaml: expected text, got the control character 0x00; is this a policy file?",
        ),
        ("a: [" * 5000, "janitor.yaml: nested too deeply for a policy"),
    ],
)
def test_text_that_is_no_policy(text: str, line: str):
    assert refusal(text) == [line]


def test_a_pattern_that_yaml_takes_for_an_alias():
    (line,) = refusal("match: {pipeline: *-prod}\n")
    assert line.endswith('; quote a pattern that begins with *, as in "*"')


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            '{"version": 1,\n "version": 2}',
            "p.json:2: version: given twice, first on line 1; keep one of them",
        ),
        (
            '{"version": 1,\n x}',
            "p.json:2: not JSON: Expecting property name enclosed in double quotes (column 2)",
        ),
        ('{"limits": NaN}', "p.json: expected a number, got NaN; JSON has no such number"),
        ("version: 1", "p.json:1: not JSON: Expecting value (column 1)"),
        ("[" * 100000, "p.json: nested too deeply for a policy"),
    ],
)
def test_text_that_is_no_json(text: str, line: str):
    with pytest.raises(PolicyError) as refused:
        RetentionPolicy.from_text(text, source="p.json", format="json")
    assert str(refused.value) == line


def test_problems_in_json_have_lines_too():
    text = '{\n\t"version": 1,\n\t"roots": ["/srv"],\n\t"rules": [\n\t\t{"name": 3}\n\t]\n}'
    with pytest.raises(PolicyError) as refused:
        RetentionPolicy.from_text(text, source="p.json", format="json")
    assert [(problem.line, problem.field) for problem in refused.value.problems] == [
        (5, "rules[0].name"),
        (5, "rules[0].match"),
    ]


def test_files_that_cannot_be_read(tmp_path: Path):
    def said(path: Path) -> str:
        with pytest.raises(PolicyError) as refused:
            RetentionPolicy.from_yaml(path)
        return str(refused.value).removeprefix(str(path))

    assert said(tmp_path / "no.yaml") == ": no such file; give the path of a policy in YAML or JSON"
    assert said(tmp_path) == ": expected a policy file, got a directory; give the path of the file in it"
    assert said(written(tmp_path, b"version: 1\nroots: [/a\xff]\n")) == (
        ":2: expected text in UTF-8, got byte 0xff; save the file as UTF-8"
    )


def test_a_byte_order_mark_is_no_key(tmp_path: Path):
    for content, read in (
        (EXAMPLE, RetentionPolicy.from_yaml),
        (json.dumps(SMALL), RetentionPolicy.from_json),
    ):
        assert read(written(tmp_path, b"\xef\xbb\xbf" + content.encode())).version == 1
