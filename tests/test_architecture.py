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

THROUGH_THE_SEAM = {
    "deletion/remove.py: rename": "a payload disappears into the trash",
    "deletion/remove.py: rmdir": "what is in the trash goes, and the trash itself",
    "deletion/remove.py: unlink": "what is in the trash goes, and checkpoints by their names",
    "payload/checkpoint_state.py: rename": "the new state takes the old one's place at once",
    "payload/checkpoint_state.py: unlink": "temporary files of its own",
    "report/file.py: rename": "a new document takes the old one's place at once",
    "report/file.py: unlink": "a temporary file of its own",
    "verified_pusher/copying.py: truncate": "gives a file that is being copied its size, before its bytes",
    "verified_pusher/rename.py: rename": "publishes a version, where the kernel lacks that flag",
    "verified_pusher/rename.py: rename_to_free_name": "publishes a version, and never replaces one",
    "verified_pusher/versions.py: rename": "the new record of versions takes the old one's place at once",
}
"""Who takes names away, and which: nobody else."""

CHANGES_FILES = {
    *("mkdir", "makedirs", "mknod", "mkfifo", "symlink", "symlink_to", "hardlink_to"),
    *("write_text", "write_bytes", "fsync", "fdatasync", "copy_file_range", "sendfile", "pwrite", "writev"),
    *("posix_fallocate", "fallocate"),
    *("chmod", "fchmod", "lchmod", "chown", "fchown", "lchown", "utime", "setxattr", "removexattr"),
    *("copyfile", "copyfileobj", "copytree", "copy2", "mkdtemp", "mkstemp", "TemporaryDirectory"),
    *("NamedTemporaryFile", "TemporaryFile", "O_CREAT", "O_WRONLY", "O_RDWR", "O_TRUNC", "O_APPEND"),
}
CHANGES_FILES_OF = {"os.write", "os.link", "shutil.copy"}

PAST_THE_SEAM = {
    "payload/checkpoint_state.py: O_CREAT": "asks the seam to create a file so",
    "payload/checkpoint_state.py: O_TRUNC": "asks the seam to create a file so",
    "payload/checkpoint_state.py: O_WRONLY": "asks the seam to create a file so",
    "payload/checkpoint_state.py: fchmod": "the mode of a file that is not in its place yet",
    "verified_pusher/copying.py: O_CREAT": "asks the seam to create a file so",
    "verified_pusher/copying.py: O_WRONLY": "asks the seam to create a file so",
    "verified_pusher/manifest.py: O_CREAT": "asks the seam to create a file so",
    "verified_pusher/manifest.py: O_TRUNC": "asks the seam to create a file so",
    "verified_pusher/manifest.py: O_WRONLY": "asks the seam to create a file so",
    "verified_pusher/staging.py: O_CREAT": "asks the seam to create a file so",
    "verified_pusher/staging.py: O_RDWR": "opens files to lock them, and writes nothing",
    "verified_pusher/versions.py: O_CREAT": "asks the seam to create a file so",
    "verified_pusher/versions.py: O_TRUNC": "asks the seam to create a file so",
    "verified_pusher/versions.py: O_WRONLY": "asks the seam to create a file so",
}

WRITES_TO_MLMD = {
    "deletion/acts.py": "what is done",
    "deletion/mending.py": "the state of executions that nobody ends any more",
    "deletion/pins.py": "what must stay",
    "deletion/states.py": "the state of artifacts",
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


def used_of(tree: ast.Module, telling: set[str], owned: set[str]) -> set[str]:
    """Which of the names are in use, whoever owns the first, and as those of their owners the second."""
    return {
        name.rpartition(".")[2]
        for name in uses(tree)
        if not name.startswith("tfx_janitor.")
        and (name.rpartition(".")[2] in telling or f".{name}".endswith(tuple(f".{of}" for of in owned)))
    }


def takes_away(tree: ast.Module) -> set[str]:
    return used_of(tree, TAKES_AWAY, TAKES_AWAY_OF)


def changes_files(tree: ast.Module) -> set[str]:
    opened = {
        "open or touch" for node in ast.walk(tree) if isinstance(node, ast.Call) and opens_to_write(node)
    }
    return used_of(tree, CHANGES_FILES, CHANGES_FILES_OF) | opened


def opens_to_write(call: ast.Call) -> bool:
    """Whether this is an `open` with a mode that writes, the built-in one or that of a path; or a `touch`."""
    is_method = isinstance(call.func, ast.Attribute)
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ast.unparse(call.func)
    modes = [*call.args[0 if is_method else 1 :], *(k.value for k in call.keywords if k.arg == "mode")]
    writes = any(
        isinstance(mode, ast.Constant)
        and set(str(mode.value)) <= set("rwxabt+")
        and set(str(mode.value)) & set("wxa+")
        for mode in modes
    )
    return (name == "open" and writes) or (name == "touch" and is_method)


def writes_to_mlmd(tree: ast.Module) -> bool:
    """Whether it calls one of a store's `put_...`, or the request that such a one makes."""
    return any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and (
            node.func.attr.startswith("put_")
            or (node.func.attr == "_call" and ast.unparse(node.args[0]).strip("'").startswith("Put"))
        )
        for node in ast.walk(tree)
    )


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


def test_only_the_seam_takes_names_away_and_few_ask_it_to():
    past = {module for module, tree in trees(PACKAGE) if takes_away(tree) or calls_path_replace(tree)}
    assert past == {THE_SEAM}
    asked = {
        f"{module}: {name}"
        for module, tree in trees(PACKAGE)
        for used in uses(tree)
        if (name := used.removeprefix("tfx_janitor.effects.")) != used
        and (name in TAKES_AWAY or name.startswith("rename"))
    }
    assert asked == set(THROUGH_THE_SEAM)


@pytest.mark.parametrize(
    "code",
    [
        "import os; os.mkdir(p)",
        "import os; os.open(p, os.O_RDWR)",
        "from os import write as w; w(descriptor, b'')",
        "import shutil; shutil.copy(p, q)",
        "Path(p).write_bytes(b'')",
        "open(p, 'ab')",
        "Path(p).open(mode='x')",
        "Path(p).open('w')",
        "Path(p).touch()",
        "import tempfile; tempfile.mkdtemp()",
    ],
)
def test_a_change_is_seen_in_every_spelling(code):
    assert changes_files(ast.parse(code))


def test_reading_and_the_seam_itself_are_no_change():
    code = "import os; os.open(p, os.O_RDONLY); open(p, 'rb'); open('x'); effects.mkdir(p, 0o700, dir_fd=at)"
    assert not changes_files(ast.parse(f"from tfx_janitor import effects; {code}"))


def test_every_change_of_files_passes_the_seam():
    found = {
        f"{module}: {name}"
        for folder in ("deletion", "payload", "verified_pusher")
        for module, tree in trees(PACKAGE / folder)
        for name in changes_files(tree)
    }
    assert found == set(PAST_THE_SEAM)


def test_few_modules_of_the_deletion_write_to_mlmd():
    folders = ("deletion", "payload", "lineage", "survey", "retention")
    found = {m for folder in folders for m, tree in trees(PACKAGE / folder) if writes_to_mlmd(tree)}
    assert found == set(WRITES_TO_MLMD)


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
