"""The gauges of one test: the arguments of ``concurrency.in_flight()``, and the check when the test ends."""

from __future__ import annotations

from pytest_concurrency.core.errors import BadArgument
from pytest_concurrency.core.units import parse_duration
from pytest_concurrency.instruments.gauge import Gauge
from pytest_concurrency.instruments.rendezvous import Rendezvous

__tracebackhide__ = True  # pytest shows a failure at the line of the test


class Gauges:
    """Makes gauges, and closes those that make workers wait."""

    def __init__(self, label: str, in_measured_test: bool = False) -> None:
        self.plain: Gauge = Gauge()
        self._label = label
        self._in_measured_test = in_measured_test
        self._meetings: list[Rendezvous] = []

    def make(self, meet: int | None, limit: int | None, timeout: float | str) -> Rendezvous:
        """Return a new rendezvous.

        :raises BadArgument: an argument has no meaning.
        """
        arguments = ", ".join(f"{name}={value!r}" for name, value in (("meet", meet), ("limit", limit)) if value)
        title = f"concurrency.in_flight({arguments})"
        _check_count(title, "meet", meet, 2, "a meeting needs two at least: write meet=2 or more, or in_flight()")
        _check_count(title, "limit", limit, 1, "write limit=1 or more")
        if meet is not None and limit is not None and meet > limit:
            raise BadArgument(f"{title}: more would have to meet than may be inside. Give a meet= of at most limit=.")
        try:
            seconds = parse_duration(timeout)
        except ValueError as error:
            raise BadArgument(f"{title}: timeout={error}.") from None
        meeting = Rendezvous(title, meet or limit or 0, limit, seconds, self._label, self._in_measured_test)
        self._meetings.append(meeting)
        return meeting

    def complaint(self) -> str | None:
        """Return why a test fails after its body has ended: a meeting did not take place, or a limit was exceeded."""
        return next((why for meeting in self._meetings if (why := meeting.complaint()) is not None), None)

    def close(self) -> None:
        """Free all workers that still wait."""
        for meeting in self._meetings:
            meeting.close()


def _check_count(title: str, name: str, value: object, least: int, instead: str) -> None:
    if value is None:
        return
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise BadArgument(f"{title}: {name}={value!r} cannot be used: {instead}.")
