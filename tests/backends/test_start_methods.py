"""All kinds of bodies reach their workers under every start method and import mode, and concurrently."""

from __future__ import annotations

import json
import multiprocessing
import sys
import textwrap

import pytest
from conftest import ALONE, text_of

METHODS = ("fork", "forkserver", "spawn")
MODES = ("prepend", "append", "importlib")

# A folder of tests that is no package, with a package inside, beside sources that are a namespace package.
FILES = {
    "checks/conftest.py": """
        import pytest

        class Account:
            def __init__(self, name):
                self.name = name

        def twice(number):
            return 2 * number

        @pytest.fixture
        def account():
            return Account("mine")

        @pytest.fixture
        def doubling():
            return twice
        """,
    "checks/test_things.py": """
        import dataclasses, enum, functools, time
        import pytest
        from company.tools.times import SECONDS

        class Color(enum.Enum):
            RED = 1

        @dataclasses.dataclass
        class Local:
            n: int

        @pytest.fixture
        def local():
            return Local(3)

        def seconds():
            return SECONDS

        def times(n):
            def work():
                time.sleep(seconds() * n)
            return work

        class Work:
            def __init__(self, n):
                self.n = n
            def __call__(self):
                time.sleep(seconds() * self.n)
            def method(self):
                self()
            @classmethod
            def of_class(cls):
                cls(1)()
            @staticmethod
            def of_nobody():
                time.sleep(seconds())

        expect = pytest.mark.expect_speedup(processes=2, at_least=1.5)

        @expect
        def test_function():
            time.sleep(seconds())

        @expect
        @pytest.mark.parametrize("n", [3], ids=["three"])
        def test_values(account, local, doubling, n, tmp_path, concurrency_worker):
            assert (account.name, local.n, doubling(n)) == ("mine", 3, 6)
            assert type(account).__name__ == "Account"
            assert isinstance(local, Local), "the class has come twice"
            assert tmp_path.is_dir()
            assert concurrency_worker.index < concurrency_worker.count
            time.sleep(seconds())

        @expect
        @pytest.mark.parametrize("color", Color)
        def test_enum(color):
            assert color is Color.RED, "the class has come twice"
            time.sleep(seconds())

        class TestMethods:
            factor = 1

            @expect
            def test_method(self):
                time.sleep(seconds() * self.factor)

            class TestInner:
                @expect
                def test_method(self):
                    assert type(self) is TestMethods.TestInner
                    time.sleep(seconds())

        CALLABLES = {
            "closure": times(1),
            "lambda": lambda: time.sleep(seconds()),
            "partial": functools.partial(time.sleep, seconds()),
            "object": Work(1),
            "method": Work(1).method,
            "class_method": Work.of_class,
            "static_method": Work.of_nobody,
        }

        @pytest.mark.parametrize("kind", CALLABLES)
        def test_callables(concurrency, kind):
            assert concurrency.speedup(CALLABLES[kind], processes=1) >= 0.5  # one is enough to be reached

        def test_local_names(concurrency):
            factor, stamp = 2, Local(1)

            def work(n):
                assert isinstance(stamp, Local)
                time.sleep(seconds() * n * factor)

            assert concurrency.speedup(lambda n: work(n), 1, processes=1) >= 0.5
        """,
    "checks/inner/__init__.py": "",
    "checks/inner/numbers_.py": "SECONDS = 0.004\n",
    "checks/inner/test_inner.py": """
        import time, pytest
        from .numbers_ import SECONDS

        @pytest.mark.expect_speedup(processes=2, at_least=1.2)
        def test_in_a_package():
            time.sleep(SECONDS)
        """,
    "sources/company/tools/times.py": "SECONDS = 0.004\n",
}
COUNT = 5 + 7 + 1 + 1  # those of test_things.py, and the one of the package
BRIEFLY = ("--concurrency-max-time=1us", "--concurrency-undecided=pass")  # two rounds; verdicts are not the point


def write(pytester: pytest.Pytester, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = pytester.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))


def need(method: str, mode: str = "") -> None:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this platform has no {method}")
    if mode == "importlib" and pytest.version_tuple < (8, 2):
        pytest.skip("before 8.2 pytest itself cannot import these modules in this mode")


def notes(pytester: pytest.Pytester) -> set[str]:
    """What the records say of how the workers were started."""
    records = json.loads((pytester.path / "out.json").read_text())["records"]
    # Some bodies ask which worker runs them, which is noted too.
    return {arm["note"].partition("; the body depends")[0] for record in records for arm in record["arms"]}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("method", METHODS)
