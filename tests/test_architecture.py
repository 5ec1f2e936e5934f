"""What imports cannot show: who takes names away from the disk, who asks the clock, what a start loads.

Who may import whom is held by import-linter (`[tool.importlinter]` in pyproject.toml).
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "components" / "tfx_janitor"
THE_SEAM = "effects.py"

# The first are telling enough whoever owns them; the second are also names of lists' and texts' methods.
TAKES_AWAY = {
    "unlink",
    "unlinkat",
    "rmdir",
    "removedirs",
    "rmtree",
    "rename",
    "renames",
    "renameat2",
    "truncate",
}
TAKES_AWAY_OF = {
    "os.remove",
    "os.replace",
    "shutil.move",
    "fileio.remove",
    "gfile.remove",
    "FileSystems.delete",
}

RENAMES_THAT_LOSE_NOTHING = {
    "verified_pusher/rename.py: renameat2": "publishes a version, with the flag that forbids replacing",
    "verified_pusher/rename.py: rename": "publishes a version, where the kernel lacks that flag",
    "verified_pusher/versions.py: replace": "the new record of versions takes the old one's place at once",
}

ASKS_THE_CLOCK = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today"}
HEAVY = ["tensorflow", "tensorflow_model_analysis", "tfx", "apache_beam", "keras", "tf_keras"]


def trees(folder: Path) -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(folder.rglob("*.py")):
        yield path.relative_to(PACKAGE).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def uses(tree: ast.Module) -> Iterator[str]:
    """Every name in use, dotted, by its true one: `from os import unlink as u` and `u` are `os.unlink`."""
    true_name: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            true_name |= {alias.asname: alias.name for alias in node.names if alias.asname}
        elif isinstance(node, ast.ImportFrom):
            true_name |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    yield from true_name.values()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name):
            first, dot, rest = ast.unparse(node).partition(".")
            yield true_name.get(first, first) + dot + rest


def takes_away(tree: ast.Module) -> set[str]:
    return {
        name.rpartition(".")[2]
        for name in uses(tree)
        if not name.startswith("tfx_janitor.")
        and (
            name.rpartition(".")[2] in TAKES_AWAY
            or f".{name}".endswith(tuple(f".{of}" for of in TAKES_AWAY_OF))
        )
    }


def calls_path_replace(tree: ast.Module) -> bool:
    """Of all things with a method `replace`, only `pathlib.Path` takes a single argument."""
    return any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "replace"
        and len(node.args) == 1
        and not node.keywords
        for node in ast.walk(tree)
    )


@pytest.mark.parametrize(
    "code",
    [
        "import os; os.unlink(p)",
        "import os as o; o.remove(p)",
        "from os import rmdir as r; r(p)",
        "import os; each(os.unlink, paths)",
        "import shutil; shutil.rmtree(p)",
        "Path(p).unlink()",
        "tf.io.gfile.remove(p)",
        "from apache_beam.io.filesystems import FileSystems; FileSystems.delete([p])",
    ],
)
def test_a_removal_is_seen_in_every_spelling(code):
    assert takes_away(ast.parse(code))


def test_lists_and_texts_may_remove_and_replace():
    assert not takes_away(ast.parse("names.remove(n); text.replace('a', 'b'); remove.vanish(place)"))


def test_only_one_module_takes_names_away():
    found = {
        f"{module}: {name}"
        for module, tree in trees(PACKAGE)
        if module != THE_SEAM
        for name in takes_away(tree)
    }
    assert found == set(RENAMES_THAT_LOSE_NOTHING)
    assert [module for module, tree in trees(PACKAGE) if calls_path_replace(tree)] == []


def test_deciding_never_asks_the_clock():
    asked = {
        f"{module}: {name}"
        for folder in ("policy", "retention", "rehearsal")
        for module, tree in trees(PACKAGE / folder)
        for name in uses(tree)
        if f".{name}".endswith(tuple(f".{clock}" for clock in ASKS_THE_CLOCK))
    }
    assert asked == set()


@pytest.mark.parametrize(
    "start",
    [
        "import tfx_janitor",
        "from tfx_janitor import Plan, RetentionPolicy",
        "import sys; sys.argv = ['tfx-janitor', '--help']; from tfx_janitor.cli import main; main()",
        "import sys; sys.argv = ['tfx-janitor', 'plan', '--help']; from tfx_janitor.cli import main; main()",
    ],
    ids=["package", "values", "help", "help-of-plan"],
)
def test_a_start_loads_no_framework(start):
    report = f"""
import atexit, json, sys
atexit.register(lambda: print(json.dumps([m for m in {HEAVY} if m in sys.modules]), file=sys.stderr))
{start}
"""
    done = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stderr.splitlines()[-1]) == []
