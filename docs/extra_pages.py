"""Sphinx extension: the pages that the built site has without a source file.

- A short page for each kind of verdict. Messages show its address, and it leads on to the section about that kind.
- The sample report, made from ``sample-run.json``, a saved run of ``examples/``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_concurrency.core import addresses
from pytest_concurrency.reports import formats

if TYPE_CHECKING:
    from sphinx.application import Sphinx

SAMPLE = Path(__file__).with_name("sample-run.json")
_LEADS_ON = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>{kind}</title>
<meta http-equiv="refresh" content="0; url={target}">
<link rel="canonical" href="{target}">
<p>Continue to <a href="{target}">the section about this verdict</a>.</p>
</html>
"""


def write_short_pages(folder: Path) -> None:
    """Write ``KIND/index.html`` for each kind of verdict that a message has an address for."""
    for kind in addresses.KINDS:
        page = folder / kind / "index.html"
        page.parent.mkdir(exist_ok=True)
        page.write_text(_LEADS_ON.format(kind=kind, target=f"../{addresses.page_of(kind)}"), encoding="utf-8")


def write_sample_report(folder: Path) -> None:
    """Write the report of the saved run as the command ``report`` would."""
    run = json.loads(SAMPLE.read_text(encoding="utf-8"))
    page = formats.load("html").render(run, ())
    (folder / "sample-report.html").write_text("".join(page), encoding="utf-8")


def _finish(app: Sphinx, problem: Exception | None) -> None:
    if problem is None and app.builder.name == "html":
        write_short_pages(Path(app.outdir))
        write_sample_report(Path(app.outdir))


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("build-finished", _finish)
    return {"parallel_read_safe": True}
