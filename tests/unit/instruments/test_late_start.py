"""Loops that are followed from their start, and get a monitor only if they last."""

from __future__ import annotations

import asyncio
import threading
from contextlib import closing
from unittest.mock import Mock

from pytest_concurrency.instruments.late_start import LateStart


def test_loop_within_a_loop_leaves_the_outer_one_followed() -> None:
    late = LateStart(Mock(), Mock())
    with closing(asyncio.new_event_loop()) as outer, closing(asyncio.new_event_loop()) as inner:
        with late.running(outer):
            with late.running(inner):
                pass
            assert late.covers(threading.get_ident())
        assert not late.covers(threading.get_ident())
