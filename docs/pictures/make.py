"""Draw the diagrams of the documentation: ``python docs/pictures/make.py``.

Each diagram is a function that returns SVG elements. Colours work on a light and on a dark page.
"""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape

FOLDER = Path(__file__).parent
WAIT, COMPUTE, LOCK, GOOD, BAD, GREY = "#4c8bc0", "#d9822b", "#b3442e", "#2e8b57", "#b3442e", "#8a8f98"


def text(x: float, y: float, words: str, size: int = 13, anchor: str = "start", weight: str = "normal") -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size}" text-anchor="{anchor}" font-weight="{weight}">'
        f"{escape(words)}</text>"
    )


def box(x: float, y: float, width: float, height: float, colour: str, opacity: float = 1.0) -> str:
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="3" fill="{colour}" '
        f'fill-opacity="{opacity:g}"/>'
    )


def line(x1: float, y1: float, x2: float, y2: float, colour: str = GREY, dash: str = "") -> str:
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" stroke="{colour}" stroke-width="1.5"{dashed}/>'


def drawing(title: str, width: int, height: int, *elements: str) -> str:
    """The text of an SVG file; its title is what a screen reader says."""
    # The text takes the colour that suits the reader's light or dark page.
    style = (
        "<style>text{font-family:system-ui,sans-serif;fill:#24292f}"
        "@media (prefers-color-scheme:dark){text{fill:#e6e6e6}}</style>"
    )
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img">'
    return "\n".join([head, f"<title>{escape(title)}</title>", style, *elements, "</svg>", ""])


def write(name: str, title: str, width: int, height: int, *elements: str) -> None:
    (FOLDER / f"{name}.svg").write_text(drawing(title, width, height, *elements), encoding="utf-8")


def lanes(parts: list[list[tuple[float, float, str]]], note: str) -> list[str]:
    """Four threads, each with its parts: (start, end, colour) in units of one call."""
    elements = [text(0, 16, note, weight="bold")]
    for number, lane in enumerate(parts):
        y = 32 + 30 * number
        elements.append(text(0, y + 15, f"thread {number + 1}"))
        elements += [box(80 + 130 * start, y, 130 * (end - start) - 3, 20, colour) for start, end, colour in lane]
    bottom = 32 + 30 * len(parts) + 8
    elements += [line(80, bottom, 610, bottom), text(624, bottom + 4, "time")]
    elements += [text(80 + 130 * call, bottom + 18, f"{call}", anchor="middle") for call in range(5)]
    return elements


def timelines() -> None:
    write(
        "timeline-waiting",
        "Four threads wait at the same time; all are done after the time of one call.",
        660,
        190,
        *lanes([[(0, 1, WAIT)] for _ in range(4)], "Waiting: 4 threads are done after the time of 1 call (4x)"),
    )
    computing = [
        [(start + thread * 0.25, start + thread * 0.25 + 0.25, COMPUTE) for start in (0, 1, 2, 3)]
        for thread in range(4)
    ]
    write(
        "timeline-gil",
        "Four threads compute in turns, because only one at a time holds the GIL.",
        660,
        190,
        *lanes(computing, "Computing under the GIL: 4 threads take as long as 4 calls (1x)"),
    )
    locked = [([(0, thread, "#c9ccd1")] if thread else []) + [(thread, thread + 1, LOCK)] for thread in range(4)]
    write(
        "timeline-lock",
        "Four threads wait for one lock; each gets it after the one before.",
        660,
        190,
        *lanes(locked, "Waiting inside one lock: serialized (1x)"),
    )


def margin() -> None:
    def at(value: float) -> float:
        return 40 + (value - 1) * 180

    elements = [
        text(0, 18, "at_least=3, margin=0.25", weight="bold"),
        box(at(1), 40, at(2.4) - at(1), 26, BAD, 0.75),
        box(at(2.4), 40, at(3) - at(2.4), 26, GREY, 0.6),
        box(at(3), 40, at(4) - at(3), 26, GOOD, 0.8),
        text((at(1) + at(2.4)) / 2, 58, "not met", anchor="middle"),
        text((at(2.4) + at(3)) / 2, 58, "either", anchor="middle"),
        text((at(3) + at(4)) / 2, 58, "met", anchor="middle"),
    ]
    for value, label in ((1, "1x"), (2.4, "2.4x"), (3, "3x"), (4, "4x")):
        elements += [line(at(value), 66, at(value), 74), text(at(value), 90, label, anchor="middle")]
    for low, high, y, colour, words in (
        (1.0, 1.3, 112, BAD, "not met"),
        (2.5, 2.8, 136, GREY, "undecided: inside the margin"),
        (3.6, 3.95, 160, GOOD, "met"),
    ):
        elements += [line(at(low), y, at(high), y, colour), box(at(low), y - 4, at(high) - at(low), 8, colour)]
        side = at(high) + 10 if high < 3.5 else at(low) - 10
        elements.append(text(side, y + 4, words, anchor="start" if high < 3.5 else "end"))
    write(
        "margin",
        "The number line of the margin: below 2.4 fails, above 3 passes, in between either.",
        640,
        180,
        *elements,
    )


