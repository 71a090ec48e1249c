"""What a rendezvous does for its entrants, and how it tells that no other can come. Nothing here is timed."""

from __future__ import annotations

import asyncio
import pickle
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from pytest_concurrency.core.addresses import about
from pytest_concurrency.core.errors import BadArgument, ExpectationNotMet
from pytest_concurrency.instruments.boards import FileBoard
from pytest_concurrency.instruments.ledger import Entrant, Ledger
from pytest_concurrency.instruments.rendezvous import Rendezvous
from pytest_concurrency.session.in_flight import Gauges

Make = Callable[..., Rendezvous]


@pytest.fixture
def make() -> Iterator[Make]:
    gauges = Gauges("test_it")

    def make(meet: int | None = None, limit: int | None = None, timeout: float = 60) -> Rendezvous:
        return gauges.make(meet, limit, timeout)

    yield make
    gauges.close()


def enter(gauge: Rendezvous, _: object = None) -> None:
    with gauge:
        pass


async def enter_async(gauge: Rendezvous) -> None:
    async with gauge:
        pass


def test_threads_meet_and_the_gauge_counts_on(make: Make) -> None:
    gauge = make(meet=3)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(enter, [gauge] * 7))
    assert (gauge.met, gauge.peak, gauge.entered, gauge.inside, gauge.complaint()) == (True, 3, 7, 0, None)


def test_tasks_and_threads_meet(make: Make) -> None:
    gauge = make(meet=3)

    async def main() -> None:
        await asyncio.gather(enter_async(gauge), enter_async(gauge), asyncio.to_thread(enter, gauge))

    asyncio.run(main())
    assert gauge.peak == 3


def test_trio_tasks_meet(make: Make) -> None:
    trio = pytest.importorskip("trio")
    gauge = make(meet=2)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(enter_async, gauge)
            nursery.start_soon(enter_async, gauge)

    trio.run(main)
    assert gauge.met


def test_one_thread_after_the_other_fails_without_waiting_for_the_timeout(make: Make) -> None:
    gauge = make(meet=2, timeout=3600)
    seen: list[BaseException] = []

    def work() -> None:
        with pytest.raises(ExpectationNotMet) as caught:
            enter(gauge)
        seen.append(caught.value)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert str(seen[0]).startswith("concurrency.in_flight(meet=2) is not met: at most 1 of 2 was inside.\n")
    assert "\nCause: never arrived: 1 of 2, and cannot: " in str(seen[0])
    assert "\nWhere: waiting at " in str(seen[0])
    assert str(seen[0]).endswith(f"\nMore:  {about('in-flight')}")
    assert max(map(len, str(seen[0]).splitlines())) <= 80
    assert gauge.complaint() == str(seen[0])


def test_a_thread_that_was_there_before_may_still_come(make: Make) -> None:
    go, gauges = threading.Event(), []

    def serve() -> None:
        go.wait()
        enter(gauges[0])

    server = threading.Thread(target=serve)
    server.start()
    gauges.append(make(meet=2, timeout=3600))
    client = threading.Thread(target=enter, args=(gauges[0],))
    timer = threading.Timer(0.5, go.set)
    timer.start()
    client.start()
    client.join()
    server.join()
    timer.join()
    assert gauges[0].met


def test_a_pool_that_is_too_small_is_the_finding(make: Make) -> None:
    gauge = make(meet=3, timeout=3600)
    with (
        ThreadPoolExecutor(2) as pool,
        pytest.raises(ExpectationNotMet, match=r"(?s)ThreadPoolExecutor.* has\s+2\s+workers"),
    ):
        list(pool.map(enter, [gauge] * 3))


def test_a_worker_that_raises_frees_the_others(make: Make) -> None:
    gauge = make(meet=3, timeout=3600)

    def work(index: int) -> None:
        if index == 1:
            raise OSError
        enter(gauge)

    with ThreadPoolExecutor(3) as pool, pytest.raises(ExpectationNotMet, match=r"[12] of 3 w(as|ere) inside"):
        list(pool.map(work, range(3)))


def test_serial_tasks_fail_by_the_timeout_and_say_who_waits_for_what(make: Make) -> None:
    gauge = make(meet=2, timeout=0.05)

    async def work(lock: asyncio.Lock) -> None:
        async with lock:
            await enter_async(gauge)

    async def main() -> None:
        lock = asyncio.Lock()
        await asyncio.gather(work(lock), work(lock))

    with pytest.raises(ExpectationNotMet, match=r"(?s)within 50 ms.*\n {7}task Task-\d+ is at .*async\s+with\s+lock"):
        asyncio.run(main())
    with pytest.raises(ExpectationNotMet, match="at most 1 of 2"):
        enter(gauge)


