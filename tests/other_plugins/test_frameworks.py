"""pytest-aiohttp, pytest-django, and the annotations that GitHub shows."""

from __future__ import annotations

import re

import pytest
from conftest import LOCKED, REPORT, Suite, assert_outcome, plugin, records_of, text_of

SERVER = """
from aiohttp import web

async def slow(request):
    await asyncio.sleep(0.005)
    return web.Response(text="slow")

async def blocks(request):
    time.sleep(0.1)
    return web.Response(text="blocks")

@pytest.fixture
async def client(aiohttp_client):
    app = web.Application()
    app.router.add_get("/slow", slow)
    app.router.add_get("/blocks", blocks)
    return await aiohttp_client(app)

@pytest.mark.expect_speedup(tasks=4, at_least=1.5)
async def test_requests(client):
    async with client.get("/slow") as response:
        assert await response.text() == "slow"

@pytest.mark.expect_nonblocking
async def test_handler_blocks(client):
    await client.get("/blocks")
"""
SETTINGS = """
SECRET_KEY = "for tests"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "their_urls"
"""
URLS = """
import time
from django.http import HttpResponse
from django.urls import path

def slow(request):
    time.sleep(0.01)
    return HttpResponse("slow")

urlpatterns = [path("slow", slow)]
"""
DJANGO = """
from django.contrib.auth.models import User

@pytest.fixture
def row(db):
    User.objects.create(username="one")

@pytest.mark.expect_speedup(threads=4, at_least=1.5)
def test_view(client):
    assert client.get("/slow").status_code == 200

@pytest.mark.expect_speedup(threads=4, at_least=1.5)
def test_rolled_back(row):
    assert User.objects.count() == 1

@pytest.mark.django_db
@pytest.mark.expect_speedup(threads=4, at_least=1.5)
def test_writes():
    User.objects.create()

@pytest.mark.django_db(transaction=True)
@pytest.mark.expect_speedup(threads=4, at_least=1.1, max_time="300ms", undecided="pass")
def test_committed(row):
    assert User.objects.count() == 1
    time.sleep(0.005)

@pytest.mark.django_db
def test_asks(concurrency):
    assert concurrency.speedup(time.sleep, 0.004, threads=4) >= 2
"""


def test_a_client_of_aiohttp_is_measured_with_its_server(suite: Suite, pytester: pytest.Pytester) -> None:
    options = (*plugin("asyncio"), *plugin("aiohttp"), "--asyncio-mode=auto", REPORT)
    result = suite(SERVER, *options, "-o", "asyncio_default_fixture_loop_scope=function", subprocess=True)
    verdicts = {name: record["expectations"][0]["verdict"] for name, record in records_of(pytester).items()}
    assert verdicts == {"test_requests": "met", "test_handler_blocks": "not_met"}
    assert "in blocks: time.sleep(0.1)" in text_of(result)


def test_a_transaction_that_is_rolled_back_cannot_be_measured(suite: Suite, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(their_settings=SETTINGS, their_urls=URLS)
    result = suite(DJANGO, *plugin("django"), "--ds=their_settings", subprocess=True)
    for name in ("test_view", "test_committed", "test_asks"):
        assert_outcome(result, name, "PASSED")
    for name in ("test_rolled_back", "test_writes"):
        assert_outcome(result, name, "ERROR")
    assert "Write @pytest.mark.django_db(transaction=True), or ask for transactional_db" in text_of(result)


def test_a_fixture_that_is_only_named_like_one_of_django_is_measured(suite: Suite, pytester: pytest.Pytester) -> None:
    source = """
@pytest.fixture
def db(tmp_path):
    return tmp_path / "own.db"

@pytest.mark.expect_io_bound
def test_body(db):
    time.sleep(0.01)
"""
    pytester.makepyfile(their_settings=SETTINGS, their_urls=URLS)
    result = suite(source, *plugin("django"), "--ds=their_settings", subprocess=True)
    assert_outcome(result, "test_body", "PASSED")


def test_github_shows_the_failure_at_the_test(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    result = suite(LOCKED, *plugin("pytest_github_actions_annotate_failures"), subprocess=True)
    (annotation,) = re.findall("::error file=test_suite.py,line=(.*)", result.stdout.str() + result.stderr.str())
    assert annotation.startswith("6::test_body")
    assert "expect_speedup(threads=4, at_least=3) is not met" in annotation
    assert "Cause:" in annotation
