"""``--concurrency-survey`` in a pytest session: reading where tests run, collecting where the session is reported."""

from __future__ import annotations

import pytest

from pytest_concurrency.session import xdist
from pytest_concurrency.session.options import Settings
from pytest_concurrency.session.survey.collector import SurveyCollector
from pytest_concurrency.session.survey.reader import SurveyReader


def start(config: pytest.Config, settings: Settings) -> None:
    """Register what this process has to do; call it when all plugins are there."""
    manager = config.pluginmanager
    collector = None
    if not xdist.is_worker(config):
        collector = SurveyCollector()
        manager.register(collector, SurveyCollector.NAME)
        if manager.has_plugin("dsession"):  # xdist's: the tests run in its workers
            collector.listen(manager)
            return
    manager.register(SurveyReader(settings, collector), SurveyReader.NAME)
