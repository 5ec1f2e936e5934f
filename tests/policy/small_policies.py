"""Policies to begin with, and the lines of the error that refuses one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tfx_janitor.policy.schema import PolicyError, RetentionPolicy

EXAMPLE = """\
version: 1
roots: [/srv/tfx/pipelines]        # only payloads inside these may ever be deleted
serving: [/srv/serving/inception]
min_age: 1d
grace: 7d
stale_after: null                  # null: a RUNNING execution holds for ever
verify: checksums
limits: {max_fraction: 0.5, max_items: null, max_bytes: null}
rules:
  - name: models
    match: {type: Model, pipeline: "inception-*"}
    group_by: [pipeline, node, output]
    keep: {last: 3, blessed: 2, pushed: 2}
  - name: checkpoints
    match: {type: ModelRun}
    keep: {last: 10}
    checkpoints: {last: 1, every_n_steps: 10000, every_n_hours: 6}
  - name: data
    match: {type: [Examples, TransformGraph]}
    keep: {last: 5, within: 2w, newer_than: 1d12h, tagged: [golden], ids: [7, 9]}
"""

SMALL = {
    "version": 1,
    "roots": ["/srv"],
    "rules": [{"name": "m", "match": {"type": "Model"}, "keep": {"last": 3}}],
}


def small(**changes: object) -> dict[str, object]:
    return {**SMALL, **changes}


def with_rule(**changes: object) -> dict[str, object]:
    rule = {"name": "m", "match": {"type": "Model"}, "keep": {"last": 3}, **changes}
    return small(rules=[{key: value for key, value in rule.items() if value is not ...}])


def refusal(policy: str | dict[str, object]) -> list[str]:
    """The lines of the error that refuses a policy."""
    with pytest.raises(PolicyError) as refused:
        if isinstance(policy, str):
            RetentionPolicy.from_text(policy, source="janitor.yaml")
        else:
            RetentionPolicy.from_dict(policy)
    return str(refused.value).splitlines()


def written(folder: Path, content: str | bytes, name: str = "janitor.yaml") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path
