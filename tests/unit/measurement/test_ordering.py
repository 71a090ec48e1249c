"""Rounds come in blocks of two, in either order."""

from __future__ import annotations

import random

from pytest_concurrency.measurement.ordering import Order


def test_of_two_rounds_each_order_is_one() -> None:
    order = Order(random.Random(1))
    blocks = [(order.lone_first(), order.lone_first()) for _ in range(50)]
    assert set(blocks) == {(True, False), (False, True)}


def test_where_the_lone_worker_was_measured_the_others_follow() -> None:
    for seed in range(10):
        order = Order(random.Random(seed))
        assert order.lone_first(measured=True)
        assert not order.lone_first()


def test_kinds_have_orders_of_their_own() -> None:
    order = Order(random.Random(1))
    first = order.lone_first("body")
    order.lone_first("control")
    assert order.lone_first("body") is not first
