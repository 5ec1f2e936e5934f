"""Policies over the whole vocabulary, as the plain values that a YAML file holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from tests.proof.story import ROOT
from tfx_janitor.policy.schema import PolicyError, RetentionPolicy

Policy = dict[str, Any]
Word = tuple[str, Any]

COUNTS = st.integers(1, 3)
DURATIONS = st.sampled_from(["1ms", "1m", "1h", "1d", "8d", "1d12h", "40d"])
SELECTORS = ["model", "blessed", "pushed", "served", "pinned"]
DATA = ["Examples", "TransformGraph", "HyperParameters", "ModelEvaluation"]
TYPES = [
    *[
        "*",
        "Model",
        "ModelRun",
        "PushedModel",
        "ModelBlessing",
        "InfraBlessing",
        "JanitorPlan",
    ],
    ["Model", "ModelRun"],
    ["Model", "PushedModel", "Model*"],
]


def _some(values: Sequence[str], most: int) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=most, unique=True)


def _mapping(**values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(values)


_ORDER = {"order": st.sampled_from(["largest", "smallest"])}
_PROPERTY = st.sampled_from(["span", "span", "version", "tags"])
_BY_VALUE = st.fixed_dictionaries({"property": _PROPERTY, "keep": COUNTS}, optional=_ORDER)
_SPLIT = _mapping(property=_PROPERTY)
_GROUPINGS = st.lists(st.one_of(_BY_VALUE, _BY_VALUE, _SPLIT), min_size=1, max_size=2)

OF_DATA: dict[str, st.SearchStrategy[Any]] = {
    "last": COUNTS,
    "first": COUNTS,
    "within": DURATIONS,
    "newer_than": DURATIONS,
    **dict.fromkeys(["hourly", "daily", "weekly", "monthly", "quarterly", "yearly"], COUNTS),
    "best": _mapping(
        metric=st.sampled_from(["accuracy", "auc"]), count=COUNTS, mode=st.sampled_from(["max", "min"])
    ),
    "tagged": _some(["golden", "audit-2026", "audit"], 2),
    "groups": _GROUPINGS,
    "used_by": _some(["*", "taxi1", "taxi1*", "renamed"], 2),
    "ids": st.lists(st.integers(1, 12), min_size=1, max_size=3, unique=True),
}
"""Words for data, which nothing ever blesses or pushes, and that do not depend on what stays."""
OF_MODELS = {**OF_DATA, "blessed": COUNTS, "pushed": COUNTS}
OF_LINEAGE = dict.fromkeys(["ancestors_of", "descendants_of"], _some(SELECTORS, 2))


def _said(words: dict[str, st.SearchStrategy[Any]], most: int = 3) -> st.SearchStrategy[dict[str, Any]]:
    word = st.sampled_from(list(words)).flatmap(lambda name: st.tuples(st.just(name), words[name]))
    return st.lists(word, min_size=1, max_size=most, unique_by=lambda said: said[0]).map(dict)


def keeps(words: dict[str, st.SearchStrategy[Any]], budget: bool = True) -> st.SearchStrategy[dict[str, Any]]:
    """What stands under `keep`: words, and words put together, two floors deep."""
    taken = st.one_of(_said(words, 2), _combined(_said(words, 2)))
    with_lineage = _said(words | OF_LINEAGE)
    less = st.tuples(with_lineage, taken).map(lambda both: {**both[0], "unless": both[1]})
    inner = st.one_of(_said(words | OF_LINEAGE, 2), _combined(_said(words | OF_LINEAGE, 2)), less)
    beside = st.tuples(with_lineage, _combined(inner)).map(lambda both: {**both[0], **both[1]})
    whole = st.one_of(with_lineage, with_lineage, with_lineage, with_lineage, _combined(inner), less, beside)
    if not budget:
        return whole
    room = st.sampled_from([1, 20, 60, 200])
    return st.one_of(
        *[whole] * 8,
        st.tuples(whole, room).map(lambda both: {**both[0], "max_bytes": both[1]}),
        room.map(lambda size: {"max_bytes": size}),
    )


def _combined(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    listed = st.lists(inner, min_size=2, max_size=2)
    return st.one_of(_mapping(any_of=listed), _mapping(all_of=listed))


_NARROWER: dict[str, st.SearchStrategy[Any]] = {
    "pipeline": st.sampled_from(["*", "taxi1", "taxi1*", ["taxi10", "renamed"], "taxi1?"]),
    "node": st.sampled_from(["Trainer", "T*", "*"]),
    "output": st.sampled_from(["model", "*", ["model", "pushed_model"]]),
    "properties": st.sampled_from([{"span": 1}, {"tags": "golden"}, {"is_external": True}, {"span": "1"}]),
}
_GROUP_BY = st.sampled_from(
    [[], [], ["pipeline"], ["node", "output"], ["properties.span"], ["pipeline", "properties.version"]]
)


def _match(types: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    narrower = st.one_of(st.just({}), st.just({}), st.fixed_dictionaries({}, optional=_NARROWER))
    return st.tuples(types, narrower).map(lambda both: {"type": both[0], **both[1]})


def _rule(match: st.SearchStrategy[Any], **rest: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"match": match, **rest}, optional={"group_by": _GROUP_BY})


_CHECKPOINTS = _mapping(last=COUNTS)


def rules(budget: bool = True) -> st.SearchStrategy[dict[str, Any]]:
    """One rule, without its name."""
    models = _match(st.sampled_from(TYPES))
    return st.one_of(
        _rule(models, keep=keeps(OF_MODELS, budget)),
        _rule(models, keep=keeps(OF_MODELS, budget)),
        _rule(_match(_some(DATA, 2)), keep=keeps(OF_DATA, budget)),
        _rule(_match(st.just("Examples")), keep=keeps(OF_DATA, budget)),
        _rule(_match(st.just("ModelRun")), keep=keeps(OF_MODELS, budget), checkpoints=_CHECKPOINTS),
        _mapping(match=_match(st.just("ModelRun")), checkpoints=_CHECKPOINTS),
        _rule(models, keep=st.just({}), unsafe_delete_all=st.just(True)),
    )


def about(word: str) -> st.SearchStrategy[Policy]:
    """Policies of one rule that says one word alone."""
    values = (OF_MODELS | OF_LINEAGE)[word]
    types = st.sampled_from(["Examples", "*"] if word == "groups" else ["Model", "ModelRun", "*"])
    return policies(_rule(_match(types), keep=_mapping(**{word: values})), most=1)


def policies(rule: st.SearchStrategy[dict[str, Any]], most: int = 3) -> st.SearchStrategy[Policy]:
    """Policies of such rules, without those that are refused for a word without effect."""
    fields = st.fixed_dictionaries(
        {
            "version": st.just(1),
            "roots": st.sampled_from(
                [[ROOT]] * 6 + [[f"{ROOT}/taxi1"], [ROOT, "/history/root2"], ["gs://bucket/all"]]
            ),
            "min_age": st.sampled_from(["0s", "0s", "0s", "1m", "20d", "100d"]),
            "rules": st.lists(rule, min_size=1, max_size=most).map(_named),
        },
        optional={"stale_after": st.sampled_from(["1h", "3d"])},
    )

    @st.composite
    def drawn(draw: st.DrawFn) -> Policy:
        policy = draw(fields)
        assume(accepted(policy))
        return policy

    return drawn()


def accepted(policy: Policy) -> bool:
    """Whether it is a policy, and not one that is refused."""
    try:
        RetentionPolicy.from_dict(policy)
    except PolicyError:
        return False
    return True


def _named(rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"name": f"rule-{number}", **rule} for number, rule in enumerate(rules, 1)]


POLICIES = policies(rules())
"""All that the vocabulary says."""
