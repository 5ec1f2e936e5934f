"""Mutation testing of liveness and retention: mutmut changes the code in small ways, some test must notice.

    make mutants                                          every module, about ten minutes on two cores
    make mutants MUTANTS_ARGS="keeps settle --jobs 1"     some of them, the others as they were last time

What comes of it is the table in docs/mutation.md. Each survivor must stand in docs/mutation-survivors.md, as
the diff that makes it with the reason why no test can tell it from the original; what is missing there is
printed, and the exit code is 1.

mutmut finds sources only in `src/`, so the tree is staged anew in build/mutation/stage. It also passes over
decorated functions, which would leave out most of `Case`: in the staged copy `@cached_property` and
`@property` are written as the assignments that they stand for.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "components" / "tfx_janitor"
RETENTION = PACKAGE / "retention"
STAGE = ROOT / "build" / "mutation" / "stage"
LOG = ROOT / "build" / "mutation" / "mutmut.log"
RESULTS = ROOT / "build" / "mutation" / "results"
REPORT = ROOT / "docs" / "mutation.md"
SURVIVORS = ROOT / "docs" / "mutation-survivors.md"

MODULES = (
    *("case", "holds", "judgement", "keeps", "calendar", "metrics", "property_groups"),
    *("lineage_words", "answers", "settle", "pruning"),
)
"""Those that decide what stays. The others of retention read policies, spell values, or ask these again."""

TEST_FOLDERS = ("tests/retention",)
MEMORY = 8 << 30
"""Bytes of address space: a mutant that collects without end shall fail, and not the machine."""

CONFIGURATION = """
[tool.mutmut]
source_paths = ["src"]
only_mutate = {modules}
pytest_add_cli_args = ["--hypothesis-profile=mutation", "-p", "no:cacheprovider", "--no-header"]
pytest_add_cli_args_test_selection = {tests}
timeout_multiplier = 6.0
use_git_change_detection = false
"""


@dataclass(frozen=True)
class Mutant:
    """One changed version of a function.

    Attributes:
      name: mutmut's, such as `tfx_janitor.retention.keeps.x__rank__mutmut_7`.
      status: mutmut's word: killed, survived, timeout, no tests, ...
      diff: for those that no test noticed.
    """

    name: str
    status: str
    diff: str = ""

    @property
    def noticed(self) -> bool:
        """Whether a test failed, or never came to an end, which is as good."""
        return self.status in ("killed", "timeout", "segfault")

    @property
    def change(self) -> tuple[str, ...]:
        """The changed lines alone: by them a survivor is found among the explained ones."""
        return _change(self.diff)


def main() -> int:
    """Runs mutmut on the modules that were asked for, and reports on all."""
    parser = argparse.ArgumentParser(prog="make mutants", description="Mutation testing of retention.")
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=f"of {', '.join(MODULES)}; default: all")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="mutants at a time (default: cores)")
    parser.add_argument("--report", action="store_true", help="only report on what was run before")
    asked = parser.parse_args()
    if unknown := sorted(set(asked.modules) - set(MODULES)):
        parser.error(f"no such module: {', '.join(unknown)}; there are {', '.join(MODULES)}")
    if not asked.report:
        modules = asked.modules or MODULES
        stage(modules)
        began = time.monotonic()
        # mutmut draws its progress ten times a second: for eyes, or for nobody.
        with nullcontext() if sys.stdout.isatty() else LOG.open("w") as progress:
            mutmut("run", "--max-children", str(asked.jobs), stdout=progress)
        keep_results(modules, round(time.monotonic() - began))
    return report()


def stage(modules: Sequence[str]) -> None:
    """Lays out a tree as mutmut wants it."""
    shutil.rmtree(STAGE, ignore_errors=True)
    skip = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE, STAGE / "src" / PACKAGE.name, ignore=skip)
    shutil.copytree(ROOT / "tests", STAGE / "tests", ignore=skip)
    for module in modules:
        copy = STAGE / "src" / PACKAGE.name / "retention" / f"{module}.py"
        copy.write_text(undecorated(copy.read_text()))
    configuration = CONFIGURATION.format(
        modules=json.dumps([f"src/{PACKAGE.name}/retention/{module}.py" for module in modules]),
        tests=json.dumps(sorted(fast_tests())),
    )
    project = (ROOT / "pyproject.toml").read_text()
    (STAGE / "pyproject.toml").write_text(project + configuration)


def undecorated(source: str) -> str:
    """The same code with `@cached_property def x` spelled `def x; x = cached_property(x)`."""
    lines = source.splitlines(keepends=True)
    methods = [
        method
        for cls in ast.parse(source).body
        if isinstance(cls, ast.ClassDef)
        for method in cls.body
        if isinstance(method, ast.FunctionDef) and len(method.decorator_list) == 1
    ]
    for method in reversed(methods):
        (decorator,) = method.decorator_list
        if isinstance(decorator, ast.Name) and decorator.id in ("cached_property", "property"):
            indent = " " * method.col_offset
            lines.insert(method.end_lineno or 0, f"{indent}{method.name} = {decorator.id}({method.name})\n")
            del lines[decorator.lineno - 1]
    return "".join(lines)


def fast_tests() -> Iterator[str]:
    """Test files that need no real store: they build snapshots in memory, and take milliseconds."""
    others = {f"test_{path.stem}" for path in RETENTION.glob("*.py") if path.stem not in MODULES}
    for folder in TEST_FOLDERS:
        for path in (ROOT / folder).glob("test_*.py"):
            if path.stem not in others and "tests.builders" not in path.read_text():
                yield str(path.relative_to(ROOT))


def mutmut(*arguments: str, **options: Any) -> str:
    """Runs mutmut in the stage; its output if that is captured."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    environment = {**os.environ, "PYTHONHASHSEED": "0", "COLUMNS": "200"}
    program = Path(sys.executable).with_name("mutmut")
    done = subprocess.run(
        [program, *arguments], cwd=STAGE, env=environment, text=True, check=False, **options
    )
    if done.returncode:
        sys.exit(
            f"mutmut {arguments[0]} failed with exit code {done.returncode}; see {LOG.relative_to(ROOT)}"
        )
    return done.stdout or ""


