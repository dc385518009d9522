import io

import pytest
from rich.console import Console

from voxscale.study._progress import Progress, Steps, duration, reporting


def steps_of(total, tell):
    steps = Steps("cells", total, tell)
    for i in range(total):
        steps.start(f"cell {i}")
        steps.end(f"cell {i}", is_failed=i == 1)


def test_a_callable_is_told_every_step():
    told = []
    with reporting(told.append) as tell:
        steps_of(3, tell)
    assert [(one.state, one.done, one.label) for one in told] == [
        ("start", 0, "cell 0"),
        ("done", 1, "cell 0"),
        ("start", 1, "cell 1"),
        ("failed", 2, "cell 1"),
        ("start", 2, "cell 2"),
        ("done", 3, "cell 2"),
    ]
    assert {(one.phase, one.total) for one in told} == {("cells", 3)}
    assert all(one.seconds >= 0 for one in told)


def test_time_left_follows_from_what_is_done():
    assert Progress("cells", "done", 2, 6, "", 10.0).seconds_left == 20.0
    assert Progress("cells", "start", 0, 6, "", 10.0).seconds_left is None
    assert Progress("cells", "done", 6, 6, "", 10.0).seconds_left == 0.0


def test_nothing_is_written_when_not_asked(capsys):
    with reporting(False) as tell:
        steps_of(3, tell)
    assert capsys.readouterr() == ("", "")


def test_lines_are_written_where_there_is_no_terminal(capsys):
    with reporting(True) as tell:
        steps_of(3, tell)
    written = capsys.readouterr()
    assert written.out == ""
    assert written.err.splitlines() == [
        "[cells 1/3] cell 0; 0 s left",
        "[cells 2/3] failed: cell 1; 0 s left",
        "[cells 3/3] cell 2",
    ]


def test_a_bar_is_drawn_in_a_terminal(monkeypatch):
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=120)
    monkeypatch.setattr("rich.console.Console", lambda **options: console)
    with reporting(True) as tell:
        steps_of(3, tell)
    drawn = screen.getvalue()
    assert "3/3" in drawn
    assert "failed: cell 1" in drawn


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (3599.6, "1 h 0 min"), (90000, "25 h 0 min")],
)
def test_durations_are_for_people(seconds, text):
    assert duration(seconds) == text
