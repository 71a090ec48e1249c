"""The flame graph of sampled workers."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest

from pytest_concurrency.reports.page import flame


def profile(*stacks: tuple[list[int], int], names: tuple[str, ...] = ("test_body", "load", "run")) -> dict[str, Any]:
    frames = [{"name": name, "place": "a.py:1", "own": name != "run"} for name in names]
    samples = sum(amount for _, amount in stacks)
    stands = [{"where": "a.py:1 in load", "source": "", "inside": "", "share": 0.75}]
    found = {"mode": "gil", "workers": "4 threads", "samples": samples, "frames": frames, "stacks": stacks}
    return {"label": "test_body", "tool": "tachyon", "text": "the text", "flame": {**found, "stands": stands}}


def drawn(value: dict[str, Any]) -> ElementTree.Element:
    (found,) = flame.profiles_of({"profile": [value]})
    return ElementTree.fromstring(found.drawing)


def test_box_is_as_wide_as_its_share_and_below_its_caller() -> None:
    root = drawn(profile(([0, 1, 2], 3), ([0], 1)))
    boxes = {
        (group.findtext("title") or "").split()[0]: (float(rect.get("width") or 0), float(rect.get("y") or 0))
        for group in root
        for rect in group.iter("rect")
    }
    assert boxes["load"][0] == pytest.approx(0.75 * boxes["test_body"][0], abs=1)
    assert boxes["test_body"][1] < boxes["load"][1] < boxes["run"][1]
    assert [group.get("class") for group in root] == ["own", "own", "library"]


def test_words_say_the_same() -> None:
    (found,) = flame.profiles_of({"profile": [profile(([0, 1], 4))]})
    assert "under tachyon, while holding the GIL: 4 samples" in found.caption
    assert 'role="img" aria-label="Flame graph of 4 threads, 4 samples. Most: 75% a.py:1 in load"' in found.drawing


def test_names_are_escaped() -> None:
    root = drawn(profile(([0], 1), names=("<lambda> & <b>",)))
    assert (root[0].findtext("title") or "").startswith("<lambda> & <b>")


def test_deep_stacks_are_cut_and_tiny_boxes_left_out() -> None:
    stacks = [([0] * 3000, 5000), *(([1, number % 3], 1) for number in range(2000))]
    (found,) = flame.profiles_of({"profile": [profile(*stacks)]})
    assert len(found.drawing) < 30_000


def test_profile_without_samples_has_its_text_only() -> None:
    for value in ({**profile(), "flame": None}, profile(), {"label": "a", "text": "the text"}):
        (found,) = flame.profiles_of({"profile": [value]})
        assert (found.drawing, found.text) == ("", "the text")
    assert flame.profiles_of({}) == ()


def test_stacks_that_make_no_sense_are_left_out() -> None:
    root = drawn(profile(([0], 1), ([7], 5), ([1], 0)))
    assert [(group.findtext("title") or "") for group in root] == ["test_body (a.py:1): 100%"]