def keep_results(modules: Sequence[str], seconds: int) -> None:
    """Writes down each module's mutants, with the hash of the source that they were made from."""
    listing = mutmut("results", "--all", "true", stdout=subprocess.PIPE)
    found: dict[str, list[Mutant]] = {module: [] for module in modules}
    for name, status in re.findall(r"^ *(\S+): (.+)$", listing, re.MULTILINE):
        mutant = Mutant(name, status)
        if not mutant.noticed:
            mutant = Mutant(name, status, mutmut("show", name, stdout=subprocess.PIPE))
        found[name.split(".")[2]].append(mutant)
    RESULTS.mkdir(parents=True, exist_ok=True)
    for module, mutants in found.items():
        record = {
            "source": _digest(module),
            "seconds": round(seconds * len(mutants) / max(1, sum(map(len, found.values())))),
            "mutants": [vars(mutant) for mutant in mutants],
        }
        (RESULTS / f"{module}.json").write_text(json.dumps(record, indent=1))


def report() -> int:
    """Writes the table into docs/mutation.md, and prints the survivors that nothing explains."""
    results: dict[str, list[Mutant]] = {}
    stale: list[str] = []
    for module in MODULES:
        path = RESULTS / f"{module}.json"
        record = json.loads(path.read_text()) if path.exists() else {}
        if record.get("source") != _digest(module):
            stale.append(module)
        else:
            results[module] = [Mutant(**mutant) for mutant in record["mutants"]]
    explained = set(explanations(SURVIVORS.read_text() if SURVIVORS.exists() else ""))
    survivors = [mutant for mutants in results.values() for mutant in mutants if not mutant.noticed]
    missing = [mutant for mutant in survivors if mutant.change not in explained]
    for mutant in missing:
        print(f"\n{mutant.diff}", end="")
    print(table(results))
    print(f"{len(survivors)} survivors, {len(missing)} of them without an explanation")
    if superfluous := explained - {mutant.change for mutant in survivors}:
        print(f"{len(superfluous)} explanations of what does not survive:")
        print(*("\n".join(change) for change in superfluous), sep="\n--\n")
    if stale:
        print(
            f"changed since they were run, or never run: {', '.join(stale)}; docs/mutation.md stays as it is"
        )
        return 1
    write_table(table(results))
    return 1 if missing or superfluous else 0


def table(results: Mapping[str, Sequence[Mutant]]) -> str:
    """The numbers in Markdown."""
    rows = {}
    for module, mutants in results.items():
        statuses = Counter(mutant.status for mutant in mutants)
        noticed = sum(mutant.noticed for mutant in mutants)
        rows[f"`{module}`"] = (len(mutants), noticed, statuses["timeout"], len(mutants) - noticed)
    rows["all"] = tuple(map(sum, zip(*rows.values(), strict=True)))
    lines = ["| module | mutants | killed | of these by time-out | survived |", "|---|---|---|---|---|"]
    lines += [f"| {name} | " + " | ".join(map(str, row)) + " |" for name, row in rows.items()]
    return "\n".join(lines) + "\n"


def write_table(text: str) -> None:
    """Replaces the only table of docs/mutation.md."""
    page = REPORT.read_text()
    REPORT.write_text(re.sub(r"(?m)(^\|.*\n)+", lambda _: text, page, count=1))


def explanations(page: str) -> Iterator[tuple[str, ...]]:
    """The changes in the diff blocks of docs/mutation-survivors.md."""
    for block in re.findall(r"^```diff\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        yield _change(block)


def _change(diff: str) -> tuple[str, ...]:
    changed = (
        line for line in diff.splitlines() if line[:1] in ("-", "+") and line[:3] not in ("---", "+++")
    )
    return tuple(line[0] + line[1:].strip() for line in changed)


def _digest(module: str) -> str:
    return hashlib.sha256((RETENTION / f"{module}.py").read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
