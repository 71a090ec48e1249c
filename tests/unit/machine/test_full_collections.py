"""Full collections that are postponed, with a real collector."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator

import pytest

from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.machine.full_collections import FULL_COLLECTIONS, FullCollections

USUAL = (700, 10, 10)
HIGH = 1_000_000


@pytest.fixture(autouse=True)
def usual() -> Iterator[None]:
    before = gc.get_threshold()
    gc.set_threshold(*USUAL)
    yield
    gc.enable()
    gc.set_threshold(*before)


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The collections that are called."""
    called: list[int] = []
    monkeypatch.setattr(gc, "collect", lambda: called.append(2))
    return called


def pretend(monkeypatch: pytest.MonkeyPatch, young: int) -> None:
    """Let ``young`` collections of the second generation have happened since the last full one."""
    monkeypatch.setattr(gc, "get_count", lambda: (0, 0, young))


def test_only_the_oldest_generation_waits() -> None:
    with FullCollections().postponed():
        young, middle, oldest = gc.get_threshold()
    assert (young, middle) == USUAL[:2]
    assert oldest >= HIGH
    assert gc.get_threshold() == USUAL


def test_an_exception_ends_it() -> None:
    with pytest.raises(ZeroDivisionError), FullCollections().postponed():
        raise ZeroDivisionError
    assert gc.get_threshold() == USUAL


def test_what_the_code_sets_stays() -> None:
    with FullCollections().postponed():
        gc.set_threshold(5, 6, 7)
    assert gc.get_threshold() == (5, 6, 7)


def test_what_the_code_makes_of_the_raised_threshold_does_not_stay() -> None:
    with FullCollections().postponed():
        first, second, third = gc.get_threshold()
        gc.set_threshold(first, 2 * second, 5 * third)
    assert gc.get_threshold() == (USUAL[0], 2 * USUAL[1], USUAL[2])


def test_threads_that_end_in_any_order_leave_the_usual_threshold() -> None:
    collections = FullCollections()
    first, second = collections.postponed(), collections.postponed()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert gc.get_threshold()[2] >= HIGH
    second.__exit__(None, None, None)
    assert gc.get_threshold() == USUAL


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_process_that_code_forks_has_the_usual_threshold() -> None:
    with FULL_COLLECTIONS.postponed():
        assert gc.get_threshold()[2] >= HIGH
        child = os.fork()
        if not child:
            os._exit(gc.get_threshold() != USUAL)
        assert os.waitpid(child, 0)[1] == 0


def test_a_collector_without_full_collections_is_left_alone(full: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, 100)
    gc.set_threshold(2000, 10, 0)
    collections = FullCollections()
    with collections.postponed():
        assert gc.get_threshold() == (2000, 10, 0)
    collections.catch_up()
    assert full == []


def test_a_collector_that_is_off_is_left_alone(full: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, 100)
    gc.disable()
    collections = FullCollections()
    with collections.postponed():
        assert gc.get_threshold() == USUAL
    collections.catch_up()
    assert full == []


@pytest.mark.parametrize(("young", "calls"), [(10, 0), (11, 1)])
def test_one_that_is_due_comes_afterwards(
    full: list[int], monkeypatch: pytest.MonkeyPatch, young: int, calls: int
) -> None:
    pretend(monkeypatch, young)
    FullCollections().catch_up()
    assert len(full) == calls


def test_they_take_a_tenth_of_the_time_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, 100)
    now, spent = 0.0, 0.0

    def collect() -> None:
        nonlocal now, spent
        now += 0.05
        spent += 0.05

    monkeypatch.setattr(gc, "collect", collect)
    monkeypatch.setattr(CLOCKS, "wall", lambda: now)
    collections = FullCollections()
    for _ in range(1000):
        now += 0.003
        collections.catch_up()
    assert 0.05 < spent / now <= 0.1
