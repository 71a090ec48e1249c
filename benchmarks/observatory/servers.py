"""Servers in a process of their own, so that what they compute is no part of the measured call.

``python servers.py http`` or ``python servers.py tls FOLDER`` prints its port, and ends when its input is closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

_PORT, _FOLDER = "OBSERVATORY_PORT", "OBSERVATORY_FOLDER"
_THREADS = 4
_DELAY = 0.02  # seconds that the slow page takes
_BODY = b'{"answer": 42, "text": "' + b"x" * 1000 + b'"}'
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(_BODY)


@dataclass(frozen=True)
class Server:
    """Where a server listens, and the certificate that it shows if it speaks TLS."""

    port: int
    folder: str = ""

    @property
    def certificate(self) -> str:
        return str(Path(self.folder) / "certificate.pem")


@functools.cache
def start(kind: str) -> Server:
    """Start a server, or return the one that a parent process has started."""
    if _PORT in os.environ:
        return Server(int(os.environ[_PORT]), os.environ.get(_FOLDER, ""))
    folder = ""
    if kind == "tls":
        folder = _certified()
    command = [sys.executable, __file__, kind, folder]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    _RUNNING.append(process)
    assert process.stdout is not None
    port = process.stdout.readline().strip()
    if not port:
        raise RuntimeError(f"the {kind} server did not start")
    os.environ.update({_PORT: port, _FOLDER: folder})
    return Server(int(port), folder)


_RUNNING: list[subprocess.Popen[str]] = []  # a server ends when nothing refers to its input any more


def _certified() -> str:
    """Make a key and a certificate for localhost; return their folder."""
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    from observatory import samples

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    folder = samples.folder()
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return str(folder)


class _Http(asyncio.Protocol):
    """Answers each request with the same page; asked for ``/slow``, after 20 ms."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        while b"\r\n\r\n" in self._received:
            request, _, self._received = self._received.partition(b"\r\n\r\n")
            delay = _DELAY if request.startswith(b"GET /slow ") else 0
            if delay:
                asyncio.get_running_loop().call_later(delay, self._answer)
            else:
                self._answer()

    def _answer(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(_HEAD + _BODY)


async def _serve_http() -> None:
    server = await asyncio.get_running_loop().create_server(_Http, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    os._exit(0)


def _serve_tls(folder: Path) -> None:
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    listening = socket.create_server(("127.0.0.1", 0), backlog=64)

    def serve() -> None:
        while True:
            plain, _ = listening.accept()
            with contextlib.suppress(OSError), plain, context.wrap_socket(plain, server_side=True) as encrypted:
                encrypted.send(b"x")

    for _ in range(_THREADS):
        threading.Thread(target=serve, daemon=True).start()
    print(listening.getsockname()[1], flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    if sys.argv[1] == "http":
        asyncio.run(_serve_http())
    else:
        _serve_tls(Path(sys.argv[2]))
