"""The bot as a whole, in this process, between the two stand-ins; and its parts over real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import stamina

from sandbox.carriers.huawei import HuaweiSandbox
from sandbox.slack.server import SlackSandbox
from tests.bot.checks import Operator
from tests.services.conftest import migrated_postgresql, migrated_sqlite, postgresql, sqlite

__all__ = ["migrated_postgresql", "migrated_sqlite", "postgresql", "sqlite"]

MANIFEST = Path(__file__).parents[2] / "app_manifest.yaml"


@pytest.fixture
async def carrier() -> AsyncIterator[HuaweiSandbox]:
    """The carrier's stand-in."""
    made = HuaweiSandbox(receipt_delay=(0.0, 0.05))
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def without_waiting() -> Iterator[None]:
    """Repeats follow each other at once."""
    stamina.set_testing(True, attempts=4)
    yield
    stamina.set_testing(False)


@pytest.fixture
async def slack() -> AsyncIterator[SlackSandbox]:
    """Slack's stand-in."""
    sandbox = SlackSandbox(MANIFEST)
    await sandbox.start()
    yield sandbox
    await sandbox.stop()


@pytest.fixture
def operator(slack: SlackSandbox, carrier: HuaweiSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Operator:
    """Somebody with `check-config` and both stand-ins."""
    return Operator(slack, carrier, tmp_path, monkeypatch)
