"""Flame graphs of sampled workers: SVG, coloured by the page's style sheet."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pytest_concurrency.core.units import count, share

_WIDTH = 960.0
_ROW = 18.0
_MOST_ROWS = 48  # deeper frames are left out of the picture
_LEAST = 0.4  # width; narrower boxes are left out
_PER_SIGN = 6.3  # width of a letter
_SHORTEST = 4  # letters; a text with room for fewer is left out
_MODES = {"wall": "all the time", "cpu": "while on a CPU", "gil": "while holding the GIL"}


class Profiled(NamedTuple):
    """The profile of one test body: as text and, if workers were sampled, as a flame graph."""

    label: str
    text: str
    drawing: str  # SVG; empty if no worker was sampled
    caption: str


@dataclass
class _Box:
    """A frame, and the frames that it called in all stacks with the same callers."""

    frame: int
    samples: int = 0
    inner: dict[int, _Box] = field(default_factory=dict)


def profiles_of(record: Mapping[str, Any]) -> tuple[Profiled, ...]:
    """Return the profiles of a record."""
    return tuple(_profiled(profile) for profile in record.get("profile", ()))


def _profiled(profile: Mapping[str, Any]) -> Profiled:
    flame = profile.get("flame")
    if not flame or not flame["samples"]:
        return Profiled(profile["label"], profile["text"], "", "")
    caption = (
        f"Time of {flame['workers']} in an extra run under {profile['tool']}, "
        f"{_MODES.get(flame['mode'], flame['mode'])}: {count(flame['samples'], 'sample')}. "
        "Each box is a line of a function, as wide as its share of the samples; below it is what it called."
    )
    return Profiled(profile["label"], profile["text"], _draw(flame), caption)


def _draw(flame: Mapping[str, Any]) -> str:
    root = _tree(flame["stacks"], len(flame["frames"]))
    boxes = list(_boxes(root, flame["frames"], 0.0, 0, root.samples))
    deepest = max((depth for depth, _ in boxes), default=0)
    most = "; ".join(f"{share(stand['share'])} {stand['where']}" for stand in flame["stands"][:3])
    label = html.escape(f"Flame graph of {flame['workers']}, {count(flame['samples'], 'sample')}. Most: {most}")
    return (
        f'<svg viewBox="0 0 {_WIDTH:g} {(deepest + 1) * _ROW:g}" role="img" aria-label="{label}" class="chart flame">'
        f"{''.join(drawn for _, drawn in boxes)}</svg>"
    )


def _tree(stacks: Sequence[Sequence[Any]], known: int) -> _Box:
    root = _Box(-1)
    for frames, amount in stacks:
        if not amount or any(frame >= known for frame in frames):
            continue  # without this, a file from another source with unknown frames would raise an IndexError
        root.samples += amount
        box = root
        for frame in frames[:_MOST_ROWS]:
            box = box.inner.setdefault(frame, _Box(frame))
            box.samples += amount
    return root


def _boxes(
    box: _Box, frames: Sequence[Mapping[str, Any]], left: float, depth: int, whole: int
) -> Iterator[tuple[int, str]]:
    """Yield the boxes below a box, the widest first, each with the number of its row."""
    for inner in sorted(box.inner.values(), key=lambda one: -one.samples):
        width = _WIDTH * inner.samples / whole
        if width >= _LEAST:
            yield depth, _box(frames[inner.frame], inner.samples / whole, left, width, depth * _ROW)
            yield from _boxes(inner, frames, left, depth + 1, whole)
        left += width


def _box(frame: Mapping[str, Any], part: float, left: float, width: float, top: float) -> str:
    text = f"{frame['name']} ({frame['place']})"
    room = int((width - 8) / _PER_SIGN)
    shown = text if len(text) <= room else f"{text[: room - 1]}…" if room >= _SHORTEST else ""
    kind = "own" if frame["own"] else "library"
    written = f'<text x="{left + 4:.1f}" y="{top + _ROW / 2:.1f}">{html.escape(shown)}</text>' if shown else ""
    return (
        f'<g class="{kind}"><title>{html.escape(f"{text}: {share(part)}")}</title>'
        f'<rect x="{left:.1f}" y="{top:g}" width="{max(0.4, width - 0.6):.1f}" height="{_ROW - 1:g}"/>{written}</g>'
    )
