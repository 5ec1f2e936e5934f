from __future__ import annotations
from collections import Counter
from hypothesis import given, settings, HealthCheck, Phase
from tests.proof import engine
from tests.proof.histories import HISTORIES
from tests.proof.policies import POLICIES
from tests.proof.reference import Reference


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(HISTORIES, POLICIES)
def test_ref(history, policy):
    assert engine.verdicts(history, policy) == Reference(history, policy).verdicts()
