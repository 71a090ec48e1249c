"""Calls of the standard library that compress, hash, encrypt and calculate."""

from __future__ import annotations

import bz2
import decimal
import hashlib
import io
import lzma
import os
import random
import zipfile
import zlib
from functools import partial

from observatory import samples
from observatory.registry import Run, call


def _zlib() -> str:
    return f"zlib {zlib.ZLIB_RUNTIME_VERSION}"


def _libmpdec() -> str:
    return f"libmpdec {getattr(decimal, '__libmpdec_version__', 'in Python')}"


def _hashes(size: int, times: int) -> Run:
    data = bytes(size)

    def run() -> None:
        for _ in range(times):
            hashlib.sha256(data).digest()

    return run


@call("hashlib.sha256, 1 KiB", "5,000 times", library=samples.openssl)
def sha256_small() -> Run:
    """hashlib releases the GIL for 2,048 bytes or more. For less, releasing it would take longer than the hash."""
    return _hashes(1024, 5000)


@call("hashlib.sha256, 4 KiB", "2,000 times", library=samples.openssl)
def sha256_medium() -> Run:
    """Each hash releases the GIL, for some microseconds.

    To get it back takes about as long if another thread has it.
    """
    return _hashes(4096, 2000)


@call("hashlib.sha256, 64 KiB", "150 times", library=samples.openssl)
def sha256_large() -> Run:
    return _hashes(65536, 150)


@call("hashlib.sha256, 16 MiB", "once", library=samples.openssl)
def sha256_huge() -> Run:
    return _hashes(16 * samples.MEGABYTE, 1)


@call("hashlib.pbkdf2_hmac", "20,000 iterations of SHA-256", library=samples.openssl)
def pbkdf2() -> Run:
    return partial(hashlib.pbkdf2_hmac, "sha256", b"password", b"salt", 20_000)


@call("hashlib.scrypt", "n=4096, r=8", library=samples.openssl)
def scrypt() -> Run:
    return partial(hashlib.scrypt, b"password", salt=b"salt", n=4096, r=8, p=1)


@call("zlib.compress", "500 kB of text", library=_zlib)
def zlib_compress() -> Run:
    return partial(zlib.compress, samples.prose_bytes(500_000))


@call("zlib.decompress", "4 MB of text", library=_zlib)
def zlib_decompress() -> Run:
    return partial(zlib.decompress, zlib.compress(samples.prose_bytes(4 * samples.MEGABYTE)))


@call("zlib.crc32", "16 MB", library=_zlib)
def crc32() -> Run:
    """zlib releases the GIL for more than 5 kB."""
    return partial(zlib.crc32, bytes(16 * samples.MEGABYTE))


@call("bz2.compress", "100 kB of text")
def bz2_compress() -> Run:
    return partial(bz2.compress, samples.prose_bytes(100_000))


@call("lzma.compress", "50 kB of text")
def lzma_compress() -> Run:
    return partial(lzma.compress, samples.prose_bytes(50_000))


@call("zipfile.ZipFile.read", "200 members of 20 kB", library=_zlib)
def zip_read() -> Run:
    """The GIL is released three times for each member, and Python code runs in between."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(200):
            archive.writestr(f"{number}.txt", samples.prose(20_000))
    data = made.getvalue()

    def run() -> None:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                archive.read(name)

    return run


@call("decimal.Decimal.sqrt", "to 5,000 digits", library=_libmpdec)
def decimal_sqrt() -> Run:
    """The library libmpdec computes in C, and decimal holds the GIL until the result is there."""
    return partial(decimal.Decimal(2).sqrt, decimal.Context(prec=5_000))


@call("pow", "2,048 bits, as in RSA")
def pow_mod() -> Run:
    """Arithmetic with large integers holds the GIL in C until the result is there."""
    rng = random.Random(5)
    base, exponent, modulus = (rng.getrandbits(2048) | 1 for _ in range(3))
    return partial(pow, base, exponent, modulus)


@call("os.urandom", "4 MB")
def urandom() -> Run:
    return partial(os.urandom, 4 * samples.MEGABYTE)
