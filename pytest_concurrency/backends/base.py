"""What a backend promises, and how its workers fail."""

from __future__ import annotations

import abc
import errno
from collections.abc import Sequence

from pytest_concurrency.core.errors import WorkerLost
from pytest_concurrency.core.leftovers import Leftover
from pytest_concurrency.core.model import BlockProbe, Sample
from pytest_concurrency.core.units import duration
from pytest_concurrency.machine.stack_locations import Place
from pytest_concurrency.probes.helper_threads import UsedCpu


class WorkerGroup(abc.ABC):
    """Workers that are alive, warm and wait for a batch. Defaults are what most backends have in common."""

    @property
    def note(self) -> str:
        """What a report should say of the workers."""
        return ""

    @property
    def one_interpreter(self) -> bool:
        """Whether the workers share this interpreter, and its GIL if it has one."""
        return True

    @property
    def one_process(self) -> bool:
        """Whether the CPU time of the workers is this process's own."""
        return True

    @property
    def workers_cpu(self) -> float:
        """CPU time, in seconds, that the processes of the workers have used in all, with their ended children.

        Whatever for: the body, ``setup=``, imports. Without this it would count as the load of other programs. 0 where
        the workers are threads of this process, or on other hosts.
        """
        return 0.0

    @property
    def begun(self) -> UsedCpu | None:
        """What this process had used as the workers of the last batch had their input; None: as it was asked for."""
        return None

    @property
    def cpus(self) -> float | None:
        """The CPUs that the workers have together, where those are not this machine's."""
        return None

    @property
    def at_once(self) -> int | None:
        """How many workers were seen to run at the same time, where they may be fewer than claimed."""
        return None

    @property
    def idents(self) -> Sequence[int | None]:
        """The workers' threads, as :func:`threading.get_ident` calls them; None for what is no thread of ours."""
        return (None,)

    @property
    def native_ids(self) -> Sequence[int]:
        """The threads that run the body, as the system numbers them, in this process or others of this host.

        Those that are known: measuring may give them a higher priority for the time of a batch.
        """
        return ()

    @property
    def block(self) -> BlockProbe | None:
        """What the last ``beat`` job saw of the event loop, where there is one."""
        return None

    def left_behind(self) -> Sequence[Leftover]:
        """Return what the body has left running where only the workers can see it: in their process, on their loop.

        :raises WorkerLost: a worker died, or gave no answer.
        """
        return ()

    def stacks(self, workers: int) -> Sequence[Sequence[Place]] | None:
        """Return where each of the first ``workers`` is at this moment, innermost first; None if no one can see.

        Asked from another thread while a batch runs.
        """
        return None

    @abc.abstractmethod
    def run(self, workers: int, loops: int, deadline: float, job: str = "body", turns: int = 1) -> Sample:
        """Let the first ``workers`` of the group run ``job`` ``loops`` times each.

        :param turns: how many workers' jobs a single worker runs, one after the other, in each of its loops.
        :raises Raised: the body raised.
        :raises WorkerLost: a worker died, hung for ``deadline`` seconds, or answered nonsense.
        """

    @abc.abstractmethod
    def close(self) -> None:
        """End every worker; safe to call twice, and after any error."""


class Raised(Exception):
    """Carries the body's own exception out of a worker; ``index`` is None where no one knows which."""

    def __init__(self, error: BaseException, backend: str, index: int | None, workers: int) -> None:
        super().__init__(str(error))
        self.error = error
        self.worker: str = f"{backend} worker {index + 1} of {workers}" if index is not None else f"{workers} {backend}"
        self.round: int | None = None
        self.hint = ""


class Hung(WorkerLost):
    """Workers that did not come back; says where each of them stood."""

    def __init__(self, backend: str, workers: int, deadline: float, places: list[str], hint: str = "") -> None:
        self.places = places
        who = "the worker" if workers == 1 else f"all {workers} workers"
        lines = "\n".join(f"  worker {index + 1}: {place}" for index, place in enumerate(places))
        super().__init__(
            f"{backend}: no answer from {who} within {duration(deadline)}. Where each is:\n{lines}"
            + (f"\n{hint}" if hint else "")
        )


_NO_FOLDER = "Set TMPDIR to a folder that can be written to, or use --concurrency-start-method=spawn, which needs none."
_CURES = {
    errno.EMFILE: "This process has as many files open as it may. Raise the limit (ulimit -n), ask for fewer workers, "
    "or look for a test that leaves files open.",
    errno.ENFILE: "The system has as many files open as it may. Ask for fewer workers.",
    errno.EAGAIN: "The system gives no more processes or threads. Raise the limit (ulimit -u), or ask for fewer.",
    errno.ENOMEM: "There is not enough memory. Ask for fewer workers.",
    errno.ENOSPC: "A file system is full. Make room in the folder for temporary files, or set TMPDIR to another.",
    errno.EROFS: _NO_FOLDER,
    errno.EACCES: _NO_FOLDER,
    errno.ENOENT: _NO_FOLDER,
    errno.ENAMETOOLONG: "Set TMPDIR to a folder with a shorter name, or use --concurrency-start-method=spawn.",
}


def not_started(error: Exception) -> str:
    """Say why a worker could not be started, and what to do."""
    number = getattr(error, "errno", None)
    if isinstance(error, RuntimeError) and "thread" in str(error):
        number = errno.EAGAIN
    if "AF_UNIX path too long" in str(error):
        number = errno.ENAMETOOLONG
    cure = _CURES.get(number or 0, "Ask for fewer workers, or look at what the machine is short of.")
    return f"{error or type(error).__qualname__}.\n{cure}"
