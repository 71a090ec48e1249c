"""``concurrency.watch``: what is seen, what is restored, and what is refused. Threads meet instead of sleeping."""

from __future__ import annotations

import json

import pytest
from conftest import REPORT, Suite, assert_other_passed, assert_outcome, records_of, text_of

SHOP = """
import asyncio

def fetch(number=0, barrier=None):
    if barrier is not None:
        barrier.wait()
    return number

async def fetch_async(number=0):
    await asyncio.sleep(0.001)
    return number

def lazy(number=0):
    return fetch_async(number)

def numbers():
    yield 1

class Base:
    def inherited(self):
        return "inherited"

class Client(Base):
    @classmethod
    def make(cls):
        return cls()

    @staticmethod
    def ping():
        return "pong"

    def get(self, again=0):
        return self.get(again - 1) if again else "got"

    def fail(self):
        raise OSError("no net")

    @property
    def url(self):
        return ""
"""
HEAD = """
import json, multiprocessing
from concurrent.futures import ThreadPoolExecutor
import shop
from shop import Client, fetch

BEFORE = dict(vars(shop)), dict(vars(Client))

def is_restored():
    return (dict(vars(shop)), dict(vars(Client))) == BEFORE and fetch is shop.fetch
"""


@pytest.fixture(autouse=True)
def _shop(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(shop=SHOP)
    pytester.syspathinsert()


def test_threads_that_overlap_and_threads_that_do_not(suite: Suite) -> None:
    source = """
def test_at_once(concurrency, tmp_path):
    calls = concurrency.watch("shop:fetch")
    barrier = threading.Barrier(3)
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(lambda number: fetch(number, barrier), range(3))) == [0, 1, 2]
    assert (calls.peak, calls.overlapped, len(calls.calls)) == (3, True, 3)
    calls.trace(tmp_path / "trace.json")
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    assert sorted(event["ph"] for event in events) == ["M"] * 3 + ["X"] * 3

def test_one_after_the_other(concurrency):
    calls = concurrency.watch("shop:fetch")
    for number in range(3):
        fetch(number)
    assert (calls.peak, calls.overlapped, len(calls.calls)) == (1, False, 3)

def test_restored():
    assert is_restored()
"""
    suite(HEAD + source).assert_outcomes(passed=4)


def test_tasks(suite: Suite) -> None:
    source = """
@pytest.mark.parametrize("name", ["fetch_async", "lazy"])
def test_tasks(concurrency, name):
    calls = concurrency.watch(f"shop:{name}")

    async def main():
        called = getattr(shop, name)
        assert await asyncio.gather(called(1), called(2)) == [1, 2]
        await called()

    asyncio.run(main())
    assert (calls.peak, len(calls.calls)) == (2, 3)
"""
    suite(HEAD + source).assert_outcomes(passed=3)


@pytest.mark.skipif("sys.platform == 'win32'", reason="no fork")
def test_forked_processes(suite: Suite) -> None:
    source = """
def test_processes(concurrency):
    calls, context = concurrency.watch("shop:fetch"), multiprocessing.get_context("fork")
    barrier = context.Barrier(2)
    started = [context.Process(target=shop.fetch, args=(0, barrier)) for _ in range(2)]
    for process in started:
        process.start()
    for process in started:
        process.join()
    assert calls.peak == 2
    assert {call.process for call in calls.calls} == {process.pid for process in started}
"""
    suite(HEAD + source, "-W", "ignore::DeprecationWarning", subprocess=True).assert_outcomes(passed=2)


@pytest.mark.skipif("sys.platform == 'win32'", reason="no fork")
def test_a_function_that_recording_calls_itself(suite: Suite) -> None:
    source = """
import json

def test_processes(concurrency):
    calls = concurrency.watch("json:dumps")
    process = multiprocessing.get_context("fork").Process(target=lambda: json.dumps([1]))
    process.start()
    process.join()
    assert process.exitcode == 0
    assert len(calls.calls) == 1
"""
    suite(HEAD + source, "-W", "ignore::DeprecationWarning", subprocess=True).assert_outcomes(passed=2)


def test_methods_of_each_kind_keep_their_meaning(suite: Suite) -> None:
    source = """
def test_kinds(concurrency):
    watched = {name: concurrency.watch(f"shop:Client.{name}") for name in ("make", "ping", "get", "inherited", "fail")}
    client = Client.make()
    assert type(client) is Client and Client.ping() == client.ping() == "pong"
    assert client.get(again=2) == "got" and client.inherited() == "inherited"
    with pytest.raises(OSError, match="no net"):
        client.fail()
    assert [len(calls.calls) for calls in watched.values()] == [1, 2, 3, 1, 1]
    assert watched["get"].peak == 1
    assert watched["fail"].calls[0].raised == "OSError"

def test_restored():
    assert is_restored()
"""
    suite(HEAD + source).assert_outcomes(passed=3)


@pytest.mark.parametrize("fixtures", ["monkeypatch, concurrency", "concurrency, monkeypatch"])
def test_what_monkeypatch_puts_back_is_restored_too(suite: Suite, fixtures: str) -> None:
    source = f"""
def test_body({fixtures}):
    concurrency.watch("shop:fetch")
    monkeypatch.setattr(shop, "fetch", lambda: "patched")
    assert shop.fetch() == "patched"

def test_restored():
    assert is_restored()
"""
    result = suite(HEAD + source)
    assert_outcome(result, "test_body", "PASSED")
    assert_outcome(result, "test_restored", "PASSED")


def test_a_test_that_fails_restores_too(suite: Suite) -> None:
    source = """
def test_body(concurrency, monkeypatch):
    concurrency.watch("shop:fetch"), concurrency.watch("shop:fetch"), concurrency.watch("threading:current_thread")
    monkeypatch.setattr(shop, "fetch", lambda: None)
    concurrency.watch("shop:Client.get")
    Client().get()
    raise OSError

def test_restored():
    Client().get()
    assert is_restored() or shop.fetch() == fetch() == 0
"""
    result = suite(HEAD + source)
    assert_outcome(result, "test_body", "FAILED")
    assert_outcome(result, "test_restored", "PASSED")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("'shop:fetsch'", "shop has no 'fetsch'; did you mean 'fetch'?"),
        ("'shop.fetch'", "with a colon between them"),
        ("'shoop:fetch'", "the module cannot be imported"),
        ("'shop:Client'", "it is a class"),
        ("'shop:Client.url'", "it is a property"),
        ("'shop:numbers'", "it is a generator"),
        ("'shop:Client.get.it'", "get has no 'it'"),
        ("'datetime:datetime.now'", "A method in C that is built into a type cannot be watched"),
        ("fetch", "write the module and the name in it"),
    ],
)
def test_what_cannot_be_watched_is_reported(suite: Suite, name: str, why: str) -> None:
    result = suite(HEAD + f"def test_body(concurrency):\n    concurrency.watch({name})\n")
    assert_outcome(result, "test_body", "FAILED")
    assert why in text_of(result)
    assert "watch_targets.py" not in text_of(result), "the plugin's own code is shown"
    assert_other_passed(result)


def test_what_else_holds_the_original_is_reported(suite: Suite) -> None:
    source = """
HANDLERS = {"get": fetch}

def test_body(concurrency):
    with pytest.warns(UserWarning, match=r"also in test_suite.HANDLERS \\(a dict\\)"):
        calls = concurrency.watch("shop:fetch")
    assert calls.elsewhere
"""
    assert_outcome(suite(HEAD + source), "test_body", "PASSED")


def test_calls_are_in_the_record_of_a_test_that_measures(suite: Suite, pytester: pytest.Pytester) -> None:
    source = """
def test_body(concurrency):
    calls = concurrency.watch("shop:fetch")
    fetch()
    assert concurrency.speedup(time.sleep, 0.002, threads=2).__ge__(0.1) in (True, False)
"""
    suite(HEAD + source, REPORT, "--concurrency-undecided=pass")
    (watched,) = json.loads(json.dumps(records_of(pytester)["test_body"]))["calls"]
    assert (watched["name"], watched["peak"]) == ("shop:fetch", 1)
