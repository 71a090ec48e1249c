"""The public names: imported on use only, and typed for those who annotate their tests."""

from __future__ import annotations

import importlib
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import pytest_concurrency

ROOT = Path(pytest_concurrency.__file__).parent.parent
READ = Path(__file__).parents[1] / "typing" / "public_names.py"


def run(*command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "MYPYPATH": str(ROOT), "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder, check=False)


def test_mypy_reads_the_public_names_from_outside(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    options = ("--strict", "--config-file=", f"--cache-dir={tmp_path}", "--follow-imports=silent")
    done = run(sys.executable, "-m", "mypy", *options, "--ignore-missing-imports", str(READ), folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_mypy_finds_a_name_that_is_none(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    (tmp_path / "wrong.py").write_text("from pytest_concurrency import Sped\n")
    options = ("--strict", "--config-file=", f"--cache-dir={tmp_path}", "--follow-imports=silent")
    done = run(sys.executable, "-m", "mypy", *options, "--ignore-missing-imports", "wrong.py", folder=tmp_path)
    assert 'has no attribute "Sped"' in done.stdout, done.stdout + done.stderr


def test_pyright_reads_the_public_names_from_outside(tmp_path: Path) -> None:
    pytest.importorskip("pyright")
    (tmp_path / "pyrightconfig.json").write_text(
        f'{{"extraPaths": ["{ROOT.as_posix()}"], "typeCheckingMode": "strict"}}'
    )
    (tmp_path / READ.name).write_text(READ.read_text())
    done = run(sys.executable, "-m", "pyright", "--project", str(tmp_path), folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", pytest_concurrency.__all__)
def test_a_public_name_is_listed_and_found(name: str) -> None:
    assert name in dir(pytest_concurrency)
    found = getattr(pytest_concurrency, name)
    assert found is getattr(importlib.import_module(found.__module__), name)
    assert found.__doc__


def test_an_error_of_another_process_is_the_public_one() -> None:
    error = pickle.loads(pickle.dumps(pytest_concurrency.BadArgument("threads must be a number")))
    assert type(error) is pytest_concurrency.BadArgument
    assert str(error) == "threads must be a number"


def test_a_name_that_is_none_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'pytest_concurrency' has no attribute 'speedup'"):
        pytest_concurrency.speedup  # noqa: B018


def test_importing_the_package_loads_no_other_module() -> None:
    code = "import sys; before = set(sys.modules); import pytest_concurrency; print(sorted(set(sys.modules) - before))"
    done = run(sys.executable, "-c", code, folder=ROOT)
    assert done.stdout.strip() in ("['__future__', 'pytest_concurrency']", "['pytest_concurrency']")


def test_importing_the_plugin_loads_the_markers_and_the_options_only() -> None:
    code = "import sys, pytest_concurrency.plugin; print(*(name for name in sys.modules if 'concurrency' in name))"
    loaded = run(sys.executable, "-c", code, folder=ROOT).stdout.split()
    own = {name.removeprefix("pytest_concurrency").removeprefix(".") for name in loaded}
    assert own == {"", "plugin", "expectations", "session", "session.options"}


def test_a_public_name_is_loaded_on_use() -> None:
    code = "import sys; from pytest_concurrency import Estimate; print('pytest_concurrency.session' in sys.modules)"
    assert run(sys.executable, "-c", code, folder=ROOT).stdout == "False\n"
