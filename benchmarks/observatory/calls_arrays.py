"""Calls of packages for arrays, tables and pictures."""

from __future__ import annotations

import io
from functools import partial

from observatory import samples
from observatory.registry import Run, call

ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@call("numpy, a @ b", "500 x 500 floats", needs=("numpy",))
def numpy_matmul() -> Run:
    """The BLAS library runs threads of its own on all CPUs, so that one call is as fast as it can be.

    `OPENBLAS_NUM_THREADS=1` limits it to one thread.
    """
    return _matmul()


@call(
    "numpy, a @ b, one BLAS thread",
    "500 x 500 floats, OPENBLAS_NUM_THREADS=1",
    needs=("numpy",),
    environment=ONE_THREAD,
)
def numpy_matmul_one_thread() -> Run:
    return _matmul()


def _matmul() -> Run:
    import numpy

    a = numpy.random.default_rng(1).random((500, 500))
    return partial(numpy.matmul, a, a)


@call("numpy.sin", "1,000,000 floats", needs=("numpy",))
def numpy_sin() -> Run:
    import numpy

    return partial(numpy.sin, numpy.random.default_rng(1).random(1_000_000))


@call("numpy.add, small arrays", "100 floats, 10,000 times", needs=("numpy",))
def numpy_add_small() -> Run:
    """NumPy releases the GIL for more than 500 elements."""
    import numpy

    a = numpy.random.default_rng(1).random(100)

    def run() -> None:
        for _ in range(10_000):
            numpy.add(a, a)

    return run


@call("numpy.add, large arrays", "4,000,000 floats", needs=("numpy",))
def numpy_add_large() -> Run:
    import numpy

    a = numpy.random.default_rng(1).random(4_000_000)
    return partial(numpy.add, a, a)


@call("numpy.sort", "500,000 floats", needs=("numpy",))
def numpy_sort() -> Run:
    import numpy

    return partial(numpy.sort, numpy.random.default_rng(1).random(500_000))


@call("numpy.fft.fft", "262,144 floats", needs=("numpy",))
def numpy_fft() -> Run:
    import numpy

    return partial(numpy.fft.fft, numpy.random.default_rng(1).random(1 << 18))


@call("numpy.sum of objects", "200,000 Python integers", needs=("numpy",))
def numpy_sum_objects() -> Run:
    """Elements are Python objects, so NumPy calls Python for each of them."""
    import numpy

    return numpy.arange(1000, 201_000).astype(object).sum


@call("numpy.random.Generator.normal", "500,000 numbers, a generator for each call", needs=("numpy",))
def numpy_normal() -> Run:
    import numpy

    def run() -> None:
        numpy.random.default_rng(1).normal(size=500_000)

    return run


@call("pandas.read_csv", "20,000 rows of 4 columns", needs=("pandas", "numpy"))
def pandas_read_csv() -> Run:
    import pandas

    text = samples.csv_text(20_000)

    def run() -> None:
        pandas.read_csv(io.StringIO(text))

    return run


def _frame(rows: int):  # type: ignore[no-untyped-def]
    import numpy
    import pandas

    rng = numpy.random.default_rng(1)
    return pandas.DataFrame({"key": rng.integers(0, 1000, rows), "a": rng.random(rows), "b": rng.random(rows)})


@call("pandas, groupby.sum", "500,000 rows, 1,000 groups", needs=("pandas", "numpy"))
def pandas_groupby() -> Run:
    frame = _frame(500_000)

    def run() -> None:
        frame.groupby("key").sum()

    return run


@call("pandas, merge", "100,000 rows with 1,000", needs=("pandas", "numpy"))
def pandas_merge() -> Run:
    """The GIL is released more than 100 times, each time for a part of the work."""
    frame = _frame(100_000)
    other = frame.drop_duplicates("key")[["key", "a"]]
    return partial(frame.merge, other, on="key")


@call("pandas, apply", "a Python function, 2,000 rows", needs=("pandas", "numpy"))
def pandas_apply() -> Run:
    return partial(_frame(2000).apply, lambda row: row["a"] + row["b"], axis=1)


def _polars_frame(rows: int):  # type: ignore[no-untyped-def]
    import random

    import polars

    rng = random.Random(1)
    return polars.DataFrame(
        {"key": [rng.randrange(1000) for _ in range(rows)], "a": [rng.random() for _ in range(rows)]}
    )


def _polars_group() -> Run:
    import polars

    frame = _polars_frame(500_000)

    def run() -> None:
        frame.group_by("key").agg(polars.col("a").sum())

    return run


@call("polars, group_by", "500,000 rows, 1,000 groups", needs=("polars",))
def polars_group() -> Run:
    """Polars runs threads of its own on all CPUs, so that one call is as fast as it can be."""
    return _polars_group()


@call(
    "polars, group_by, one thread",
    "500,000 rows, 1,000 groups, POLARS_MAX_THREADS=1",
    needs=("polars",),
    environment={"POLARS_MAX_THREADS": "1"},
)
def polars_group_one_thread() -> Run:
    """All threads of Python share the one thread of Polars, so that two of them gain nothing."""
    return _polars_group()


@call("polars.read_csv", "20,000 rows of 4 columns", needs=("polars",))
def polars_read_csv() -> Run:
    """Polars runs threads of its own on all CPUs, so that one call is as fast as it can be."""
    import polars

    data = samples.csv_text(20_000).encode()

    def run() -> None:
        polars.read_csv(io.BytesIO(data))

    return run


def _picture():  # type: ignore[no-untyped-def]
    from PIL import Image

    gradient = Image.linear_gradient("L").resize((1200, 800))
    return Image.merge("RGB", (gradient, gradient.rotate(90), gradient.rotate(180)))


@call("Pillow, resize", "1,200 x 800 to 300 x 200", needs=("Pillow",))
def pillow_resize() -> Run:
    from PIL import Image

    return partial(_picture().resize, (300, 200), Image.Resampling.LANCZOS)


@call("Pillow, open a JPEG", "decode 1,200 x 800", needs=("Pillow",))
def pillow_jpeg() -> Run:
    from PIL import Image

    made = io.BytesIO()
    _picture().save(made, "JPEG")
    data = made.getvalue()

    def run() -> None:
        Image.open(io.BytesIO(data)).load()

    return run


@call("Pillow, save a PNG", "600 x 400", needs=("Pillow",))
def pillow_png() -> Run:
    picture = _picture().resize((600, 400))

    def run() -> None:
        picture.save(io.BytesIO(), "PNG")

    return run
