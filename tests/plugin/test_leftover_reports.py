"""What the measured code leaves running: told in every report, and a failure where that is asked for."""

from __future__ import annotations

import pytest
from conftest import REPORT, Suite, assert_other_passed, assert_outcome, records, text_of

from pytest_concurrency.probes import leftovers

SOURCE = """
STOP = threading.Event()

@pytest.fixture(scope="module", autouse=True)
def stop():
    yield
    STOP.set()

def poll():
    STOP.wait(30)

def leave():
    threading.Thread(target=poll, name="poller", daemon=True).start()
    time.sleep(0.004)
"""
# Two rounds, whatever they say.
BRIEFLY = 'max_time="1us", undecided="pass"'
MARKED = """
@pytest.mark.expect_speedup(threads=2, at_least=1.2, {more})
def test_body():
    leave()
"""
BY_FIXTURE = """
def test_body(concurrency):
    assert concurrency.speedup(leave, threads=2, {more}) >= 1.2
"""
LINE = "in leave: threading.Thread(target=poll"
ASKED = "the measured code left"


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leftovers, "GRACE", 0.02)


@pytest.mark.parametrize("test", [MARKED, BY_FIXTURE], ids=["marker", "fixture"])
def test_by_default_they_are_reported_in_the_summary_and_the_record(
    suite: Suite, pytester: pytest.Pytester, test: str
) -> None:
    result = suite(SOURCE + test.format(more=BRIEFLY), REPORT)
    result.assert_outcomes(passed=2)
    told = text_of(result)
    assert "1 test left something running, which may disturb the tests after it:" in told
    assert "threads such as poller (target poll)" in told
    assert LINE in told
    assert "/page/leftovers/" in told
    (expectation,) = records(pytester)[0]["expectations"]
    (left,) = expectation["leftovers"]
    assert (left["kind"], left["what"], left["inside"]) == ("thread", "poller (target poll)", "")
    assert LINE in left["made_at"]
    assert left["count"] > 1


def test_reports_for_people_list_them(suite: Suite, pytester: pytest.Pytester) -> None:
    pytest.importorskip("matplotlib")
    suite(
        SOURCE + MARKED.format(more=BRIEFLY),
        "--concurrency-report=html:out.html",
        "--concurrency-report=markdown:out.md",
    )
    page = (pytester.path / "out.html").read_text(encoding="utf-8")
    assert '<h2 id="left">Left running</h2>' in page
    assert "threads such as poller (target poll)" in page
    assert LINE in page
    text = (pytester.path / "out.md").read_text(encoding="utf-8")
    assert "threads such as poller" in text
    assert "started at test" in text


@pytest.mark.parametrize("test", [MARKED, BY_FIXTURE], ids=["marker", "fixture"])
def test_where_they_fail_the_test_the_message_names_each(suite: Suite, test: str) -> None:
    result = suite(SOURCE + test.format(more=f'{BRIEFLY}, leftovers="fail"'))
    result.assert_outcomes(passed=1, failed=1)
    assert_outcome(result, "test_body", "FAILED")
    assert_other_passed(result)
    told = text_of(result)
    assert ASKED in told
    assert '(leftovers="fail")' in told
    assert "threads such as poller (target poll)" in told
    assert LINE in told
    assert "Try: join() its threads before the code returns" in told
    assert "Traceback" not in told


@pytest.mark.parametrize(
    ("call", "comparison"),
    [
        ("compare(leave, leave, {})", "> 2"),
        ("scaling(leave, threads=(2,), {})", ">= 0.7"),
        ("gil_hold(leave, {})", '<= "5ms"'),
        ("bound(leave, {})", '== "io"'),
        ("measure(leave, threads=2, {})", ".rounds"),
    ],
    ids=lambda value: value.partition("(")[0],
)
def test_every_call_of_the_fixture_can_fail_for_them(suite: Suite, call: str, comparison: str) -> None:
    given = BRIEFLY if not call.startswith("measure") else 'max_time="50ms"'
    source = f"def test_body(concurrency):\n    assert concurrency.{call} {comparison}"
    result = suite(SOURCE + source.format(f'{given}, leftovers="fail"'))
    result.assert_outcomes(passed=1, failed=1)
    assert ASKED in text_of(result)


@pytest.mark.parametrize(
    ("marker", "options", "ini", "fails"),
    [
        ("", ["--concurrency-leftovers=fail"], "", True),
        ("", [], "concurrency_leftovers = fail", True),
        ("", ["--concurrency-leftovers=tell"], "concurrency_leftovers = fail", False),
        (', leftovers="tell"', ["--concurrency-leftovers=fail"], "", False),
        (', leftovers="fail"', ["--concurrency-leftovers=tell"], "", True),
    ],
)
def test_the_nearest_wins(
    suite: Suite, pytester: pytest.Pytester, marker: str, options: list[str], ini: str, fails: bool
) -> None:
    pytester.makeini(f"[pytest]\n{ini}\n")
    result = suite(SOURCE + MARKED.format(more=BRIEFLY + marker), *options, other=False)
    result.assert_outcomes(failed=int(fails), passed=int(not fails))


def test_a_body_that_leaves_nothing_passes(suite: Suite, pytester: pytest.Pytester) -> None:
    body = "import time\n" + MARKED.replace("leave()", "time.sleep(0.004)").format(more=BRIEFLY)
    result = suite(body, REPORT, "--concurrency-leftovers=fail")
    result.assert_outcomes(passed=2)
    (expectation,) = records(pytester)[0]["expectations"]
    assert expectation["leftovers"] == []
    assert "left something running" not in text_of(result)


@pytest.mark.parametrize("option", ["--concurrency-leftovers=kill", "--concurrency-leftovers="])
def test_a_bad_option_is_a_usage_error(suite: Suite, option: str) -> None:
    result = suite("", option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "--concurrency-leftovers=" in text_of(result)


def test_a_bad_keyword_is_an_error_of_that_test(suite: Suite) -> None:
    result = suite(SOURCE + MARKED.format(more='leftovers="kill"'))
    result.assert_outcomes(passed=1, errors=1)
    assert "leftovers must be one of 'tell', 'fail'" in text_of(result)
