"""Run as ``python benchmarks/generated``: see cli.py."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from generated.cli import main  # noqa: E402

main()
