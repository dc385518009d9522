import subprocess
import sys

import pytest
from typer.testing import CliRunner

from voxscale import __version__
from voxscale.cli import app

COMMANDS = (
    "demo", "plan", "run", "status", "results", "report", "power", "prune",
    "fetch", "inspect", "convert", "flatmap", "features",
)  # fmt: skip


def test_version_is_printed():
    done = CliRunner().invoke(app, ["--version"])
    assert (done.exit_code, done.output) == (0, f"voxscale {__version__}\n")


def test_help_lists_the_commands():
    done = CliRunner().invoke(app, ["--help"])
    assert done.exit_code == 0
    listed = done.output.split("Commands:\n")[1]
    assert [line.split()[0] for line in listed.splitlines() if line.strip()] == list(COMMANDS)


def test_no_summary_is_cut():
    listed = CliRunner().invoke(app, ["--help"]).output.split("Commands:\n")[1]
    assert "..." not in listed
    assert all(line.endswith(".") for line in listed.splitlines() if line.strip())


@pytest.mark.parametrize("command", [*COMMANDS[:-1], "features language"])
def test_every_command_and_option_has_help(command):
    done = CliRunner().invoke(app, [*command.split(), "--help"])
    assert done.exit_code == 0
    lines = [line for line in done.output.splitlines() if line.startswith("  --")]
    assert len(lines) >= 2
    assert all(len(line.split("  ")) > 2 for line in lines)


def test_help_loads_nothing_heavy():
    code = (
        "import sys\nfrom voxscale.cli import main\nsys.argv = ['voxscale', '--help']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert end.code == 0\n"
        "heavy = ('torch', 'pandas', 'transformers', 'numpy', 'pydantic', 'rich', 'matplotlib')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0].startswith("Usage: voxscale")
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_module_runs():
    done = subprocess.run(
        [sys.executable, "-m", "voxscale", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"voxscale {__version__}\n"


def test_a_missing_argument_is_told():
    done = CliRunner().invoke(app, ["plan"])
    assert done.exit_code == 2
    assert "Missing argument 'STUDY'" in done.output
