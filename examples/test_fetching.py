"""Fetching pages is waiting, and threads are good at waiting: three pages in the time of one."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

requests = pytest.importorskip("requests")


def fetch(url: str) -> str:
    return requests.get(url, timeout=10).text


@pytest.mark.expect_io_bound
def test_fetching_is_waiting(pages):
    assert fetch(pages[0]) == "this is /one\n"


# Three threads can be 3 times as fast at best. Asking for 2 leaves room for what a fetch computes.
@pytest.mark.expect_speedup(threads=3, at_least=2)
def test_threads_fetch_three_pages_in_the_time_of_one(pages, concurrency_worker):
    url = pages[concurrency_worker.index % 3]  # every worker has a page of its own
    assert fetch(url).startswith("this is /")


def one_after_the_other(urls: list[str]) -> list[str]:
    return [fetch(url) for url in urls]


def with_plain_threads(urls: list[str]) -> list[str]:
    texts = [""] * len(urls)

    def fetch_into(place: int) -> None:
        texts[place] = fetch(urls[place])

    threads = [threading.Thread(target=fetch_into, args=(place,)) for place in range(len(urls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return texts


def with_a_thread_pool(urls: list[str]) -> list[str]:
    with ThreadPoolExecutor(max_workers=len(urls)) as pool:
        return list(pool.map(fetch, urls))


@pytest.mark.parametrize("together", [with_plain_threads, with_a_thread_pool])
def test_your_own_threads_are_faster_than_your_own_loop(concurrency, pages, together):
    speedup = concurrency.compare(lambda: one_after_the_other(pages), lambda: together(pages), same_result=True)
    assert speedup >= 2


def test_three_fetches_are_under_way_at_the_same_time(concurrency, pages):
    under_way = concurrency.in_flight()  # no clock: it counts who is inside

    def fetch_and_tell(url: str) -> None:
        with under_way:
            fetch(url)

    with ThreadPoolExecutor(max_workers=3) as pool:
        list(pool.map(fetch_and_tell, pages))
    assert under_way.peak == 3


# At every count, each thread must be worth at least 60% of one.
@pytest.mark.expect_scaling(threads=(1, 2, 3), efficiency=0.6)
def test_each_thread_is_worth_its_while(pages, concurrency_worker):
    fetch(pages[concurrency_worker.index % 3])