def test_crossed_gauges_name_both_places(make: Make) -> None:
    one, two = make(meet=2, timeout=3600), make(meet=2, timeout=3600)

    def both(first: Rendezvous, second: Rendezvous) -> None:
        with first, second:
            pass

    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(both, one, two), pool.submit(both, two, one)]
        failures = [" ".join(str(future.exception()).split()) for future in futures]
    assert all("which is a deadlock. Where: " in failure for failure in failures)
    assert all("Try: enter both in the same order. More: " in failure for failure in failures)


def test_limit_is_reached_and_kept(make: Make) -> None:
    gauge = make(limit=3)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(enter, [gauge] * 9))
    assert (gauge.peak, gauge.complaint()) == (3, None)


def test_one_more_than_the_limit_is_seen(make: Make) -> None:
    gauge, exceeded = make(limit=3), threading.Event()

    def stay(_: int) -> None:
        try:
            with gauge:
                if gauge.peak == 4:
                    exceeded.set()
                exceeded.wait(30)  # otherwise, those inside may have left before the fourth enters
        finally:
            exceeded.set()

    with ThreadPoolExecutor(4) as pool, pytest.raises(ExpectationNotMet, match="4 were inside at one moment"):
        list(pool.map(stay, range(4)))
    assert "is exceeded" in (gauge.complaint() or "")


def test_limit_that_is_not_reached_fails(make: Make) -> None:
    gauge = make(limit=3)
    with ThreadPoolExecutor(2) as pool, pytest.raises(ExpectationNotMet, match="at most 2 of 3 were inside"):
        list(pool.map(enter, [gauge] * 9))


def test_a_cancelled_task_is_inside_no_longer(make: Make) -> None:
    gauge = make(meet=2)

    async def main() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(enter_async(gauge), 0.01)

    asyncio.run(main())
    assert (gauge.inside, gauge.met) == (0, False)
    assert "at most 1 of 2 was inside" in (gauge.complaint() or "")


def test_bad_use_is_an_error_with_advice(make: Make) -> None:
    gauge = make(limit=1)
    with (
        gauge,
        pytest.raises(BadArgument, match=r"(?s)entered\stwice\sby\sthread.*inside\sof\sthat\sat"),
    ):
        enter(gauge)

    async def blocks() -> None:
        enter(gauge)

    with pytest.raises(BadArgument, match=r"async.with"):
        asyncio.run(blocks())
    for wrong in ({"meet": 1}, {"meet": True}, {"limit": 0}, {"meet": 3, "limit": 2}, {"meet": 2, "timeout": -1}):
        with pytest.raises(BadArgument):
            make(**wrong)


def test_a_gauge_of_a_test_that_has_ended_says_so(make: Make) -> None:
    gauge = make(meet=2)
    sent = pickle.dumps(gauge)
    elsewhere = pickle.loads(sent)
    gauge.close()
    for one in (gauge, elsewhere):
        with pytest.raises(BadArgument, match=r"belongs\sto\sthe\stest\stest_it,\swhich\shas\sended"):
            enter(one)
    assert "never entered" in (gauge.complaint() or "")


def test_closing_frees_who_waits(make: Make) -> None:
    gauge, inside = make(meet=2, timeout=3600), threading.Event()
    seen: list[BaseException] = []

    def work() -> None:
        inside.set()
        try:
            enter(gauge)
        except BadArgument as error:
            seen.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    inside.wait()
    gauge.close()
    thread.join()
    assert "has ended" in str(seen[0])


def test_a_ledger_survives_the_file() -> None:
    ledger = Ledger(meet=3, limit=4)
    ledger.enter("1", Entrant("app.py:1", "thread a", 7, 8))
    board = FileBoard.of(ledger)
    try:
        with board.open() as stored:
            assert stored == ledger
            stored.leave("1")
        with FileBoard(board.folder).open() as stored:
            assert not stored.inside
            assert stored.peak == 1
    finally:
        board.remove()


def test_thread_that_is_joined_with_a_timeout_may_be_followed_by_another(make: Make) -> None:
    gauge = make(meet=2)
    first, second = (threading.Thread(target=enter, args=[gauge]) for _ in range(2))
    first.start()
    first.join(0.5)  # longer than it takes to find that no one else can come
    second.start()
    first.join()
    second.join()
    assert (gauge.met, gauge.complaint()) == (True, None)
