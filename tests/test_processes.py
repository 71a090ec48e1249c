"""Worker processes under every start method and import mode, wherever the session is started."""

from __future__ import annotations

import itertools
import json
import multiprocessing

import pytest
from conftest import ALONE, IMPORTS, Suite, assert_other_passed, rerun, text_of

METHODS = ("fork", "forkserver", "spawn")

# A suite in a folder of its own: helpers beside the tests, a package of tests, a conftest with fixtures.
CONFTEST = """
import pytest

class Account:
    def __init__(self, name):
        self.name = name

@pytest.fixture
def account():
    return Account("mine")
"""
SUITE = """
import time
import pytest

class Local:
    def __init__(self, n):
        self.n = n

@pytest.fixture
def local():
    return Local(3)

def seconds():
    return 0.004

def times(n):
    def work():
        time.sleep(seconds() * n)
    return work

expect = pytest.mark.expect_speedup(processes=2, at_least=1.5)

@expect
def test_function():
    time.sleep(seconds())

@expect
@pytest.mark.parametrize("n", [3], ids=["three"])
def test_values(account, local, n, tmp_path):
    assert (account.name, local.n, n) == ("mine", 3, 3)
    assert type(account).__name__ == "Account"
    assert isinstance(local, Local), "the class has come twice"
    assert tmp_path.is_dir()
    time.sleep(seconds())

class TestMethods:
    factor = 1

    @expect
    def test_method(self):
        time.sleep(seconds() * self.factor)

def test_closure(concurrency):
    assert concurrency.speedup(times(1), processes=2) >= 1.5

def test_lambda(concurrency):
    factor = 2
    assert concurrency.speedup(lambda n: time.sleep(seconds() * n * factor), 1, processes=2) >= 1.5
"""
BESIDE = """
import time
import pytest
import helper

@pytest.mark.expect_speedup(processes=2, at_least=1.2, undecided="pass")
def test_imports_what_is_beside_it():
    time.sleep(helper.SECONDS)
"""


def write_suite(pytester: pytest.Pytester) -> None:
    folder = pytester.mkdir("checks")
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_things.py").write_text(SUITE)
    package = folder / "inner"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "test_inner.py").write_text(
        "import time, pytest\n"
        "from .numbers_ import SECONDS\n"
        "@pytest.mark.expect_speedup(processes=2, at_least=1.2, undecided='pass')\n"
        "def test_in_a_package(): time.sleep(SECONDS)\n"
    )
    (package / "numbers_.py").write_text("SECONDS = 0.004\n")


# A forked worker has all modules already, so two corners stand for the rest.
CASES = [("fork", "prepend", "root"), ("fork", "importlib", "elsewhere")]
CASES += itertools.product(("forkserver", "spawn"), ("prepend", "importlib"), ("root", "elsewhere"))
CASES += [("forkserver", "append", "root"), ("spawn", "append", "elsewhere")]


@pytest.mark.parametrize(("method", "mode", "place"), CASES)
def test_bodies_reach_their_workers(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, method: str, mode: str, place: str
) -> None:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this platform has no {method}")
    if mode == "importlib" and pytest.version_tuple < (8, 2):
        pytest.skip("before 8.2 pytest itself cannot import these modules in this mode")
    write_suite(pytester)
    root = pytester.path
    if place == "elsewhere":
        away = pytester.mkdir("away")
        monkeypatch.chdir(away)
    # `python -m pytest` would put the current folder on sys.path; the `pytest` command does not.
    monkeypatch.setenv("PYTHONSAFEPATH", "1")
    result = pytester.runpytest_subprocess(
        *ALONE,
        "-v",
        f"--rootdir={root}",
        f"--import-mode={mode}",
        # Whether a body arrives is seen in two rounds; a verdict is not the point.
        "--concurrency-max-time=1us",
        "--concurrency-undecided=pass",
        f"--concurrency-start-method={method}",
        f"--concurrency-report=json:{root / 'out.json'}",
        str(root / "checks"),
    )
    result.assert_outcomes(passed=6)
    records = json.loads((root / "out.json").read_text())["records"]
    assert len(records) == 6
    notes = {arm["note"].partition(":")[0] for record in records for arm in record["arms"]}
    assert notes == {f"start method {method}"}, "the record says how its workers were started"


@pytest.mark.parametrize("method", METHODS)
def test_a_helper_module_beside_the_test(suite: Suite, pytester: pytest.Pytester, method: str) -> None:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this platform has no {method}")
    pytester.makepyfile(helper="SECONDS = 0.004\n", test_suite=BESIDE)
    result = rerun(pytester, f"--concurrency-start-method={method}", subprocess=True)
    result.assert_outcomes(passed=1)


