"""``html:PATH``: one page that opens without a network, for people who did not write the tests."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

FOR_PEOPLE = True
_NEEDED = ("jinja2", "matplotlib")


def unavailable() -> str | None:
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if not missing:
        return None
    verb = "is" if len(missing) == 1 else "are"
    return f'{" and ".join(missing)} {verb} not installed. Run: pip install "pytest-concurrency-perf[html]".'


def render(run: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    from pytest_concurrency.reports.page import page

    return page.render(run, history)
