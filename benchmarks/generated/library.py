"""What the pytest files of recipes are put together from, as text."""

LIBRARY = '''
import asyncio
import contextlib
import fcntl
import functools
import hashlib
import itertools
import multiprocessing
import os
import queue
import random
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest

BLOCK = bytes(1 << 15)


def rate(call):
    """Steps a second of CPU time, the fastest of some tries; the environment tells it to processes started later."""
    name = "GENERATED_" + call.__name__.upper()
    if name not in os.environ:
        best = 0.0
        for _ in range(12):
            begun = time.thread_time()
            call(2000)
            best = max(best, 2000 / (time.thread_time() - begun))
        os.environ[name] = repr(best)
    return float(os.environ[name])


def python(steps):
    for _ in range(steps):
        pass


def keeps(steps):
    sum(range(steps))


def frees(steps):
    hashlib.pbkdf2_hmac("sha256", b"password", b"salt", max(1, steps))


def briefly(steps):
    for _ in range(steps):
        sum(range(2000))
        zlib.crc32(BLOCK)


def compute(how, seconds):
    how(max(1, int(rate(how) * seconds)))


def child(code):
    subprocess.run([sys.executable, "-S", "-c", code], check=True)


@functools.cache
def pipe(process, thread):
    return os.pipe()


def wait_select(seconds):
    select.select([pipe(os.getpid(), threading.get_ident())[0]], [], [], seconds)


def wait_queue(seconds):
    with contextlib.suppress(queue.Empty):
        queue.Queue().get(timeout=seconds)


def wait_subprocess(seconds):
    subprocess.run(["sleep", str(seconds)], check=True)


@functools.cache
def connection(process, thread):
    return socket.create_connection(("127.0.0.1", int(os.environ["GENERATED_PORT"])))


def wait_socket(seconds):
    server = connection(os.getpid(), threading.get_ident())
    server.sendall(b"%.6f\\n" % seconds)
    server.recv(1)


SERVER = """
import asyncio
async def serve(reader, writer):
    while line := await reader.readline():
        await asyncio.sleep(float(line))
        writer.write(b"x")
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


@contextlib.contextmanager
def file_lock(path):
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def pooled(pool):
    thing = pool.get()
    try:
        yield
    finally:
        pool.put(thing)


def bounded(size):
    pool = queue.Queue()
    for number in range(size):
        pool.put(number)
    return pool


def in_threads(number, call):
    threads = [threading.Thread(target=call) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@functools.cache
def lasting_pool(process, number, size):
    return ThreadPoolExecutor(size)


def in_executor(number, call):
    with ThreadPoolExecutor(number) as pool:
        list(pool.map(lambda _: call(), range(number)))
'''

LOCKS = {
    "lock": "threading.Lock()",
    "rlock": "threading.RLock()",
    "semaphore": "threading.Semaphore({size})",
    "condition": "threading.Condition()",
    "pool": "bounded({size})",
    "file lock": "tempfile.mkstemp()[1]",
    "process lock": "multiprocessing.Lock()",
}
SCALES = {
    "constant": "return 1.0",
    "exponential": "return max(0.01, random.SystemRandom().expovariate(1.0))",
    "cycle": "return {factor} if next(CALLS) % {every} == 0 else 1.0",
    "rare": "return {factor} if random.SystemRandom().random() * {every} < 1 else 1.0",
    "index": "return 1.0 + ({factor} - 1.0) * index / {most}",
    "slow first": "return 10 * {factor} if next(CALLS) == 1 else 1.0",
    "thread cache": """if getattr(LOCAL, "warm", False):
    return 1.0
LOCAL.warm = True
return {factor}""",
}
FIXTURE = """
@pytest.fixture(autouse=True, scope="module")
def ticking():
    stop = threading.Event()

    def tick():
        while not stop.wait({pause}):
            compute(python, {seconds})

    thread = threading.Thread(target=tick)
    thread.start()
    yield
    stop.set()
    thread.join()
"""
SERVING = """
@pytest.fixture(autouse=True, scope="module")
def server():
    process = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE)
    os.environ["GENERATED_PORT"] = process.stdout.readline().decode().strip()
    yield
    process.kill()
    process.wait()
"""