def one_round() -> None:
    elements = [text(0, 18, "One round", weight="bold"), text(0, 52, "serial run"), text(0, 92, "concurrent run")]
    elements += [box(130, 38, 110, 20, WAIT), text(250, 53, "1 worker, 1 call: 10 ms", 12)]
    for worker in range(4):
        elements.append(box(130, 78 + worker * 16, 118 if worker != 2 else 160, 12, WAIT))
    elements += [
        box(248, 110, 42, 12, GREY),
        text(300, 121, "run-queue delay: another program had the CPU", 12),
        text(0, 172, "4 calls at once took"),
        line(290, 150, 290, 164, BAD),
        text(300, 163, "14.5 ms with that delay: at least 2.8x (pessimistic)", 12),
        line(248, 166, 248, 180, GOOD),
        text(300, 180, "10.7 ms without it: at most 3.7x (optimistic)", 12),
    ]
    write(
        "round", "One round: a serial run and a concurrent run, and the two bounds of the speedup.", 640, 196, *elements
    )


def scaling() -> None:
    def x(workers: float) -> float:
        return 60 + (workers - 1) * 70

    def y(speedup: float) -> float:
        return 230 - (speedup - 1) * 27

    measured = [(1, 1.0), (2, 1.9), (4, 3.3), (8, 4.6)]
    path = " ".join(f"{x(workers):g},{y(speedup):g}" for workers, speedup in measured)
    elements = [
        text(0, 16, "Scaling: speedup by number of workers", weight="bold"),
        line(x(1), y(1), x(8), y(8), GREY, "6 4"),
        text(x(8) - 8, y(8) + 4, "ideal", anchor="end"),
        f'<polyline points="{path}" fill="none" stroke="{WAIT}" stroke-width="2.5"/>',
        line(x(1), y(1), x(8), y(1)),
        line(x(1), y(1), x(1), y(8)),
    ]
    for workers, speedup in measured:
        elements += [
            f'<circle cx="{x(workers):g}" cy="{y(speedup):g}" r="4" fill="{WAIT}"/>',
            text(x(workers) + 6, y(speedup) + 16, f"{speedup:g}x", 12),
            text(x(workers), y(1) + 18, str(workers), anchor="middle"),
        ]
    elements.append(text(x(8), y(1) + 36, "workers", anchor="end"))
    write("scaling", "A scaling curve with its ideal line: 8 workers are 4.6x as fast as one.", 640, 280, *elements)


def which_tool() -> None:
    def question(x: float, y: float, words: str) -> str:
        return (
            f'<rect x="{x - 95:g}" y="{y - 17:g}" width="190" height="34" rx="17" fill="none" stroke="{GREY}" '
            f'stroke-width="1.5"/>' + text(x, y + 5, words, anchor="middle")
        )

    def answer(x: float, y: float, words: str, colour: str) -> str:
        return box(x - 70, y - 16, 140, 32, colour, 0.25) + text(x, y + 5, words, anchor="middle")

    elements = [
        question(320, 30, "What takes the time?"),
        line(270, 47, 170, 83),
        text(196, 62, "waiting", anchor="end"),
        line(370, 47, 470, 83),
        text(446, 62, "computing"),
        question(160, 100, "Do the waits overlap?"),
        question(480, 100, "Does it hold the GIL?"),
        line(120, 117, 85, 163),
        text(92, 140, "yes", anchor="end"),
        line(200, 117, 245, 163),
        text(230, 136, "no"),
        line(440, 117, 405, 163),
        text(412, 136, "no", anchor="end"),
        line(520, 117, 555, 163),
        text(548, 140, "yes"),
        answer(85, 180, "threads or asyncio", GOOD),
        answer(250, 180, "remove the lock", BAD),
        answer(402, 180, "threads", GOOD),
        answer(556, 180, "processes", COMPUTE),
    ]
    write("which-tool", "Decision tree: does it wait, do the waits overlap, does it hold the GIL?", 640, 210, *elements)


if __name__ == "__main__":
    timelines()
    margin()
    one_round()
    scaling()
    which_tool()