def test_auto_says_what_it_took_and_why(suite: Suite, pytester: pytest.Pytester) -> None:
    suite(
        """
@pytest.mark.expect_speedup(processes=2, at_least=1.2, undecided="pass")
def test_body():
    time.sleep(0.004)
""",
        "--concurrency-report=json:out.json",
        subprocess=True,
    ).assert_outcomes(passed=2)
    (record,) = json.loads((pytester.path / "out.json").read_text())["records"]
    (note,) = {arm["note"] for arm in record["arms"]}
    method, _, why = note.removeprefix("start method ").partition(": ")
    assert method in METHODS
    assert why


def test_auto_does_not_fork_a_process_with_threads(suite: Suite, pytester: pytest.Pytester) -> None:
    suite(
        """
@pytest.fixture
def background():
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    yield
    stop.set()
    thread.join()

@pytest.mark.usefixtures("background")
@pytest.mark.expect_speedup(processes=2, at_least=1.2, undecided="pass")
def test_body():
    time.sleep(0.004)
""",
        "--concurrency-report=json:out.json",
        "-W",
        "error",
        subprocess=True,
    ).assert_outcomes(passed=2)
    (record,) = json.loads((pytester.path / "out.json").read_text())["records"]
    assert all("start method fork:" not in arm["note"] for arm in record["arms"])


LOCKED = """
@pytest.fixture
def url():
    return "http://localhost"

@pytest.fixture
def connection():
    return threading.Lock()

@pytest.mark.expect_speedup(processes=2, at_least=1.5)
def test_body(url, connection):
    time.sleep(0.004)
"""


def test_a_fixture_value_that_cannot_be_pickled_is_named(suite: Suite) -> None:
    result = suite(LOCKED, "--concurrency-start-method=spawn")
    result.assert_outcomes(failed=1, passed=1)
    assert_other_passed(result)
    text = text_of(result)
    assert "fixture 'connection' (a lock) cannot be sent to a worker process" in text
    assert "fixture 'url'" not in text
    assert "Make the value inside the body" in text
    assert "--concurrency-start-method=fork" in text
    assert "processes.py" not in text, "the plugin's own code is shown"


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this platform has no fork")
def test_under_fork_nothing_has_to_be_pickled(suite: Suite) -> None:
    result = suite(LOCKED.replace("at_least=1.5", "at_least=1.2"), "--concurrency-start-method=fork", subprocess=True)
    result.assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        ("concurrency.speedup(time.sleep, threading.Lock(), processes=2)", "argument 1 (a lock) cannot be sent"),
        ("concurrency.speedup(lambda: LOCAL.locked(), processes=2)", "<lambda>() cannot be sent"),
    ],
)
def test_what_else_cannot_be_pickled_is_named_at_the_tests_line(suite: Suite, call: str, named: str) -> None:
    result = suite(
        f"def test_body(concurrency):\n    LOCAL = threading.Lock()\n    assert {call} >= 1.5\n",
        "--concurrency-start-method=spawn",
    )
    result.assert_outcomes(failed=1, passed=1)
    assert_other_passed(result)
    assert named in text_of(result)
    assert f"> assert {call} >= 1.5" in text_of(result)


def test_a_body_that_a_worker_cannot_load(suite: Suite, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_suite=IMPORTS
        + """
import multiprocessing
if multiprocessing.parent_process() is not None:
    raise ImportError("not in a worker")

@pytest.mark.expect_speedup(processes=2, at_least=1.5)
def test_body():
    time.sleep(0.004)

def test_other():
    pass
"""
    )
    result = rerun(pytester, "--concurrency-start-method=spawn", subprocess=True)
    result.assert_outcomes(failed=1, passed=1)
    assert_other_passed(result)
    text = text_of(result)
    assert "worker process 1 could not load test_body" in text
    assert "ImportError: not in a worker" in text


@pytest.mark.parametrize("method", METHODS)
def test_what_a_body_prints_does_not_reach_the_pipes(suite: Suite, method: str) -> None:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this platform has no {method}")
    result = suite(
        """
@pytest.mark.expect_speedup(processes=2, at_least=1.2, undecided="pass")
def test_body():
    print("from the body")
    os.write(1, b"from below")
    time.sleep(0.004)
""",
        f"--concurrency-start-method={method}",
        subprocess=True,
    )
    result.assert_outcomes(passed=2)
