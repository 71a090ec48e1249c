"""Calls of the standard library that read, write and arrange data."""

from __future__ import annotations

import ast
import base64
import copy
import csv
import datetime
import gc
import io
import json
import pickle
import random
import re
import xml.etree.ElementTree as ElementTree
from functools import partial

from observatory import samples
from observatory.registry import Run, call


def _expat() -> str:
    import pyexpat

    return pyexpat.EXPAT_VERSION.replace("_", " ")


@call("json.loads", "5,000 records, 1 MB")
def json_loads() -> Run:
    """The scanner is in C and does not give up the GIL before the whole text is read."""
    return partial(json.loads, samples.json_text(5000))


@call("json.dumps", "5,000 records, 1 MB")
def json_dumps() -> Run:
    return partial(json.dumps, samples.records(5000))


@call("pickle.dumps", "5,000 records")
def pickle_dumps() -> Run:
    """The pickler is in C and does not give up the GIL before the whole object is written."""
    return partial(pickle.dumps, samples.records(5000))


@call("pickle.loads", "5,000 records")
def pickle_loads() -> Run:
    """The unpickler is in C and does not give up the GIL before the whole object is there."""
    return partial(pickle.loads, pickle.dumps(samples.records(5000)))


@call("csv.reader", "20,000 rows of 4 fields")
def csv_reader() -> Run:
    text = samples.csv_text(20_000)

    def run() -> None:
        for _ in csv.reader(io.StringIO(text)):
            pass

    return run


@call("xml.etree.ElementTree.fromstring", "5,000 items, 400 kB", library=_expat)
def xml_fromstring() -> Run:
    return partial(ElementTree.fromstring, samples.xml_text(5000))


@call("re.findall", "e-mail addresses in 200 kB")
def re_findall() -> Run:
    return partial(re.compile(r"[\w.]+@[\w.]+\.\w+").findall, samples.prose(200_000))


@call("re.fullmatch", "a pattern that backtracks: (a+)+b")
def re_backtracking() -> Run:
    """A pattern that backtracks holds the GIL in C until its end, for exponentially long.

    This is how one regular expression stops a server.
    """
    return partial(re.compile("(a+)+b").fullmatch, "a" * 19)


@call("str.split", "1 MB into words")
def str_split() -> Run:
    return samples.prose(samples.MEGABYTE).split


@call("sorted", "100,000 floats")
def sorted_floats() -> Run:
    rng = random.Random(4)
    return partial(sorted, [rng.random() for _ in range(100_000)])


@call("copy.deepcopy", "500 records")
def deepcopy() -> Run:
    return partial(copy.deepcopy, samples.records(500))


@call("datetime.strptime", "1,000 times")
def strptime() -> Run:
    def run() -> None:
        for _ in range(1000):
            datetime.datetime.strptime("2024-05-17 12:30:45", "%Y-%m-%d %H:%M:%S")

    return run


@call("base64.b64encode", "4 MB")
def b64encode() -> Run:
    """The functions of binascii, which base64 calls, hold the GIL for input of any size."""
    return partial(base64.b64encode, bytes(4 * samples.MEGABYTE))


@call("ast.parse", "a module of 500 functions")
def ast_parse() -> Run:
    source = "".join(f"def f{number}(a, b):\n    return a + b * {number}\n" for number in range(500))
    return partial(ast.parse, source)


@call("gc.collect", "150,000 objects alive")
def gc_collect() -> Run:
    """A full collection looks at each object that is alive and holds the GIL until its end.

    `gc.freeze()` takes objects out of it.
    """
    alive = [[number] for number in range(150_000)]

    def run() -> None:
        gc.collect()
        assert alive

    return run


@call("bytes(bytearray)", "copy 16 MB in memory")
def copy_bytes() -> Run:
    """Copying memory holds the GIL, however much it is."""
    return partial(bytes, bytearray(16 * samples.MEGABYTE))


@call("a loop in Python", "add up 200,000 squares")
def python_loop() -> Run:
    def run() -> None:
        total = 0
        for number in range(200_000):
            total += number * number

    return run
