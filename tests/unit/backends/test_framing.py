"""Answers over a pipe: whole, in pieces, wrong, or none."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from multiprocessing import Pipe
from multiprocessing.connection import Connection

import pytest

from pytest_concurrency.backends.framing import Garbage, Inbox, Watch, send

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there, pipes keep messages apart themselves")


@pytest.fixture
def pipe() -> Iterator[tuple[Connection, Connection]]:
    ours, theirs = Pipe()
    yield ours, theirs
    ours.close()
    theirs.close()


def test_a_message_comes_as_it_was_sent(pipe: tuple[Connection, Connection]) -> None:
    ours, theirs = pipe
    send(theirs, b"hello")
    assert Inbox(ours).read() == b"hello"


def test_a_long_message_comes_in_pieces(pipe: tuple[Connection, Connection]) -> None:
    ours, theirs = pipe
    inbox, message = Inbox(ours), bytes(range(256)) * 1000
    pieces = b"\x93pcp" + len(message).to_bytes(4, "big") + message
    for begin in range(0, len(pieces), 50_000):
        os.write(theirs.fileno(), pieces[begin : begin + 50_000])
        found = inbox.read()
        assert (found is None) == (begin + 50_000 < len(pieces))
    assert found == message


@pytest.mark.parametrize("wrong", [b"x", b"\x93pcq", b"\x93pcp\xff\xff\xff\xff", b"\x00\x00\x00\x05hello"])
def test_garbage_is_known_by_its_beginning(pipe: tuple[Connection, Connection], wrong: bytes) -> None:
    ours, theirs = pipe
    os.write(theirs.fileno(), wrong)
    with pytest.raises(Garbage):
        Inbox(ours).read()


def test_a_closed_pipe(pipe: tuple[Connection, Connection]) -> None:
    ours, theirs = pipe
    theirs.close()
    with pytest.raises(EOFError):
        Inbox(ours).read()


def test_only_asked_workers_are_waited_for() -> None:
    watch, pairs = Watch(), [Pipe() for _ in range(3)]
    try:
        for index, (ours, _) in enumerate(pairs):
            watch.add(index, ours)
        send(pairs[2][1], b"out of turn")
        assert watch.wait([0, 1], 0.01) == set()
        send(pairs[1][1], b"asked for")
        assert watch.wait([0, 1], 10) == {1}
        assert watch.wait([2], 10) == {2}, "what came out of turn is still there"
    finally:
        for pair in pairs:
            for end in pair:
                end.close()


def test_unobserved_end_costs_no_computing() -> None:
    """A worker that has ended stays readable: it must not be looked at again and again."""
    watch, (asked, other), (ended, end) = Watch(), Pipe(), Pipe()
    with asked, other, ended:
        watch.add(0, asked)
        watch.add(1, ended)
        end.close()
        begun = time.process_time()
        assert watch.wait([0], 0.3) == set()
        assert time.process_time() - begun < 0.2
        assert watch.wait([1], 10) == {1}
