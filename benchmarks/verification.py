"""CPU time of verifying the full InceptionV3 against that of loading it with TensorFlow.

Run it with `python benchmarks/verification.py`. It exports `InceptionV3(weights=None)` into a temporary
directory, loads it with `tf.saved_model.load` in a fresh process, verifies it in this one (which never
imports TensorFlow), and prints CPU seconds, user and system together, of all threads.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

REPEATS = 9


def main() -> int:
    """Measures and prints; returns 0 if verification takes at most a hundredth of loading."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--export", metavar="DIR", help=argparse.SUPPRESS)
    parser.add_argument("--load", metavar="DIR", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.export:
        _export(arguments.export)
        return 0
    if arguments.load:
        print(json.dumps(_load(arguments.load)))
        return 0
    return _compare()


def _compare() -> int:
    from rich.console import Console
    from rich.table import Table

    importing = _cpu(lambda: __import__("tfx_janitor.payload.saved_model"))
    from tfx_janitor.payload import saved_model
    from tfx_janitor.payload.verification import Level

    with tempfile.TemporaryDirectory(prefix="inception-v3-") as directory:
        _in_fresh_process("--export", directory)
        loading = json.loads(_in_fresh_process("--load", directory))
        seconds: dict[Level, float] = {}
        for level in (Level.STRUCTURE, Level.CHECKSUMS):
            verification = saved_model.verify(directory, level)
            if not verification.whole:
                print(*verification.damages, sep="\n", file=sys.stderr)
                return 1
            runs = [_cpu(lambda level=level: saved_model.verify(directory, level)) for _ in range(REPEATS)]
            seconds[level] = statistics.median(runs)
        size, tensors = verification.bytes, verification.tensors

    if "tensorflow" in sys.modules:
        raise AssertionError("the verification imported TensorFlow, so the comparison says nothing")
    checksums = seconds[Level.CHECKSUMS]
    ratio = loading["load"] / checksums
    with_imports = (loading["load"] + loading["import"]) / (checksums + importing)
    table = Table(title=f"InceptionV3: {size / 1e6:.0f} MB, {tensors} tensors")
    for heading in ("step", "CPU seconds", "times checksums"):
        table.add_column(heading, justify="left" if heading == "step" else "right")
    for step, spent in (
        ("verify, structure", seconds[Level.STRUCTURE]),
        ("verify, checksums", checksums),
        ("import tfx_janitor.payload.saved_model", importing),
        ("tf.saved_model.load", loading["load"]),
        ("import tensorflow", loading["import"]),
    ):
        table.add_row(step, f"{spent:.4f}", f"{spent / checksums:,.1f}")
    Console().print(table)
    print(
        f"verification takes {ratio:,.0f} times less CPU than tf.saved_model.load "
        f"({checksums:.4f} s against {loading['load']:.2f} s); "
        f"both with their imports: {with_imports:,.0f} times"
    )
    return 0 if ratio >= 100 else 1


def _cpu(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def _in_fresh_process(option: str, directory: str) -> str:
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, os.path.abspath(__file__), option, directory]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""


def _export(directory: str) -> None:
    import tensorflow as tf

    tf.saved_model.save(tf.keras.applications.InceptionV3(weights=None), directory)


def _load(directory: str) -> dict[str, float]:
    importing = _cpu(lambda: __import__("tensorflow"))
    import tensorflow as tf

    return {"import": importing, "load": _cpu(lambda: tf.saved_model.load(directory))}


if __name__ == "__main__":
    sys.exit(main())
