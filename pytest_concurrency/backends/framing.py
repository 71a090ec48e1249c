"""Framing of answers over a pipe: foreign bytes are recognized, and an incomplete answer does not block the session."""

from __future__ import annotations

import os
import select
import struct
import sys
from collections.abc import Collection
from multiprocessing.connection import Connection, wait

_MARK = b"\x93pcp"  # what a body writes into this pipe by mistake is unlikely to begin like this
_HEAD = struct.Struct("!4sI")
_PIECE = 1 << 16
_LONGEST = 1 << 28  # bytes
_SHOWN = 16  # bytes of what is not an answer: 16 times \x00 fit into a line of the message


class Garbage(Exception):
    """Bytes that are not an answer; the message shows their beginning or the size that they claim."""


def send(connection: Connection, message: bytes) -> None:
    """Write one message; blocks until the pipe has taken all of it."""
    if sys.platform == "win32":
        connection.send_bytes(message)
        return
    rest = memoryview(_HEAD.pack(_MARK, len(message)) + message)
    while rest:
        rest = rest[os.write(connection.fileno(), rest) :]


class Inbox:
    """Reads the messages of one worker, and keeps an incomplete one until the rest arrives."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._bytes = bytearray()

    def read(self) -> bytes | None:
        """Return the next message, or None if it is not complete yet; call this only when the pipe is readable.

        :raises EOFError: the other end is closed.
        :raises Garbage: the bytes are not a message.
        """
        if sys.platform == "win32":
            return self.connection.recv_bytes()
        piece = os.read(self.connection.fileno(), _PIECE)
        if not piece:
            raise EOFError
        self._bytes += piece
        if not self._bytes.startswith(_MARK[: len(self._bytes)]):
            raise Garbage(repr(bytes(self._bytes[:_SHOWN])))
        if len(self._bytes) < _HEAD.size:
            return None
        _, size = _HEAD.unpack_from(self._bytes)
        if size > _LONGEST:
            raise Garbage(f"a message of {size} bytes")
        end = _HEAD.size + size
        if len(self._bytes) < end:
            return None
        message = bytes(self._bytes[_HEAD.size : end])
        del self._bytes[:end]
        return message


class Watch:
    """Waits until one of several pipes is readable. It is made once, because making it takes longer than waiting."""

    def __init__(self) -> None:
        self._pipes: dict[int, Connection] = {}
        self._indexes: dict[int, int] = {}  # by file descriptor
        self._silenced: set[int] = set()
        self._poll = select.poll() if hasattr(select, "poll") else None

    def add(self, index: int, pipe: Connection) -> None:
        self._pipes[index] = pipe
        if self._poll is not None:
            self._indexes[pipe.fileno()] = index
            self._poll.register(pipe.fileno(), select.POLLIN)

    def wait(self, wanted: Collection[int], seconds: float) -> set[int]:
        """Return the indexes of the wanted pipes that are readable; none after ``seconds``."""
        if self._poll is None:
            ready = wait([self._pipes[index] for index in wanted], timeout=seconds)
            return {index for index in wanted if self._pipes[index] in ready}
        for index in self._silenced.intersection(wanted):
            self._poll.register(self._pipes[index].fileno(), select.POLLIN)
            self._silenced.remove(index)
        found = {self._indexes[number] for number, _ in self._poll.poll(max(0.0, seconds) * 1000)}
        for index in found.difference(wanted):
            # This worker has sent something unasked, or has ended. Without this, poll() would return at once for it
            # again and again. The next wait for its answer registers it again.
            self._poll.unregister(self._pipes[index].fileno())
            self._silenced.add(index)
        if found and found.isdisjoint(wanted):
            return self.wait(wanted, seconds)
        return found.intersection(wanted)
