"""Open connections that forked workers would share are named before anything is forked."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import multiprocessing
import os
import socket
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_concurrency.backends import open_workers, processes, serialization
from pytest_concurrency.backends.environment import WorkerEnvironment
from pytest_concurrency.backends.fork_only import refuse_shared_connections
from pytest_concurrency.core.errors import CannotMeasure, NotPicklable
from pytest_concurrency.core.model import Body, ExecutorChoice
from pytest_concurrency.engine.plan import WorkerSetup

CLIENT: Any = SimpleNamespace()


class Client:
    """Keeps its connection as deep as HTTP clients do."""

    __slots__ = ("pool",)

    def __init__(self, connection: socket.socket) -> None:
        self.pool = {"transports": [SimpleNamespace(stream=functools.partial(print, connection))]}


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


@pytest.fixture
def connection(server: socket.socket) -> Iterator[socket.socket]:
    with socket.create_connection(server.getsockname()) as connected:
        yield connected


def use(client: object) -> None:
    pass


def use_global() -> None:
    use(CLIENT.connection)


def check(body: Body) -> None:
    refuse_shared_connections(body, {__name__})


def test_fixture_that_holds_a_connection_is_named_with_its_peer(connection: socket.socket) -> None:
    host, port = connection.getpeername()
    with pytest.raises(CannotMeasure) as caught:
        check(Body(use, values={"client": Client(connection)}, label="test_it"))
    assert f"test_it uses fixture 'client' (a Client), which has an open connection to {host}:{port}" in str(
        caught.value
    )


def test_argument_that_is_a_connection_is_named(connection: socket.socket) -> None:
    with pytest.raises(CannotMeasure, match="uses argument 2 "):
        check(Body(use, (1, connection)))


def test_global_that_holds_a_connection_is_named(connection: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CLIENT, "connection", connection, raising=False)
    with pytest.raises(CannotMeasure, match="uses CLIENT "):
        check(Body(use_global))


def test_listening_closed_and_unnamed_sockets_are_no_connections(
    server: socket.socket, connection: socket.socket
) -> None:
    connection.close()
    with contextlib.ExitStack() as stack:
        loop = asyncio.new_event_loop()  # with a pair of sockets to wake it
        stack.callback(loop.close)
        sockets = [*socket.socketpair(), socket.socket()]
        for each in sockets:
            stack.enter_context(each)
        check(Body(use, (server, loop, connection, sockets)))


def test_pool_that_remembers_its_process_may_be_shared(connection: socket.socket) -> None:
    check(Body(use, (SimpleNamespace(pid=os.getpid(), connections=[connection]),)))
    with pytest.raises(CannotMeasure):
        check(Body(use, (SimpleNamespace(pid=os.getpid() + 1, connections=[connection]),)))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.parametrize("backend", ["processes", "pool"])
def test_workers_that_would_share_a_connection_are_not_forked(
    connection: socket.socket, monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    monkeypatch.setattr(processes, "choose_start_method", lambda wanted: ("fork", ""))
    forking = functools.partial(ProcessPoolExecutor, mp_context=multiprocessing.get_context("fork"))
    executor = ExecutorChoice("pool", forking) if backend == "pool" else None
    setup = WorkerSetup(backend, 2, executor=executor)
    with pytest.raises(CannotMeasure, match="has an open connection to"):
        open_workers(setup, Body(use, (Client(connection),)), WorkerEnvironment(Path(__file__).parent))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_workers_are_forked_with_a_connection_where_that_was_asked_for(connection: socket.socket) -> None:
    around = WorkerEnvironment(Path(__file__).parent, start_method="fork")
    group = open_workers(WorkerSetup("processes", 2), Body(use, (Client(connection),)), around)
    group.run(2, 1, 20.0)
    assert "the workers share argument 1 (a Client), which has an open connection to" in group.note
    group.close()


def test_connection_that_cannot_be_sent_is_not_advised_to_be_forked(connection: socket.socket) -> None:
    with pytest.raises(NotPicklable) as caught:
        serialization.pack(Body(use, values={"client": Client(connection)}), by_fork=True)
    assert "it has an open connection to 127.0.0.1:" in str(caught.value)
    assert "fork" not in str(caught.value)
