import errno
import os
import warnings

import pytest
import typer

from voxscale.cli._plainly import plainly
from voxscale.errors import ConfigError, StoreError, VoxscaleWarning


def failing(error):
    @plainly
    def command() -> None:
        raise error

    return command


@pytest.mark.parametrize(
    "error",
    [
        ConfigError("study.toml, line 3: wrong"),
        StoreError("study.toml, line 3: wrong"),
        OSError("study.toml, line 3: wrong"),
    ],
)
def test_what_a_user_can_mend_is_one_message(error, capsys):
    with pytest.raises(typer.Exit) as caught:
        failing(error)()
    assert caught.value.exit_code == 2
    assert capsys.readouterr() == ("", "error: study.toml, line 3: wrong\n")


def test_an_error_of_the_disk_names_its_file(capsys):
    error = OSError(errno.EACCES, os.strerror(errno.EACCES), "/root/out")
    with pytest.raises(typer.Exit):
        failing(error)()
    assert "Permission denied: '/root/out'" in capsys.readouterr().err


def test_the_traceback_can_be_had(monkeypatch):
    monkeypatch.setenv("VOXSCALE_DEBUG", "1")
    with pytest.raises(ConfigError, match="wrong"):
        failing(ConfigError("wrong"))()


def test_an_interruption_is_told(capsys):
    with pytest.raises(typer.Exit) as caught:
        failing(KeyboardInterrupt())()
    assert caught.value.exit_code == 130
    assert "what is done is kept" in capsys.readouterr().err


@pytest.mark.parametrize("error", [ZeroDivisionError(), BrokenPipeError()])
def test_other_errors_are_ours_and_pass(error):
    with pytest.raises(type(error)):
        failing(error)()


def test_a_warning_is_a_line_and_told_once(capsys):
    @plainly
    def command() -> int:
        for _ in range(3):
            warnings.warn("3 of 9 voxels are constant", VoxscaleWarning, stacklevel=2)
        return 7

    assert command() == 7
    assert capsys.readouterr() == ("", "warning: 3 of 9 voxels are constant\n")
