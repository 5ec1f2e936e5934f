"""Calendar periods: `hourly` to `yearly`, which count together, the finest first.

The walk is that of restic and Borg: from the newest on, an artifact is kept when its period differs from that
of the one before it, and where that gives too few, the oldest is kept as well. As in Borg, what a finer word
has kept stands for its period, but does not use up the count of a coarser one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from tfx_janitor.retention.case import Case, Group
from tfx_janitor.retention.judgement import Judgement
from tfx_janitor.retention.timestamps import moment

PERIODS: Mapping[str, Callable[[datetime], str]] = {
    "hourly": lambda t: t.strftime("%Y-%m-%d %Hh"),
    "daily": lambda t: t.strftime("%Y-%m-%d"),
    "weekly": lambda t: t.strftime("%G-W%V"),
    "monthly": lambda t: t.strftime("%Y-%m"),
    "quarterly": lambda t: f"{t.year:04d}-Q{(t.month + 2) // 3}",
    "yearly": lambda t: t.strftime("%Y"),
}
"""The words, the finest first, each with the name of the period that a moment (UTC) lies in."""


def judge(case: Case, group: Group, counts: Mapping[str, int]) -> dict[str, Judgement]:
    """Judges a group by all the calendar words of one `keep`.

    Args:
      counts: how many periods each word keeps; a word that is not said is not there.
    """
    moments = [moment(int(case.snapshot.artifacts.created_ms[row])) for row in group.rows]
    kept_by: dict[int, str] = {}
    judgements: dict[str, Judgement] = {}
    for word, period in PERIODS.items():
        if word in counts:
            periods = [period(moment) for moment in moments]
            judgements[word] = _walk(word, counts[word], periods, kept_by)
    return judgements


def _walk(word: str, count: int, periods: Sequence[str], kept_by: dict[int, str]) -> Judgement:
    """One word's walk from the newest on; adds to `kept_by` what it keeps."""
    finer = dict(kept_by)
    newest_of_period = [at == 0 or periods[at] != periods[at - 1] for at in range(len(periods))]
    chosen = [at for at, newest in enumerate(newest_of_period) if newest and at not in finer][:count]
    oldest = len(periods) - 1
    fills_up = len(chosen) < count and oldest not in finer and oldest not in chosen
    if fills_up:
        chosen.append(oldest)
    place = {at: number for number, at in enumerate(chosen, start=1)}
    kept_by.update(dict.fromkeys(chosen, word))
    kept_ones = "the one that is kept" if count == 1 else f"the {count} that are kept"

    def explain(at: int) -> str:
        which = f"the newest of {periods[at]}" if newest_of_period[at] else f"not the newest of {periods[at]}"
        if at in place:
            if fills_up and at == oldest:
                which = f"the oldest, of {periods[at]}"
            return f"{which}, {f'number {place[at]} of ' if count > 1 else ''}{kept_ones}"
        if at in finer:
            return f"{which}; {finer[at]} keeps it already"
        return f"{which}, beyond {kept_ones}" if newest_of_period[at] else which

    return Judgement([at in place for at in range(len(periods))], explain)
