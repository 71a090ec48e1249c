"""A recipe as a pytest file that stands alone."""

from __future__ import annotations

import textwrap

from generated.cases import Case
from generated.library import FIXTURE, LIBRARY, LOCKS, SCALES, SERVING
from generated.recipes import Compute, Handed, Inside, Part, Recipe, Wait, flat


def module(cases: list[Case]) -> str:
    """One recipe's tests: what is named ``test_met_*`` must not fail, and what is named ``test_not_met_*`` not pass."""
    recipe = cases[0].recipe
    writer = _Writer(recipe)
    body = writer.body()
    parts = [f'"""{recipe.kind}, {recipe.workers} workers.\n\n{textwrap.fill(repr(recipe), 115)}\n"""', LIBRARY]
    parts += ["\nCALLS = itertools.count(1)\nLOCAL = threading.local()\n", *writer.globals]
    for how in sorted({part.how for part in flat(recipe.parts) if isinstance(part, Compute)} | {"python"}):
        parts.append(f"rate({how})\n")
    if any(isinstance(part, Wait) and part.how == "socket" for part in flat(recipe.parts)):
        parts.append(SERVING)
    if recipe.fixture != "none":
        pause, seconds = (0.01, 0.002) if recipe.fixture == "computes" else (0.001, 0.00002)
        parts.append(FIXTURE.format(pause=pause, seconds=seconds))
    parts.append(body)
    parts += [_test(number, case) for number, case in enumerate(cases)]
    return "\n".join(parts)


def _test(number: int, case: Case) -> str:
    recipe = case.recipe
    tasks = recipe.backend == "tasks"
    index = ", concurrency_worker" if recipe.vary == "index" else ""
    given = "concurrency_worker.index" if index else ""
    name = f"test_{case.label}_{number}"
    call = f"{'await ' if tasks else ''}body({given})"
    lines = [f"\n# {case.asked}: {case.label}, true {case.true.low:.3f} to {case.true.high:.3f}"]
    if tasks and recipe.loop in ("pytest-asyncio", "anyio", "trio"):
        lines.append(f"@pytest.mark.{'asyncio' if recipe.loop == 'pytest-asyncio' else 'anyio'}")
    if recipe.loop in ("anyio", "trio"):
        backend = "asyncio" if recipe.loop == "anyio" else "trio"
        lines.append(f'@pytest.mark.parametrize("anyio_backend", ["{backend}"])')
        index += ", anyio_backend"
    spelled = [(recipe.backend if key == "counts" else key, value) for key, value in case.arguments]
    arguments = ", ".join([*(f"{key}={value!r}" for key, value in spelled), *_place(case)])
    if recipe.setup and case.marker == "expect_speedup":
        method, threshold = case.arguments[0]
        place = ", ".join(_place(case))
        awaited = "await " if tasks else ""
        measured = f"concurrency.speedup(with_input, setup=setup, {place}).{method}({threshold})"
        lines.append(f"{'async ' if tasks else ''}def {name}(concurrency{index}):")
        lines.append(f"    assert {awaited}{measured}")
        return "\n".join(lines) + "\n"
    lines.append(f"@pytest.mark.{case.marker}({arguments})")
    lines.append(f"{'async ' if tasks else ''}def {name}({index.removeprefix(', ')}):")
    lines.append(f"    {call}")
    return "\n".join(lines) + "\n"


def _place(case: Case) -> list[str]:
    recipe = case.recipe
    if case.marker not in ("expect_speedup", "expect_io_bound"):
        return []
    if recipe.backend.startswith("executor"):
        pool = "ThreadPoolExecutor" if recipe.backend.endswith("threads") else "ProcessPoolExecutor"
        return [f"executor={pool}", f"workers={recipe.workers}"]
    return [f"{recipe.backend}={recipe.workers}"]


