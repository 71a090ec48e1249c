"""Async bodies in the company of the plugins that run async tests."""

from __future__ import annotations

import importlib
import json
import re
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Suite, assert_other_passed, assert_outcome, text_of

from pytest_concurrency.measurement import trial

Run = Callable[..., pytest.RunResult]

# A pool of connections to a server; both live on the loop that made them, and say so if it is another.
POOL = """
ANSWERING = []

async def answer(reader, writer):
    ANSWERING.append(asyncio.current_task())
    while await reader.readline():
        await asyncio.sleep(0.005)
        writer.write(b"pong\\n")
        await writer.drain()
    writer.close()
    await writer.wait_closed()

@{fixture}{scope}
async def pool():
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        pool = asyncio.Queue()
        for _ in range(4):
            pool.put_nowait(await asyncio.open_connection(*server.sockets[0].getsockname()))
        pool.loop = asyncio.get_running_loop()
        yield pool
        while not pool.empty():
            pool.get_nowait()[1].close()
        await asyncio.gather(*ANSWERING)
        ANSWERING.clear()

async def ask(pool):
    assert asyncio.get_running_loop() is pool.loop
    reader, writer = await pool.get()
    writer.write(b"ping\\n")
    assert await reader.readline() == b"pong\\n"
    pool.put_nowait((reader, writer))
"""
BLOCKS = """
@pytest.mark.expect_nonblocking(max_block="20ms")
async def test_blocks():
    time.sleep(0.05)

@pytest.mark.expect_nonblocking(max_block="20ms")
async def test_blocks_by_computing():
    sum(number * number for number in range(1_500_000))
"""
MARKERS = """
@pytest.mark.expect_speedup(tasks=4, at_least=2)
@pytest.mark.expect_io_bound
@pytest.mark.expect_nonblocking
"""
# How a body can end, in any plugin's loop: the statement, the test's outcome, what the user reads.
ENDS = [
    ("pytest.skip('no server today')", "SKIPPED", "no server today"),
    ("pytest.fail('as I say')", "FAILED", "as I say"),
    ("assert 1 == 2", "FAILED", "assert 1 == 2"),
]


