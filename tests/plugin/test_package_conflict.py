"""Another distribution ships a package of our name: one clear error, not a puzzle."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from conftest import rerun, text_of

import pytest_concurrency

# What matters of the other one's package: it has no __distribution__, but options and hooks of its own.
FOREIGN = """
def pytest_addoption(parser):
    parser.getgroup("pytest-concurrency").addoption("--workers", default=None)
"""


def test_files_overwritten_by_the_unrelated_distribution(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = pytester.path / "site" / "pytest_concurrency"
    shutil.copytree(Path(pytest_concurrency.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "__init__.py").write_text(FOREIGN)
    monkeypatch.setenv("PYTHONPATH", str(copy.parent))
    pytester.makepyfile(test_suite="import pathlib\ndef test_any():\n    pathlib.Path('ran').touch()\n")
    result = rerun(pytester, "test_suite.py", subprocess=True)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    text = text_of(result)
    assert f"The files in {copy / '__init__.py'} are not those of pytest-concurrency-perf" in text
    assert "unrelated distribution 'pytest-concurrency'" in text
    assert "pip uninstall pytest-concurrency && pip install --force-reinstall pytest-concurrency-perf" in text
    assert "Traceback" not in text
    assert not (pytester.path / "ran").exists()
