"""Rounds come in blocks of two, in either order."""

from __future__ import annotations

import random

from pytest_concurrency.measurement.ordering import RoundOrder


def test_of_two_rounds_each_order_is_one() -> None:
    order = RoundOrder(random.Random(1))
    blocks = [(order.serial_first(), order.serial_first()) for _ in range(50)]
    assert set(blocks) == {(True, False), (False, True)}


def test_concurrent_run_follows_the_serial_run() -> None:
    for seed in range(10):
        order = RoundOrder(random.Random(seed))
        assert order.serial_first(measured=True)
        assert not order.serial_first()


def test_kinds_have_orders_of_their_own() -> None:
    order = RoundOrder(random.Random(1))
    first = order.serial_first("body")
    order.serial_first("control")
    assert order.serial_first("body") is not first
