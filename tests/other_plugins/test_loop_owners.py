"""Each expectation of an async body, on each loop that it may run on, for both ways to block that loop.

Who owns the loop decides which thread runs the body, and so whose CPU time is the body's: with pytest-asyncio and anyio
it is a thread that was there before.
"""

from __future__ import annotations

import textwrap

import pytest
from conftest import REPORT, Suite, records_of

OWNERS = {
    "own": ("", "", ()),
    "pytest-asyncio": ("pytest_asyncio", "@pytest.mark.asyncio\n", ("-p", "pytest_asyncio.plugin")),
    "anyio": ("anyio", "@pytest.mark.anyio\n", ("-p", "anyio.pytest_plugin")),
    "trio": ("trio", "@pytest.mark.anyio\n", ("-p", "anyio.pytest_plugin")),
}
# Marker: verdicts on a body that blocks its loop by waiting, and by computing.
EXPECTED = {
    "expect_nonblocking(max_block='10ms', max_time='6s')": ("not_met", "not_met"),
    "expect_io_bound(max_time='6s')": ("not_met", "not_met"),
    "expect_cpu_bound(max_time='6s')": ("not_met", "met"),
    "expect_speedup(tasks=4, at_least=2, max_time='6s')": ("not_met", "not_met"),
    "expect_speedup(tasks=4, at_most=1.5, max_time='6s')": ("met", "met"),
}
BODIES = """
import hashlib

def wait():
    time.sleep(0.03)

def compute():
    end = time.thread_time() + 0.03
    while time.thread_time() < end:
        hashlib.sha256(bytes(1 << 14)).digest()
"""


@pytest.mark.parametrize("owner", OWNERS)
def test_verdicts_on_a_blocked_loop_are_the_same_whoever_owns_it(
    suite: Suite, pytester: pytest.Pytester, owner: str
) -> None:
    module, mark, options = OWNERS[owner]
    if module:
        pytest.importorskip(module)
    name = {"anyio": "asyncio", "trio": "trio"}.get(owner)
    backend = f"@pytest.fixture\ndef anyio_backend():\n    return {name!r}\n" if name else ""
    source, expected = [BODIES, backend], {}
    for number, (marker, verdicts) in enumerate(EXPECTED.items()):
        for way, verdict in zip(("wait", "compute"), verdicts, strict=True):
            name = f"test_{number}_{way}"
            source.append(f"{mark}@pytest.mark.{marker}\nasync def {name}():\n    {way}()\n")
            expected[name] = verdict
    suite(textwrap.dedent("\n".join(source)), *options, REPORT, subprocess=True)
    found = {name: record["expectations"][0]["verdict"] for name, record in records_of(pytester).items()}
    assert found.keys() == expected.keys()
    # Beside other programs a verdict may be missing, but none may be wrong.
    assert {name: verdict for name, verdict in found.items() if verdict not in ("undecided", expected[name])} == {}
    blocks = {name: found[name] for name in expected if name.startswith("test_0")}
    assert set(blocks.values()) == {"not_met"}, "a block is seen on a busy machine, too"
