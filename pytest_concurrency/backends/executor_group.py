"""Worker group on any ``concurrent.futures.Executor``: batches are sent ahead of a common start time."""

from __future__ import annotations

import concurrent.futures
import functools
import itertools
import os
import sys
import threading
import uuid
from collections.abc import Sequence
from concurrent.futures import CancelledError, Future
from contextvars import copy_context
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path

from pytest_concurrency.backends import executor_task, hung
from pytest_concurrency.backends.base import Hung, WorkerGroup, raised_by
from pytest_concurrency.backends.batch import LEFT_BEHIND, SAYING_SO, jobs_of
from pytest_concurrency.backends.executor_task import Origin, Report, WorkItem, stack_location, work
from pytest_concurrency.backends.executors import Pool, processes_of, start_method_of, threads_of
from pytest_concurrency.backends.fork_only import refuse_what_only_fork_shares
from pytest_concurrency.backends.serialization import load_error, pack, pack_state, session_modules
from pytest_concurrency.core import stats
from pytest_concurrency.core.errors import WorkerLost
from pytest_concurrency.core.leftovers import Leftover
from pytest_concurrency.core.model import Body, Reading, Sample
from pytest_concurrency.core.units import count as counted
from pytest_concurrency.core.units import duration
from pytest_concurrency.machine import stack_locations
from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.probes.helper_threads import UsedCpu
from pytest_concurrency.verdicts import worker_errors

__tracebackhide__ = True  # pytest shows a failure at the line of the test

_FIRST_LEAD = 0.02  # seconds from sending a batch to its common start
_LONGEST_LEAD = 2.0
_ASSEMBLING = 30.0  # seconds that all workers of a pool get to start
_STUCK = 5  # tries without an additional worker after which the wait for more ends
_TRIES = 4  # for a batch whose workers were late, or did not all take part
_ENDING = 1.0  # seconds that a hanging body gets to end when its worker group is closed
_LATE = 0.0005  # seconds after the common start at which a worker may still begin
_SPARE = 0.0001  # seconds by which the common start comes after the last arrival
_BROKEN = "look for os._exit, a crash in native code, a memory limit, a lost connection, or a pool that was shut down."
_AS_IT_IS = "wrap the executor in one that calls each submitted function, and returns a future with its result."


