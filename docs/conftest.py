"""The examples in the documentation are tests.

Every fenced ``python`` block with a ``def test_`` in it is written to a file and run by pytest in
another process, one for all blocks of a page. All of its tests must pass, unless the fence says what
else happens: ```` ```python failed ````, or ```` ```python skipped passed ```` if the machine decides. A
block whose fence names a file, as ```` ```python conftest.py ```` does, is put beside the others.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import pytest

_FENCE = re.compile(r"^```python(?P<info>[^\n]*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
_README = Path(__file__).parent.parent / "README.md"
# Other plugins that happen to be installed are not what the page is about, and cost time.
_COMMAND = [sys.executable, "-m", "pytest", "-p", "pytest_concurrency.plugin", "--strict-markers", "--junitxml=out.xml"]
_NO_SURE_ANSWER = ("undecided: ", "unmeasurable: ")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    return Page.from_parent(parent, path=file_path) if file_path.suffix == ".md" else None


class Result(NamedTuple):
    """What became of one test of a block."""

    outcome: str
    message: str


class Page(pytest.File):
    """A page of the documentation."""

    _results: dict[str, list[Result]] | None = None

    def collect(self) -> Iterator[pytest.Item | pytest.Collector]:
        if self.path.name == "index.md":
            yield Page.from_parent(self, path=_README)
        self.files: dict[str, str] = {}
        self.output = ""
        text = self.path.read_text(encoding="utf-8")
        for match in _FENCE.finditer(text):
            info, code = match["info"].strip(), match["code"]
            line = text.count("\n", 0, match.start()) + 1
            if info.endswith(".py"):
                self.files[info] = code
            elif tests := re.findall(r"def (test_\w+)", code):
                module = f"test_line_{line}"
                self.files[f"{module}.py"] = code
                wanted = set(info.split()) or {"passed"}
                yield Example.from_parent(self, name=tests[0], module=module, line=line, wanted=wanted)

    def results_of(self, module: str) -> list[Result]:
        """What became of the tests of one block; runs the whole page when asked first."""
        if self._results is None:
            self._results = {}
            with tempfile.TemporaryDirectory() as folder:
                for case in ElementTree.fromstring(self._run(Path(folder))).iter("testcase"):
                    self._results.setdefault(case.get("classname", ""), []).append(_result_of(case))
        return self._results.get(module, [])

    def _run(self, folder: Path) -> str:
        for name, code in self.files.items():
            (folder / name).write_text(code, encoding="utf-8")
        (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n", encoding="utf-8")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        done = subprocess.run(_COMMAND, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
        self.output = done.stdout + done.stderr
        report = folder / "out.xml"
        return report.read_text(encoding="utf-8") if report.exists() else "<testsuites/>"


def _result_of(case: ElementTree.Element) -> Result:
    for tag, outcome in (("failure", "failed"), ("error", "error"), ("skipped", "skipped")):
        if (child := case.find(tag)) is not None:
            return Result(outcome, child.get("message", ""))
    return Result("passed", "")


class Example(pytest.Item):
    """One block of a page."""

    def __init__(self, *, module: str, line: int, wanted: set[str], **other: Any) -> None:
        super().__init__(**other)
        self._module, self._line, self._wanted = module, line, wanted

    def runtest(self) -> None:
        page = self.parent
        assert isinstance(page, Page)
        results = page.results_of(self._module)
        unexpected = [result for result in results if result.outcome not in self._wanted]
        if not results or any(not result.message.startswith(_NO_SURE_ANSWER) for result in unexpected):
            raise ExampleFailed(f"expected {' or '.join(sorted(self._wanted))}, and pytest said:\n\n{page.output}")
        for result in unexpected:  # a busy or small machine is no fault of the documentation
            pytest.skip(result.message)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, ExampleFailed):
            return f"{self.path}:{self._line}: {excinfo.value}"
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, self._line - 1, f"{self.path.name}: {self.name}"


class ExampleFailed(Exception):
    """An example of the documentation does not do what the page says."""
