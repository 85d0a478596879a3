"""Settings as an operator writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bot.bad_config import BadConfig
from bot.config import Config, read_config
from sandbox.carriers.huawei import APP_KEY, APP_SECRET
from sandbox.slack.core import APP_TOKEN, BOT_TOKEN, SIGNING_SECRET

APPLICATION = """
[[application]]
name = "promo-cn"
carrier = "huawei"
region = "mainland"
endpoint = "http://127.0.0.1:9"
app_key = "env:HUAWEI_APP_KEY"
app_secret = "env:HUAWEI_APP_SECRET"
"""
SIGNATURE = """
[[application.signature]]
name = "Spring"
channel = "csms100000001"
"""
TEMPLATE = """
[[application.template]]
name = "spring"
code = "8ff55eac1d0b478ab3c06c3c6a492300"
sms_type = "notification"
signature = "Spring"
text = "We open at nine."
"""
WHOLE = APPLICATION + SIGNATURE + TEMPLATE


def with_failover(toml: str, text: str = "We open at nine.") -> str:
    """The one application, and another one with this text, which takes over from it."""
    first = toml.replace("region =", 'failover = "second"\nregion =')
    return first + toml.replace('"promo-cn"', '"second"').replace("We open at nine.", text)


def environment(folder: Path, toml: str = WHOLE, **changes: str | None) -> dict[str, str]:
    """A whole environment with an applications.toml of its own; None takes a variable away."""
    path = folder / "applications.toml"
    path.write_text(toml, "utf-8")
    given: dict[str, str | None] = {
        "SLACK_BOT_TOKEN": BOT_TOKEN,
        "SLACK_APP_TOKEN": APP_TOKEN,
        "DATABASE_URL": f"sqlite:///{folder / 'sms.db'}",
        "HTTP_PORT": "0",
        "SMS_APPLICATIONS": str(path),
        "HUAWEI_APP_KEY": APP_KEY,
        "HUAWEI_APP_SECRET": APP_SECRET,
        **changes,
    }
    return {name: value for name, value in given.items() if value is not None}


def over_http(folder: Path, toml: str = WHOLE, **changes: str | None) -> dict[str, str]:
    """The same for Slack over HTTP."""
    return environment(folder, toml, SLACK_APP_TOKEN=None, SLACK_SIGNING_SECRET=SIGNING_SECRET, **changes)


def without_slack(folder: Path, **changes: str | None) -> dict[str, str]:
    """The same for a worker."""
    given = environment(folder, WHOLE, **changes)
    return {name: value for name, value in given.items() if not name.startswith("SLACK_")}


def a_config(folder: Path, toml: str = WHOLE, **changes: Any) -> Config:
    """What is read from it."""
    return read_config(environment(folder, toml, **changes))


def sentence(folder: Path, toml: str = WHOLE, **changes: Any) -> str:
    """What is wrong with it, with the folder's own name left out."""
    with pytest.raises(BadConfig) as raised:
        read_config(environment(folder, toml, **changes))
    return str(raised.value).replace(f"{folder}/", "")
