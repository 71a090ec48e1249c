"""Which calls release the GIL: well-known calls of the standard library and of packages, measured one by one.

    python benchmarks/observatory.py                     measure every call, and make the page
    python benchmarks/observatory.py --only json.loads   measure one call again; may be repeated
    python benchmarks/observatory.py --render            make the page of the data that is there
    python benchmarks/observatory.py --list              show the names of the calls

Each call runs in a process of its own, with a time limit. A package that is not installed, and a call that raises or
hangs, is a row that says so. A run that is stopped goes on where it was: its rows are in
benchmarks/results/observatory.part.jsonl, which takes the place of observatory.jsonl when each call has a row. Run it
on a machine that does nothing else; it takes about ten minutes.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import difflib
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from observatory import cells, measure, page, registry
from observatory.registry import Call

from pytest_concurrency.core.errors import CommandError
from pytest_concurrency.machine.cpus import environment

LIMIT = 60.0  # seconds for one call, with its imports
_LONGEST = 300  # characters of an error that a row keeps

Row = dict[str, Any]


def row_of(name: str, call: Call, limit: float) -> Row:
    """Measure one call in a process of its own; whatever happens, return a row."""
    today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    facts = {"name": name, "measured": today, "versions": call.versions(), "environment": machine()}
    if missing := call.missing():
        return {**facts, "state": "not installed", "error": f"not installed: {', '.join(missing)}"}
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="observatory-") as folder:
        found = _in_process(call, Path(folder), limit)
    return {**facts, **found, "seconds": round(time.monotonic() - begun, 1)}


def _in_process(call: Call, folder: Path, limit: float) -> Row:
    answer = folder / "row.json"
    command = [sys.executable, __file__, "--measure", call.name, str(answer)]
    # What a call writes goes below this folder, and is removed with it.
    around = {**os.environ, **call.environment, "TMPDIR": str(folder)}
    with (folder / "output").open("w+", errors="replace") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=around, start_new_session=True)
        try:
            process.wait(limit)
        except subprocess.TimeoutExpired:
            return {"state": "hung", "error": f"no result after {limit:g} s"}
        finally:
            _end(process)
        if answer.exists():
            return dict(json.loads(answer.read_text()))
        output.seek(0)
        said = output.read().strip() or f"the process ended with status {process.returncode}"
        return {"state": "error", "error": _last(said)}


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process, and the workers and servers that it may have left."""
    with contextlib.suppress(ProcessLookupError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:  # Windows
            process.kill()
    process.wait()


def measure_here(call: Call, answer: Path) -> None:
    try:
        row = measure.measure(call)
    except CommandError as error:  # its last line is the one of the call's own traceback
        row = {"state": "error", "error": _last(str(error))}
    except Exception as error:
        row = {"state": "error", "error": _last(f"{type(error).__name__}: {error}")}
    answer.write_text(json.dumps(row))


def _last(text: str) -> str:
    """The last line of an error, without the folder in which the checkout lies."""
    lines = text.strip().splitlines() or [""]
    return lines[-1].replace(str(Path.cwd()), ".")[:_LONGEST]


def machine() -> Row:
    """What a reader has to know of the machine to compare figures."""
    facts = environment()
    kept = ("python", "implementation", "gil", "system", "machine", "cpus_usable", "cores")
    return {**{name: facts[name] for name in kept}, "processor": processor()}


def processor() -> str:
    """The name of the processor, where the system says it."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def read(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def write(path: Path, rows: list[Row]) -> None:
    """Write all rows at once: a run that is stopped here leaves the old file."""
    new = path.with_suffix(".new")
    new.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    new.replace(path)


def show(number: str, row: Row) -> None:
    print(f"{number} {row['name']:33.33} {cells.in_a_line(row)}", flush=True)


def measure_all(calls: dict[str, Call], data: Path, limit: float) -> None:
    part = data.with_suffix(".part.jsonl")
    part.parent.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    done = unfinished(part, calls)
    if done:
        print(f"going on with a run that was stopped: {len(done)} of {len(calls)} calls are in {part.name}")
    for number, (name, call) in enumerate(calls.items(), 1):
        if name in done:
            continue
        done[name] = row_of(name, call, limit)
        with part.open("a", encoding="utf-8") as file:
            file.write(json.dumps(done[name]) + "\n")
        show(f"{number:3}/{len(calls)}", done[name])
    write(data, [done[name] for name in calls])
    part.unlink()
    print(f"{len(calls)} calls took {(time.monotonic() - begun) / 60:.1f} min")


def unfinished(part: Path, calls: dict[str, Call]) -> dict[str, Row]:
    """The rows of a run that was stopped, of the same machine, interpreter and packages."""
    found = {}
    here = machine()
    for line in part.read_text(encoding="utf-8").splitlines() if part.exists() else ():
        with contextlib.suppress(ValueError):  # the run was stopped while it wrote this line
            row = json.loads(line)
            call = calls.get(row["name"])
            if call is not None and (row["environment"], row["versions"]) == (here, call.versions()):
                found[row["name"]] = row
    return found


def measure_some(names: list[str], calls: dict[str, Call], data: Path, limit: float) -> None:
    """Measure calls again, and put their rows in the place of those that are there."""
    rows = {row["name"]: row for row in read(data)}
    for number, name in enumerate(names, 1):
        rows[name] = row_of(name, calls[name], limit)
        show(f"{number:3}/{len(names)}", rows[name])
        write(data, [rows[each] for each in calls if each in rows])


def known(parser: argparse.ArgumentParser, name: str, calls: dict[str, Call]) -> str:
    if name not in calls:
        near = difflib.get_close_matches(name, calls, n=3)
        hint = f"Did you mean {' or '.join(map(repr, near))}?" if near else "--list shows the names."
        parser.error(f"there is no call {name!r}. {hint}")
    return name


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", metavar="NAME", help="measure this call; may be repeated")
    parser.add_argument("--render", action="store_true", help="make the page and the picture, and measure nothing")
    parser.add_argument("--list", action="store_true", help="show the names of the calls")
    parser.add_argument("--data", type=Path, default=page.DATA, metavar="PATH", help="where the rows are")
    parser.add_argument("--limit", type=float, default=LIMIT, metavar="SECONDS", help="for one call [%(default)g]")
    parser.add_argument("--measure", nargs=2, metavar=("NAME", "PATH"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    calls = registry.load()
    if options.measure:
        measure_here(calls[options.measure[0]], Path(options.measure[1]))
        return
    if options.list:
        print("\n".join(f"{name:38} {call.work}" for name, call in calls.items()))
        return
    try:
        run(options, calls, parser)
    except KeyboardInterrupt:
        sys.exit("\nstopped. The same command goes on from here.")


def run(options: argparse.Namespace, calls: dict[str, Call], parser: argparse.ArgumentParser) -> None:
    if options.only:
        measure_some([known(parser, name, calls) for name in options.only], calls, options.data, options.limit)
    elif not options.render:
        measure_all(calls, options.data, options.limit)
    rows = read(options.data)
    if not any(cells.measured(row) for row in rows):
        parser.error(
            f"{options.data} has no call that was measured, so there is no page to make. Run it without --render."
        )
    if options.data == page.DATA:
        page.write(rows)


if __name__ == "__main__":
    main()
