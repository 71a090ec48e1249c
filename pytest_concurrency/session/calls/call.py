"""One call of the ``concurrency`` fixture: how it is measured, on which event loop, and who gets the outcome."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pytest_concurrency.backends.event_loops.borrowed_loop import BorrowedLoop
from pytest_concurrency.core.errors import BadArgument
from pytest_concurrency.core.outcomes import Outcome
from pytest_concurrency.instruments import loop_monitor
from pytest_concurrency.machine.running_loop import in_loop
from pytest_concurrency.session import async_plugins

__tracebackhide__ = True  # pytest shows a failure at the line of the test


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the fixture: how it is measured, and who gets the outcome.

    ``decide`` takes the threshold by its keyword, and the event loop to measure on, if that is the test's own.
    ``report`` receives every outcome, and the earlier one that it replaces, if any. ``follow`` returns whether an
    outcome counts as met, or skips or fails the test, as the undecided policy says.
    """

    name: str  # the method's
    functions: str  # the names of what is measured
    is_async: bool
    decide: Callable[[Mapping[str, float], BorrowedLoop | None], Outcome]
    report: Callable[..., None]
    follow: Callable[[Outcome], bool]
    explain: Callable[[Outcome], None]
    guests: list[BorrowedLoop]  # the event loops that the test's fixture measures on at this moment: one at most
    made_on_loop: bool = field(default_factory=in_loop)

    @property
    def spelled(self) -> str:
        """The call as its author may have written it."""
        return f"concurrency.{self.name}({self.functions}{'' if self.name == 'compare' else ', ...'})"

    @property
    def belongs_on_loop(self) -> bool:
        """Whether what is measured belongs on an event loop that runs, or ran when the call was made."""
        return self.is_async and (self.made_on_loop or in_loop())

    @property
    def must_be_awaited(self) -> bool:
        """Whether what is measured belongs on the event loop that runs at this moment."""
        return self.is_async and in_loop()

    def decided(self, threshold: Mapping[str, float]) -> Outcome:
        """Measure in the thread that calls this."""
        with loop_monitor.pause():  # it blocks the loop of an async test, and that is no fault of the test
            return self.decide(threshold, None)

    async def decided_on_loop(self, threshold: Mapping[str, float]) -> Outcome:
        """Measure on the event loop that runs this, controlled by a separate thread.

        :raises BadArgument: another measurement is running on it.
        """
        loop = await async_plugins.borrowed_loop()
        found: list[Outcome] = []
        if self.guests:
            raise BadArgument(
                f"{self.spelled} was awaited while another measurement runs, on the same event loop, and each would "
                "slow the other down. Await one after the other, not in asyncio.gather()."
            )
        self.guests.append(loop)
        try:
            with loop_monitor.pause():  # the measured function may block the loop, as its threshold says
                await loop.serve(lambda: found.append(self.decide(threshold, loop)))
        finally:
            self.guests.remove(loop)
        return found[0]
