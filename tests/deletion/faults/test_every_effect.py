"""Every effect of every act is struck: by a crash before it, by one after it, by what disks and stores do."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Hashable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.deletion.faults.conftest import Told
from tests.deletion.faults.injection import CRASHES, OF_FILES, OF_MLMD
from tests.deletion.faults.scenarios import SCENARIOS
from tests.deletion.faults.trial import Trial

SHOWN = 12
"""Violations of one scenario that a failure lists."""

AT_RANDOM = 60
"""Strikes while eight threads work, where no two runs need have the same order."""


@pytest.fixture(scope="module")
def met() -> Counter[Hashable]:
    """Which ways the deletion came in the scenarios before."""
    return Counter()


@pytest.mark.parametrize("name", SCENARIOS)
def test_no_promise_is_broken_whatever_is_struck(
    name: str, tmp_path: Path, table: list[Told], met: Counter[Hashable]
) -> None:
    trial = Trial(name, SCENARIOS[name], tmp_path)
    for at, fault in trial.faults(met):
        trial.strike(fault, at)
    table.append(Told.of(trial, name))
    assert trial.problems[:SHOWN] == []


def test_nor_while_eight_threads_work(tmp_path: Path, table: list[Told]) -> None:
    trial = Trial("purge", SCENARIOS["purge"], tmp_path)
    chance = random.Random(8)
    for _ in range(AT_RANDOM):
        at = chance.randint(1, len(trial.passed))
        fault = chance.choice(
            (*CRASHES, *(OF_MLMD if trial.passed[at - 1].effect.kind == "mlmd" else OF_FILES))
        )
        trial.strike(fault, at, workers=8)
    table.append(replace(Told.of(trial, "purge, 8 threads"), effects=Counter()))  # counted already
    assert trial.problems[:SHOWN] == []
