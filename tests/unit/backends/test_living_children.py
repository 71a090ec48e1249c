"""Child processes of a worker process that live on, and compute for the body."""

from __future__ import annotations

import subprocess
import sys
from subprocess import PIPE

import pytest

from pytest_concurrency.core.model import Reading
from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.probes import helper_threads, thread_clock

SERVER = """
import sys
for line in sys.stdin:
    sum(number * number for number in range(600_000))
    print(flush=True)
"""


@pytest.mark.skipif(thread_clock.unavailable() is not None, reason="times of living processes cannot be read here")
def test_child_that_lives_on_computes_for_the_body_of_its_worker_process() -> None:
    with subprocess.Popen([sys.executable, "-c", SERVER], stdin=PIPE, stdout=PIPE, bufsize=0) as child:
        asked, answers = child.stdin, child.stdout
        assert asked is not None
        assert answers is not None

        def ask() -> Reading:
            began, cpu = CLOCKS.wall(), CLOCKS.thread_cpu()
            asked.write(b"x\n")
            answers.readline()
            return Reading(began, CLOCKS.wall(), CLOCKS.thread_cpu() - cpu, delay=0.0)

        ask()
        # Several: on a busy machine the child may have no CPU for most of one.
        readings = [helper_threads.watched(ask) for _ in range(5)]
        asked.close()
    assert any(reading.accounting == "unseen" and reading.cpu > 0.1 * reading.wall for reading in readings)
