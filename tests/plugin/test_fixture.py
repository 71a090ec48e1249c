"""The ``concurrency`` fixture, and ``concurrency_worker``."""

from __future__ import annotations

import pytest
from conftest import REPORT, Backend, Suite, assert_other_passed, assert_outcome, records_of, text_of

HELPERS = """
LOCK = threading.Lock()

def wait(seconds=0.004):
    time.sleep(seconds)

def locked(seconds=0.004):
    with LOCK:
        time.sleep(seconds)

def compute():
    sum(range(300_000))

async def await_(seconds=0.004):
    await asyncio.sleep(seconds)

# Long waits: starting threads computes, and how much of that there is must not matter.
def in_threads(n=4):
    threads = [threading.Thread(target=wait, args=(0.02,)) for _ in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

def in_turn(n=4):
    for _ in range(n):
        wait(0.02)
"""


@pytest.mark.parametrize(
    "statement",
    [
        "concurrency.speedup(wait, threads=4) >= 2",
        "concurrency.speedup(wait, 0.005, threads=4) > 2",
        "concurrency.speedup(wait, processes=2) >= 1.2",
        "concurrency.speedup(await_, 0.005, tasks=4) >= 2",
        "concurrency.speedup(locked, threads=4) <= 2",
        "concurrency.speedup(locked, threads=4) < 2",
        "2 <= concurrency.speedup(wait, threads=4)",
        "not concurrency.speedup(locked, threads=4) >= 3",
        "concurrency.speedup(wait, threads=4).at_least(2)",
        "concurrency.speedup(locked, threads=4).at_most(2)",
        "not concurrency.speedup(locked, threads=4).at_least(3)",
        "concurrency.compare(in_turn, in_threads) > 2",
        "concurrency.compare(baseline=in_turn, candidate=in_threads).at_least(2)",
        "concurrency.scaling(wait, 0.005, threads=(1, 2, 4)) >= 0.7",
        "concurrency.scaling(wait).at_least(0.7)",
        "concurrency.scaling(await_, tasks=(2, 4)) > 0.7",
        "not concurrency.scaling(locked, threads=(2, 4)) >= 0.7",
        "concurrency.gil_hold(wait) <= '5ms'",
        "concurrency.gil_hold(wait).at_most(0.005)",
        "not concurrency.gil_hold(sum, range(2_000_000)) < '5ms'",
        "concurrency.loop_block(await_, 0.005) <= 0.05",
        "concurrency.loop_block(await_).at_most('50ms')",
        "concurrency.compare(in_threads, in_turn) < 1",
        "concurrency.compare(in_turn, in_threads, same_result=True) > 2",
        "concurrency.bound(wait) == 'io'",
        "concurrency.bound(compute) == 'cpu'",
        "concurrency.bound(locked) == 'serialized'",
        "concurrency.bound(await_) == 'io'",
        "concurrency.bound(wait) != 'cpu'",
    ],
)
def test_what_holds_passes(suite: Suite, statement: str) -> None:
    result = suite(HELPERS + f"\ndef test_body(concurrency):\n    assert {statement}\n")
    result.assert_outcomes(passed=2)
    assert "1 verdict: 1 met" in text_of(result)


def test_the_message_of_a_speedup_that_is_not_met(suite: Suite) -> None:
    result = suite(
        HELPERS + "\ndef test_body(concurrency):\n    assert concurrency.speedup(locked, threads=4) >= 3\n",
        "-vv",  # below it pytest cuts explanations after eight lines
    )
    result.assert_outcomes(failed=1, passed=1)
    assert_other_passed(result)
    text = text_of(result)
    assert "> assert concurrency.speedup(locked, threads=4) >= 3" in text
    # The repr of the left side: figure, interval, bound type, rounds.
    said = r"<speedup \d\.\d\dx \[.*, .*\] with 4 threads, bound: serialized, \d+ rounds> >= 3"
    result.stdout.re_match_lines_random([rf"E +(AssertionError: )?assert {said}"])
    assert "Try: remove or narrow the lock" in text
    assert "NOT MET test_suite.py::test_body speedup" in text


