"""Waiting until model servers serve a version, or say why not."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from tfx_janitor.verified_pusher.closed_loop import Refusal, await_available
from tfx_janitor.verified_pusher.serving import ModelServer, ServerSilent, VersionStatus

ONE = ModelServer("one:8500", "inception")
TWO = ModelServer("two:8500", "inception")
MINUTE = timedelta(minutes=1)
SILENT = ServerSilent("model server one:8500/inception does not tell its versions: UNAVAILABLE: refused")


@dataclass
class Told:
    """Servers that say one thing after the other, and a clock that only sleeping moves."""

    answers: dict[ModelServer, list[list[VersionStatus] | ServerSilent]]
    standing: Collection[int] = (6, 7, 8)
    now: float = 0.0
    slept: list[float] = field(default_factory=list)

    def ask(self, server: ModelServer) -> Sequence[VersionStatus]:
        left = self.answers[server]
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, ServerSilent):
            raise answer
        return answer

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def wait(self, version: int = 7, timeout: timedelta = MINUTE) -> Refusal | None:
        return await_available(
            list(self.answers),
            version,
            timeout=timeout,
            stands=lambda number: number in self.standing,
            ask=self.ask,
            clock=self.clock,
            sleep=self.sleep,
        )


def status(version: int, state: str, problem: str = "") -> list[VersionStatus]:
    return [VersionStatus(version, state, problem)]


def test_waiting_ends_when_every_server_serves_it() -> None:
    told = Told(
        {
            ONE: [SILENT, status(6, "AVAILABLE"), status(7, "LOADING"), status(7, "AVAILABLE")],
            TWO: [status(7, "AVAILABLE")],
        }
    )
    assert told.wait() is None
    assert len(told.slept) == 3


def test_waiting_ends_when_one_server_refuses_it() -> None:
    told = Told({ONE: [status(7, "LOADING")], TWO: [status(7, "START"), status(7, "END", "no such op: Foo")]})
    assert told.wait() == Refusal("model server two:8500/inception refused it: no such op: Foo", final=True)
    assert told.now < 2


def test_waiting_ends_when_time_is_over() -> None:
    told = Told({ONE: [SILENT], TWO: [status(6, "AVAILABLE")]})
    assert told.wait() == Refusal(
        "after 60 seconds model server one:8500/inception does not tell its versions: UNAVAILABLE: refused; "
        "model server two:8500/inception does not know it yet",
        final=False,
    )
    assert told.now == 60


def test_a_newer_version_has_overtaken_it() -> None:
    told = Told({ONE: [[VersionStatus(7, "END"), VersionStatus(8, "AVAILABLE")]]})
    assert told.wait() is None


def test_a_server_of_another_base_directory_has_a_higher_version_and_not_this_one() -> None:
    told = Told({ONE: [[VersionStatus(1_700_000_000, "AVAILABLE")]]})
    refusal = told.wait()
    assert refusal is not None and "does not know it yet" in refusal.words
