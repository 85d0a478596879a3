"""The environment variables, by their names in small letters. docs/settings.md says what each is for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from bot.bad_config import BadConfig, check_address, first_mistake
from bot.logs import LogFormat, LogLevel
from bot.token_cipher import TokenCipher


class _Variables(BaseModel):
    model_config = ConfigDict(frozen=True)


class Environment(_Variables):
    """What every process reads.

    `public_url` (no slash at its end) is where carriers reach us; None: receipts cannot come. `log_format` None: text
    on a terminal, JSON elsewhere.
    """

    database_url: str = "sqlite:///sms.db"
    http_host: str = "127.0.0.1"
    http_port: int = Field(default=3000, ge=0, le=65535)
    public_url: str | None = None
    sms_applications: Path = Path("applications.toml")
    carrier_connect_seconds: float = Field(default=5, gt=0, le=60)
    carrier_read_seconds: float = Field(default=10, gt=0, le=120)
    log_format: LogFormat | None = None
    log_level: LogLevel = "info"

    @field_validator("log_format", "log_level", mode="before")
    @classmethod
    def _in_any_case(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("public_url")
    @classmethod
    def _is_address(cls, value: str | None) -> str | None:
        return None if value is None else check_address(value).rstrip("/")


class SlackEnvironment(_Variables):
    """What only a process that serves Slack reads."""

    slack_bot_token: str | None = None
    slack_client_id: str | None = None
    slack_client_secret: str | None = None
    slack_token_keys: str | None = None
    slack_app_token: str | None = None
    slack_signing_secret: str | None = None
    slack_api_url: str = "https://slack.com/api/"

    @field_validator("slack_api_url")
    @classmethod
    def _is_address(cls, value: str) -> str:
        return check_address(value).rstrip("/") + "/"


@dataclass(frozen=True, slots=True)
class OAuthSettings:
    """What workspaces install the app with. The first of `token_keys` encrypts their tokens, all of them decrypt."""

    client_id: str
    client_secret: str
    token_keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SlackSettings:
    """One of `bot_token`, for one workspace, and `oauth`, for all that install the app, is there.

    Slack is reached by Socket Mode with `app_token`, else over HTTP with the signing secret.
    """

    bot_token: str | None
    app_token: str | None
    signing_secret: str | None
    api_url: str
    oauth: OAuthSettings | None

    @property
    def uses_socket_mode(self) -> bool:
        """Whether Slack's requests come over a WebSocket rather than over HTTP."""
        return self.app_token is not None


def read_environment(environment: Mapping[str, str] | None = None) -> Environment:
    """Raises BadConfig."""
    return _read(Environment, os.environ if environment is None else environment)


def read_slack(environment: Mapping[str, str], public_url: str | None) -> SlackSettings:
    """Raises BadConfig."""
    given = _read(SlackEnvironment, environment)
    if given.slack_app_token is None and given.slack_signing_secret is None:
        raise BadConfig(
            "SLACK_APP_TOKEN is missing: set it for Socket Mode, or SLACK_SIGNING_SECRET for Slack over HTTP."
        )
    oauth = _oauth(given, public_url)
    if given.slack_bot_token is None and oauth is None:
        raise BadConfig("SLACK_BOT_TOKEN is missing in the environment: set it (docs/settings.md lists every setting).")
    _check_token("SLACK_BOT_TOKEN", given.slack_bot_token, "xoxb-")
    _check_token("SLACK_APP_TOKEN", given.slack_app_token, "xapp-")
    return SlackSettings(
        bot_token=given.slack_bot_token,
        app_token=given.slack_app_token,
        signing_secret=given.slack_signing_secret,
        api_url=given.slack_api_url,
        oauth=oauth,
    )


_V = TypeVar("_V", bound=_Variables)


def _read(variables: type[_V], environment: Mapping[str, str]) -> _V:
    given = {name: environment[name.upper()] for name in variables.model_fields if environment.get(name.upper())}
    try:
        return variables.model_validate(given)
    except ValidationError as error:
        raise BadConfig(first_mistake(error, "the environment", spell=str.upper)) from error


def _oauth(given: SlackEnvironment, public_url: str | None) -> OAuthSettings | None:
    client_id, secret, keys = given.slack_client_id, given.slack_client_secret, given.slack_token_keys
    if client_id is None and secret is None and keys is None:
        return None
    if client_id is None or secret is None or keys is None:
        raise BadConfig("SLACK_CLIENT_ID, SLACK_CLIENT_SECRET and SLACK_TOKEN_KEYS go together: set all three or none.")
    if public_url is None:
        raise BadConfig("PUBLIC_URL is missing: with SLACK_CLIENT_ID, Slack leads whoever installs the app back there.")
    parts = tuple(part.strip() for part in keys.split(",") if part.strip())
    try:
        TokenCipher(parts)
    except ValueError:
        raise BadConfig(
            "SLACK_TOKEN_KEYS is wrong: each is a key that `python -m bot new-token-key` prints, with commas between."
        ) from None
    return OAuthSettings(client_id, secret, parts)


def _check_token(name: str, token: str | None, prefix: str) -> None:
    if token is not None and not token.startswith(prefix):
        raise BadConfig(f"{name} is wrong: it starts with {prefix} (docs/slack.md says where to find it).")