@pytest.mark.parametrize(
    ("comparison", "said", "measured"),
    [
        (
            "speedup(locked, threads=4).at_least(3)",
            r"<speedup \d\.\d\dx .* bound: serialized, \d+ rounds> is not at least 3",
            "speedup",
        ),
        (
            "scaling(locked, threads=(2, 4)) >= 0.7",
            r"<efficiency 0\.\d\d with 2.* workers, bound: .*> >= 0.7",
            "speedup",
        ),
        (
            "gil_hold(sum, range(2_000_000)) <= '5ms'",
            r"<longest GIL hold \d.* ms \[.*\], \d+ rounds> <= '5ms'",
            "longest GIL hold",
        ),
        (
            "loop_block(block).at_most('10ms')",
            r"<longest loop block \d.* ms \[.*\], \d+ rounds> is not at most 10ms",
            "longest event-loop block",
        ),
    ],
)
def test_the_message_of_every_comparison_that_is_not_met(
    suite: Suite, comparison: str, said: str, measured: str
) -> None:
    source = HELPERS + "\nasync def block():\n    time.sleep(0.03)\n"
    result = suite(source + f"\ndef test_body(concurrency):\n    assert concurrency.{comparison}\n", "-vv")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.re_match_lines_random([rf"E +(AssertionError: )?assert {said}", r"(E +)?Try:"])
    assert f"NOT MET test_suite.py::test_body {measured} " in text_of(result)


def test_calls_like_markers_are_in_the_record_and_compared_with_a_baseline(
    suite: Suite, pytester: pytest.Pytester
) -> None:
    source = HELPERS + (
        "\ndef test_body(concurrency):\n"
        "    assert concurrency.scaling(wait, threads=(2, 4)) >= 0.6\n"
        "    assert concurrency.gil_hold(wait) <= '5ms'\n"
        "    assert concurrency.loop_block(await_) <= '50ms'\n"
    )
    suite(source, REPORT, "--concurrency-save=first").assert_outcomes(passed=2)
    told = records_of(pytester)["test_body"]["expectations"]
    assert [one["marker"] for one in told] == ["scaling", "gil_hold", "loop_block"]
    assert [one["arguments"] for one in told] == [
        {"threads": [2, 4], "efficiency": 0.6},
        {"max_hold": 0.005},
        {"max_block": 0.05},
    ]
    assert [point["workers"] for point in told[0]["curve"]] == [2, 4]
    result = suite(source, "--concurrency-compare=first", "--concurrency-compare-fail=speedup:50%")
    result.assert_outcomes(passed=2)
    assert "compared with first" in text_of(result)


def test_undecided_calls_follow_the_policy_by_every_method(suite: Suite) -> None:
    calls = [
        "scaling(wait, threads=(2, 4), {}) >= 0.7",
        "gil_hold(wait, {}) <= '5ms'",
        "loop_block(await_, {}).at_most('50ms')",
    ]
    tests = [
        f"def test_{number}(concurrency):\n    assert concurrency.{call.format('max_time=0.000001')}\n"
        for number, call in enumerate(calls)
    ]
    result = suite(HELPERS + "\n" + "\n".join(tests), "-rs")
    result.assert_outcomes(skipped=3, passed=1)


def test_an_answer_that_is_true_or_false_can_be_kept(suite: Suite) -> None:
    suite(
        HELPERS
        + """
def test_body(concurrency):
    answer = concurrency.speedup(wait, threads=4).at_least(2)
    assert answer and answer == True and not answer == False
    assert repr(answer).endswith("is at least 2")
"""
    ).assert_outcomes(passed=2)


def test_a_number_on_the_left_is_explained_as_well(suite: Suite) -> None:
    result = suite(
        HELPERS + "\ndef test_body(concurrency):\n    assert 3 <= concurrency.speedup(locked, threads=4)\n", "-vv"
    )
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.re_match_lines([r"E +Try: .*", r"E +Time \(median of .*"])


def test_attributes_of_other_values_are_not_read(suite: Suite) -> None:
    result = suite(
        """
class Shy:
    @property
    def outcome(self):
        raise RuntimeError("asked")

def test_body():
    assert Shy() == 1
"""
    )
    result.assert_outcomes(failed=1, passed=1)
    assert "RuntimeError: asked" not in text_of(result)


def test_the_message_of_a_comparison_that_is_not_met(suite: Suite) -> None:
    result = suite(
        HELPERS + "\ndef test_body(concurrency):\n    assert concurrency.compare(in_threads, in_turn) >= 2\n"
    )
    result.assert_outcomes(failed=1, passed=1)
    text = text_of(result)
    assert "> assert concurrency.compare(in_threads, in_turn) >= 2" in text
    assert "1 verdict: 1 not met" in text


