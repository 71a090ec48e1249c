"""WorkerGroup, the base class of all back-ends, and the errors of their workers."""

from __future__ import annotations

import abc
import errno
from collections.abc import Mapping, Sequence

from pytest_concurrency.core.errors import WorkerLost
from pytest_concurrency.core.leftovers import Leftover
from pytest_concurrency.core.model import BlockProbe, Sample
from pytest_concurrency.machine.cpus import pinned_to
from pytest_concurrency.machine.stack_locations import Place
from pytest_concurrency.probes.helper_threads import UsedCpu
from pytest_concurrency.verdicts import worker_errors
from pytest_concurrency.verdicts.causes import Cause

_SKIPS = ("Skipped", "XFailed", "SkipTest")  # of pytest and unittest, which this layer does not import


class WorkerGroup(abc.ABC):
    """A group of running workers that wait for a batch. The defaults here suit most back-ends."""

    # Whether workers in other processes read how long their helpers wait for a CPU. This takes some tenths of a
    # millisecond for each thread that ends, so it is for busy machines.
    reads_helpers_delay: bool = False

    @property
    def note(self) -> str:
        """What a report says about the workers."""
        return ""

    @property
    def one_interpreter(self) -> bool:
        """Whether the workers share this interpreter, and its GIL if it has one."""
        return True

    @property
    def one_process(self) -> bool:
        """Whether the CPU time of the workers counts as CPU time of this process."""
        return True

    @property
    def workers_cpu(self) -> float:
        """Total CPU time, in seconds, of the workers' processes and their ended children.

        It includes the body, ``setup=`` and imports. Without this, it would count as load by other programs. It is 0 if
        the workers are threads of this process, or run on other hosts.
        """
        return 0.0

    @property
    def begun(self) -> UsedCpu | None:
        """CPU time of this process when the last batch's workers had their input; None: count from its request."""
        return None

    @property
    def cpus(self) -> float | None:
        """Total number of CPUs of the workers' hosts, if some workers run on other hosts; otherwise None."""
        return None

    @property
    def in_this_process(self) -> bool:
        """Whether the workers are threads of this process; ``one_process`` says so of workers on other hosts, too."""
        return self.one_process and self.cpus is None

    @property
    def pinned(self) -> int | None:
        """On how many CPUs the workers may run, if these are fewer than this process has; otherwise None."""
        return pinned_to(self.native_ids) if self.cpus is None else None

    @property
    def at_once(self) -> int | None:
        """How many workers were seen to run at the same time, if that may be fewer than requested; otherwise None."""
        return None

    @property
    def idents(self) -> Sequence[int | None]:
        """Identifier of each worker's thread (:func:`threading.get_ident`); None if the plugin did not start it."""
        return (None,)

    @property
    def native_ids(self) -> Sequence[int]:
        """Native IDs (:func:`threading.get_native_id`) of the known threads of this host that run the body.

        The threads may be in other processes. They may get a higher priority for the time of a batch.
        """
        return ()

    @property
    def block(self) -> BlockProbe | None:
        """The event-loop block that the last ``beat`` job measured; None without an event loop."""
        return None

    def left_behind(self) -> Sequence[Leftover]:
        """Return what the body has left running that only the workers can see: in their process, or on their loop.

        :raises WorkerLost: a worker died, or did not answer.
        """
        return ()

    def stacks(self, workers: int) -> Sequence[Sequence[Place]] | None:
        """Return the current stack of each of the first ``workers``, innermost frame first; None if it cannot be read.

        This is called from another thread while a batch runs.
        """
        return None

    @abc.abstractmethod
    def run(self, workers: int, loops: int, deadline: float, job: str = "body", turns: int = 1) -> Sample:
        """Let the first ``workers`` of the group run ``job`` ``loops`` times each.

        :param turns: how many workers' jobs a single worker runs, one after the other, in each of its loops.
        :raises Raised: the body raised.
        :raises WorkerLost: a worker died, hung for ``deadline`` seconds, or sent an invalid answer.
        """

    @abc.abstractmethod
    def close(self) -> None:
        """End every worker; safe to call twice, and after any error."""


class Raised(Exception):
    """Carries an exception of the body out of a worker; ``index`` is None if it is not known which worker raised it."""

    def __init__(self, error: BaseException, backend: str, index: int | None, workers: int) -> None:
        super().__init__(error)  # its text is asked for later, if at all: to ask may raise
        self.error = error
        self.worker: str = f"{backend} worker {index + 1} of {workers}" if index is not None else f"{workers} {backend}"
        self.round: int | None = None
        self.hint = ""


class Hung(WorkerLost):
    """Workers that did not answer in time; the message shows where each of them is.

    ``cause`` is why, if that is known, and ``note`` says what becomes of them. ``errors`` are what others have raised.
    """

    errors: Mapping[int, BaseException] = {}

    def __init__(
        self,
        backend: str,
        workers: int,
        deadline: float,
        places: list[str],
        cause: Cause | None = None,
        note: str = "",
    ) -> None:
        self.places = places
        super().__init__(worker_errors.hung(backend, workers, deadline, places, cause, note))


def raised_by(errors: Mapping[int, BaseException], backend: str, workers: int, places: Sequence[str] = ()) -> Raised:
    """Return the exception of a batch in which workers have raised: a failure counts more than a skip.

    :param errors: by the index of the worker.
    :param places: where each worker is, if some have not answered. They may wait for one that has raised.
    """
    index = min(errors, key=lambda each: (type(errors[each]).__name__ in _SKIPS, each))
    raised = Raised(errors[index], backend, index, workers)
    waiting = [
        f"worker {number} of {workers} did not end: {place}"
        for number, place in enumerate(places, 1)
        if place != worker_errors.FINISHED
    ]
    raised.hint = "\n".join(waiting)
    return raised


_NO_FOLDER = "set TMPDIR to a folder that can be written to, or use --concurrency-start-method=spawn, which needs none."
_CURES = {
    errno.EMFILE: "raise the limit of open files (ulimit -n), ask for fewer workers, or look for a test that leaves "
    "files open.",
    errno.ENFILE: "ask for fewer workers, or end programs that have many files open.",
    errno.EAGAIN: "raise the limit of processes and threads (ulimit -u), or ask for fewer workers.",
    errno.ENOMEM: "ask for fewer workers, or free some memory.",
    errno.ENOSPC: "make room in the folder for temporary files, or set TMPDIR to another one.",
    errno.EROFS: _NO_FOLDER,
    errno.EACCES: _NO_FOLDER,
    errno.ENOENT: _NO_FOLDER,
    errno.ENAMETOOLONG: "set TMPDIR to a folder with a shorter name, or use --concurrency-start-method=spawn.",
}


def not_started(headline: str, error: Exception, note: str = "") -> WorkerLost:
    """Return an error that says what could not be started, why, and what to do.

    :param note: how the workers are started.
    """
    number = getattr(error, "errno", None)
    if isinstance(error, RuntimeError) and "thread" in str(error):
        number = errno.EAGAIN
    if "AF_UNIX path too long" in str(error):
        number = errno.ENAMETOOLONG
    cure = _CURES.get(number or 0, "ask for fewer workers, or look for what the machine is short of.")
    return WorkerLost(worker_errors.lost(headline, error, try_next=cure, note=note))