class ExecutorWorkers(WorkerGroup):
    """Sends each worker's part of a batch as one task, shortly before a common start time.

    The time that tasks take to arrive is measured, but left out of the results: it is a cost of the executor, and does
    not show how the body scales. The note reports it.
    """

    at_once: int = 0

    def __init__(self, body: Body, count: int, backend: str, pool: Pool, root: Path) -> None:
        self._body = body
        self._count = count
        self._backend = backend
        self._pool = pool
        self._key = uuid.uuid4().hex
        self._work_item = WorkItem(self._key, "body", 1, 0, 1, backend, 0.0, {}, os.getpid())
        self._root = root
        self._lead = _FIRST_LEAD
        self._here = stack_location()
        self._offsets = {self._here.host: 0.0}
        self._slack: dict[str, float] = {}
        self._reports: dict[int, Report] = {}  # the last report of each worker
        self._last: Sequence[Report] = ()  # reports of the last batch
        self._used: dict[int, float] = {}  # CPU time of each process on this host since its first report
        self._used_before: dict[int, float] = {}
        self._costs: list[float] = []
        self._hanging: dict[int, tuple[Future[Report], str]] = {}  # parts that did not end, and their stack locations
        executor_task.here[self._key] = executor_task.Known(jobs_of(body), copy_context())
        try:
            self._assemble()
        except BaseException:
            self.close()
            raise

    @property
    def one_interpreter(self) -> bool:
        homes = {(report.origin.process, report.origin.interpreter) for report in self._reports.values()}
        return homes <= {(self._here.process, self._here.interpreter)} and not self._elsewhere()

    @property
    def one_process(self) -> bool:
        """True also if workers are on other hosts, whose CPU time this machine's counters do not show."""
        processes = {report.origin.process for report in self._reports.values()}
        return processes <= {self._here.process} or bool(self._elsewhere())

    @property
    def workers_cpu(self) -> float:
        """CPU time of the processes on this machine that have answered, as of the last answer of each."""
        return sum(self._used.values())

    @property
    def begun(self) -> UsedCpu | None:
        """CPU time when the last of this process's workers had its input, in the last batch."""
        here = [report.begun for report in self._last if report.origin.process == self._here.process]
        return UsedCpu(max(each.process for each in here), max(each.ended for each in here)) if here else None

    @property
    def native_ids(self) -> list[int]:
        """Native thread IDs of the workers on this host that have answered."""
        origins = [report.origin for report in self._reports.values()]
        return [origin.native_id for origin in origins if origin.host == self._here.host]

    @property
    def cpus(self) -> float | None:
        hosts = {report.origin.host: report.origin.cpus for report in self._reports.values()}
        return sum(hosts.values()) if set(hosts) - {self._here.host} else None

    @property
    def note(self) -> str:
        notes = [self._pool.note] if self._pool.note else []
        if self._costs:
            cost = duration(stats.median(self._costs))
            notes.append(f"a batch's way to its workers and back takes {cost}, which is not in the figures")
        if self.at_once < self._count:
            notes.append(f"only {self.at_once} of {counted(self._count, 'worker')} ran at the same time")
        if self._elsewhere():
            notes.append("other hosts take part: their interference is not seen, their clocks are estimated")
        return "; ".join(notes)

    def run(self, workers: int, loops: int, deadline: float, job: str = "body", turns: int = 1) -> Sample:
        """Run one batch in ``workers`` tasks; ``deadline`` is in seconds.

        :raises Raised: the body's own exception, with the worker that it came from.
        :raises WorkerLost: the pool has broken, or did not answer in time.
        """
        if job == "prepare":  # part of every work item, because its worker is not known beforehand
            return Sample(1, ())
        for attempt in itertools.count(1):
            start_at, reports = self._send(workers, loops, deadline, job, turns)
            late = max(self._here_time(report, report.arrived) for report in reports) - start_at
            overlapping = executor_task.overlapping(reports)
            missed = overlapping < workers <= self.at_once
            if missed and attempt == _TRIES:
                raise self._lost(
                    f"{workers} workers ran at the same time before, but now only {overlapping}.",
                    "a worker has ended, or something else uses the pool",
                    "look for what ends a worker of the pool, or give the test a pool of its own.",
                )
            if missed:
                self._lead = min(2 * self._lead, _LONGEST_LEAD)
            elif late <= _LATE or attempt == _TRIES or overlapping < workers:
                break
        return Sample(loops, tuple(map(self._reading, reports)))

    def left_behind(self) -> Sequence[Leftover]:
        if self.one_interpreter:
            return ()
        return executor_task.left_behind(self._send(self._count, 1, SAYING_SO, LEFT_BEHIND)[1])

    def close(self) -> None:
        """End the executor if this plugin made it. In a user's own executor, only interrupt bodies that hang."""
        executor_task.forget(self._key)
        hanging, self._hanging = self._hanging, {}
        parts = [future for future, _ in hanging.values()]
        concurrent.futures.wait(parts, timeout=_ENDING)
        with executor_task.at_work_lock:
            for index in hanging:
                for thread in self._thread_at(index):
                    hung.interrupt(thread)  # this ends the body, but not the pool's thread
        if self._pool.end is not None:
            self._pool.end()
        concurrent.futures.wait(parts, timeout=_ENDING)
        for index, (future, place) in hanging.items():
            if not future.done():
                what = f"{self._body.label}, {self._backend} worker {index + 1}: {place}"
                hung.leave(hung.AbandonedWorker(what, future, functools.partial(self._who_may_be_at, index)))

    def _thread_at(self, index: int) -> list[threading.Thread]:
        """Return the thread that runs a worker's part, as a list; it is empty if no thread of this interpreter does."""
        ident = executor_task.at_work.get((self._key, index))
        return [thread for thread in threading.enumerate() if thread.ident == ident]

    def _who_may_be_at(self, index: int) -> Sequence[threading.Thread | BaseProcess]:
        """Return the thread that runs a worker's part; if it is not in this interpreter, all workers of the pool."""
        return self._thread_at(index) or [*threads_of(self._pool.executor), *processes_of(self._pool.executor)]

    def _assemble(self) -> None:
        """Wait until all requested workers run at the same time, or until no additional worker appears."""
        end = CLOCKS.wall() + _ASSEMBLING
        stuck = 0
        while self.at_once < self._count and stuck < _STUCK and CLOCKS.wall() < end:
            _, reports = self._send(self._count, 1, _ASSEMBLING, "idle")
            more = executor_task.overlapping(reports) > self.at_once
            stuck = 0 if more else stuck + 1
            self.at_once = max(self.at_once, executor_task.overlapping(reports))
            self._lead = min(self._lead * 2, _LONGEST_LEAD)
        self._lead = _FIRST_LEAD

    def _send(self, workers: int, loops: int, deadline: float, job: str, turns: int = 1) -> tuple[float, list[Report]]:
        work = replace(
            self._work_item, job=job, loops=loops, count=workers, turns=turns, helpers_delay=self.reads_helpers_delay
        )
        sent = CLOCKS.wall()
        start_at = sent + self._lead
        received: dict[int, float] = {}
        futures: list[Future[Report]] = []
        try:
            for index in range(workers):
                futures.append(self._submit(replace(work, index=index, start_at=start_at, offsets=dict(self._offsets))))
                futures[-1].add_done_callback(functools.partial(executor_task.stamp, received, index))
        except BaseException:
            # Without this, parts that are already in the pool's queue would run later, when nothing is measured.
            for future in futures:
                future.cancel()
            raise
        try:
            _, missing = concurrent.futures.wait(futures, timeout=deadline + self._lead)
        except BaseException:  # Ctrl-C, or a timeout of the test: the workers still run the batch
            self._hung(futures, workers, deadline)
            raise
        late = self._hung(futures, workers, deadline) if missing else None
        done = {index: future for index, future in enumerate(futures) if future not in missing}
        reports = [self._report(future, index, workers) for index, future in done.items()]
        if errors := executor_task.errors_in(self._key, dict(zip(done, reports, strict=True))):
            raise raised_by(errors, self._backend, workers, late.places if late else ())
        if late:
            raise late
        if any(report.answer is None for report in reports):
            if self._work_item.packed is not None:
                raise self._lost("a worker has lost the body that was sent to it.", "", _AS_IT_IS)
            self._pack()
            return self._send(workers, loops, deadline, job, turns)
        self._last = reports
        self._record_times(reports, sent, [received.get(index, CLOCKS.wall()) for index in range(workers)])
        return start_at, reports

    def _submit(self, work_item: WorkItem) -> Future[Report]:
        """Give the executor one part of a batch.

        :raises WorkerLost: the executor raises an exception, or does not return a future of the standard library.
        """
        try:
            future = self._pool.executor.submit(work, work_item)
        except KeyboardInterrupt:  # Ctrl-C can arrive here, too, and is not an error of the executor
            raise
        except BaseException as error:
            raise self._lost("the executor has failed.", error, _BROKEN) from None
        if not isinstance(future, Future):
            raise self._lost(
                "the executor's submit() did not return a concurrent.futures.Future.",
                f"it returned {future!r:.100}",
                "wrap the executor in one whose submit() returns such a future.",
            )
        return future

    def _hung(self, futures: Sequence[Future[Report]], workers: int, deadline: float) -> Hung:
        """Return an error with the stack location of each part, and cancel parts that have not begun."""
        found = []
        cause = worker_errors.FORKED if start_method_of(self._pool.executor) == "fork" else None
        note = ""
        for index, future in enumerate(futures):
            if future.done():
                found.append(worker_errors.FINISHED)
                continue
            if future.cancel():
                found.append("not begun: no worker of the pool was free")
                continue
            stands = stack_locations.of_thread(executor_task.at_work.get((self._key, index)))
            if stands is None:
                found.append("no answer")  # its stack is in another process or interpreter
            else:
                found.append(stack_locations.describe(stands))
                note = hung.STAYS
            self._hanging[index] = future, found[-1]
        return Hung(self._backend, workers, deadline, found, cause, note)

    def _pack(self) -> None:
        """Serialize the body from now on, because some worker is outside of this interpreter."""
        modules = session_modules(self._root)
        refuse_what_only_fork_shares(
            self._body, modules, f"Workers of {self._backend} import it", "they are not forks of the test process"
        )
        packed = pack(self._body)
        # Without this, workers of our own pool would have the environment of the first test that used the fork server.
        stale = self._pool.end is not None and start_method_of(self._pool.executor) == "forkserver"
        state = pack_state(environment=stale)
        self._work_item = replace(self._work_item, packed=packed, state=state, modules=modules, path=tuple(sys.path))

    def _report(self, future: Future[Report], index: int, workers: int) -> Report:
        try:
            # result() would raise what the executor has set, and a SystemExit could end the session.
            error = future.exception()
        except CancelledError as cancelled:
            error = cancelled
        if error is not None:
            raise self._lost(f"the executor has failed (worker {index + 1} of {workers}).", error, _BROKEN) from None
        report = future.result()
        if not isinstance(report, Report):
            raise self._lost(
                f"worker {index + 1} of {workers} sent something that is not an answer.",
                f"the result of its future is {report!r:.100}",
                _AS_IT_IS,
            )
        answer = report.answer
        if answer is not None and answer.kind == "lost":
            raise load_error(answer, f"{self._backend} worker {index + 1}", self._body)
        return report

    def _lost(self, headline: str, cause: str | BaseException, try_next: str) -> WorkerLost:
        return WorkerLost(worker_errors.lost(f"{self._backend}: {headline}", cause, try_next=try_next))

    def _record_times(self, reports: Sequence[Report], sent: float, received: Sequence[float]) -> None:
        """Update the lead, the clock offsets of other hosts and the CPU time of processes after a batch."""
        for index, (report, back) in enumerate(zip(reports, received, strict=True)):
            self._reports[index] = report
            host, process = report.origin.host, report.origin.process
            if host == self._here.host and process != self._here.process:
                # Without this, CPU time that a user's pool used earlier would count as part of this measurement.
                before = self._used_before.setdefault(process, report.begun.total)
                self._used[process] = max(report.ended.total - before, self._used.get(process, 0.0))
            if host != self._here.host:
                # As in the Network Time Protocol (RFC 5905), the round trip with the least delay gives the best offset.
                spare = (back - sent) - (report.done - report.arrived)
                if spare < self._slack.get(host, float("inf")):
                    self._slack[host] = spare
                    self._offsets[host] = ((report.arrived - sent) + (report.done - back)) / 2
        # If a worker has several parts, the later ones wait for the first: they do not show how long a task needs.
        first: dict[Origin, float] = {}
        for report in reports:
            arrived = self._here_time(report, report.arrived)
            first[report.origin] = min(arrived, first.get(report.origin, arrived))
        there = max(first.values()) - sent
        home = max(back - self._here_time(report, report.done) for report, back in zip(reports, received, strict=True))
        self._costs.append(max(0.0, there) + max(0.0, home))
        # The lead grows at once, but shrinks by 10% per batch at most: workers are late if it is too short.
        self._lead = min(_LONGEST_LEAD, max(1.2 * there + _SPARE, 0.9 * self._lead))

    def _reading(self, report: Report) -> Reading:
        assert report.answer is not None
        assert report.answer.reading is not None
        reading = report.answer.reading
        return replace(reading, start=self._here_time(report, reading.start), end=self._here_time(report, reading.end))

    def _here_time(self, report: Report, time: float) -> float:
        return time - self._offsets.get(report.origin.host, 0.0)

    def _elsewhere(self) -> set[str]:
        return {report.origin.host for report in self._reports.values()} - {self._here.host}
