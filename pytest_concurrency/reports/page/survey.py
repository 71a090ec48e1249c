"""The survey's part of the page."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from pytest_concurrency.reports import survey_view

_MOST = 100  # rows of each list: a page with all of 10,000 tests would open slowly
_TEMPLATE = "survey.html.jinja"


def section(environment: jinja2.Environment, run: Mapping[str, Any]) -> Markup:
    """Return the section; empty without a survey."""
    survey = run.get("survey")
    if not survey:
        return Markup("")
    found = survey_view.view_of(survey, _MOST)
    folder = resources.files("pytest_concurrency.reports.page")
    template = environment.from_string((folder / _TEMPLATE).read_text(encoding="utf-8"))
    lists = (
        (("what waits", *survey_view.LIST_HEADS), found.waits),
        (("what computes", *survey_view.LIST_HEADS), found.computes),
        (survey_view.BLOCK_HEADS, found.blocks),
    )
    text = template.render(
        survey=found,
        is_alone=not run["records"],  # then the survey's headline is the headline of the page
        parts=(survey_view.PART_HEADS, found.parts),
        lists=[(heads, rows) for heads, rows in lists if rows],
        bars=survey_view.bars_of(survey),
        most=_MOST,
        more=survey_view.MORE,
    )
    return Markup(text)
