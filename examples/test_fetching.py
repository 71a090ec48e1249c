"""requests and threads: fetching waits for the server, so three threads fetch three pages in the time of one."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

requests = pytest.importorskip("requests")


def fetch(url: str) -> str:
    return requests.get(url, timeout=10).text


@pytest.mark.expect_io_bound
def test_fetching_is_io_bound(pages):
    assert fetch(pages[0]) == "this is /one\n"


# Three threads can be 3 times as fast at best. Asking for 2 leaves room for what a fetch computes.
@pytest.mark.expect_speedup(threads=3, at_least=2)
def test_threads_fetch_three_pages_in_the_time_of_one(pages, concurrency_worker):
    url = pages[concurrency_worker.index % 3]  # each worker has its own page
    assert fetch(url).startswith("this is /")


def fetch_one_by_one(urls: list[str]) -> list[str]:
    return [fetch(url) for url in urls]


def fetch_with_threads(urls: list[str]) -> list[str]:
    texts = [""] * len(urls)

    def fetch_into(place: int) -> None:
        texts[place] = fetch(urls[place])

    threads = [threading.Thread(target=fetch_into, args=(place,)) for place in range(len(urls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return texts


def fetch_with_pool(urls: list[str]) -> list[str]:
    with ThreadPoolExecutor(max_workers=len(urls)) as pool:
        return list(pool.map(fetch, urls))


@pytest.mark.parametrize("fetch_all", [fetch_with_threads, fetch_with_pool])
def test_threads_are_faster_than_a_loop(concurrency, pages, fetch_all):
    speedup = concurrency.compare(
        baseline=lambda: fetch_one_by_one(pages), candidate=lambda: fetch_all(pages), same_result=True
    )
    assert speedup >= 2


def test_three_fetches_overlap(concurrency, pages):
    meeting = concurrency.in_flight(meet=3)  # no clock: each one waits until three are inside

    def fetch_with_others(url: str) -> None:
        with meeting:
            fetch(url)

    with ThreadPoolExecutor(max_workers=3) as pool:
        list(pool.map(fetch_with_others, pages))


# At every count, each thread must be worth at least 60% of one.
@pytest.mark.expect_scaling(threads=(1, 2, 3), efficiency=0.6)
def test_fetching_scales_to_three_threads(pages, concurrency_worker):
    fetch(pages[concurrency_worker.index % 3])
