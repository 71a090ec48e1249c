"""``json:PATH``: the run as one JSON document, in the form of the published schema."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any


def unavailable() -> str | None:
    return None


def render(run: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> str:
    return json.dumps(run, indent=1) + "\n"
