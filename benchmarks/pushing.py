"""A verified push of the full InceptionV3 against the stock Pusher's, which verifies nothing.

Run it with `python benchmarks/pushing.py [DIRECTORY ...]`. It exports `InceptionV3(weights=None)` and has the
two executors push it in turns, each time to a new base directory: on disk, there also cold (the model is not
in memory), and in /dev/shm. Medians of:

- seconds until the executor returns. What the stock Pusher has copied is not on disk then;
- seconds until the copies, served and archived, are on disk (ours are when it returns);
- CPU seconds, user and system together, of all threads;
- bytes written: those that the system counts as sent to storage (`write_bytes` of /proc/self/io), in memory
  those handed to it (`wchar`).

Our pusher checks every tensor's checksum, digests every file, and waits for the disk. How long that takes at
least shows in the line "bare copy": each file copied once, in the same way, put on disk, and not verified.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

PUSHES = 21
SHARED_MEMORY = "/dev/shm"


@dataclass(frozen=True)
class Cost:
    """What one push took, in seconds and bytes."""

    returned: float
    on_disk: float
    cpu: float
    written: int


@dataclass(frozen=True)
class Place:
    """Where models are pushed, and how.

    Attributes:
      forgotten: whether the model has to be read from disk each time.
      counter: the line of /proc/self/io that counts what is written there.
    """

    directory: Path
    forgotten: bool
    counter: str

    def __str__(self) -> str:
        return f"{self.directory}{', cold' if self.forgotten else ''}"


def main() -> int:
    """Measures and prints; returns 0 if ours is done as early, cold on disk as early, with half the bytes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("directories", nargs="*", help="default: the temporary directory, and /dev/shm")
    parser.add_argument("--pushes", type=int, default=PUSHES, help="of each, in each place")
    parser.add_argument("--export", metavar="DIR", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.export:
        _export(arguments.export)
        return 0
    logging.disable(logging.WARNING)
    table = Table("where", "pusher", title="InceptionV3, medians")
    for heading in ("returned", "on disk", "CPU", "MB written"):
        table.add_column(heading, justify="right")
    good = True
    with tempfile.TemporaryDirectory(prefix="inception-v3-") as exported:
        _in_fresh_process("--export", exported)
        for place in _places(arguments.directories):
            costs = _alternate(Path(exported), place, arguments.pushes)
            good &= _report(table, place, costs)
    Console().print(table)
    return 0 if good else 1


def _places(directories: list[str]) -> Iterator[Place]:
    for directory in directories or [tempfile.gettempdir(), SHARED_MEMORY]:
        if not os.access(directory, os.W_OK):
            print(f"skipped {directory}, which cannot be written to", file=sys.stderr)
        elif _in_memory(directory):
            yield Place(Path(directory), False, "wchar")
        else:
            yield Place(Path(directory), False, "write_bytes")
            yield Place(Path(directory), True, "write_bytes")


def _in_memory(directory: str) -> bool:
    command = ["stat", "--file-system", "--format=%T", directory]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip() == "tmpfs"


def _alternate(exported: Path, place: Place, pushes: int) -> dict[str, list[Cost]]:
    from tfx.components.pusher import executor as stock

    from tfx_janitor.verified_pusher import executor as ours

    pushers: dict[str, Callable[[], Any]] = {
        "stock": stock.Executor,
        "ours": ours.Executor,
        "bare copy": BareCopy,
    }
    costs: dict[str, list[Cost]] = {name: [] for name in pushers}
    with tempfile.TemporaryDirectory(prefix="pushing-", dir=place.directory) as home:
        model = Path(home, "Trainer", "model", "7")
        shutil.copytree(exported, model / "Format-Serving")
        for number in range(pushes + 1):
            for name, executor in pushers.items():
                site = Path(home, f"{number}-{name}")
                cost = _push(executor(), model, site, place)
                shutil.rmtree(site)
                if number:  # the first of each loads what it needs
                    costs[name].append(cost)
    return costs


class BareCopy:
    """Does of a push only what every push that waits for the disk has to do."""

    def Do(
        self,
        input_dict: dict[str, Any],
        output_dict: dict[str, Any],
        exec_properties: dict[str, Any],
    ) -> None:
        """Copies the model, and puts the copy on disk."""
        from tfx_janitor.verified_pusher import content, copying
        from tfx_janitor.verified_pusher.durability import Unsynced

        tree, unsynced = content.scan(input_dict["model"][0].uri), Unsynced()
        target = json.loads(exec_properties["push_destination"])["filesystem"]["base_directory"]
        copying.lay_out(tree, (), target, unsynced)
        copying.copy(tree.files, target, unsynced)
        unsynced.sync()


def _push(executor: Any, model: Path, site: Path, place: Place) -> Cost:
    from tfx.types import standard_artifacts

    pushed = standard_artifacts.PushedModel()
    pushed.uri = str(site / "pushed_model" / "8")
    os.makedirs(pushed.uri)
    source = standard_artifacts.Model()
    source.uri = str(model)
    destination = {"filesystem": {"base_directory": str(site / "serving")}}
    os.sync()
    if place.forgotten:
        _forget(model)
    written, cpu, start = _written(place.counter), time.process_time(), time.perf_counter()
    executor.Do(
        {"model": [source]}, {"pushed_model": [pushed]}, {"push_destination": json.dumps(destination)}
    )
    returned = time.perf_counter() - start
    cpu = time.process_time() - cpu
    _sync(site)
    on_disk = time.perf_counter() - start
    return Cost(returned, on_disk, cpu, _written(place.counter) - written)


def _written(counter: str) -> int:
    with open("/proc/self/io", encoding="ascii") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{counter}:"))


def _forget(model: Path) -> None:
    for path in model.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def _sync(site: Path) -> None:
    from tfx_janitor.verified_pusher.durability import Unsynced

    unsynced = Unsynced()
    unsynced.add(str(site), *map(str, site.rglob("*")))
    unsynced.sync()


def _report(table: Table, place: Place, costs: dict[str, list[Cost]]) -> bool:
    medians = {
        name: [
            statistics.median(getattr(cost, kind) for cost in measured)
            for kind in ("returned", "on_disk", "cpu", "written")
        ]
        for name, measured in costs.items()
    }
    for name, (*seconds, written) in medians.items():
        where = "" if table.rows and not table.rows[-1].end_section else str(place)
        table.add_row(where, name, *(f"{one:.3f} s" for one in seconds), f"{written / 1e6:.2f}")
    ratios = [mine / theirs for mine, theirs in zip(medians["ours"], medians["stock"], strict=True)]
    table.add_row("", "ours / stock", *(f"{ratio:.3f}" for ratio in ratios), end_section=True)
    # Who reads a model from a disk and waits until it is written there is later than who only reads it.
    seconds = ratios[1] if place.forgotten else max(ratios[:2])
    return round(seconds, 3) <= 1 and round(ratios[3], 3) <= 0.5


def _in_fresh_process(option: str, directory: str) -> None:
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, os.path.abspath(__file__), option, directory]
    subprocess.run(command, env=environment, check=True, capture_output=True)


def _export(directory: str) -> None:
    import tensorflow as tf

    tf.saved_model.save(tf.keras.applications.InceptionV3(weights=None), directory)


if __name__ == "__main__":
    sys.exit(main())
