"""Input that several calls share. Seeds are fixed, so that each run has the same work to do."""

from __future__ import annotations

import functools
import json
import random
import tempfile
from pathlib import Path
from typing import Any

MEGABYTE = 1 << 20


@functools.cache
def records(count: int) -> list[dict[str, Any]]:
    """Orders of a shop: numbers, text, a list and a dictionary in each."""
    rng = random.Random(1)
    return [
        {
            "id": number,
            "customer": f"customer {rng.randrange(1000)}",
            "price": round(rng.uniform(1, 500), 2),
            "paid": rng.random() < 0.9,
            "tags": [f"tag{rng.randrange(50)}" for _ in range(3)],
            "address": {"street": f"{rng.randrange(200)} Long Street", "city": f"City {rng.randrange(100)}"},
        }
        for number in range(count)
    ]


@functools.cache
def json_text(count: int) -> str:
    return json.dumps(records(count))


@functools.cache
def prose(size: int) -> str:
    """Lines of a log, with addresses and e-mail addresses to be found in them."""
    rng = random.Random(2)
    lines, length = [], 0
    while length < size:
        host = ".".join(str(rng.randrange(256)) for _ in range(4))
        day, user = rng.randrange(1, 29), rng.randrange(900)
        lines.append(f"2024-05-{day:02} {host} user{user}@example.org asked for a page\n")
        length += len(lines[-1])
    return "".join(lines)[:size]


@functools.cache
def prose_bytes(size: int) -> bytes:
    return prose(size).encode()


@functools.cache
def csv_text(rows: int) -> str:
    rng = random.Random(3)
    lines = (f"{number},name {number % 500},{rng.random():.6f},{rng.random():.6f}\n" for number in range(rows))
    return "".join(["id,name,amount,rate\n", *lines])


@functools.cache
def xml_text(items: int) -> str:
    body = "".join(
        f'<item id="{one["id"]}"><name>{one["customer"]}</name><price>{one["price"]}</price></item>'
        for one in records(items)
    )
    return f"<items>{body}</items>"


def folder() -> Path:
    """A new folder below the temporary folder that the study gives to each row and removes in the end."""
    return Path(tempfile.mkdtemp(prefix="observatory-"))


def openssl() -> str:
    """Return the library behind ssl and hashlib: ``OpenSSL 3.0.2``."""
    import ssl

    return " ".join(ssl.OPENSSL_VERSION.split()[:2])
