"""The ``concurrency`` fixture in async tests: measured on the test's own event loop, with the test's fixtures."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

import pytest
from conftest import Suite, assert_other_passed, assert_outcome, records_of, text_of

Run = Callable[..., pytest.RunResult]

# A server in a process of its own. /slow takes 50 ms; /one as well, but answers one request at a time.
SERVER = """
import http.server
import threading
import time

ONE = threading.Lock()

class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or some answers wait for a delayed acknowledgement, for 40 ms
    wbufsize = -1

    def do_GET(self):
        if self.path == "/one":
            with ONE:
                time.sleep(0.05)
        else:
            time.sleep(0.05)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *args):
        pass

class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 64
    daemon_threads = True

with Server(("127.0.0.1", 0), Answer) as server:
    print(server.server_address[1], flush=True)
    server.serve_forever()
"""
HEAD = """
import subprocess
import sys

@pytest.fixture(scope="session")
def url():
    with subprocess.Popen([sys.executable, "server.py"], stdout=subprocess.PIPE, text=True) as server:
        yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
        server.kill()

async def wait(seconds=0.005):
    await asyncio.sleep(seconds)
"""
PATIENT = "--concurrency-max-time=30s"  # a server and a client beside other programs
HTTPX = """
import httpx

@FIXTURE
async def client(url):
    limits = httpx.Limits(max_connections=20)
    async with httpx.AsyncClient(base_url=url, limits=limits, trust_env=False, timeout=30) as client:
        yield client
"""
IN_TURN = """
    async def one_by_one():
        for _ in range(8):
            await client.get("/slow")
"""


@pytest.fixture
def server(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(server=SERVER)


@pytest.fixture
def with_asyncio(suite: Suite) -> Run:
    """Run tests beside pytest-asyncio."""
    pytest.importorskip("pytest_asyncio")

    def run(source: str, *options: str, mode: str = "auto") -> pytest.RunResult:
        return suite(
            HEAD + textwrap.dedent(source),
            *("-p", "pytest_asyncio.plugin", f"--asyncio-mode={mode}", PATIENT),
            *("-o", "asyncio_default_fixture_loop_scope=function", *options),
        )

    return run


@pytest.fixture
def with_anyio(suite: Suite) -> Run:
    """Run tests beside anyio's plugin."""
    pytest.importorskip("anyio")

    def run(source: str, *options: str, backend: str) -> pytest.RunResult:
        head = f"import anyio\n@pytest.fixture\ndef anyio_backend():\n    return {backend!r}\n"
        return suite(HEAD + head + textwrap.dedent(source), "-p", "anyio.pytest_plugin", PATIENT, *options)

    return run


