"""Code that lets other code run: it releases the GIL while it computes, or leaves its event loop free."""

from __future__ import annotations

import asyncio
import hashlib
import sys

import pytest

has_gil = getattr(sys, "_is_gil_enabled", lambda: True)()


@pytest.mark.skipif(not has_gil, reason="this Python has no GIL")
@pytest.mark.expect_gil_released(max_hold="10ms")
def test_hashing_a_password_releases_the_gil():
    hashlib.pbkdf2_hmac("sha256", b"correct horse", b"salt", 50_000)


# An event loop runs one thing at a time: what blocks it for 50 ms delays everything else by 50 ms.
@pytest.mark.expect_nonblocking(max_block="50ms")
async def test_waiting_leaves_the_event_loop_free():
    await asyncio.sleep(0.02)


@pytest.mark.expect_nonblocking(max_block="50ms")
async def test_computing_in_a_thread_leaves_the_event_loop_free():
    await asyncio.to_thread(hashlib.pbkdf2_hmac, "sha256", b"correct horse", b"salt", 50_000)
