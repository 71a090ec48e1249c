"""The page, by its structure; how it looks is for eyes."""

from __future__ import annotations

import itertools
import re
import sys
from html.parser import HTMLParser
from typing import Any

import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("jinja2")

from pytest_concurrency.core.addresses import DOCUMENTATION
from pytest_concurrency.core.model import Interference
from pytest_concurrency.core.outcomes import Arm, Estimate, Finding, Outcome, PerBody, Point
from pytest_concurrency.machine import cpus
from pytest_concurrency.reports.formats import html
from pytest_concurrency.runs import record

from ..make import outcome

VOID = {"meta", "link", "br", "hr", "img", "input", "wbr"}
CURVE = (
    Point(2, Estimate(1.9, 1.8, 2.0), 0.95, 0.05, 0.0, 0.1, 0.0, 0.0, None),
    Point(4, Estimate(2.4, 2.3, 2.5), 0.6, 0.22, 0.2, 0.25, 0.0, 0.0, None),
)
ARMS = (
    Arm("threads", 1, 2, (0.02,), (0.001,), (0.0,), (0.019,), "", PerBody(0.01, 0.0005, 0.0095, 0.0)),
    Arm("threads", 4, 2, (0.02,), (0.004,), None, (0.076,), "pinned", PerBody(0.01, 0.0005, 0.0094, None)),
)


