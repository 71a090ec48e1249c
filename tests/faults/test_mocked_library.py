"""A fixture that replaces a part of the standard library, as tests do, is meant for the code under test."""

from __future__ import annotations

import pytest

SYNCHRONOUS = """
class Synchronous(threading.Thread):
    def start(self):
        self.run()
monkeypatch.setattr(threading, "Thread", Synchronous)
"""
PATCHES = {
    "threads that run at once": SYNCHRONOUS,
    "locks": 'monkeypatch.setattr(threading, "Lock", mock.MagicMock())',
    "processes": 'monkeypatch.setattr(subprocess, "Popen", mock.MagicMock())',
    "files": 'monkeypatch.setattr("builtins.open", mock.mock_open(read_data="stock"))',
    "descriptors": 'monkeypatch.setattr(os, "open", mock.Mock(side_effect=OSError))',
}


@pytest.mark.parametrize("patch", PATCHES.values(), ids=PATCHES.keys())
@pytest.mark.parametrize("workers", ["threads=4", "processes=2"])
def test_workers_and_clocks_do_without_it(pytester: pytest.Pytester, patch: str, workers: str) -> None:
    body = "\n".join("    " + line for line in patch.strip().splitlines())
    pytester.makepyfile(
        f"import os, subprocess, threading, time\n"
        f"from unittest import mock\n"
        f"import pytest\n"
        f"@pytest.fixture(autouse=True)\n"
        f"def replaced(monkeypatch):\n"
        f"{body}\n"
        f"@pytest.mark.expect_speedup({workers}, at_least=1.5)\n"
        f"def test_waits():\n"
        f"    time.sleep(0.01)\n"
        f"def test_after_it():\n"
        f"    assert threading.main_thread().start\n"
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", timeout=90)
    result.assert_outcomes(passed=2)
