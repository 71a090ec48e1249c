"""Answers over a pipe, framed so that garbage is known as such, and half of an answer keeps nobody waiting."""

from __future__ import annotations

import os
import struct
import sys
from multiprocessing.connection import Connection

_MARK = b"\x93pcp"  # whatever a body may write into a pipe that is not its own will hardly begin like this
_HEAD = struct.Struct("!4sI")
_PIECE = 1 << 16
_LONGEST = 1 << 28  # bytes


class Garbage(Exception):
    """Bytes that are no answer; the message shows how they begin."""


def send(connection: Connection, message: bytes) -> None:
    """Write one message; blocks until the pipe has taken all of it."""
    if sys.platform == "win32":
        connection.send_bytes(message)
        return
    rest = memoryview(_HEAD.pack(_MARK, len(message)) + message)
    while rest:
        rest = rest[os.write(connection.fileno(), rest) :]


class Inbox:
    """Reads what one worker sends, as far as it has come."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._bytes = bytearray()

    def read(self) -> bytes | None:
        """Return the next message, or None if it is not complete yet; to be called when there is something to read.

        :raises EOFError: the other end is closed.
        :raises Garbage: something else than messages was written.
        """
        if sys.platform == "win32":
            return self.connection.recv_bytes()
        piece = os.read(self.connection.fileno(), _PIECE)
        if not piece:
            raise EOFError
        self._bytes += piece
        if not self._bytes.startswith(_MARK[: len(self._bytes)]):
            raise Garbage(repr(bytes(self._bytes[:60])))
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
