"""Calls of HTTP clients and of an object-relational mapper."""

from __future__ import annotations

import threading
from functools import partial

from observatory import samples, servers
from observatory.registry import Run, call

FAST = "1 kB from a server on this machine that answers at once"
SLOW = "1 kB from a server that takes 20 ms"


def _address(path: str) -> str:
    return f"http://127.0.0.1:{servers.start('http').port}{path}"


def _requests(path: str) -> Run:
    import requests

    own, address = threading.local(), _address(path)

    def run() -> None:
        if not hasattr(own, "session"):
            own.session = requests.Session()
        own.session.get(address).json()

    return run


@call("requests, fast server", FAST, needs=("requests",))
def requests_fast() -> Run:
    """The call gives up the GIL some ten times, to wait for the socket, and computes in Python in between."""
    return _requests("/")


@call("requests, slow server", SLOW, needs=("requests",))
def requests_slow() -> Run:
    return _requests("/slow")


def _httpx(path: str) -> Run:
    import httpx

    client, address = httpx.Client(), _address(path)

    def run() -> None:
        client.get(address).json()

    return run


@call("httpx, fast server", FAST, needs=("httpx",))
def httpx_fast() -> Run:
    """The call gives up the GIL some ten times, to wait for the socket, and computes in Python in between."""
    return _httpx("/")


@call("httpx, slow server", SLOW, needs=("httpx",))
def httpx_slow() -> Run:
    return _httpx("/slow")


@call("aiohttp, 20 at once", f"20 tasks of one loop, each {SLOW}", needs=("aiohttp",))
def aiohttp_slow() -> Run:
    """One event loop already waits for all 20 at the same time. What is left is to compute in Python."""
    import asyncio

    import aiohttp

    address = _address("/slow")

    async def get(session: aiohttp.ClientSession) -> None:
        async with session.get(address) as answer:
            await answer.json()

    async def get_all() -> None:
        async with aiohttp.ClientSession() as session:
            await asyncio.gather(*(get(session) for _ in range(20)))

    def run() -> None:
        asyncio.run(get_all())

    return run


@call("SQLAlchemy, select", "1,000 objects from SQLite, a connection for each thread", needs=("SQLAlchemy",))
def sqlalchemy_select() -> Run:
    from sqlalchemy import Float, Integer, String, create_engine, select
    from sqlalchemy.orm import DeclarativeBase, Session, mapped_column

    class Base(DeclarativeBase):
        pass

    class Order(Base):
        __tablename__ = "orders"
        id = mapped_column(Integer, primary_key=True)
        customer = mapped_column(String(40))
        price = mapped_column(Float)

    engine = create_engine(f"sqlite:///{samples.folder() / 'orders.sqlite'}")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all(Order(customer=f"customer {number}", price=number / 7) for number in range(1000))
        session.commit()

    def run() -> None:
        with Session(engine) as session:
            session.scalars(select(Order)).all()

    return run


@call("Jinja2.Template.render", "a table of 1,000 rows", needs=("Jinja2",))
def jinja_render() -> Run:
    import jinja2

    source = "{% for one in rows %}<tr><td>{{ one.id }}</td><td>{{ one.customer|e }}</td></tr>{% endfor %}"
    return partial(jinja2.Template(source).render, rows=samples.records(1000))
