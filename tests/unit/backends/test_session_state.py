"""What workers have of the test that they are started for: context variables, environment, current folder."""

from __future__ import annotations

import asyncio
import contextvars
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import pytest

from pytest_concurrency.backends import open_workers, serialization
from pytest_concurrency.backends.base import Raised
from pytest_concurrency.backends.environment import WorkerEnvironment
from pytest_concurrency.core.model import Body, ExecutorChoice
from pytest_concurrency.engine.plan import WorkerSetup

USER: contextvars.ContextVar[object] = contextvars.ContextVar("user")
HERE = Path(__file__).parent
THREADS = WorkerSetup("pool", 2, executor=ExecutorChoice("pool", ThreadPoolExecutor))
PROCESSES = WorkerSetup("pool", 2, executor=ExecutorChoice("pool", ProcessPoolExecutor))
PLACES = {
    "threads": (WorkerSetup("threads", 2), "auto"),
    "tasks": (WorkerSetup("tasks", 2), "auto"),
    "forked processes": (WorkerSetup("processes", 2), "fork"),
    "spawned processes": (WorkerSetup("processes", 2), "spawn"),
    "forkserver processes": (WorkerSetup("processes", 2), "forkserver"),
    "threads of a pool": (THREADS, "auto"),
    "forked processes of a pool": (PROCESSES, "fork"),
    "forkserver processes of a pool": (PROCESSES, "forkserver"),
}


@pytest.fixture
def user() -> Iterator[None]:
    token = USER.set("ada")
    yield
    USER.reset(token)


def run(setup: WorkerSetup, method: str, function: Callable[..., None], *values: object) -> None:
    async def later() -> None:
        await asyncio.sleep(0)
        function(*values)

    is_async = setup.backend == "tasks"
    body = Body(later, is_async=True) if is_async else Body(function, values)
    group = open_workers(setup, body, WorkerEnvironment(HERE, start_method=method))
    try:
        group.run(2, 1, 20.0)
    finally:
        group.close()


def check_user() -> None:
    assert USER.get() == "ada"


def check_and_set_user() -> None:
    assert USER.get() == "ada"
    USER.set("ada")


def check_surroundings(stage: str, folder: str) -> None:
    assert os.environ.get("PCP_STAGE") == stage
    assert [name for name in os.environ if name.startswith("PCP_OF_")] == [f"PCP_OF_{stage.upper()}"]
    assert str(Path.cwd()) == folder


class Refused(Exception):
    """Takes other arguments than its base, as many exceptions of libraries do, so it cannot be unpickled."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.lock = threading.Lock()


def refuse() -> None:
    raise Refused(404, "gone")


class Unprintable(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")


def refuse_silently() -> None:
    raise Unprintable(404)


@pytest.mark.parametrize("place", PLACES)
def test_exception_keeps_its_class_and_its_attributes(place: str) -> None:
    with pytest.raises(Raised) as caught:
        run(*PLACES[place], refuse)
    error = caught.value.error
    assert (type(error), str(error), error.code) == (Refused, "404: gone", 404)  # type: ignore[attr-defined]


@pytest.mark.parametrize("place", PLACES)
def test_exception_without_a_text_keeps_its_class(place: str) -> None:
    with pytest.raises(Raised) as caught:
        run(*PLACES[place], refuse_silently)
    assert type(caught.value.error) is Unprintable


@pytest.mark.parametrize("place", PLACES)
def test_context_variable_of_a_fixture_has_its_value_in_every_worker(user: None, place: str) -> None:
    run(*PLACES[place], check_and_set_user)


def test_context_variable_that_a_body_sets_in_a_pool_of_the_test_is_not_set_afterwards(user: None) -> None:
    def change() -> None:
        USER.set("eve")

    with ThreadPoolExecutor(2) as pool:
        run(WorkerSetup("pool", 2, executor=ExecutorChoice("pool", pool)), "auto", change)
        assert pool.submit(USER.get, "unknown").result() == "unknown"
    assert USER.get() == "ada"


@pytest.mark.parametrize("place", ["spawned processes", "forkserver processes of a pool"])
def test_context_variable_whose_value_cannot_be_pickled_is_named(place: str) -> None:
    token = USER.set(threading.Lock())
    try:
        with pytest.raises(Raised) as caught:
            run(*PLACES[place], check_user)
    finally:
        USER.reset(token)
    assert isinstance(caught.value.error, LookupError)
    assert "the context variable 'user' has no value in this worker" in str(caught.value.error)
    assert "the value can be pickled" in str(caught.value.error)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork server here")
@pytest.mark.parametrize("place", [place for place in PLACES if "processes" in place])
def test_environment_is_that_of_the_test_and_not_of_an_earlier_one(
    place: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A fork server keeps the environment in which it was started."""
    for stage in ("first", "second"):
        folder = tmp_path / stage
        folder.mkdir()
        with monkeypatch.context() as patch:
            patch.setenv("PCP_STAGE", stage)
            patch.setenv(f"PCP_OF_{stage.upper()}", "set")
            patch.chdir(folder)
            run(*PLACES[place], check_surroundings, stage, str(folder))


def test_state_without_surroundings_changes_neither_environment_nor_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pool of the test's own was there before, and is used for something else afterwards."""
    monkeypatch.setenv("PCP_STAGE", "before")
    packed = serialization.pack_state()
    monkeypatch.setenv("PCP_STAGE", "after")
    serialization.take_surroundings(packed)
    assert os.environ["PCP_STAGE"] == "after"


def test_modules_of_a_folder_whose_name_begins_alike_are_not_the_sessions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("shop", "shop2"):
        module = ModuleType(f"{folder}_orders")
        module.__file__ = str(tmp_path / folder / "orders.py")
        monkeypatch.setitem(sys.modules, module.__name__, module)
    assert [name for name in serialization.session_modules(tmp_path / "shop") if name.startswith("shop")] == [
        "shop_orders"
    ]
