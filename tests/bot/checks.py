"""Somebody who runs `check-config` and reads what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bot.check_config import check_config
from bot.environment import Environment, SlackEnvironment
from sandbox.carriers.huawei import HuaweiSandbox
from sandbox.slack.server import SlackSandbox
from tests.bot.settings import WHOLE, environment


class Operator:
    """Runs check-config in an environment and reads what it says."""

    def __init__(self, slack: SlackSandbox, carrier: HuaweiSandbox, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self._defaults = {"SLACK_API_URL": slack.api_url}
        self.toml = WHOLE.replace("http://127.0.0.1:9", carrier.url)
        self._folder = folder
        self._patch = patch

    async def checks(self, toml: str | None = None, **changes: Any) -> tuple[bool, list[str]]:
        given = environment(self._folder, self.toml if toml is None else toml, **{**self._defaults, **changes})
        for name in (*SlackEnvironment.model_fields, *Environment.model_fields):
            self._patch.delenv(name.upper(), raising=False)
        for name, value in given.items():
            self._patch.setenv(name, value)
        said: list[str] = []
        right = await check_config(said.append)
        return right, said
