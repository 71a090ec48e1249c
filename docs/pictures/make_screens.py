"""Take the pictures of what the plugin shows: ``python docs/pictures/make_screens.py``.

- ``terminal.svg``: a failing test in a terminal of 80 columns, from a real session;
- ``report.png``: the HTML report of ``docs/sample-run.json``, light and dark;
- ``job-summary.png``: the Markdown report of the same run, as a CI system shows it.

It needs rich, markdown-it-py, Pillow, the extra ``html``, and Chromium as ``chromium`` on the path.
"""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from markdown_it import MarkdownIt
from PIL import Image, ImageChops
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from pytest_concurrency.reports import formats

FOLDER = Path(__file__).parent
SAMPLE = FOLDER.parent / "sample-run.json"
FAILING_TEST = """import threading
import time

import pytest

CONNECTION = threading.Lock()


def fetch():
    with CONNECTION:
        time.sleep(0.01)  # stands in for a network request


@pytest.mark.expect_speedup(threads=4, at_least=3)
def test_fetch_scales():
    fetch()
"""
# A machine without a font for emoji would show empty boxes.
SIGNS = (("✅", "✔", "#1a7f37"), ("❌", "✘", "#cf222e"), ("❔", "?", "#9a6700"), ("➖", "–", "#59636e"))
# What GitHub shows of Markdown, as far as the report uses it.
STYLE = """body{font:14px/1.5 system-ui,sans-serif;color:#1f2328;max-width:900px;margin:24px}
h1,h2,h3{border-bottom:1px solid #d1d9e0;padding-bottom:.3em}
code{font:12px ui-monospace,monospace;background:#eff1f3;padding:.2em .4em;border-radius:6px}
pre{background:#f6f8fa;padding:16px;border-radius:6px}pre code{background:none;padding:0}
table{border-collapse:collapse}th,td{border:1px solid #d1d9e0;padding:6px 13px}
blockquote{border-left:.25em solid #d1d9e0;color:#59636e;margin:0;padding:0 1em}a{color:#0969da}"""


def terminal() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "test_shop.py").write_text(FAILING_TEST, encoding="utf-8")
        environment = {name: value for name, value in os.environ.items() if name != "CI"}
        # Other plugins would add lines of their own.
        environment |= {"COLUMNS": "80", "PYTHONPATH": str(FOLDER.parents[1]), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        command = [sys.executable, "-m", "pytest", "-p", "pytest_concurrency.plugin", "-p", "no:cacheprovider"]
        command += ["--color=yes", "--no-header"]
        output = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True).stdout
    console = Console(record=True, width=80, file=io.StringIO())
    console.print(Text.from_ansi(f"$ pytest\n{output.rstrip()}"))
    svg = console.export_svg(title="pytest", theme=MONOKAI, unique_id="terminal")
    # The fonts would be fetched from another site.
    svg = re.sub(r"@font-face \{.*?\}\n", "", svg, flags=re.DOTALL).replace("Fira Code, monospace", "monospace")
    (FOLDER / "terminal.svg").write_text(re.sub(r"[ \t]+\n", "\n", svg), encoding="utf-8")


def report() -> None:
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "report.html")
        page.write_text(_rendered("html"), encoding="utf-8")
        light = shot(page, Path(folder, "light.png"), 1100, 1000)
        dark = shot(page, Path(folder, "dark.png"), 1100, 1000, dark=True)
        both = Image.new("RGB", (light.width + dark.width, light.height))
        both.paste(light, (0, 0))
        both.paste(dark, (light.width, 0))
        save(both, "report.png")


def job_summary() -> None:
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(_rendered("markdown"))
    for sign, plain, colour in SIGNS:
        html = html.replace(sign, f'<b style="color:{colour}">{plain}</b>')
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "summary.html")
        page.write_text(f"<!doctype html><meta charset=utf-8><style>{STYLE}</style>{html}", encoding="utf-8")
        picture = shot(page, Path(folder, "summary.png"), 960, 2000)
        empty = Image.new("RGB", picture.size, "white")
        used = ImageChops.difference(picture, empty).getbbox()
        save(picture.crop((0, 0, picture.width, min(picture.height, used[3] + 24))), "job-summary.png")


def _rendered(name: str) -> str:
    return "".join(formats.load(name).render(json.loads(SAMPLE.read_text(encoding="utf-8")), ()))


def shot(page: Path, out: Path, width: int, height: int, dark: bool = False) -> Image.Image:
    """Return the top of a page as a browser shows it."""
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    command += ["--blink-settings=preferredColorScheme=0"] if dark else []
    command += [f"--window-size={width},{height}", f"--screenshot={out}", page.as_uri()]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return Image.open(out).convert("RGB")


def save(picture: Image.Image, name: str) -> None:
    # A palette makes the file a third as large, and flat colours lose nothing.
    picture.quantize(128).save(FOLDER / name, optimize=True)


if __name__ == "__main__":
    terminal()
    report()
    job_summary()