def assert_ends(result: pytest.RunResult, outcome: str, said: str) -> None:
    assert_outcome(result, "test_body", outcome)
    assert said in text_of(result)
    assert_other_passed(result)


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hanging bodies are given up after 10 s; a second is enough to see that they are."""
    monkeypatch.setattr(trial, "_LEAST_PATIENCE", 1.0)


@pytest.fixture
def with_asyncio(suite: Suite) -> Run:
    """Run tests beside pytest-asyncio."""
    pytest.importorskip("pytest_asyncio")

    def run(source: str, *options: str, mode: str = "strict", **how: bool) -> pytest.RunResult:
        return suite(
            "import pytest_asyncio\n" + textwrap.dedent(source),
            *("-p", "pytest_asyncio.plugin", f"--asyncio-mode={mode}"),
            *("-o", "asyncio_default_fixture_loop_scope=function", *options),
            **how,
        )

    return run


@pytest.fixture
def with_anyio(suite: Suite) -> Run:
    """Run tests beside anyio's plugin; the backend is that of the fixture's name."""
    pytest.importorskip("anyio")

    def run(source: str, *options: str, backend: str = "'asyncio'", **how: bool) -> pytest.RunResult:
        head = f"import anyio\n@pytest.fixture\ndef anyio_backend():\n    return {backend}\n"
        return suite(head + textwrap.dedent(source), "-p", "anyio.pytest_plugin", *options, **how)

    return run


class TestPytestAsyncio:
    @pytest.mark.parametrize("scope", ["function", "module", "session"])
    def test_body_shares_the_loop_of_its_fixtures(self, with_asyncio: Run, scope: str) -> None:
        fixture = POOL.format(fixture="pytest_asyncio.fixture", scope=f"(loop_scope='{scope}', scope='{scope}')")
        mark = f"@pytest.mark.asyncio(loop_scope='{scope}')"
        result = with_asyncio(fixture + mark + MARKERS + "async def test_ask(pool):\n    await ask(pool)\n")
        assert_outcome(result, "test_ask", "PASSED")
        assert "3 verdicts: 3 met" in text_of(result)

    def test_auto_mode(self, with_asyncio: Run) -> None:
        fixture = POOL.format(fixture="pytest.fixture", scope="")
        test = (
            "class TestIt:\n    @pytest.mark.expect_speedup(tasks=4, at_least=2)\n    async def test_ask(self, pool):\n"
        )
        result = with_asyncio(fixture + test + "        await ask(pool)\n", mode="auto")
        assert_outcome(result, "test_ask", "PASSED")

    def test_what_a_fixture_has_set_in_the_context_is_seen(self, with_asyncio: Run) -> None:
        result = with_asyncio(
            """
            from contextvars import ContextVar
            USER = ContextVar("user")

            @pytest.fixture
            async def user():
                USER.set("me")

            @pytest.mark.expect_io_bound
            async def test_user(user):
                assert USER.get() == "me"
                await asyncio.sleep(0.004)
            """,
            mode="auto",
        )
        assert_outcome(result, "test_user", "PASSED")

    def test_uvloop_through_its_hook(self, with_asyncio: Run, pytester: pytest.Pytester) -> None:
        pytest.importorskip("uvloop")
        if not hasattr(importlib.import_module("pytest_asyncio.plugin"), "LoopFactory"):
            pytest.skip("this pytest-asyncio has no hook for loop factories")
        pytester.makeconftest(
            """
            import uvloop

            def pytest_asyncio_loop_factories(config, item):
                return {"uv": uvloop.new_event_loop}
            """
        )
        result = with_asyncio(
            """
            @pytest.mark.expect_speedup(tasks=4, at_least=2)
            async def test_body():
                assert type(asyncio.get_running_loop()).__module__.startswith("uvloop")
                await asyncio.sleep(0.004)
            """,
            "--concurrency-report=json:out.json",
            mode="auto",
        )
        result.assert_outcomes(passed=2)
        run = json.loads((pytester.path / "out.json").read_text())
        assert "the test's own event loop, uvloop.Loop" in json.dumps(run)

    def test_a_real_loss_is_found(self, with_asyncio: Run) -> None:
        result = with_asyncio(
            """
            LOCK = None

            @pytest.fixture
            async def lock():
                return asyncio.Lock()

            @pytest.mark.expect_speedup(tasks=4, at_least=3)
            async def test_locked(lock):
                async with lock:
                    await asyncio.sleep(0.004)

            """
            + textwrap.indent(BLOCKS, " " * 12),
            mode="auto",
        )
        result.assert_outcomes(passed=1, failed=3)
        text = text_of(result)
        assert "expect_speedup(tasks=4, at_least=3) is not met" in text
        assert "in test_blocks: time.sleep(0.05)" in text

    @pytest.mark.parametrize(
        ("statement", "outcome", "said"),
        [
            *ENDS,
            ("pytest.xfail('known')", "XFAIL", "known"),
            ("raise TimeoutError('mine')", "FAILED", "TimeoutError: mine"),
            ("raise SystemExit(3)", "FAILED", "SystemExit: 3"),
        ],
    )
    def test_what_the_body_raises_keeps_its_meaning(
        self, with_asyncio: Run, statement: str, outcome: str, said: str
    ) -> None:
        source = f"@pytest.mark.expect_io_bound\nasync def test_body():\n    {statement}\n"
        result = with_asyncio(source, "-rsx", mode="auto")
        assert_ends(result, outcome, said)

    def test_a_keyboard_interrupt_ends_the_session(self, with_asyncio: Run) -> None:
        result = with_asyncio(
            "@pytest.mark.expect_io_bound\nasync def test_body():\n    raise KeyboardInterrupt\n",
            mode="auto",
            subprocess=True,
        )
        assert "KeyboardInterrupt" in text_of(result)
        assert result.ret == pytest.ExitCode.INTERRUPTED

    def test_a_body_that_stops_its_loop_costs_that_test(self, with_asyncio: Run) -> None:
        result = with_asyncio(
            """
            @pytest.mark.expect_io_bound
            async def test_body():
                asyncio.get_running_loop().stop()

            def test_nothing_is_left():
                assert not [thread for thread in threading.enumerate() if thread.name.startswith("concurrency")]
            """,
            mode="auto",
        )
        result.assert_outcomes(passed=2, failed=1)
        assert "Event loop stopped before Future completed" in text_of(result)

    @pytest.mark.usefixtures("_impatient")
    def test_a_body_that_hangs_is_reported_and_the_loop_lives_on(self, with_asyncio: Run) -> None:
        result = with_asyncio(
            """
            same_loop = pytest.mark.asyncio(loop_scope="module")

            @same_loop
            @pytest.mark.expect_io_bound
            async def test_body():
                await asyncio.Event().wait()

            @same_loop
            @pytest.mark.expect_io_bound
            async def test_next():
                await asyncio.sleep(0.004)
            """,
            "--concurrency-max-time=1s",
        )
        result.assert_outcomes(passed=2, failed=1)
        text = text_of(result)
        assert "none of the 4 workers answered" in text
        assert "in test_body: await asyncio.Event().wait()" in text

    def test_disabled(self, with_asyncio: Run) -> None:
        fixture = POOL.format(fixture="pytest.fixture", scope="")
        source = fixture + MARKERS + "async def test_ask(pool):\n    await ask(pool)\n"
        result = with_asyncio(source, "--concurrency-disable", mode="auto")
        result.assert_outcomes(passed=2)
        assert "verdict" not in text_of(result)

    def test_an_unmarked_test_in_strict_mode_says_how_to_share_the_loop(self, with_asyncio: Run) -> None:
        result = with_asyncio(
            """
            @pytest_asyncio.fixture
            async def queue():
                queue = asyncio.Queue()
                getter = asyncio.ensure_future(queue.get())
                await asyncio.sleep(0)
                yield queue
                getter.cancel()

            @pytest.mark.expect_io_bound
            async def test_get(queue):
                await queue.get()
            """
        )
        assert_outcome(result, "test_get", "FAILED")
        assert "Let pytest-asyncio or anyio run the test (pytest.mark.asyncio, pytest.mark.anyio)" in text_of(result)


class TestAnyio:
    @pytest.mark.parametrize(
        ("backend", "needs", "note"),
        [
            ("'asyncio'", "anyio", "asyncio."),
            ("('asyncio', {'use_uvloop': True})", "uvloop", "uvloop.Loop"),
            ("'trio'", "trio", "Trio's"),
        ],
        ids=["asyncio", "uvloop", "trio"],
    )
    def test_body_shares_the_loop_of_its_fixtures(
        self, with_anyio: Run, pytester: pytest.Pytester, backend: str, needs: str, note: str
    ) -> None:
        pytest.importorskip(needs)
        result = with_anyio(
            """
            pytestmark = pytest.mark.anyio

            @pytest.fixture
            async def tasks():
                async with anyio.create_task_group() as tasks:
                    yield tasks
                    tasks.cancel_scope.cancel()

            @pytest.fixture
            async def slots(tasks):
                return anyio.CapacityLimiter(2)
            """
            + textwrap.indent(MARKERS, " " * 12)
            + """
            async def test_waits(tasks):
                done = anyio.Event()
                async def later():
                    await anyio.sleep(0.005)
                    done.set()
                tasks.start_soon(later)
                await done.wait()

            @pytest.mark.expect_speedup(tasks=4, at_least=3)
            async def test_queues(slots):
                async with slots:
                    await anyio.sleep(0.005)

            """
            + textwrap.indent(BLOCKS, " " * 12),
            "--concurrency-report=json:out.json",
            backend=backend,
        )
        assert_outcome(result, "test_waits", "PASSED")
        assert_outcome(result, "test_queues", "FAILED")
        assert_outcome(result, "test_blocks", "FAILED")
        assert_outcome(result, "test_blocks_by_computing", "FAILED")
        assert_other_passed(result)
        run = json.loads((pytester.path / "out.json").read_text())
        notes = {arm["note"] for record in run["records"] for arm in record["arms"]}
        assert len(notes) == 1
        assert f"the test's own event loop, {note}" in notes.pop()

    @pytest.mark.parametrize("backend", ["asyncio", "trio"])
    def test_each_task_has_its_own_fresh_input(self, with_anyio: Run, backend: str) -> None:
        pytest.importorskip("trio" if backend == "trio" else "anyio")
        result = with_anyio(
            """
            @pytest.mark.anyio
            @pytest.mark.expect_speedup(tasks=4, at_least=2, setup=list)
            async def test_body(concurrency_worker):
                concurrency_worker.input.append(concurrency_worker.index)
                assert set(concurrency_worker.input) == {concurrency_worker.index}
                await anyio.sleep(0.004)
            """,
            backend=repr(backend),
        )
        result.assert_outcomes(passed=2)

    @pytest.mark.usefixtures("_impatient")
    @pytest.mark.parametrize("backend", ["asyncio", "trio"])
    @pytest.mark.parametrize(
        ("statement", "outcome", "said"),
        [*ENDS, ("await anyio.Event().wait()", "FAILED", "none of the 4 workers answered")],
        ids=["skip", "fail", "assert", "hang"],
    )
    def test_what_the_body_raises_keeps_its_meaning(
        self, with_anyio: Run, backend: str, statement: str, outcome: str, said: str
    ) -> None:
        pytest.importorskip("trio" if backend == "trio" else "anyio")
        source = f"@pytest.mark.anyio\n@pytest.mark.expect_io_bound\nasync def test_body():\n    {statement}\n"
        result = with_anyio(source, "-rs", "--concurrency-max-time=1s", backend=repr(backend))
        assert_ends(result, outcome, said)


CTRL_C = """
signal.signal(signal.SIGINT, signal.default_int_handler)