def test_a_wrong_bound_type_is_reported_with_its_evidence(suite: Suite) -> None:
    result = suite(HELPERS + "\ndef test_body(concurrency):\n    assert concurrency.bound(wait) == 'cpu'\n")
    result.assert_outcomes(failed=1, passed=1)
    text = text_of(result)
    assert "assert <bound 'io', computing" in text
    assert "== 'cpu'" in text
    assert "A serial call waits for" in text


def test_compare_can_require_equal_results(suite: Suite) -> None:
    result = suite(
        "def test_body(concurrency):\n    assert concurrency.compare(lambda: [1], lambda: [2], same_result=True) >= 1\n"
    )
    result.assert_outcomes(failed=1, passed=1)
    assert "the two functions return different values: [1] against [2]" in text_of(result)


@pytest.mark.parametrize("call", ["speedup(wait, threads=4, {})", "compare(in_turn, in_threads, {})"])
@pytest.mark.parametrize(("policy", "outcome"), [("skip", "SKIPPED"), ("fail", "FAILED"), ("pass", "PASSED")])
def test_an_undecided_comparison_follows_the_policy(suite: Suite, call: str, policy: str, outcome: str) -> None:
    call = call.format(f"max_time='1us', undecided={policy!r}")
    result = suite(HELPERS + f"\ndef test_body(concurrency):\n    assert concurrency.{call} >= 2\n", "-rs")
    assert_outcome(result, "test_body", outcome)
    assert_other_passed(result)
    assert "o verdict within 1 us (max_time)" in text_of(result)
    assert "1 verdict: 1 undecided" in text_of(result)


@pytest.mark.parametrize(
    "call",
    [
        "concurrency.speedup(lines, threads=2) >= 1.5",
        "concurrency.compare(lines, wait) >= 1.5",
        'concurrency.bound(lines) == "io"',
    ],
)
def test_a_generator_is_nothing_to_measure(suite: Suite, call: str) -> None:
    result = suite(
        HELPERS
        + f"""
def lines():
    yield wait()

def test_body(concurrency):
    assert {call}
"""
    )
    result.assert_outcomes(failed=1, passed=1)
    assert "lines is a generator: calling it runs nothing of it" in text_of(result)


def test_an_object_whose_call_is_async_runs_in_tasks(suite: Suite) -> None:
    suite(
        """
import asyncio

class Fetch:
    async def __call__(self):
        await asyncio.sleep(0.01)

def test_body(concurrency):
    assert concurrency.speedup(Fetch(), tasks=4) >= 2
"""
    ).assert_outcomes(passed=2)


def test_measure_gives_every_figure_and_judges_nothing(suite: Suite) -> None:
    result = suite(
        HELPERS
        + """
def test_body(concurrency):
    found = concurrency.measure(wait, threads=4, processes=2)
    assert found.bound.kind == "io"
    assert found.bound.wait_share > 0.5
    assert set(found.speedup) == {"threads", "processes"}
    assert found.speedup["threads"].low <= found.speedup["threads"].value <= found.speedup["threads"].high
    assert found.speedup["threads"].value > 2
    with pytest.raises(TypeError, match="compare its .value"):
        found.speedup["threads"] > 2
    assert {(arm.backend, arm.workers) for arm in found.arms} >= {("threads", 4), ("processes", 2)}
    print(found)
""",
        "-s",
    )
    result.assert_outcomes(passed=2)
    result.stdout.re_match_lines_random([r".*<measured: threads .*x \[.*\], processes .*; bound: io; \d+ rounds>.*"])
    assert "verdict" not in text_of(result)