@pytest.mark.usefixtures("server")
class TestRealClients:
    def test_httpx_fans_out_on_the_loop_of_its_fixture(self, with_asyncio: Run, pytester: pytest.Pytester) -> None:
        pytest.importorskip("httpx")
        result = with_asyncio(
            HTTPX.replace("FIXTURE", "pytest.fixture")
            + "async def test_body(concurrency, client):"
            + IN_TURN
            + """
    async def gathered():
        await asyncio.gather(*(client.get("/slow") for _ in range(8)))

    assert await concurrency.compare(baseline=one_by_one, candidate=gathered).at_least(2)
    assert await concurrency.speedup(client.get, "/slow", tasks=6).at_least(2.5)
    assert await concurrency.bound(client.get, "/slow") == "io"
    assert await concurrency.scaling(client.get, "/slow", tasks=(2, 4)).at_least(0.6)
    assert await concurrency.loop_block(client.get, "/slow").at_most("200ms")
""",
            "--concurrency-report=json:out.json",
        )
        assert_outcome(result, "test_body", "PASSED")
        told = records_of(pytester)["test_body"]["expectations"]
        assert [one["marker"] for one in told] == ["compare", "speedup", "bound", "scaling", "loop_block"]
        assert {one["verdict"] for one in told} == {"met"}

    def test_httpx_with_one_connection_is_no_faster(self, with_asyncio: Run) -> None:
        pytest.importorskip("httpx")
        result = with_asyncio(
            HTTPX.replace("FIXTURE", "pytest.fixture").replace("max_connections=20", "max_connections=1")
            + "async def test_body(concurrency, client):"
            + IN_TURN
            + """
    async def gathered():
        await asyncio.gather(*(client.get("/slow") for _ in range(8)))

    assert await concurrency.compare(one_by_one, gathered).at_least(2.5)

async def test_pool(concurrency, client):
    assert await concurrency.speedup(client.get, "/slow", tasks=6).at_least(2.5)
""",
            "-vv",
        )
        result.assert_outcomes(passed=1, failed=2)
        result.stdout.re_match_lines_random(
            [
                r"E +assert <speedup (1\.0|0\.9)\dx .*> is not at least 2.5",
                r"E +assert <speedup .* with 6 tasks, bound: serialized, .*> is not at least 2.5",
                r".*Try:",
            ]
        )

    def test_aiohttp_against_a_server_that_answers_one_at_a_time(self, with_asyncio: Run) -> None:
        pytest.importorskip("aiohttp")
        result = with_asyncio(
            """
            import aiohttp

            @pytest.fixture
            async def get(url):
                async with aiohttp.ClientSession(url) as session:
                    async def get(path):
                        async with session.get(path) as answer:
                            return await answer.read()

                    yield get

            async def test_slow(concurrency, get):
                assert await concurrency.speedup(get, "/slow", tasks=6).at_least(2.5)

            async def test_one(concurrency, get):
                assert await concurrency.bound(get, "/one", tasks=4) == "serialized"
                assert await concurrency.speedup(get, "/one", tasks=6).at_least(3)
            """
        )
        result.assert_outcomes(passed=2, failed=1)
        assert '> assert await concurrency.speedup(get, "/one", tasks=6).at_least(3)' in text_of(result)

    @pytest.mark.parametrize("backend", ["asyncio", "trio"])
    def test_httpx_under_anyio(self, with_anyio: Run, backend: str) -> None:
        pytest.importorskip("httpx")
        pytest.importorskip(backend)
        result = with_anyio(
            HTTPX.replace("FIXTURE", "pytest.fixture")
            + "@pytest.mark.anyio\nasync def test_body(concurrency, client):"
            + IN_TURN
            + """
    async def grouped():
        async with anyio.create_task_group() as group:
            for _ in range(8):
                group.start_soon(client.get, "/slow")

    assert await concurrency.compare(one_by_one, grouped).at_least(2)
    assert await concurrency.speedup(client.get, "/slow", tasks=6).at_least(2.5)
    assert await concurrency.bound(client.get, "/slow") == "io"
    assert await concurrency.loop_block(client.get, "/slow").at_most("200ms")

@pytest.mark.anyio
async def test_false(concurrency, client):
    assert await concurrency.compare(getting(client), getting(client)).at_least(3)

def getting(client):
    async def get():
        await client.get("/slow")
    return get
""",
            backend=backend,
        )
        result.assert_outcomes(passed=2, failed=1)
        assert_outcome(result, "test_false", "FAILED")


def test_uvloop(with_anyio: Run, suite: Suite) -> None:
    pytest.importorskip("uvloop")
    head = "import anyio\n@pytest.fixture\ndef anyio_backend():\n    return 'asyncio', {'use_uvloop': True}\n"
    result = suite(
        HEAD
        + head
        + """
@pytest.mark.anyio
async def test_body(concurrency):
    assert await concurrency.speedup(wait, tasks=4).at_least(2)
    assert await concurrency.compare(wait, wait).at_most(2)
""",
        *("-p", "anyio.pytest_plugin"),
    )
    result.assert_outcomes(passed=2)


class TestWithoutAnotherPlugin:
    def test_the_plugin_runs_the_test_on_a_loop_of_its_own(self, suite: Suite, pytester: pytest.Pytester) -> None:
        result = suite(
            HEAD
            + """
@pytest.mark.parametrize("tasks", [4, 8])
async def test_body(concurrency, tasks, tmp_path):
    loop = asyncio.get_running_loop()

    async def here():
        assert asyncio.get_running_loop() is loop
        await asyncio.sleep(0.005)

    assert await concurrency.speedup(here, tasks=tasks).at_least(tasks / 2)
    assert await concurrency.compare(here, here).at_most(2)
""",
            "--concurrency-report=json:out.json",
        )
        result.assert_outcomes(passed=3)

    def test_disabled_it_runs_each_function_once(self, suite: Suite) -> None:
        result = suite(
            """
async def test_body(concurrency):
    calls = []

    async def call():
        calls.append(1)

    assert await concurrency.speedup(call, tasks=4).at_least(100)
    assert await concurrency.compare(call, call).at_least(100)
    assert await concurrency.bound(call) == "io"
    assert calls == [1, 1, 1, 1]
""",
            "--concurrency-disable",
        )
        result.assert_outcomes(passed=2)

    def test_other_async_tests_are_left_to_pytest(self, suite: Suite) -> None:
        result = suite("async def test_body():\n    pass\n")
        assert "async def functions are not natively supported" in text_of(result)


