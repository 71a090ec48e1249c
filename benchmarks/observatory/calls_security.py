"""Calls of packages that hash passwords, encrypt and sign."""

from __future__ import annotations

from functools import partial

from observatory import samples
from observatory.registry import Run, call


@call("bcrypt.hashpw", "cost 6", needs=("bcrypt",))
def bcrypt_hashpw() -> Run:
    import bcrypt

    return partial(bcrypt.hashpw, b"password", bcrypt.gensalt(6))


@call("argon2.PasswordHasher.hash", "1 lane, 8 MiB", needs=("argon2-cffi",))
def argon2_hash() -> Run:
    import argon2

    hasher = argon2.PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1)
    return partial(hasher.hash, "password")


@call("cryptography, AES-GCM", "encrypt 8 MB", needs=("cryptography",))
def aes_gcm() -> Run:
    """cryptography has released the GIL for 2,048 bytes or more since the versions of 2026; version 45 holds it.

    The memory of the result, a fifth of the time, is still made with the GIL. `encrypt_into()` writes to a buffer that
    is there.
    """
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    cipher = AESGCM(bytes(32))
    return partial(cipher.encrypt, bytes(12), bytes(8 * samples.MEGABYTE), None)


@call("cryptography, RSA", "sign with 4,096 bits", needs=("cryptography",))
def rsa_sign() -> Run:
    """cryptography has released the GIL to sign since the versions of 2026. Version 45 holds it."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    key = rsa.generate_private_key(65537, 4096)
    return partial(key.sign, b"a message", padding.PKCS1v15(), hashes.SHA256())


@call("cryptography, Fernet", "encrypt 1 MB", needs=("cryptography",))
def fernet() -> Run:
    """Encryption and signature release the GIL. More than half of the time is base64, which holds it."""
    from cryptography.fernet import Fernet

    return partial(Fernet(Fernet.generate_key()).encrypt, bytes(samples.MEGABYTE))
