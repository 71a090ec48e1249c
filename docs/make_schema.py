"""Write report-schema.json, beside this file, from the types in pytest_concurrency/runs/run_types.py.

Run it after a change of these types: python docs/make_schema.py
"""

from __future__ import annotations

import json
from pathlib import Path

from pytest_concurrency.runs import schema


def text() -> str:
    """What the file should hold."""
    return json.dumps(schema.published(), indent=2) + "\n"


if __name__ == "__main__":
    Path(__file__).with_name("report-schema.json").write_text(text(), encoding="utf-8")