# What is written, and what the error says.
FORGOTTEN = [
    ("assert concurrency.speedup(wait, tasks=4) >= 2", "write assert await concurrency.speedup(wait, ...).at_least(2)"),
    ("assert 2 <= concurrency.speedup(wait, tasks=4)", "write assert await concurrency.speedup(wait, ...).at_least(2)"),
    ("assert concurrency.speedup(wait, tasks=4).at_least(2)", "write assert await concurrency.speedup"),
    ("assert not concurrency.speedup(wait, tasks=4).at_least(2)", "write assert await concurrency.speedup"),
    ("concurrency.speedup(wait, tasks=4).at_least(2)", "the test does not use this answer"),
    ("await concurrency.speedup(wait, tasks=4).at_least(2)", "Write assert await before the comparison"),
    ("assert await concurrency.speedup(wait, tasks=4) >= 2", "awaits it without one"),
    ("assert await concurrency.speedup(wait, tasks=4)", "awaits it without one"),
    ("assert concurrency.compare(wait, wait) <= 2", "write assert await concurrency.compare(wait, wait).at_most(2)"),
    ("assert concurrency.scaling(wait) >= 0.7", "write assert await concurrency.scaling(wait, ...).at_least(0.7)"),
    (
        "assert concurrency.loop_block(wait) <= '1s'",
        "write assert await concurrency.loop_block(wait, ...).at_most('1s')",
    ),
    ("assert concurrency.bound(wait) == 'io'", 'write assert await concurrency.bound(wait, ...) == "io"'),
    ("assert await concurrency.bound(time.sleep, 0.01) == 'io'", "there is nothing to await: sleep is a plain"),
    ("assert await concurrency.speedup(time.sleep, 0.01, threads=2).at_least(1.5)", "there is nothing to await"),
    ("assert await concurrency.compare(wait, time.time).at_least(2)", "time is a plain function. Make both an async"),
    (
        "await asyncio.gather(*(concurrency.loop_block(wait).at_most('1s') for _ in range(2)))",
        "was awaited while another measurement runs, on the same event loop",
    ),
]


@pytest.mark.parametrize(("line", "said"), FORGOTTEN)
def test_a_mistake_with_await_is_an_error_that_says_what_to_write(with_asyncio: Run, line: str, said: str) -> None:
    result = with_asyncio(f"async def test_body(concurrency):\n    {line}\n")
    assert_outcome(result, "test_body", "FAILED")
    assert_other_passed(result)
    text = text_of(result)
    assert said.lower() in text.lower()
    assert f"> {line}" in text
    assert "was never awaited" not in text


def test_an_answer_that_is_kept_and_never_awaited_is_warned_of(with_asyncio: Run) -> None:
    result = with_asyncio(
        "async def test_body(concurrency):\n    answer = concurrency.speedup(wait, tasks=2).at_least(1)\n"
    )
    assert "nothing was measured: write assert await concurrency.speedup(wait, ...).at_least(2)." in text_of(result)


