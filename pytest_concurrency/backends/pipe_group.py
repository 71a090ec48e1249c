"""Base class of back-ends whose workers receive batches and return readings as messages over pipes."""

from __future__ import annotations

import abc
import contextlib
import pickle
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from typing import ClassVar

from pytest_concurrency.backends import pipe_main
from pytest_concurrency.backends.base import Hung, WorkerGroup, raised_by
from pytest_concurrency.backends.batch import LEFT_BEHIND, SAYING_SO
from pytest_concurrency.backends.framing import Garbage, Inbox, Watch
from pytest_concurrency.backends.serialization import Answer, exception_of
from pytest_concurrency.core.errors import WorkerLost
from pytest_concurrency.core.leftovers import Leftover, merged
from pytest_concurrency.core.model import Reading, Sample
from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.verdicts import worker_errors

__tracebackhide__ = True  # pytest shows a failure at the line of the test

_START = 60.0  # seconds that a worker gets to import the test's modules
_LOOK = 1.0  # seconds without an answer after which the session checks that the workers are alive
# What to try about a lost worker.
CLOSES_FILES = "look for code in the body that closes file descriptors that it has not opened."
_WRITES_FILES = "look for code in the body that writes to file descriptors that it has not opened."


class PipeWorkers(WorkerGroup):
    """Sends batches and waits for the answers. Subclasses define what the workers are, and how they end."""

    backend: ClassVar[str]
    one_interpreter = False

    def __init__(self) -> None:
        self._pipes: list[Connection] = []
        self._inboxes: list[Inbox] = []
        self._watch = Watch()
        self._lost = False
        self._used: dict[int, float] = {}  # CPU time of each worker's process so far

    @property
    def workers_cpu(self) -> float:
        """CPU time of the workers' processes, as of the last answer of each."""
        return sum(self._used.values())

    @abc.abstractmethod
    def _ended(self, index: int) -> bool:
        """Whether a worker has ended."""

    @abc.abstractmethod
    def _removed(self, index: int, workers: int, when: str = "while it ran the body") -> WorkerLost:
        """Return an error that says how and where a worker ended, and what to look for."""

    @abc.abstractmethod
    def _stack_location(self, waited_for: set[int], workers: int) -> list[str]:
        """Return the stack location of each worker in ``waited_for``; the others have finished."""

    def run(self, workers: int, loops: int, deadline: float, job: str = "body", turns: int = 1) -> Sample:
        """Run one batch on the first ``workers``; ``deadline`` is in seconds."""
        assert not self._lost, "a worker group that has lost a worker cannot be used again"
        readings: list[Reading] = []
        task = job, loops, workers, turns, self.reads_helpers_delay
        try:
            answers = self._asked(workers, task, deadline)
        except Hung as hung:
            if hung.errors:
                raise raised_by(hung.errors, self.backend, workers, hung.places) from None
            raise
        if errors := _errors_in(dict(enumerate(answers))):
            raise raised_by(errors, self.backend, workers)
        for index, answer in enumerate(answers):
            assert answer.reading is not None
            self._used[index] = answer.used
            readings.append(answer.reading)
        return Sample(loops, tuple(readings))

    def left_behind(self) -> Sequence[Leftover]:
        workers = len(self._pipes)
        answers = self._asked(workers, (LEFT_BEHIND, 1, workers, 1, False), SAYING_SO)
        return merged(leftover for answer in answers for leftover in answer.left)

    def _asked(self, workers: int, task: tuple[str, int, int, int, bool], deadline: float) -> list[Answer]:
        """Send one task to the first ``workers``, and return their answers."""
        message = pickle.dumps(task)
        for index in range(workers):
            try:
                self._pipes[index].send_bytes(message)
            except OSError:
                raise self._lose(index, workers, "while it waited for work") from None
        try:
            return self._answers(workers, deadline)
        except BaseException:  # Ctrl-C, or a timeout of the test: the workers still run the batch
            self._lost = True
            raise

    def _open(self, count: int, start: Callable[[int], None], refusal: Callable[[int, Answer], Exception]) -> None:
        """Start workers, and wait until each has loaded the body; if one cannot, all are ended.

        :param refusal: returns the exception for a worker that cannot load the body, from its index and its answer.
        """
        try:
            for index in range(count):
                start(index)
            for index, answer in enumerate(self._answers(count, _START)):
                if answer.kind == "raised":
                    raise refusal(index, answer)
        except BaseException:
            self._lost = True
            self.close()
            raise

    def _dismiss(self) -> None:
        """Ask all workers to end when they have finished their batch."""
        for pipe in self._pipes:
            with contextlib.suppress(OSError):  # the worker has already ended
                pipe.send(None)
            pipe.close()
        self._pipes, self._inboxes = [], []

    def _add(self, pipe: Connection) -> None:
        """Add our end of the pipe of one more worker."""
        self._watch.add(len(self._pipes), pipe)
        self._pipes.append(pipe)
        self._inboxes.append(Inbox(pipe))

    def _answers(self, workers: int, deadline: float) -> list[Answer]:
        """Return one answer per worker; raise as soon as an answer can no longer arrive."""
        end = CLOCKS.wall() + deadline
        answers: dict[int, Answer] = {}
        while len(answers) < workers:
            missing = [index for index in range(workers) if index not in answers]
            patience = end - CLOCKS.wall()
            if patience <= 0:
                self._lost = True
                places = self._stack_location(set(missing), workers)
                hung = Hung(self.backend, workers, deadline, places, note=self._note_on_hung())
                hung.errors = _errors_in(answers)
                raise hung
            ready = self._watch.wait(missing, min(patience, _LOOK))
            for index in missing:
                if index in ready:
                    answer = self._receive(index, workers)
                    if answer is not None:
                        answers[index] = answer
                elif not ready and self._ended(index):
                    # Without this check, a process that the ended worker has started could keep the pipe open, and the
                    # session would wait until the deadline.
                    raise self._lose(index, workers)
        return [answers[index] for index in range(workers)]

    def _note_on_hung(self) -> str:
        """Return what the message about workers that hang says of what becomes of them."""
        return ""

    def _receive(self, index: int, workers: int) -> Answer | None:
        try:
            message = self._inboxes[index].read()
            if message is None:
                return None
            answer = pipe_main.answer_in(message)
        except (EOFError, ConnectionError):
            raise self._lose(index, workers) from None
        except Exception as error:
            answer = error
        if not isinstance(answer, Answer):
            self._lost = True
            cause = f"it sent {answer!s:.100}"
            if isinstance(answer, Exception) and not isinstance(answer, Garbage):  # its bytes could not be unpickled
                cause = worker_errors.described(answer)
            headline = f"{self.backend}: worker {index + 1} of {workers} sent something that is not an answer."
            raise WorkerLost(worker_errors.lost(headline, cause, try_next=_WRITES_FILES))
        return answer

    def _lose(self, index: int, workers: int, when: str = "while it ran the body") -> WorkerLost:
        self._lost = True
        return self._removed(index, workers, when)


def _errors_in(answers: Mapping[int, Answer]) -> dict[int, BaseException]:
    """Return what workers have raised, by the index of each."""
    return {index: exception_of(answer) for index, answer in answers.items() if answer.kind == "raised"}
