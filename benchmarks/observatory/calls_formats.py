"""Calls of packages that parse, validate, search and compress."""

from __future__ import annotations

from functools import partial

from observatory import samples
from observatory.registry import Run, call


def _libxml2() -> str:
    from lxml import etree

    return f"libxml2 {'.'.join(map(str, etree.LIBXML_VERSION))}"


@call("lxml.etree.fromstring", "5,000 items, 400 kB", needs=("lxml",), library=_libxml2)
def lxml_fromstring() -> Run:
    """lxml releases the GIL for the whole of the parsing. The Python objects are made later, when the tree is used."""
    from lxml import etree

    return partial(etree.fromstring, samples.xml_text(5000).encode())


@call("lxml.etree.parse", "a file of 5,000 items, 400 kB", needs=("lxml",), library=_libxml2)
def lxml_parse() -> Run:
    """lxml releases the GIL for the whole of the parsing. The Python objects are made later, when the tree is used."""
    from lxml import etree

    path = samples.folder() / "items.xml"
    path.write_text(samples.xml_text(5000))
    return partial(etree.parse, str(path))


@call("lxml xpath", "find some of 5,000 items, a tree for each thread", needs=("lxml",), library=_libxml2)
def lxml_xpath() -> Run:
    import threading

    from lxml import etree

    own, data = threading.local(), samples.xml_text(5000).encode()

    def run() -> None:
        if not hasattr(own, "tree"):
            own.tree = etree.fromstring(data)
        own.tree.xpath("//item[price > 495]/name/text()")

    return run


@call("orjson.loads", "5,000 records, 1 MB", needs=("orjson",))
def orjson_loads() -> Run:
    """The documentation of orjson says so: the GIL is held for the whole call."""
    import orjson

    return partial(orjson.loads, samples.json_text(5000).encode())


@call("orjson.dumps", "5,000 records, 1 MB", needs=("orjson",))
def orjson_dumps() -> Run:
    """The documentation of orjson says so: the GIL is held for the whole call."""
    import orjson

    return partial(orjson.dumps, samples.records(5000))


@call("msgpack.unpackb", "5,000 records", needs=("msgpack",))
def msgpack_unpackb() -> Run:
    import msgpack

    return partial(msgpack.unpackb, msgpack.packb(samples.records(5000)))


@call("yaml.load, CSafeLoader", "100 records", needs=("PyYAML",))
def yaml_load() -> Run:
    import yaml

    return partial(yaml.load, yaml.safe_dump(samples.records(100)), yaml.CSafeLoader)


@call("pydantic, model_validate", "2,000 records", needs=("pydantic", "pydantic_core"))
def pydantic_validate() -> Run:
    return partial(_orders().validate_python, samples.records(2000))


@call("pydantic, validate_json", "2,000 records, 400 kB", needs=("pydantic", "pydantic_core"))
def pydantic_validate_json() -> Run:
    return partial(_orders().validate_json, samples.json_text(2000))


def _orders():  # type: ignore[no-untyped-def]
    from pydantic import BaseModel, TypeAdapter, create_model

    address: type[BaseModel] = create_model("Address", street=(str, ...), city=(str, ...))
    order: type[BaseModel] = create_model(
        "Order",
        id=(int, ...),
        customer=(str, ...),
        price=(float, ...),
        paid=(bool, ...),
        tags=(list[str], ...),
        address=(address, ...),
    )
    return TypeAdapter(list[order])  # type: ignore[valid-type]


@call("regex.findall", "e-mail addresses in 200 kB", needs=("regex",))
def regex_findall() -> Run:
    """For `str` and `bytes`, regex releases the GIL by default, here about twice for each of the 3,000 matches."""
    import regex

    return partial(regex.compile(r"[\w.]+@[\w.]+\.\w+").findall, samples.prose(200_000))


@call("regex.findall, concurrent=True", "e-mail addresses in 200 kB", needs=("regex",))
def regex_findall_concurrent() -> Run:
    """The argument changes nothing for `str`, for which regex releases the GIL anyway."""
    import regex

    return partial(regex.compile(r"[\w.]+@[\w.]+\.\w+").findall, samples.prose(200_000), concurrent=True)


@call("zstandard, compress", "2 MB of text, a compressor for each call", needs=("zstandard",))
def zstandard_compress() -> Run:
    import zstandard

    data = samples.prose_bytes(2 * samples.MEGABYTE)

    def run() -> None:
        zstandard.ZstdCompressor().compress(data)

    return run


@call("zstandard, decompress", "16 MB of text, a decompressor for each call", needs=("zstandard",))
def zstandard_decompress() -> Run:
    import zstandard

    data = zstandard.ZstdCompressor().compress(samples.prose_bytes(16 * samples.MEGABYTE))

    def run() -> None:
        zstandard.ZstdDecompressor().decompress(data)

    return run


@call("brotli.compress", "500 kB of text, quality 5", needs=("brotli",))
def brotli_compress() -> Run:
    import brotli

    return partial(brotli.compress, samples.prose_bytes(500_000), quality=5)


@call("lz4.frame.compress", "8 MB of text", needs=("lz4",))
def lz4_compress() -> Run:
    import lz4.frame

    return partial(lz4.frame.compress, samples.prose_bytes(8 * samples.MEGABYTE))