class TestWhatTheFunctionsDo:
    def test_exceptions_keep_their_meaning_and_tell_which_function(self, with_asyncio: Run) -> None:
        result = with_asyncio(
            """
            async def boom():
                raise KeyError("x")

            async def skip():
                pytest.skip("no server today")

            async def test_boom(concurrency):
                assert await concurrency.compare(wait, boom).at_least(2)

            async def test_group(concurrency):
                async def group():
                    async with asyncio.TaskGroup() as group:
                        group.create_task(boom())
                with pytest.raises(ExceptionGroup):
                    assert await concurrency.compare(group, wait).at_least(2)

            async def test_skip(concurrency):
                assert await concurrency.speedup(skip, tasks=2).at_least(2)

            async def test_same(concurrency):
                async def one(): return 1
                async def two(): return 2
                assert await concurrency.compare(one, two, same_result=True).at_least(2)
            """,
            "-rs",
        )
        result.assert_outcomes(passed=2, failed=2, skipped=1)
        text = text_of(result)
        assert "while measuring: the candidate, warming up" in text
        assert "no server today" in text
        assert "the two functions return different values: 1 against 2" in text

    def test_undecided_follows_the_policy(self, with_asyncio: Run) -> None:
        result = with_asyncio(
            """
            @pytest.mark.parametrize("policy", ["skip", "fail", "pass"])
            async def test_body(concurrency, policy):
                found = concurrency.compare(wait, wait, max_time="1us", undecided=policy)
                assert await found.at_least(1)
            """
        )
        result.assert_outcomes(passed=2, failed=1, skipped=1)

    def test_a_function_that_hangs_is_reported_and_the_loop_lives_on(
        self, with_asyncio: Run, pytester: pytest.Pytester
    ) -> None:
        pytester.makeconftest("from pytest_concurrency.measurement import trial\ntrial._LEAST_PATIENCE = 0.5\n")
        result = with_asyncio(
            """
            async def hang():
                await asyncio.Event().wait()

            async def test_hangs(concurrency):
                with pytest.raises(Exception, match="the candidate had not ended after"):
                    assert await concurrency.compare(wait, hang).at_least(2)
                await asyncio.sleep(0.01)
                assert await concurrency.speedup(wait, tasks=4).at_least(2)
            """,
            "--concurrency-max-time=500ms",
        )
        assert_outcome(result, "test_hangs", "PASSED")

    def test_a_time_limit_ends_the_measuring(self, with_asyncio: Run) -> None:
        pytest.importorskip("pytest_timeout")
        result = with_asyncio(
            """
            import threading

            same_loop = pytest.mark.asyncio(loop_scope="module")

            async def hang():
                await asyncio.Event().wait()

            @same_loop
            @pytest.mark.timeout(1)
            async def test_hangs(concurrency):
                assert await concurrency.compare(wait, hang).at_least(2)

            @same_loop
            async def test_next(concurrency):
                assert not [one for one in threading.enumerate() if one.name == "concurrency-measuring"]
                assert await concurrency.speedup(wait, tasks=4).at_least(2)
            """,
            *("-p", "pytest_timeout"),
        )
        result.assert_outcomes(passed=2, failed=1)
        assert "FAILED test_suite.py::test_hangs - Failed: Timeout" in text_of(result)

    def test_a_lock_of_the_tests_loop_serializes(self, with_asyncio: Run) -> None:
        result = with_asyncio(
            """
            @pytest.fixture
            async def lock():
                return asyncio.Lock()

            async def test_body(concurrency, lock):
                async def locked():
                    async with lock:
                        await asyncio.sleep(0.005)

                assert await concurrency.bound(locked) == "serialized"
                assert not await concurrency.speedup(locked, tasks=4).at_least(3)
                assert await concurrency.speedup(locked, tasks=4).at_most(1.5)
            """
        )
        assert_outcome(result, "test_body", "PASSED")

    def test_a_block_of_the_loop_is_found_with_its_line(self, with_asyncio: Run) -> None:
        result = with_asyncio(
            """
            async def blocks():
                time.sleep(0.05)

            async def test_body(concurrency):
                assert await concurrency.loop_block(blocks).at_most("20ms")
            """
        )
        assert_outcome(result, "test_body", "FAILED")
        assert "in blocks: time.sleep(0.05)" in text_of(result)

    def test_a_baseline_is_compared_with(self, with_asyncio: Run) -> None:
        source = """
            import os
            from pathlib import Path

            async def one_by_one():
                for _ in range(8):
                    await asyncio.sleep(0.01)

            async def gathered():
                if Path("slow").exists():
                    await one_by_one()
                else:
                    await asyncio.gather(*(asyncio.sleep(0.01) for _ in range(8)))

            async def test_body(concurrency):
                assert await concurrency.compare(one_by_one, gathered).at_least(0.5)
            """
        assert_outcome(with_asyncio(source, "--concurrency-save=first"), "test_body", "PASSED")
        result = with_asyncio(
            source.replace('Path("slow").exists()', "True"),
            *("--concurrency-compare=first", "--concurrency-compare-fail=speedup:20%"),
        )
        assert_outcome(result, "test_body", "FAILED")
        assert "it was " in text_of(result)


def test_measure_still_has_a_loop_of_its_own_and_says_so(with_asyncio: Run) -> None:
    result = with_asyncio(
        """
        async def test_body(concurrency):
            queue = asyncio.Queue()
            getter = asyncio.ensure_future(queue.get())
            await asyncio.sleep(0)
            try:
                concurrency.measure(queue.get, tasks=4)
            finally:
                getter.cancel()
        """
    )
    assert_outcome(result, "test_body", "FAILED")
    assert "is bound to a different event loop" in text_of(result)
