"""What slows down where a CPU shares its core with another hardware thread, and by how much.

    python benchmarks/shared_core.py [--seconds 40]

One process computes: Python code, then something else, then Python code again. Moments in which Python code is fast,
before and after, are set against those in which it is slow. Two virtual CPUs of a hypervisor change between the two by
themselves, as other guests come and go; on a machine of your own, keep a core's other thread busy now and then.

A reference workload must slow down as Python code does, or it does not show that two CPUs are one core.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import statistics
import time
import zlib
from collections.abc import Callable

from pytest_concurrency.backends.batch import control_body

_BLOCK = os.urandom(1 << 16)
_FAST, _SLOW = 1.15, 1.55  # times the least that Python code took


def python() -> None:
    total = 0.0
    for number in range(40_000):
        total += number**0.5


def repeated(call: Callable[[], object], times: int) -> Callable[[], None]:
    def repeat() -> None:
        for _ in range(times):
            call()

    return repeat


KINDS: dict[str, Callable[[], object]] = {
    "Python code": python,
    "the reference workload": repeated(control_body, 8),
    "SHA-256": repeated(lambda: hashlib.sha256(_BLOCK).digest(), 60),
    "SHA-512": repeated(lambda: hashlib.sha512(_BLOCK).digest(), 25),
    "PBKDF2": lambda: hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 4_000),
    "CRC-32": repeated(lambda: zlib.crc32(_BLOCK), 80),
}


def seconds_of(call: Callable[[], object]) -> float:
    """CPU time, which is all that sharing a core changes."""
    start = time.process_time()
    call()
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=40.0)
    end = time.monotonic() + parser.parse_args().seconds
    seen: list[tuple[str, float, float]] = []  # the kind, its time, and that of Python code beside it
    before = seconds_of(python)
    least = before
    while time.monotonic() < end:
        for kind, call in KINDS.items():
            took, after = seconds_of(call), seconds_of(python)
            least = min(least, after)
            # Where Python code was fast on one side and slow on the other, it says nothing of what was between.
            if max(before, after) < _FAST * least or min(before, after) > _SLOW * least:
                seen.append((kind, took, before))
            before = after
    for kind in KINDS:
        fast = [took for each, took, beside in seen if each == kind and beside < _FAST * least]
        slow = [took for each, took, beside in seen if each == kind and beside > _SLOW * least]
        if len(fast) < 5 or len(slow) < 5:
            print(f"{kind:18} cannot tell: {len(fast)} fast moments and {len(slow)} slow ones")
            continue
        quick, lame = statistics.median(fast), statistics.median(slow)
        print(
            f"{kind:18} {quick * 1e3:5.2f} ms in {len(fast):3} fast moments, {lame * 1e3:5.2f} ms in {len(slow):3} "
            f"slow ones: {lame / quick:.2f} times as long"
        )


if __name__ == "__main__":
    main()
