"""Calls of the standard library to the operating system, the network and databases."""

from __future__ import annotations

import itertools
import logging
import os
import shutil
import socket
import sqlite3
import ssl
import subprocess
import threading
import time
from functools import partial
from pathlib import Path

from observatory import samples, servers
from observatory.registry import Run, call


def _sqlite() -> str:
    return f"SQLite {sqlite3.sqlite_version}"


@call("time.sleep", "10 ms")
def sleep() -> Run:
    return partial(time.sleep, 0.01)


@call("open().read", "a file of 16 MB, in the page cache")
def read_file() -> Run:
    path = samples.folder() / "data"
    path.write_bytes(bytes(16 * samples.MEGABYTE))
    return path.read_bytes


@call("open().write", "a file of 4 MB, to the page cache")
def write_file() -> Run:
    """On ext4, to close a file that was truncated and written again starts to write it to the disk, and the call waits
    for that. A new file does not wait.
    """
    folder, data = samples.folder(), bytes(4 * samples.MEGABYTE)

    def run() -> None:
        (folder / f"{threading.get_ident()}").write_bytes(data)

    return run


@call("os.fsync", "after each of 5 lines in a file")
def fsync() -> Run:
    """The file system writes one journal for all files."""
    folder = samples.folder()

    def run() -> None:
        with (folder / f"{threading.get_ident()}").open("w") as file:
            for _ in range(5):
                file.write("a line\n")
                file.flush()
                os.fsync(file.fileno())

    return run


@call("os.walk", "40 folders of 50 files")
def walk() -> Run:
    """The GIL is released once for each file, for some microseconds."""
    root = samples.folder()
    for number in range(40):
        folder = root / str(number)
        folder.mkdir()
        for name in range(50):
            (folder / str(name)).touch()

    def run() -> None:
        for _ in os.walk(root):
            pass

    return run


@call("shutil.copyfile", "16 MB")
def copyfile() -> Run:
    """On ext4, to close a file that was truncated and written again starts to write it to the disk, and the call waits
    for that.
    """
    folder = samples.folder()
    source = folder / "source"
    source.write_bytes(bytes(16 * samples.MEGABYTE))

    def run() -> None:
        shutil.copyfile(source, folder / f"{threading.get_ident()}")

    return run


@call("logging.Logger.info", "500 lines to a file")
def log() -> Run:
    """Formatting holds the GIL, and a lock lets one thread at a time write. The GIL is released once for each line."""
    handler = logging.FileHandler(samples.folder() / "log")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.Logger("observatory")
    logger.addHandler(handler)

    def run() -> None:
        for number in range(500):
            logger.info("order %d was paid", number)

    return run


@call("subprocess.run", "the program true")
def run_program() -> Run:
    """Most of the time is that of the child process and of starting it in the kernel."""
    return partial(subprocess.run, ["true"], check=True)


@call("socket.getaddrinfo", "localhost, 100 times")
def getaddrinfo() -> Run:
    """Each of the 100 calls releases the GIL once, for some microseconds."""

    def run() -> None:
        for _ in range(100):
            socket.getaddrinfo("localhost", 80, type=socket.SOCK_STREAM)

    return run


@call("ssl handshake", "TLS 1.3 with a server on this machine", needs=("cryptography",), library=samples.openssl)
def handshake() -> Run:
    """The server computes as well, in a process of its own, and needs a CPU for that."""
    server = servers.start("tls")
    context = ssl.create_default_context(cafile=server.certificate)

    def run() -> None:
        with (
            socket.create_connection(("127.0.0.1", server.port)) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as encrypted,
        ):
            encrypted.recv(1)

    return run


def _table(folder: Path, rows: int) -> Path:
    path = folder / "orders.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT, price REAL)")
        connection.executemany(
            "INSERT INTO orders VALUES (:id, :customer, :price)",
            ({"id": number, "customer": f"customer {number % 1000}", "price": number % 97} for number in range(rows)),
        )
    connection.close()
    return path


def _each_thread_its_own(path: Path, query: str) -> Run:
    own = threading.local()

    def run() -> None:
        if not hasattr(own, "connection"):
            own.connection = sqlite3.connect(path)
        own.connection.execute(query).fetchall()

    return run


@call("sqlite3, many rows", "SELECT 20,000 rows, a connection for each thread", library=_sqlite)
def sqlite_rows() -> Run:
    """SQLite releases the GIL about five times for each row, 100,000 times in this call, for less than a microsecond
    each. Two threads hand the GIL to each other all the time.
    """
    return _each_thread_its_own(_table(samples.folder(), 20_000), "SELECT * FROM orders")


@call("sqlite3, one row", "SELECT the sum of 200,000 rows, a connection for each thread", library=_sqlite)
def sqlite_sum() -> Run:
    """The whole search is one step of SQLite, which runs without the GIL. What matters is how many rows come back."""
    query = "SELECT sum(price) FROM orders WHERE customer LIKE '%7'"
    return _each_thread_its_own(_table(samples.folder(), 200_000), query)


@call("sqlite3, insert", "1,000 rows in a transaction, a file for each thread", library=_sqlite)
def sqlite_insert() -> Run:
    """Most of the time is that of the disk at the end of the transaction, which two files share."""
    folder, own, numbers = samples.folder(), threading.local(), itertools.count()
    rows = [(f"customer {number}", number / 7) for number in range(1000)]

    def run() -> None:
        if not hasattr(own, "connection"):
            own.connection = sqlite3.connect(folder / f"{next(numbers)}.sqlite")
            own.connection.execute("CREATE TABLE orders (customer TEXT, price REAL)")
        with own.connection as connection:
            connection.execute("DELETE FROM orders")
            connection.executemany("INSERT INTO orders VALUES (?, ?)", rows)

    return run
