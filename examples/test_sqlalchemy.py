"""SQLAlchemy with a database file: a pool of connections that is large enough, and one that is not."""

from __future__ import annotations

import time

import pytest

sqlalchemy = pytest.importorskip("sqlalchemy")


@pytest.fixture
def engine_of(tmp_path):
    """Make engines for one database file. Its function `slow` stands in for a query that takes a while."""
    engines = []

    def make(pool_size: int):
        engine = sqlalchemy.create_engine(
            f"sqlite:///{tmp_path / 'shop.db'}", poolclass=sqlalchemy.QueuePool, pool_size=pool_size, max_overflow=0
        )

        @sqlalchemy.event.listens_for(engine, "connect")
        def add_function(connection, record):
            connection.create_function("slow", 1, sleep)

        with engine.begin() as connection:
            connection.execute(sqlalchemy.text("create table if not exists orders (id integer)"))
            connection.execute(sqlalchemy.text("insert into orders values (1)"))
        engines.append(engine)
        return engine

    yield make
    for engine in engines:
        engine.dispose()


def sleep(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def count_orders(engine) -> int:
    with engine.connect() as connection:
        return connection.execute(sqlalchemy.text("select count(*), slow(0.01) from orders")).scalar_one()


def test_pool_of_four_connections_serves_four_threads(concurrency, engine_of):
    assert concurrency.speedup(count_orders, engine_of(pool_size=4), threads=4) >= 2.5


def test_pool_of_one_connection_serializes(concurrency, engine_of):
    assert concurrency.bound(count_orders, engine_of(pool_size=1)) == "serialized"