def test_measure_skips_where_there_are_no_such_workers(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("multiprocessing.get_all_start_methods", lambda: ["spawn"])
    source = HELPERS + "\ndef test_body(concurrency):\n    concurrency.measure(wait, processes=2)\n"
    result = suite(source, "--concurrency-start-method=fork", "-rs")
    result.assert_outcomes(skipped=1, passed=1)
    assert "unmeasurable: start method 'fork' is not available here; this platform has spawn" in text_of(result)


def test_several_questions_in_one_test(suite: Suite) -> None:
    result = suite(
        HELPERS
        + """
@pytest.mark.parametrize("n", [2, 4])
def test_body(concurrency, n):
    assert concurrency.speedup(wait, threads=n) >= n / 2
    assert concurrency.bound(wait) == "io"
"""
    )
    result.assert_outcomes(passed=3)
    assert "4 verdicts: 4 met" in text_of(result)


def test_an_exception_of_the_function_is_the_tests(suite: Suite) -> None:
    result = suite(
        """
def work(n):
    raise KeyError(n)

def test_body(concurrency):
    assert concurrency.speedup(work, "boom", threads=2) >= 1.5
"""
    )
    result.assert_outcomes(failed=1, passed=1)
    assert_other_passed(result)
    text = text_of(result)
    assert "> assert concurrency.speedup(work" in text
    assert "> raise KeyError(n)" in text
    assert "E KeyError: 'boom'" in text
    assert "while measuring: threads worker 1 of 2, warming up" in text
    assert "bench.py:" not in text, "the plugin's own code is shown"


def test_workers_know_who_they_are(suite: Suite, backend: Backend) -> None:
    result = suite(
        f"""
@pytest.fixture
def seen(tmp_path):
    yield tmp_path
    print("SEEN:", *sorted(path.name for path in tmp_path.iterdir()))

@pytest.mark.expect_speedup({backend.name}=3, at_least=1.5)
{backend.define} test_body(concurrency_worker, seen):
    worker = concurrency_worker
    (seen / f"{{worker.backend}}-{{worker.index}}-of-{{worker.count}}").touch()
    {backend.wait.format(0.01)}
""",
        "-s",
    )
    result.assert_outcomes(passed=2)
    result.stdout.re_match_lines_random([r".*SEEN: .*"])
    line = next(line for line in result.stdout.lines if "SEEN:" in line)
    for worker in (0, 1, 2):
        assert f"{backend.name}-{worker}-of-3" in line
    if backend.name != "tasks":
        assert "serial-0-of-1" in line, "the plain call"


def test_outside_of_a_measurement_there_is_one_worker(suite: Suite) -> None:
    result = suite(
        """
def test_body(concurrency_worker):
    worker = concurrency_worker
    assert (worker.index, worker.count, worker.backend) == (0, 1, "serial")
"""
    )
    result.assert_outcomes(passed=2)


def test_two_functions_of_very_different_speed_are_compared_in_time(suite: Suite) -> None:
    result = suite(
        "def test_body(concurrency):\n"
        "    began = time.perf_counter()\n"
        "    assert concurrency.compare(lambda: time.sleep(0.02), lambda: None, max_time='1s') >= 100\n"
        "    assert time.perf_counter() - began < 8\n"
    )
    result.assert_outcomes(passed=2)


def test_one_thread_that_computes_more_than_expected_is_slow_on_any_number_of_cpus(suite: Suite) -> None:
    result = suite(
        "def work(n):\n"
        "    return sum(i * i for i in range(n))\n"
        "\n"
        "def test_body(concurrency):\n"
        "    assert concurrency.compare(lambda: work(60_000), lambda: work(30_000)) >= 8\n"
    )
    result.assert_outcomes(failed=1, passed=1)


@pytest.mark.parametrize(
    ("comparison", "verdict", "expected"),
    [
        ("found == 'cpu' or found == 'io'", "met", "'cpu' or 'io'"),
        ("found in ('cpu', 'io')", "met", "'cpu' or 'io'"),
        ("found != 'cpu'", "met", "not 'cpu'"),
        ("not found == 'cpu'", "not_met", "'cpu'"),
        ("found.kind == 'io'", "met", None),
    ],
)
def test_a_bound_type_is_not_met_only_if_no_comparison_was_true(
    suite: Suite, pytester: pytest.Pytester, comparison: str, verdict: str, expected: str | None
) -> None:
    source = HELPERS + f"\ndef test_body(concurrency):\n    found = concurrency.bound(wait)\n    assert {comparison}\n"
    suite(source, REPORT).assert_outcomes(passed=2)
    (told,) = records_of(pytester)["test_body"]["expectations"]
    assert (told["verdict"], told["arguments"].get("expected")) == (verdict, expected)


@pytest.mark.parametrize(
    ("line", "label"),
    [
        ("concurrency.speedup(wait, threads=4) <= 1.5", "concurrency.speedup <= 1.5"),
        ("1.5 >= concurrency.speedup(wait, threads=4)", "concurrency.speedup <= 1.5"),
        ("concurrency.compare(wait, wait) < 0.5", "concurrency.compare <= 0.5"),
        ("concurrency.speedup(wait, threads=4).at_most(1.5)", "concurrency.speedup <= 1.5"),
        ("concurrency.scaling(locked, threads=(2,)).at_least(0.9)", "concurrency.scaling >= 0.9"),
        ("concurrency.gil_hold(wait) <= '5ms'", "concurrency.gil_hold <= 5 ms"),
        ("concurrency.bound(wait) == 'cpu'", "concurrency.bound == 'cpu'"),
        ("concurrency.bound(wait) in ('cpu',)", "concurrency.bound == 'cpu'"),
    ],
)
def test_an_unused_answer_is_an_error(suite: Suite, line: str, label: str) -> None:
    result = suite(HELPERS + f"\ndef test_body(concurrency):\n    {line}\n")
    result.assert_outcomes(failed=1, passed=1)
    assert f"{label}: the test does not use this answer" in text_of(result)


@pytest.mark.parametrize(
    "lines",
    [
        "assert not concurrency.speedup(wait, threads=4) <= 1.5",
        "answer = concurrency.speedup(wait, threads=4) <= 1.5",
        "if concurrency.speedup(wait, threads=4) <= 1.5: pass",
        "assert 1 < concurrency.speedup(wait, threads=4) < 9",
        "with pytest.raises(ZeroDivisionError): concurrency.speedup(lambda: 1 / 0, threads=4) >= 2",
    ],
)
def test_a_used_answer_is_no_error(suite: Suite, lines: str) -> None:
    suite(HELPERS + f"\ndef test_body(concurrency):\n    {lines}\n").assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        ("answer = concurrency.speedup(locked, threads=4) >= 3", "not_met"),
        ("if concurrency.speedup(locked, threads=4).at_least(3): pass", "not_met"),
        ("assert concurrency.speedup(locked, threads=4) >= 3 or True", "not_met"),
        ("assert not concurrency.speedup(locked, threads=4) >= 3", "met"),
        ("assert not concurrency.speedup(locked, threads=4).at_least(3)", "met"),
        ("if not (concurrency.speedup(locked, threads=4) >= 3): pass", "met"),
    ],
)
def test_a_comparison_that_a_test_accepts_is_not_met_unless_it_is_negated(
    suite: Suite, pytester: pytest.Pytester, line: str, verdict: str
) -> None:
    result = suite(HELPERS + f"\ndef test_body(concurrency):\n    {line}\n", REPORT)
    result.assert_outcomes(passed=2)
    (expectation,) = records_of(pytester)["test_body"]["expectations"]
    assert expectation["verdict"] == verdict
    assert ("the test passed, although it is not met" in text_of(result)) == (verdict == "not_met")


