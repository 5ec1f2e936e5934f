"""Mutation testing of what decides: mutmut changes the code in small ways, and some test must notice.

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
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "components" / "tfx_janitor"
STAGE = ROOT / "build" / "mutation" / "stage"
LOG = ROOT / "build" / "mutation" / "mutmut.log"
RESULTS = ROOT / "build" / "mutation" / "results"
REPORT = ROOT / "docs" / "mutation.md"
SURVIVORS = ROOT / "docs" / "mutation-survivors.md"

MODULES = {
    **dict.fromkeys(("snapshot", "paths"), "lineage"),
    **dict.fromkeys(("case", "holds", "judgement", "keeps", "calendar", "metrics"), "retention"),
    **dict.fromkeys(("property_groups", "lineage_words", "answers", "pruning"), "retention"),
    **dict.fromkeys(("settlement", "dependent_holds", "settle", "decide"), "retention"),
}
"""Those that decide what stays, with their folders: whose an artifact is, who keeps it, who goes."""

FEW_STORES = "test_paths"
"""Opens stores in some of its tests, and is quick all the same."""

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
    parser = argparse.ArgumentParser(prog="make mutants", description="Mutation testing of what decides.")
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=f"of {', '.join(MODULES)}; default: all")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="mutants at a time (default: cores)")
    parser.add_argument("--report", action="store_true", help="only report on what was run before")
    asked = parser.parse_args()
    if unknown := sorted(set(asked.modules) - set(MODULES)):
        parser.error(f"no such module: {', '.join(unknown)}; there are {', '.join(MODULES)}")
    if not asked.report:
        sources = {module: _digest(module) for module in asked.modules or MODULES}
        stage(sources)
        # mutmut draws its progress ten times a second: for eyes, or for nobody.
        with nullcontext() if sys.stdout.isatty() else LOG.open("w") as progress:
            mutmut("run", "--max-children", str(asked.jobs), stdout=progress)
        keep_results(sources)
    return report()


def stage(modules: Collection[str]) -> None:
    """Lays out a tree as mutmut wants it."""
    shutil.rmtree(STAGE, ignore_errors=True)
    skip = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE, STAGE / "src" / PACKAGE.name, ignore=skip)
    shutil.copytree(ROOT / "tests", STAGE / "tests", ignore=skip)
    copies = {module: Path("src") / source_of(module).relative_to(PACKAGE.parent) for module in modules}
    for copy in copies.values():
        (STAGE / copy).write_text(undecorated((STAGE / copy).read_text()))
    configuration = CONFIGURATION.format(
        modules=json.dumps([str(copy) for copy in copies.values()]),
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
    """Test files that need no real store, or few: their snapshots are built in memory, in milliseconds."""
    for folder in sorted(set(MODULES.values())):
        others = {f"test_{path.stem}" for path in (PACKAGE / folder).glob("*.py")}
        others -= {f"test_{module}" for module in MODULES}
        for path in (ROOT / "tests" / folder).glob("test_*.py"):
            storeless = path.stem == FEW_STORES or "tests.builders" not in path.read_text()
            if storeless and path.stem not in others:
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


def keep_results(sources: Mapping[str, str]) -> None:
    """Writes down each module's mutants, with the digest of the source that they were made from."""
    listing = mutmut("results", "--all", "true", stdout=subprocess.PIPE)
    found: dict[str, list[Mutant]] = {module: [] for module in sources}
    for name, status in re.findall(r"^ *(\S+): (.+)$", listing, re.MULTILINE):
        mutant = Mutant(name, status)
        if not mutant.noticed:
            mutant = Mutant(name, status, mutmut("show", name, stdout=subprocess.PIPE))
        found[name.split(".")[2]].append(mutant)
    RESULTS.mkdir(parents=True, exist_ok=True)
    for module, mutants in found.items():
        record = {"source": sources[module], "mutants": [vars(mutant) for mutant in mutants]}
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
    print(f"\n{table(results)}")
    print(f"{len(survivors)} survivors, {len(missing)} of them without an explanation")
    if stale:
        print(f"not run since they last changed: {', '.join(stale)}; {REPORT.name} stays as it is")
        return 1 if missing else 0
    write_table(table(results))
    superfluous = explained - {mutant.change for mutant in survivors}
    if superfluous:
        print(f"{len(superfluous)} explanations of what does not survive:")
        print(*("\n".join(change) for change in sorted(superfluous)), sep="\n\n")
    return 1 if missing or superfluous else 0


def table(results: Mapping[str, Sequence[Mutant]]) -> str:
    """The numbers in Markdown."""
    rows = {}
    for module, mutants in results.items():
        statuses = Counter(mutant.status for mutant in mutants)
        noticed = sum(mutant.noticed for mutant in mutants)
        rows[f"`{MODULES[module]}.{module}`"] = (
            len(mutants),
            noticed,
            statuses["timeout"],
            len(mutants) - noticed,
        )
    rows["all"] = tuple(map(sum, zip(*rows.values(), strict=True)))
    lines = ["| module | mutants | killed | of these by time-out | survived |", "|---|---|---|---|---|"]
    lines += [f"| {name} | " + " | ".join(map(str, row)) + " |" for name, row in rows.items()]
    return "\n".join(lines) + "\n"


def write_table(text: str) -> None:
    """Replaces the only table of docs/mutation.md."""
    page = REPORT.read_text()
    REPORT.write_text(re.sub(r"(?m)(^\|.*\n)+", lambda _: text, page, count=1))


def explanations(page: str) -> Iterator[tuple[str, ...]]:
    """The changes in the diff blocks of docs/mutation-survivors.md.

    One line with several below it that may stand in its place are as many changes.
    """
    for block in re.findall(r"^```diff\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        first, *others = _change(block)
        if len(others) > 1 and all(line.startswith("+") for line in others):
            yield from ((first, other) for other in others)
        else:
            yield (first, *others)


def _change(diff: str) -> tuple[str, ...]:
    changed = (
        line for line in diff.splitlines() if line[:1] in ("-", "+") and line[:3] not in ("---", "+++")
    )
    return tuple(line[0] + line[1:].strip() for line in changed)


def source_of(module: str) -> Path:
    """The file of a module."""
    return PACKAGE / MODULES[module] / f"{module}.py"


def _digest(module: str) -> str:
    return hashlib.sha256(source_of(module).read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
