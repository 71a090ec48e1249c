"""What is kept of sampled stacks: those that are in the body, without what called it."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from types import ModuleType

import pytest

from pytest_concurrency.backends import batch, threads
from pytest_concurrency.profiling import render, worker_stacks
from pytest_concurrency.profiling.model import Flame, Profile
from pytest_concurrency.profiling.samplers import Seen

LIBRARY = Seen(threading.__file__, 10, "run")
OURS = Seen(batch.__file__, 20, "run_batch")
WAITS = Seen(threads.__file__, 30, "_live")
BODY, LOAD = Seen("/shop/test_shop.py", 5, "test_body"), Seen("/shop/shop.py", 3, "load")


def flame(*stacks: tuple[tuple[Seen, ...], int]) -> Flame:
    return worker_stacks.flame(stacks, "4 threads", "wall")


def names(found: Flame) -> list[tuple[list[str], int]]:
    return [([found.frames[place].name for place in places], amount) for places, amount in found.stacks]


def test_stack_begins_with_the_body() -> None:
    found = flame(((LIBRARY, OURS, BODY, LOAD, LIBRARY), 9), ((LIBRARY, OURS, BODY), 1))
    assert names(found) == [(["test_body", "load", "run"], 9), (["test_body"], 1)]
    assert [frame.own for frame in found.frames] == [True, True, False]
    assert found.samples == 10


@pytest.mark.parametrize(
    "stack",
    [(LIBRARY, WAITS), (BODY, OURS, LIBRARY), (LIBRARY,)],
    ids=["between two batches", "a test that waits for its measurement", "a thread of a library"],
)
def test_stack_outside_of_the_body_is_left_out(stack: tuple[Seen, ...]) -> None:
    assert flame((stack, 5)).samples == 0


def test_thread_that_the_body_started_begins_with_its_own_code() -> None:
    assert names(flame(((LIBRARY, LIBRARY, LOAD), 2))) == [(["load"], 2)]


def test_lines_with_most_samples_come_first_with_what_they_called() -> None:
    found = flame(((OURS, BODY, LOAD, LIBRARY), 6), ((OURS, BODY), 4))
    assert [(stand.where, stand.inside, stand.share) for stand in found.stands] == [
        ("shop/shop.py:3 in load", "threading.run", 0.6),
        ("shop/test_shop.py:5 in test_body", "", 0.4),
    ]


def test_file_without_a_folder_is_found_by_line_and_function() -> None:
    """Tachyon writes a file's name alone, and here are two of the name __init__.py and more."""
    line = next(n for n, text in enumerate(Path(batch.__file__).read_text().splitlines(), 1) if "def run_batch" in text)
    seen = Seen(Path(batch.__file__).name, line + 3, "run_batch")
    assert names(flame(((seen, BODY), 1))) == [(["test_body"], 1)]


def test_file_name_that_several_modules_have_is_no_ones_if_the_line_is_in_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A real one: threading.py of the library and of Hypothesis, for the stack of a thread that waits."""
    for folder in ("one", "two"):
        module = ModuleType(folder)
        module.__file__ = str(tmp_path / folder / "waits.py")
        (tmp_path / folder).mkdir()
        Path(module.__file__).write_text(f"def {folder}():\n    pass\n")
        monkeypatch.setitem(sys.modules, folder, module)
    assert flame(((Seen("waits.py", 1, "three"),), 5)).samples == 0
    assert names(flame(((Seen("waits.py", 2, "two"),), 5))) == [(["two"], 5)]


def test_text_says_who_was_sampled_and_by_what() -> None:
    text = render.show(Profile("test_body", "tachyon", flame=flame(((OURS, BODY), 4))))
    assert text.splitlines()[0] == "Time of 4 threads in an extra round (tachyon, all the time; 4 samples):"
    assert "100%  shop/test_shop.py:5 in test_body" in text
    assert "No sample of 4 threads" in render.show(Profile("test_body", "py-spy", flame=flame()))