class Page(HTMLParser):
    """A page as its reader's software sees it."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.stack: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert self.stack == [], "every element is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.stack, f"</{tag}> closes nothing"
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append((self.stack[-1] if self.stack else "", " ".join(data.split())))

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def text(self) -> str:
        return " ".join(data for tag, data in self.texts if tag != "style")


def one(nodeid: str = "tests/test_a.py::test_a", *outcomes: Outcome, **changes: Any) -> dict[str, Any]:
    return record.record_of(nodeid, outcomes or [outcome(arms=ARMS, **changes)])


def run_of(*records: dict[str, Any], **head: Any) -> dict[str, Any]:
    return {**record.run_of(cpus.environment(), records), **head}


def render(run: dict[str, Any], *history: dict[str, Any]) -> str:
    return "".join(html.render(run, history))


def page_of(*records: dict[str, Any]) -> Page:
    return Page(render(run_of(*records)))


SOME = [
    one("test_a.py::test_met"),
    one("test_a.py::test_slow", verdict="not_met", curve=CURVE, estimate=Estimate(1.0, 0.9, 1.1)),
    one("test_b.py::test_busy", verdict="undecided"),
    one("test_b.py::test_few", outcome(verdict="unmeasurable", reason="needs 3 CPUs", estimate=None, bound=None)),
    one("test_b.py::test_two", outcome(), outcome(marker="expect_io_bound", claim="waiting", threshold=0.5)),
]


def test_every_record_and_verdict_is_there() -> None:
    page = page_of(*SOME)
    in_order = [attributes["id"] for attributes in page.all("article")]
    assert in_order == ["test-2", "test-3", "test-4", "test-1", "test-5"], "the worst first"
    articles = set(in_order)
    links = [attributes["href"] for attributes in page.all("a")]
    for name in ("test_met", "test_slow", "test_busy", "test_few", "test_two"):
        assert page.text.count(name) >= 2
    assert {link[1:] for link in links if link.startswith("#test-")} == articles
    badges = [attributes["class"] for attributes in page.all("span") if "badge" in attributes.get("class", "")]
    for verdict in ("met", "not_met", "undecided", "unmeasurable"):
        assert f"badge {verdict}" in badges


def test_the_answer_comes_first_and_the_worst_test_before_others() -> None:
    page = page_of(*SOME)
    (title,) = [text for tag, text in page.texts if tag == "h1"]
    assert title == "1 expectation of 6 is not met and 2 could not be decided; 3 are met."
    names = [text for tag, text in page.texts if tag == "span" and text.startswith("test_")]
    assert names[0] == "test_a.py::"
    assert names[1] == "test_slow"
    assert "Try: Remove the lock." in page.text
    assert "Try: Run it on a quieter machine." in page.text


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        ([], "No test measured anything."),
        (["met"], "The expectation is met."),
        (["met", "met"], "All 2 expectations are met."),
        (["not_met"], "1 expectation of 1 is not met."),
        (["undecided", "met"], "1 expectation of 2 could not be decided; 1 is met."),
    ],
)
def test_the_answer_in_one_sentence(verdicts: list[Any], said: str) -> None:
    page = page_of(*(one(f"t::{number}", verdict=verdict) for number, verdict in enumerate(verdicts)))
    assert [text for tag, text in page.texts if tag == "h1"] == [said]


def test_it_needs_no_network_and_runs_no_script() -> None:
    text = render(run_of(*SOME), run_of(*SOME, created="2026-01-01T10:00:00Z", name="past"))
    page = Page(text)
    assert not page.all("script")
    assert not page.all("link")
    assert not page.all("img")
    for tag, attributes in page.tags:
        for name in ("src", "href", "xlink:href", "action", "data"):
            # A link to the documentation loads nothing until a reader follows it.
            there = ("#", f"{DOCUMENTATION}/") if tag == "a" else ("#",)
            assert attributes.get(name, "#").startswith(there)
        assert not any(name.startswith("on") for name in attributes)
    assert not re.search(r"url\((?!#)|@import|https?://", text.replace(DOCUMENTATION, ""))
    (policy,) = [one for one in page.all("meta") if one.get("http-equiv") == "Content-Security-Policy"]
    assert policy["content"].startswith("default-src 'none'")


def test_ids_are_unique_and_every_link_leads_somewhere() -> None:
    page = Page(render(run_of(*SOME), run_of(*SOME[::-1]), run_of(SOME[1])))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in page.tags:
        for name in ("href", "xlink:href"):
            if name in attributes and not attributes[name].startswith(DOCUMENTATION):
                assert attributes[name][1:] in ids
        for wanted in attributes.get("aria-labelledby", "").split():
            assert wanted in ids


def test_landmarks_headings_and_names_for_those_who_listen() -> None:
    page = page_of(*SOME)
    tags = [tag for tag, _ in page.tags]
    for landmark in ("header", "main", "nav", "footer", "h1", "title"):
        assert tags.count(landmark) == 1
    (root,) = page.all("html")
    assert root["lang"] == "en"
    levels = [int(tag[1]) for tag in tags if re.fullmatch("h[1-6]", tag)]
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels)), "no level is left out"
    for attributes in page.all("svg"):
        assert attributes["role"] == "img"
        assert attributes["aria-label"]
    for attributes in page.all("div"):
        if attributes.get("class") == "scale":
            assert attributes["role"] == "img"
            assert attributes["aria-label"]
    assert all(attributes.get("scope") in ("col", "row") for attributes in page.all("th"))
    assert page.all("a")[0]["href"] == "#main"


def test_both_colour_schemes_reach_the_charts() -> None:
    text = render(run_of(*SOME))
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text
    svgs = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert len(svgs) == 2, "the curve, and the interference"
    for svg in svgs:
        assert not re.search(r"#[0-9a-f]{6}\b", svg), "a colour that the style sheet does not know"
        assert "currentColor" in svg
        assert "<style" not in svg


HOSTILE = [
    "t.py::<script>alert(1)</script>",
    't.py::"><img src=x onerror=alert(1)>',
    "t.py::{{ 7 * 7 }} {% raw %}",
    "t.py::</title></style></article> & &amp;",
    "t.py::größe ☃ \x00 \u202e \udcff",
    "t.py::" + "x" * 10_000,
    "",
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_nothing_of_the_run_is_trusted(text: str) -> None:
    run = run_of(
        one(
            text,
            verdict="not_met",
            reason=text,
            finding=Finding(text, *[text] * 6),
            advice=text,
            hint=text,
            workers=text,
        ),
        one("t.py::b", arguments={text: text}, marker=text or "speedup", verdict="undecided"),
        name=text,
        created=text,
        regressions=[text],
    )
    run["environment"]["missing_readings"] = [text]
    run["environment"]["system"] = text
    run["records"][0]["arms"][0]["note"] = text
    run["records"][0]["arms"][0]["backend"] = text
    run["records"][0]["bound"]["evidence"] = text
    page = Page(render(run, {**run, "records": run["records"][:1]}))
    assert not page.all("script")
    assert not page.all("img")
    assert len(page.all("article")) == 2
    assert len(page.all("style")) == 1
    if text:
        shown = text if len(text) < 140 else text[:60]
        assert re.sub("[\x00\u202e\udcff]", "\ufffd", shown) in page.text.replace(":: ", "::")
    assert not re.search("[\x00\u202e\udcff]", page.text)


def test_a_very_long_id_is_cut_but_can_be_read() -> None:
    page = page_of(one("t.py::" + "x" * 10_000))
    long = [text for tag, text in page.texts if len(text) > 200 and tag != "style"]
    assert long == ["t.py::" + "x" * 10_000], "whole in one place only"
    assert "whole test id (10006 characters)" in page.text


def test_the_arms_stand_side_by_side_with_their_figures() -> None:
    text = page_of(one()).text
    assert "1 thread 500 us 9.50 ms 0 s 10 ms" in text
    assert "4 threads 500 us 9.40 ms not readable 2.50 ms" in text
    assert "Pinned." in text


def test_markers_of_one_test_share_the_arm_of_one_worker() -> None:
    page = page_of(one("t::a", outcome(arms=ARMS), outcome(arms=ARMS[:1])))
    rows = [text for tag, text in page.texts if tag == "th" and re.fullmatch(r"\d threads?", text)]
    assert rows == ["1 thread", "4 threads"]


def test_two_versions_are_named_by_their_order() -> None:
    arms = tuple(Arm("compare", 1, 1, (0.02,), (0.001,), None, (0.019,), "", ARMS[0].body) for _ in range(2))
    page = page_of(
        one("t::a", outcome(marker="compare", arms=arms, workers="2nd vs 1st", estimate=Estimate(3, 2.9, 3.1)))
    )
    assert "first version" in page.text
    assert "second version" in page.text
    assert "The second version is 3.00x as fast as the first." in page.text


def test_history_is_of_machines_like_this_one() -> None:
    now = run_of(one("t::a"), created="2026-01-03T10:00:00Z")
    past = run_of(one("t::a", estimate=Estimate(3.5, 3.4, 3.6)), created="2026-01-01T10:00:00Z")
    other = run_of(one("t::a", estimate=Estimate(9.0, 8.0, 9.9)), created="2026-01-02T10:00:00Z")
    other["environment"]["cpus_usable"] = 64.0
    page = Page(render(now, past, other, dict(now)))
    labels = [attributes["aria-label"] for attributes in page.all("svg")]
    assert "The figure over the runs, oldest first: 3.50x, 3.97x" in labels
    assert "this run after 1 earlier run of a machine like this one" in page.text
    assert "2 saved runs are left out" in page.text


def test_without_a_past_there_is_no_history() -> None:
    assert "over the runs" not in page_of(one()).text


@pytest.mark.parametrize("value", [0.0, -1.0, 1e-12, 1e12])
@pytest.mark.parametrize("unit", ["ratio", "share", "seconds"])
def test_odd_figures_draw_something(value: float, unit: str) -> None:
    odd = Estimate(value, value, value, unit)
    point = Point(2, odd, value, value, value, value, value, value, value)
    body = PerBody(value, value, value, value)
    arm = Arm("threads", 0, 0, (), (), None, (), "", body)
    run = run_of(
        one("t::a", outcome(estimate=odd, threshold=value, curve=(point, point), arms=(arm, arm))),
        one("t::b", outcome(estimate=odd, interference=Interference(value, value, value))),
    )
    run["environment"]["cpus_usable"] = value
    Page(render(run, {**run, "records": run["records"][1:]}, {**run, "records": run["records"][:1]}))


def test_a_run_of_an_older_version_lacks_some_properties() -> None:
    keep = ("marker", "arguments", "verdict", "reason", "estimate", "threshold", "rounds", "seconds")
    old = one("t.py::test_old")
    run = run_of({"nodeid": old["nodeid"], "expectations": [{name: old["expectations"][0][name] for name in keep}]})
    assert "test_old" in Page(render(run)).text


@pytest.mark.parametrize("name", ["jinja2", "matplotlib"])
def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    assert html.unavailable() is None
    monkeypatch.setitem(sys.modules, name, None)
    said = html.unavailable()
    assert said is not None
    assert name in said
    assert 'pip install "pytest-concurrency-perf[html]"' in said


EXPLORATION = {
    "target": "shop:fetch",
    "arguments": "'<i>'",
    "async": False,
    "use": "threads",
    "why": "threads. It waits.",
    "markers": ["@pytest.mark.expect_speedup(threads=4, at_least=3)"],
    "remarks": ["It prints."],
    "sides": [
        {"backend": "threads", "workers": 4, "speedup": {"value": 3.9, "low": 3.8, "high": 4.0, "unit": "ratio"}},
        {"backend": "processes", "workers": 4, "speedup": {"value": 3.0, "low": 2.9, "high": 3.1, "unit": "ratio"}},
        {"backend": "interpreters", "workers": 4, "speedup": None, "reason": "needs <Python> 3.14"},
    ],
}


def without_expectations() -> dict[str, Any]:
    return {**one("shop:fetch"), "expectations": []}


def test_a_record_without_expectations_shows_what_was_measured() -> None:
    page = page_of(without_expectations())
    assert "there is no verdict" in page.text
    assert without_expectations()["bound"]["evidence"][1:] in page.text
    assert "4 threads" in page.text
    assert "What else the machine did" in page.text or "Meanwhile" in page.text
    assert not [attributes for attributes in page.all("span") if "badge" in attributes.get("class", "")]


def test_a_record_without_expectations_comes_after_verdicts() -> None:
    page = page_of(without_expectations(), one("test_a.py::test_met"))
    assert [attributes["id"] for attributes in page.all("article")] == ["test-2", "test-1"]


def test_an_exploration_shows_every_tool_and_what_to_use() -> None:
    page = Page(render(run_of(without_expectations(), exploration=EXPLORATION)))
    assert [text for tag, text in page.texts if tag == "h1"] == ["4 threads make shop:fetch 3.90x as fast."]
    assert "4 threads use this 3.90x [3.80, 4.00] 98%" in page.text
    assert "4 processes 3.00x [2.90, 3.10] 75%" in page.text
    assert "4 interpreters Needs <Python> 3.14." in page.text
    assert "What to use: threads. It waits. Note: It prints." in page.text
    assert "fetch('<i>')" in page.text


@pytest.mark.parametrize("odd", [{}, [], {"target": "x", "sides": 3}, {**EXPLORATION, "sides": [{}]}])
def test_an_exploration_in_another_form_is_left_out(odd: Any) -> None:
    assert "shop:fetch" in Page(render(run_of(without_expectations(), exploration=odd))).text


COMPARISON = {
    "baseline": "base",
    "baseline_created": "2026-01-02T03:04:05Z",
    "tally": "2 compared: 1 unchanged, 1 regressed; 1 removed",
    "changes": [
        {
            "nodeid": "test_a.py::test_met",
            "kind": "regression",
            "is_regression": True,
            "text": "speedup, 4 threads: 3.90x -> <1.00x>",
        },
        {"nodeid": "test_old.py::test_gone", "kind": "gone", "is_regression": False, "text": "speedup, 2 threads: 2x"},
    ],
}


def test_a_test_that_is_met_and_slower_than_its_baseline_comes_first() -> None:
    page = Page(render(run_of(one("test_a.py::test_met"), one("test_a.py::test_b"), comparison=COMPARISON)))
    (title,) = [text for tag, text in page.texts if tag == "h1"]
    assert title == "1 test has regressed since base (2026-01-02). All 2 expectations are met."
    assert "Compared with base (2026-01-02) 2 compared: 1 unchanged, 1 regressed; 1 removed." in page.text
    assert "regressed test_a.py:: test_met Speedup, 4 threads: 3.90x -> <1.00x>." in page.text
    assert "removed test_old.py::test_gone" in page.text
    assert "1 regressed 2 \u2713 met" in page.text
    assert "#test-1" in [attributes["href"] for attributes in page.all("a")]


def test_bar_shows_a_regression_of_a_met_test_as_not_met() -> None:
    page = Page(render(run_of(one("test_a.py::test_met"), one("test_a.py::test_b"), comparison=COMPARISON)))
    bar = [(one["class"], one["style"]) for one in page.all("i") if one.get("style", "").startswith("flex-grow")]
    assert bar == [("not_met", "flex-grow:1"), ("met", "flex-grow:1")]


def test_a_comparison_without_a_loss_is_reported_and_no_headline() -> None:
    same = {**COMPARISON, "changes": [], "tally": "1 compared: 1 unchanged"}
    page = Page(render(run_of(one(), comparison=same)))
    assert [text for tag, text in page.texts if tag == "h1"] == ["The expectation is met."]
    assert "1 compared: 1 unchanged." in page.text


def test_a_merged_run_says_what_was_slower_in_its_parts() -> None:
    change = {"kind": "regression", "text": "whole", "headline": "slower than in base: 1.00x,\nand it was 3.90x."}
    record_ = one("test_a.py::test_a")
    record_["expectations"][0]["change"] = change
    page = Page(render(run_of(record_, regressions=["test_a.py::test_a", "test_b.py::test_b"])))
    assert "2 tests have regressed since its baseline." in page.text
    assert "Slower than in base: 1.00x, and it was 3.90x." in page.text
    assert "test_b.py::test_b" in page.text