class _Writer:
    """Writes the body, and collects what it needs at the top of the module."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.globals: list[str] = []
        self.functions = 0
        self.trio = recipe.loop == "trio"
        self.tasks = recipe.backend == "tasks"

    def body(self) -> str:
        recipe = self.recipe
        scale = SCALES[recipe.vary].format(factor=recipe.factor, every=recipe.every, most=max(1, recipe.workers - 1))
        lines = ["\ndef scale(index):", textwrap.indent(scale, "    "), ""]
        inner = self.steps(recipe.parts, self.tasks)
        lines += self.helpers
        lines += [f"\n{'async ' if self.tasks else ''}def body(index=0):", "    factor = scale(index)"]
        lines += [f"    {line}" for line in inner]
        if recipe.setup:
            lines += ["\n\ndef setup():", f"    compute(python, {recipe.setup})", ""]
            prefix, awaited = ("async ", "await ") if self.tasks else ("", "")
            lines += [f"\n{prefix}def with_input(given):", f"    {awaited}body()", ""]
        return "\n".join(lines)

    helpers: list[str]

    def steps(self, parts: tuple[Part, ...], tasks: bool) -> list[str]:
        if not hasattr(self, "helpers"):
            self.helpers = []
        return [line for part in parts for line in self._step(part, tasks)]

    def _step(self, part: Part, tasks: bool) -> list[str]:
        if isinstance(part, Compute):
            return [f"compute({part.how}, {part.seconds} * factor)"]
        if isinstance(part, Wait):
            return self._wait(part, tasks)
        if isinstance(part, Inside):
            name, prefix = self._lock(part, tasks)
            with_ = "async with" if prefix else "with"
            return [f"{with_} {name}:", *(f"    {line}" for line in self.steps(part.parts, tasks))]
        return self._handed(part)

    def _wait(self, part: Wait, tasks: bool) -> list[str]:
        seconds = f"{part.seconds} * factor"
        if not tasks or part.blocking:
            return [f"{'time.sleep' if part.how == 'sleep' else f'wait_{part.how}'}({seconds})"]
        if self.trio:
            self._import("trio")
            return [f"await trio.sleep({seconds})"]
        if part.how == "subprocess":
            return [f'await (await asyncio.create_subprocess_exec("sleep", str({seconds}))).wait()']
        if part.how == "queue":
            return [
                "with contextlib.suppress(asyncio.TimeoutError):",
                f"    await asyncio.wait_for(asyncio.Queue().get(), {seconds})",
            ]
        return [f"await asyncio.sleep({seconds})"]

    def _import(self, name: str) -> None:
        line = f'{name} = pytest.importorskip("{name}")\n'
        if line not in self.globals:
            self.globals.append(line)

    def _lock(self, part: Inside, tasks: bool) -> tuple[str, bool]:
        name = f"LOCK_{len(self.globals)}"
        if tasks:
            library = "trio" if self.trio else "asyncio"
            if self.trio:
                self._import("trio")
            made = f"Semaphore({part.size})" if part.what in ("semaphore", "pool") else f"{part.what.capitalize()}()"
            # asyncio's locks belong to the loop that first waits for them, and a session may run several.
            self.globals.append(f"@functools.cache\ndef {name.lower()}(loop):\n    return {library}.{made}\n")
            loop = "trio.lowlevel.current_trio_token()" if self.trio else "asyncio.get_running_loop()"
            return f"{name.lower()}({loop})", True
        self.globals.append(f"{name} = {LOCKS[part.what].format(size=part.size)}\n")
        if part.what == "pool":
            return f"pooled({name})", False
        return (f"file_lock({name})" if part.what == "file lock" else name), False

    def _handed(self, part: Handed) -> list[str]:
        if part.where == "child process":
            return [f"child({self._code(part.parts)})"]
        self.functions += 1
        name = f"helper_{self.functions}"
        inner = self.steps(part.parts, tasks=False)
        self.helpers += [f"\ndef {name}(factor):", *(f"    {line}" for line in inner), ""]
        call = f"functools.partial({name}, factor)"
        if part.where == "to_thread":
            if self.trio:
                self._import("trio")
            return [f"await {'trio.to_thread.run_sync' if self.trio else 'asyncio.to_thread'}({call})"]
        if part.where == "lasting pool":
            return [f"lasting_pool(os.getpid(), {self.functions}, {part.number}).submit({call}).result()"]
        return [f"{'in_threads' if part.where == 'threads' else 'in_executor'}({part.number}, {call})"]

    def _code(self, parts: tuple[Part, ...]) -> str:
        """What a child does, as the expression of a string; locks of this process are none of its."""
        steps = ["import hashlib, time"]
        for part in flat(parts):
            if isinstance(part, Wait):
                steps.append(f"time.sleep({{{part.seconds} * factor}})")
            elif isinstance(part, Compute) and part.how == "frees":
                steps.append(
                    f"hashlib.pbkdf2_hmac('sha256', b'a', b'b', max(1, int({{rate(frees) * {part.seconds} * factor}})))"
                )
            elif isinstance(part, Compute):
                self.globals += [line for line in ("rate(frees)\n",) if line not in self.globals]
                steps.append(f"[None for _ in range(int({{rate(python) * {part.seconds} * factor}}))]")
        return f'f"{"; ".join(steps)}"'