@{mark}
@pytest.mark.expect_io_bound
async def test_body(concurrency_worker):
    if concurrency_worker.index == 1:
        os.kill(os.getpid(), signal.SIGINT)
    await {sleep}(0.3)

@pytest.fixture(scope="session", autouse=True)
def _left():
    yield
    left = [thread.name for thread in threading.enumerate() if thread.name.startswith("concurrency")]
    print("threads left:", left, file=sys.__stderr__)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no process can send itself a Ctrl-C there")
@pytest.mark.parametrize("who", ["pytest-asyncio", "anyio", "trio"])
def test_ctrl_c_ends_the_session_and_all_threads(with_asyncio: Run, with_anyio: Run, who: str) -> None:
    if who == "pytest-asyncio":
        result = with_asyncio(CTRL_C.format(mark="pytest.mark.asyncio", sleep="asyncio.sleep"), "-s", subprocess=True)
    else:
        pytest.importorskip(who)
        backend = {"anyio": "'asyncio'", "trio": "'trio'"}[who]
        source = CTRL_C.format(mark="pytest.mark.anyio", sleep="anyio.sleep")
        result = with_anyio(source, "-s", backend=backend, subprocess=True)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert "threads left: []" in text_of(result)


PAGE = Path(__file__).parents[2] / "docs" / "howto" / "asyncio.md"
EXAMPLES = re.findall(r"^```py\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_examples_of_the_page(with_asyncio: Run, example: str) -> None:
    """Those that need a plugin; docs/conftest.py runs the others."""
    pytest.importorskip("anyio")
    result = with_asyncio(example, "-p", "anyio.pytest_plugin", subprocess=True)
    result.assert_outcomes(passed=2)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == 3


def test_a_loop_of_another_kind_is_unmeasurable(suite: Suite, pytester: pytest.Pytester) -> None:
    """A plugin that drives coroutines by hand, on no loop that we know."""
    pytester.makeconftest(
        """
        import pytest

        @pytest.hookimpl(hookwrapper=True)
        def pytest_runtest_call(item):
            function = item.obj

            def drive(**values):
                coroutine = function(**values)
                try:
                    while True:
                        coroutine.send(None)
                except StopIteration:
                    pass

            item.obj = drive
            yield
        """
    )
    result = suite("@pytest.mark.expect_io_bound\nasync def test_body():\n    pass\n", "-rs", other=False)
    assert_outcome(result, "test_body", "SKIPPED")
    assert "neither asyncio's nor Trio's" in text_of(result)
