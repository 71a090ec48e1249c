from __future__ import annotations

import io
import re

import pytest

from pytest_concurrency.session.output.live_line import LiveLine, live
from pytest_concurrency.session.output.live_line import terminal as terminal_of_pytest
from pytest_concurrency.testing import ScriptedClock

BEFORE = "test_fetch.py "


class FakeTerminal(io.StringIO):
    """One line of a terminal: what is on the screen, and where the cursor stands."""

    def __init__(self) -> None:
        super().__init__()
        self.screen = BEFORE
        self.cursor = len(BEFORE)

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        for code, letters in re.findall(r"\x1b\[(\d*[KD])|([^\x1b]+)", text):
            if code == "K":
                self.screen = self.screen[: self.cursor]
            elif code:
                self.cursor -= int(code[:-1])
            else:
                self.screen = self.screen[: self.cursor] + letters + self.screen[self.cursor + len(letters) :]
                self.cursor += len(letters)
        return len(text)


@pytest.fixture
def terminal() -> FakeTerminal:
    return FakeTerminal()


@pytest.fixture
def clock() -> ScriptedClock:
    return ScriptedClock()


def test_nothing_shows_before_one_second(terminal: FakeTerminal, clock: ScriptedClock) -> None:
    line = LiveLine(terminal, 60, clock)
    clock.advance(0.99)
    line.show("round 1")
    assert terminal.screen == BEFORE
    clock.advance(0.02)
    line.show("round 2")
    assert terminal.screen == f"{BEFORE} round 2"


def test_the_cursor_stays_where_pytest_left_it(terminal: FakeTerminal, clock: ScriptedClock) -> None:
    line = LiveLine(terminal, 60, clock)
    for text in ("a longer text at first", "short"):
        clock.advance(1.1)
        line.show(text)
        assert terminal.cursor == len(BEFORE)
    assert terminal.screen == f"{BEFORE} short"


def test_it_leaves_nothing_behind(terminal: FakeTerminal, clock: ScriptedClock) -> None:
    line = LiveLine(terminal, 60, clock)
    clock.advance(2)
    line.show("round 1")
    line.clear()
    assert (terminal.screen, terminal.cursor) == (BEFORE, len(BEFORE))


def test_what_never_showed_needs_no_cleaning(terminal: FakeTerminal, clock: ScriptedClock) -> None:
    LiveLine(terminal, 60, clock).clear()
    assert terminal.getvalue() == ""
    assert terminal.screen == BEFORE


def test_it_is_rewritten_ten_times_a_second_at_most(terminal: FakeTerminal, clock: ScriptedClock) -> None:
    line = LiveLine(terminal, 60, clock)
    clock.advance(1.5)
    line.show("round 1")
    clock.advance(0.05)
    line.show("round 2")
    assert terminal.screen.endswith("round 1")
    clock.advance(0.06)
    line.show("round 3")
    assert terminal.screen.endswith("round 3")


@pytest.mark.parametrize(("columns", "shows"), [(10, False), (30, True)])
def test_it_keeps_to_the_rest_of_the_line(
    terminal: FakeTerminal, clock: ScriptedClock, columns: int, shows: bool
) -> None:
    line = LiveLine(terminal, columns, clock)
    clock.advance(2)
    line.show("x" * 200)
    assert (terminal.screen != BEFORE) is shows
    assert len(terminal.screen) < len(BEFORE) + columns  # the last column would wrap


def test_a_terminal_that_has_gone_does_not_stop_the_measuring(clock: ScriptedClock) -> None:
    gone = FakeTerminal()
    gone.write = lambda text: gone.read(-2) if gone.close() else 0  # type: ignore[method-assign]
    line = LiveLine(gone, 60, clock)
    clock.advance(2)
    line.show("round 1")
    line.clear()


@pytest.mark.parametrize(
    ("file", "variables"),
    [(io.StringIO(), {}), (FakeTerminal(), {"CI": "true"}), (FakeTerminal(), {"TERM": "dumb"})],
    ids=["a file", "CI", "a dumb terminal"],
)
def test_only_a_terminal_gets_a_live_line(
    file: io.StringIO, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdout", file)
    assert terminal_of_pytest() is None


def test_without_a_terminal_nothing_is_shown() -> None:
    with live(None, 60) as show:
        assert show is None


def test_the_line_is_gone_when_the_measuring_ends(
    terminal: FakeTerminal, clock: ScriptedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "pytest_concurrency.session.output.live_line.LiveLine",
        lambda file, columns, after: LiveLine(file, columns, clock),
    )
    with live(terminal, 60) as show:
        assert show is not None
        clock.advance(2)
        show("round 1")
        assert terminal.screen == f"{BEFORE} round 1"
    assert terminal.screen == BEFORE