def test_bodies_reach_their_workers(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, method: str, mode: str
) -> None:
    need(method, mode)
    write(pytester, FILES)
    root = pytester.path
    pytester.makeini("[pytest]\npythonpath = sources\n")
    # Each start method meets both places, and each way of capturing.
    number = METHODS.index(method) + MODES.index(mode)
    if number % 2:
        monkeypatch.chdir(pytester.mkdir("away"))
    capture = ("--capture=fd", "--capture=sys", "--capture=no")[number % 3]
    # `python -m pytest` would put the current folder on sys.path; the `pytest` command does not.
    monkeypatch.setenv("PYTHONSAFEPATH", "1")
    result = pytester.runpytest_subprocess(
        *ALONE,
        *BRIEFLY,
        "-v",
        "-W",
        "error",
        capture,
        f"--rootdir={root}",
        f"--import-mode={mode}",
        f"--concurrency-start-method={method}",
        f"--concurrency-report=json:{root / 'out.json'}",
        "-c",
        str(root / "tox.ini"),
        str(root / "checks"),
    )
    result.assert_outcomes(passed=COUNT)
    assert notes(pytester) == {f"start method {method}: asked for"}, "the record says how its workers were started"


@pytest.mark.parametrize("method", METHODS)
def test_test_modules_in_a_namespace_package(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    need(method, "importlib")
    write(
        pytester,
        {
            "sources/company/tools/times.py": "SECONDS = 0.004\n",
            "sources/company/tools/test_times.py": """
                import time, pytest
                from company.tools import times

                class Local:
                    pass

                @pytest.mark.parametrize("value", [Local()])
                @pytest.mark.expect_speedup(processes=2, at_least=1.2)
                def test_body(value):
                    assert __name__ == "company.tools.test_times"
                    assert type(value) is Local
                    time.sleep(times.SECONDS)
                """,
        },
    )
    pytester.makeini("[pytest]\npythonpath = sources\nconsider_namespace_packages = true\n")
    monkeypatch.setenv("PYTHONSAFEPATH", "1")
    result = pytester.runpytest_subprocess(
        *ALONE, *BRIEFLY, "--import-mode=importlib", f"--concurrency-start-method={method}", "sources"
    )
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("method", ["auto", *METHODS])
def test_under_xdist(pytester: pytest.Pytester, method: str) -> None:
    """Its workers have threads: they are not forked, unless someone asks for it."""
    pytest.importorskip("xdist")
    if method != "auto":
        need(method)
    write(pytester, FILES)
    pytester.makeini("[pytest]\npythonpath = sources\n")
    result = pytester.runpytest_subprocess(
        *ALONE,
        *BRIEFLY,
        *("-p", "xdist", "-n", "2", "-W", "error", "-k", "function or values or local_names or in_a_package"),
        f"--concurrency-start-method={method}",
        "--concurrency-report=json:out.json",
        "checks",
    )
    result.assert_outcomes(passed=4)
    if method == "auto":
        assert not any("method fork:" in note for note in notes(pytester))
    else:
        assert {note.partition(":")[0] for note in notes(pytester)} == {f"start method {method}"}
    if method == "fork":
        assert all("though the test process has" in note for note in notes(pytester))


@pytest.mark.parametrize("method", METHODS)
def test_under_coverage(pytester: pytest.Pytester, method: str) -> None:
    """Workers are traced, and have the time to write down what they ran."""
    coverage = pytest.importorskip("coverage", minversion="7.10")
    need(method)
    write(pytester, FILES)
    pytester.makeini("[pytest]\npythonpath = sources\n")
    write(
        pytester,
        {
            ".coveragerc": "[run]\nparallel = true\npatch = subprocess, _exit, fork\ninclude = checks/*\n",
            "checks/test_things.py": """
                import multiprocessing, time
                import pytest

                @pytest.mark.expect_speedup(processes=2, at_least=1.2)
                def test_body():
                    if multiprocessing.parent_process() is not None:
                        time.sleep(0.004)  # in a worker
                """,
        },
    )
    result = pytester.run(
        *(sys.executable, "-m", "coverage", "run", "-m", "pytest"),
        *(*ALONE, *BRIEFLY, "-W", "error", f"--concurrency-start-method={method}", "checks/test_things.py"),
    )
    result.assert_outcomes(passed=1)
    assert "Traceback" not in text_of(result)
    assert pytester.run(sys.executable, "-m", "coverage", "combine", "-q").ret == 0
    data = coverage.CoverageData(str(pytester.path / ".coverage"))
    data.read()
    (lines,) = [data.lines(file) for file in data.measured_files() if file.endswith("test_things.py")]
    assert 8 in lines, "what a worker ran is not in the data"
