"""Real processes: what is loaded, what is written where, and how it ends."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders import write_checkpoints

MODULE = [sys.executable, "-m", "tfx_janitor"]
SCRIPT = [str(Path(sys.executable).parent / "tfx-janitor")]


def run(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    command = [*MODULE, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **options)  # type: ignore[call-overload]


COMMANDS = ["plan", "apply", "purge", "gc", "restore", "explain", "verify", "checkpoints"]
COMMANDS += ["pin", "unpin", "pins", "history", "rollback", "withdraw", "adopt"]
COMMANDS += ["audit", "report", "lineage", "discard", "forget", "close"]
HEAVY = ["tensorflow", "tfx", "apache_beam"]


def loads(arguments: list[str], modules: list[str]) -> tuple[str, list[str]]:
    """What the command line prints in a fresh process, and which of some modules it has loaded by then."""
    code = (
        "import sys\n"
        "from tfx_janitor.cli import main\n"
        f"try:\n    main({arguments!r})\n"
        "except SystemExit as ended:\n    assert not ended.code\n"
        f"print([name for name in {modules!r} if name in sys.modules], file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout, ast.literal_eval(done.stderr)


def test_help_loads_only_what_it_needs():
    shown, loaded = loads(["--help"], [*HEAVY, "ml_metadata", "numpy", "pydantic", "ruamel.yaml", "rich"])
    assert loaded == []
    for command in COMMANDS:
        assert f"\n  {command} " in shown


def test_a_command_without_a_store_does_not_load_mlmd(tmp_path: Path):
    write_checkpoints(tmp_path, (1, 2))
    shown, loaded = loads(["verify", str(tmp_path)], [*HEAVY, "ml_metadata"])
    assert (shown.count("whole"), loaded) == (2, [])


@pytest.mark.parametrize("name", ["CheckpointJanitor", "VerifiedPusher"])
def test_a_component_without_tfx_says_what_to_install(name: str):
    code = f"import sys; sys.modules['tfx'] = None; from tfx_janitor import {name}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"ModuleNotFoundError: {name} takes tfx, which is not installed here; "
        'pip install "tfx-janitor[tfx]" brings it'
    )


def test_the_console_script_is_there():
    done = subprocess.run([*SCRIPT, "--version"], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout.split()[0], done.stderr) == (0, "tfx-janitor", "")


def test_options_of_the_program_stand_before_the_command():
    done = run("pins", "--metadata", "sqlite:///m.db")
    assert (done.returncode, done.stdout) == (2, "")
    told = "--metadata stands before the command, as in tfx-janitor --metadata ... pins ...\n"
    assert done.stderr.endswith(told)
    assert "stands before" not in run("pins", "--metadaat").stderr


def test_errors_are_one_line_on_standard_error(tmp_path: Path):
    done = run("--metadata", f"sqlite://{tmp_path}/none.db", "pins", "--format", "json")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("tfx-janitor: expected an MLMD store at ")
    assert done.stderr.count("\n") == 1


def test_a_traceback_is_there_for_who_asks(tmp_path: Path):
    environment = {**os.environ, "TFX_JANITOR_DEBUG": "1"}
    done = run("--metadata", f"sqlite://{tmp_path}/none.db", "pins", env=environment)
    assert done.returncode == 2
    assert "Traceback" in done.stderr


def test_who_stops_reading_is_not_answered_with_an_error(tmp_path: Path):
    write_checkpoints(tmp_path, range(20))
    reader, writer = os.pipe()
    os.close(reader)
    command = [*MODULE, "verify", str(tmp_path)]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=120)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


NOT_WRITTEN = "tfx-janitor: standard output could not be written: No space left on device\n"


@pytest.mark.parametrize(
    ("arguments", "unbuffered"),
    [
        (["--version"], "1"),
        (["--help"], ""),
        (["verify", "."], "1"),
        (["verify", ".", "--format", "json"], ""),
    ],
)
def test_a_full_disk_is_told_and_is_70(tmp_path: Path, arguments: list[str], unbuffered: str):
    write_checkpoints(tmp_path, (1, 2))
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*MODULE, *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
            cwd=tmp_path,
            env=environment,
        )
    assert (done.returncode, done.stderr) == (70, NOT_WRITTEN)


def test_that_nobody_can_be_told_does_not_change_the_exit_code(tmp_path: Path):
    for log_format in ("text", "json"):
        with open("/dev/full", "w") as full:
            command = [*MODULE, "--log-format", log_format, "verify", str(tmp_path / "nothing")]
            assert subprocess.run(command, stdout=full, stderr=full, timeout=120).returncode == 2


def shell(script: str, *arguments: object, first: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The command line as `$@` of a script, behind what may come first."""
    command = ["sh", "-c", script, "sh", *([] if first is None else [str(first)])]
    command += [*MODULE, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", [["--version"], ["verify", "."], ["verify", ".", "--format", "json"]])
def test_closed_output_is_told_and_is_70(tmp_path: Path, arguments: list[str], unbuffered: str):
    write_checkpoints(tmp_path, (1, 2))
    done = shell(f'cd "$1"; shift; PYTHONUNBUFFERED={unbuffered} exec "$@" >&-', *arguments, first=tmp_path)
    told = "tfx-janitor: standard output could not be written: Bad file descriptor\n"
    assert (done.returncode, done.stderr) == (70, told)


def test_output_that_is_closed_and_not_needed_is_none_of_its_business(tmp_path: Path):
    done = shell('exec "$@" >&-', "verify", tmp_path / "nothing")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "there is nothing at" in done.stderr


def test_closed_streams_keep_their_numbers(tmp_path: Path):
    # What is said on standard error is not said on standard output instead.
    done = shell('exec "$@" 2>&-', "verify", tmp_path / "nothing")
    assert (done.returncode, done.stdout) == (2, "")
    numbers = "import os, sys; from tfx_janitor.cli import main"
    opened = "print(os.open('/dev/null', os.O_RDONLY), file=open(sys.argv[1], 'w'))"
    code = f"{numbers}\ntry:\n    main(['--version'])\nexcept SystemExit:\n    {opened}"
    command = [
        "sh",
        "-c",
        'exec "$@" <&- >&- 2>&-',
        "sh",
        sys.executable,
        "-c",
        code,
        str(tmp_path / "number"),
    ]
    subprocess.run(command, check=True, timeout=120)
    assert int((tmp_path / "number").read_text()) > 2


def test_names_that_are_no_text_are_shown_and_not_choked_on(tmp_path: Path):
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")
    write_checkpoints(Path(odd), (1, 2))
    for form in ("table", "json"):
        done = run("checkpoints", odd, "--last", 1, "--format", form)
        assert (done.returncode, done.stderr) == (0, "")
        assert "caf\\udce9" in done.stdout


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_a_terminal_that_lacks_letters(tmp_path: Path, encoding: str):
    run_directory = write_checkpoints(tmp_path / "Modèle", (1,))
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = run("checkpoints", run_directory, "--last", 1, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert ("Mod\\xe8le" in done.stdout) == (encoding == "ascii")


def test_ctrl_c_is_130():
    code = (
        "import os, signal\n"
        "from tfx_janitor.cli import main\n"
        "import tfx_janitor.cli.remembering as remembering\n"
        "def interrupted(*_, **__): os.kill(os.getpid(), signal.SIGINT); signal.pause()\n"
        "remembering.opened = interrupted\n"
        "main(['history'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 128 + signal.SIGINT
    assert done.stderr.startswith("tfx-janitor: interrupted")
    assert "Traceback" not in done.stderr


def test_ctrl_c_while_it_is_being_loaded_is_130_without_a_word():
    code = (
        "import os, signal, sys\n"
        "class Impatient:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'typer': os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Impatient())\n"
        "from tfx_janitor.cli import main\n"
        "main(['--help'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (128 + signal.SIGINT, "", "")


def test_what_nobody_foresaw_is_70_and_one_line():
    code = (
        "import tfx_janitor.cli.remembering as remembering\n"
        "from tfx_janitor.cli import main\n"
        "def broken(*_, **__): raise ZeroDivisionError('three\\x1b[31m by zero')\n"
        "remembering.opened = broken\n"
        "main(['history'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 70
    told = "tfx-janitor: unexpected ZeroDivisionError: three\\x1b[31m by zero"
    assert done.stderr == f"{told} (set TFX_JANITOR_DEBUG=1 for the traceback)\n"
