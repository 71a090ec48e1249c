"""``jsonl:PATH``: the run as lines: schema and environment first, then one record each."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any


def unavailable() -> str | None:
    return None


def render(run: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> str:
    head = {name: value for name, value in run.items() if name != "records"}
    return "".join(json.dumps(line) + "\n" for line in (head, *run["records"]))
