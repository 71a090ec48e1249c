"""A delayed HTTP server in another process: waiting that is real."""

import pathlib
import subprocess
import sys

import pytest


@pytest.fixture(scope="session")
def slow_url():
    """Address to which a delay in milliseconds is appended."""
    server = pathlib.Path(__file__).with_name("slow_server.py")
    process = subprocess.Popen([sys.executable, str(server)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    port = int(process.stdout.readline())
    yield f"http://127.0.0.1:{port}/"
    process.stdin.close()
    process.wait(timeout=10)
