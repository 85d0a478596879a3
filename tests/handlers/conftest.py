"""Handlers over real services on SQLite; the services themselves are held to PostgreSQL too in tests/services."""

from __future__ import annotations

import pytest

from handlers.content import Contents
from handlers.imports import Importing
from handlers.send import Sending
from handlers.tasks import Tasks
from services.database import Database
from tests.handlers.samples import contents_of, tasks_of
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
    return Sending(
        previews=marketing.previews,
        confirmations=marketing.confirmations,
        tests=marketing.draft_tests,
        groups=marketing.groups,
        content=marketing.content,
        imports=marketing.imports,
    )


@pytest.fixture
def tasks(marketing: Marketing) -> Tasks:
    """What `/sms-tasks` works on."""
    return tasks_of(marketing)


@pytest.fixture
def importing(marketing: Marketing) -> Importing:
    """What dropped files work on."""
    return Importing(marketing.imports, marketing.groups)


@pytest.fixture
def contents(marketing: Marketing) -> Contents:
    """What `/sms-templates` works on; no carrier lists its content."""
    return contents_of(marketing)
