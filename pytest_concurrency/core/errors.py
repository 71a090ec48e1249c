"""What can go wrong, in the words that the user reads."""

from __future__ import annotations

_WIDTH = 72  # pytest indents what it shows of an exception by eight columns of eighty


class ConcurrencyError(Exception):
    """Base class of every error that this plugin raises on purpose."""


class BadArgument(ConcurrencyError):
    """A marker, a fixture call or an option was written in a way that has no meaning.

    The message names what was written, where, why it cannot be used and what can be. It is broken into lines, as pytest
    shows the error of a call in one line of any length.
    """

    def __str__(self) -> str:
        from pytest_concurrency.core.text import in_lines  # a session that measures nothing loads this module

        name = f"{type(self).__module__}.{type(self).__qualname__}: "  # what pytest puts before the first line
        return "\n".join(in_lines(self.why, _WIDTH, first=" " * len(name))).lstrip()

    @property
    def why(self) -> str:
        """The message in one line."""
        return super().__str__()


class CannotMeasure(ConcurrencyError):
    """This machine or interpreter cannot show what was asked for; becomes *unmeasurable*.

    ``why`` says what is missing, and ``try_next`` what to do about it; empty if nothing but another machine helps.
    """

    def __init__(self, why: str, try_next: str = "") -> None:
        from pytest_concurrency.core.text import sentence  # a session that measures nothing loads this module

        super().__init__(f"{why}. {sentence(try_next)}" if try_next else why)
        self.why = why
        self.try_next = try_next


class WorkerLost(ConcurrencyError):
    """A worker could not start, died, hung or answered with something that is not an answer.

    ``round`` is the round in which it happened; 0 while workers were warmed up, None if that is not known.
    """

    round: int | None = None


class NotPicklable(ConcurrencyError):
    """The body, or a fixture value that it uses, cannot be sent to another process."""


class ExpectationNotMet(AssertionError):
    """The measured code is not as concurrent as its test expects: the message says figure, requirement and cause.

    ``summary`` is the message in one line, for a log's list of failures.
    """

    summary: str = ""


class UndecidedExpectation(AssertionError):
    """There was no verdict within ``max_time``, and ``undecided="fail"`` was asked for."""


class CommandError(ConcurrencyError):
    """A command of the console script cannot do what it was asked; exit status 2."""


class UnreadableRun(CommandError):
    """A file is not a run, or not one that this version can read. The message names the file and the reason."""


# Users import these from the package. Without this, pytest would begin their messages with half a line of module names.
for _error in (
    ConcurrencyError,
    BadArgument,
    CannotMeasure,
    WorkerLost,
    NotPicklable,
    ExpectationNotMet,
    UndecidedExpectation,
    CommandError,
    UnreadableRun,
):
    _error.__module__ = "pytest_concurrency"
