"""A delayed HTTP server in another process: waiting that is real."""

import asyncio
import functools
import inspect
import multiprocessing
import os
import pathlib
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest


@pytest.fixture(scope="session")
def slow_url():
    """Address to which a delay in milliseconds is appended."""
    server = pathlib.Path(__file__).with_name("slow_server.py")
    process = subprocess.Popen([sys.executable, str(server)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    port = int(process.stdout.readline())
    yield f"http://127.0.0.1:{port}/"
    process.stdin.close()
    process.wait(timeout=10)


# --- the peers: the same trials, judged by assertions as people write them by hand -----------------------------

BY_HAND = os.environ.get("VERDICTS_BY_HAND")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """Judge speedup markers by wall times: one ratio, or the best of five."""
    if not BY_HAND:
        return None
    mark = pyfuncitem.get_closest_marker("expect_speedup")
    if mark is None:
        pytest.skip("not by hand: only speedups are")
    wanted = inspect.signature(pyfuncitem.obj).parameters
    body = functools.partial(
        pyfuncitem.obj, **{name: value for name, value in pyfuncitem.funcargs.items() if name in wanted}
    )
    keywords = dict(mark.kwargs)
    backend = next(name for name in ("threads", "processes", "tasks") if name in keywords)
    ratio = max(by_hand(body, backend, keywords[backend]) for _ in range(5 if BY_HAND == "best of five" else 1))
    if "at_least" in keywords:
        assert ratio >= keywords["at_least"]
    if "at_most" in keywords:
        assert ratio <= keywords["at_most"]
    return True


def by_hand(body, backend, workers):
    if backend == "tasks":
        serial, together = asyncio.run(in_tasks(body, workers))
        return serial / together
    start = time.perf_counter()
    for _ in range(workers):
        body()
    serial = time.perf_counter() - start
    if backend == "threads":
        pool = ThreadPoolExecutor(workers)
    else:
        pool = ProcessPoolExecutor(
            workers, mp_context=multiprocessing.get_context("fork"), initializer=adopt, initargs=(body,)
        )
    with pool:
        list(pool.map(time.sleep, [0.001] * workers))
        start = time.perf_counter()
        for future in [pool.submit(body if backend == "threads" else adopted) for _ in range(workers)]:
            future.result()
        return serial / (time.perf_counter() - start)


async def in_tasks(body, workers):
    start = time.perf_counter()
    for _ in range(workers):
        await body()
    middle = time.perf_counter()
    await asyncio.gather(*(body() for _ in range(workers)))
    return middle - start, time.perf_counter() - middle


ADOPTED = []


def adopt(body):
    ADOPTED.append(body)


def adopted():
    ADOPTED[0]()
