"""Handlers over real services on SQLite; the services themselves are held to PostgreSQL too in tests/services."""

from __future__ import annotations

import pytest

from handlers.imports import Importing
from handlers.send import Sending
from handlers.tasks import Tasks
from services.database import Database
from tests.handlers.samples import tasks_of
from tests.services.builders import Marketing
from tests.services.conftest import migrated_sqlite, sqlite

__all__ = ["migrated_sqlite", "sqlite"]


@pytest.fixture
def marketing(sqlite: Database) -> Marketing:
    """A workspace that may send."""
    return Marketing(sqlite)


@pytest.fixture
def sending(marketing: Marketing) -> Sending:
    """What `/sms-send` works on."""
    return Sending(marketing.previews, marketing.confirmations, marketing.groups, marketing.content)


@pytest.fixture
def tasks(marketing: Marketing) -> Tasks:
    """What `/sms-tasks` works on."""
    return tasks_of(marketing)


@pytest.fixture
def importing(marketing: Marketing) -> Importing:
    """What dropped files work on."""
    return Importing(marketing.imports, marketing.groups)