def test_a_not_beside_a_comparison_does_not_negate_it(suite: Suite, pytester: pytest.Pytester) -> None:
    line = "assert concurrency.speedup(locked, threads=4) >= 3 and not other"
    result = suite(HELPERS + f"\ndef test_body(concurrency):\n    other = False\n    {line}\n", REPORT)
    result.assert_outcomes(failed=1, passed=1)
    (expectation,) = records_of(pytester)["test_body"]["expectations"]
    assert expectation["verdict"] == "not_met"
    assert "Cause: serialized" in text_of(result)


def test_a_bound_type_is_neither_true_nor_false(suite: Suite) -> None:
    result = suite(HELPERS + "\ndef test_body(concurrency):\n    assert concurrency.bound(wait)\n")
    result.assert_outcomes(failed=1, passed=1)
    assert "a bound type is neither true nor false" in text_of(result)


@pytest.mark.parametrize(
    ("call", "advice"),
    [
        ("concurrency.speedup(wait, threads=4)", "write assert concurrency.speedup(wait, ...) >= 2."),
        ("concurrency.compare(wait, wait)", "write assert concurrency.compare(wait, wait) >= 2."),
        ("concurrency.bound(wait)", 'write assert concurrency.bound(wait, ...) == "io".'),
        ("concurrency.scaling(wait)", "write assert concurrency.scaling(wait, ...) >= 0.7."),
        ("concurrency.gil_hold(wait)", 'write assert concurrency.gil_hold(wait, ...) <= "5ms".'),
        ("concurrency.loop_block(await_)", 'write assert concurrency.loop_block(await_, ...) <= "50ms".'),
        ("assert concurrency.bound(wait).kind", None),
    ],
)
def test_a_finding_without_a_comparison_is_warned_of(suite: Suite, call: str, advice: str | None) -> None:
    result = suite(HELPERS + f"\ndef test_body(concurrency):\n    {call}\n")
    text = text_of(result)
    assert ("was never compared with anything, so nothing was measured" in text) is (advice is not None)
    assert advice is None or advice in text


@pytest.mark.parametrize(
    "call",
    [
        "concurrency.speedup(wait, threads=2) >= 1.5",
        "concurrency.compare(wait, wait) <= 2",
        'concurrency.bound(wait) == "io"',
        "concurrency.scaling(wait) >= 0.7",
        "concurrency.gil_hold(wait) <= '1s'",
        "concurrency.measure(wait, threads=2).arms",
    ],
)
def test_what_is_measured_cannot_measure(suite: Suite, call: str) -> None:
    result = suite(HELPERS + f"\n@pytest.mark.expect_io_bound\ndef test_body(concurrency):\n    assert {call}\n")
    result.assert_outcomes(failed=1, passed=1)
    assert "was called inside a body that is itself being measured" in text_of(result)


@pytest.mark.parametrize(
    "call",
    [
        "concurrency.compare(await_, await_) >= 1",
        "concurrency.compare(wait, lambda: await_()) >= 1",
        "concurrency.speedup(lambda: await_(), threads=2) >= 1",
        "concurrency.speedup(lambda: await_(), processes=2) >= 1",
    ],
)
def test_coroutines_that_are_not_awaited_are_not_measured(suite: Suite, call: str) -> None:
    result = suite(HELPERS + f"\ndef test_body(concurrency):\n    assert {call}\n", "-W", "error")
    result.assert_outcomes(failed=1, passed=1)
    assert "asyncio.run(" in text_of(result)


@pytest.mark.parametrize(
    "call",
    [
        "concurrency.compare(wait, lambda: map(wait, range(4))) >= 1",
        "concurrency.compare(wait, lambda: ThreadPoolExecutor(2).map(time.sleep, [0.01] * 4)) >= 1",
        "concurrency.speedup(lambda: (wait() for _ in range(4)), threads=2) <= 2",
    ],
)
def test_results_that_have_done_nothing_are_not_measured(suite: Suite, call: str) -> None:
    source = "from concurrent.futures import ThreadPoolExecutor\n"
    result = suite(HELPERS + source + f"\ndef test_body(concurrency):\n    assert {call}\n")
    result.assert_outcomes(failed=1, passed=1)
    assert "before its work was done. Consume it in the function: return list(...)." in text_of(result)


@pytest.mark.parametrize("answer", ["asyncio.gather(await_(), await_())", "[await_(), await_()]", "await_()"])
def test_what_an_async_function_leaves_unawaited_is_not_measured(suite: Suite, answer: str) -> None:
    source = f"""
async def candidate():
    return {answer}

async def test_body(concurrency):
    assert await concurrency.compare(await_, candidate).at_least(1)
"""
    result = suite(HELPERS + source)
    result.assert_outcomes(failed=1, passed=1)
    text = " ".join(text_of(result).split())
    assert "before its work was done" in text or "so that nothing was measured" in text.replace(" E ", " ")


def test_a_long_call_is_waited_for_as_long_as_its_own_max_time_allows(suite: Suite) -> None:
    result = suite(
        "def test_body(concurrency):\n"
        "    assert concurrency.speedup(lambda: time.sleep(0.3), threads=2, max_time='20s') >= 1.5\n",
        "--concurrency-max-time=100ms",
    )
    result.assert_outcomes(passed=2)


def test_a_measurement_that_is_compared_says_what_to_write(suite: Suite) -> None:
    result = suite(HELPERS + "\ndef test_body(concurrency):\n    assert concurrency.measure(wait, threads=2) >= 2\n")
    result.assert_outcomes(failed=1, passed=1)
    assert "To assert a speedup, write assert concurrency.speedup(...) >= 2" in text_of(result)
