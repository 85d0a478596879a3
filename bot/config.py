"""The settings, read once from the environment and `applications.toml`. A mistake is one sentence that names it."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from bot.installations import TokenCipher
from bot.logs import LogFormat, LogLevel
from services.carriers import huawei, huawei_management, kannel, tencent, twilio
from services.default_regions import MAINLAND, DefaultRegions, is_region
from services.states import Region, SmsType

_TEAM_ID = re.compile(r"T[A-Z0-9]{2,20}")
_SLACK_ID = re.compile(r"[UWS][A-Z0-9]{2,20}")


# What is reported has to find its message; most carriers report for three days.
LEAST_RETENTION_DAYS = 4


class BadConfig(Exception):
    """A setting is missing or wrong; the text is the sentence people read."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SignatureSettings(_Strict):
    """`[[application.signature]]`: the approved name, and the channel number the carrier gave it."""

    name: str = Field(min_length=1)
    channel: str = Field(min_length=1, max_length=21)

    @property
    def sender(self) -> str:
        """What a request for it carries as its sender; empty for the application's own."""
        return self.channel


class TencentSignatureSettings(_Strict):
    """Tencent takes the approved name itself."""

    name: str = Field(min_length=1)

    @property
    def sender(self) -> str:
        """As above."""
        return self.name


class FreeSignatureSettings(_Strict):
    """Nobody approves it; it may have a sender of its own."""

    name: str = Field(min_length=1)
    channel: str = Field(default="", max_length=21)

    @property
    def sender(self) -> str:
        """As above."""
        return self.channel


class TemplateSettings(_Strict):
    """`[[application.template]]`: an approved text; `code` is the carrier's template id."""

    name: str = Field(min_length=1)
    code: str = Field(min_length=1, max_length=32)
    sms_type: SmsType
    text: str = Field(min_length=1, max_length=500)
    signature: str | None = None


class FreeTemplateSettings(TemplateSettings):
    """A text of our own, for carriers that take any: `code` means nothing to them."""

    code: str = Field(default="", max_length=32)


class CommonSettings(_Strict):
    """`[[application]]`: an account at a carrier; what is the same for all of them."""

    name: str = Field(min_length=1)
    workspace: str | None = None
    carrier: str
    region: Region
    requests_per_second: float = Field(default=50, gt=0, le=1000)
    connections: int | None = Field(default=None, ge=1, le=100)
    price_per_segment: Decimal | None = Field(default=None, ge=0, max_digits=12)
    currency: str | None = Field(default=None, pattern=r"^[A-Z]{3}$")
    failover: str | None = Field(default=None, min_length=1)
    receipt_window_hours: int = Field(default=72, ge=1, le=240)
    signature: tuple[SignatureSettings | TencentSignatureSettings | FreeSignatureSettings, ...] = ()
    template: tuple[TemplateSettings, ...] = ()

    @field_validator("endpoint", "url", "management_endpoint", check_fields=False)
    @classmethod
    def _is_address(cls, value: str) -> str:
        return _address(value)

    @model_validator(mode="after")
    def _signatures_exist(self) -> CommonSettings:
        known = {each.name for each in self.signature}
        for each in self.template:
            if each.signature is not None and each.signature not in known:
                raise ValueError(f"template {each.name} names the signature {each.signature}, which is not there")
        if self.region is Region.MAINLAND and self.template and not self.signature:
            raise ValueError("a mainland application needs an [[application.signature]]")
        return self

    @model_validator(mode="after")
    def _price_has_currency(self) -> CommonSettings:
        if (self.price_per_segment is None) != (self.currency is None):
            raise ValueError("price_per_segment and currency go together: give both or neither")
        return self

    @model_validator(mode="after")
    def _names_differ(self) -> CommonSettings:
        for what, named in (("signature", self.signature), ("template", self.template)):
            # People type them in any case.
            names = [each.name.casefold() for each in named]
            for each in named:
                if names.count(each.name.casefold()) > 1:
                    raise ValueError(f"it has two {what}s named {each.name}, and each needs its own name")
        return self


class HuaweiSettings(CommonSettings):
    """An application at Huawei Cloud Message & SMS."""

    carrier: Literal["huawei"]
    endpoint: str = huawei.ENDPOINT
    app_key: str = Field(min_length=1)
    app_secret: str = Field(min_length=1)
    auth: Literal["aksk", "wsse"] = "aksk"
    wsse_digest: Literal["hex", "raw"] = "hex"
    callback_signed: bool = False
    management_endpoint: str = huawei_management.ENDPOINT
    project_id: str | None = Field(default=None, min_length=1)
    access_key: str | None = Field(default=None, min_length=1)
    secret_key: str | None = Field(default=None, min_length=1)
    signature: tuple[SignatureSettings, ...] = ()

    @model_validator(mode="after")
    def _manages_wholly(self) -> HuaweiSettings:
        given = [self.project_id, self.access_key, self.secret_key]
        if any(given) and not all(given):
            raise ValueError("project_id, access_key and secret_key go together")
        return self


class TencentSettings(CommonSettings):
    """An application at Tencent Cloud SMS. `cloud_region` is X-TC-Region, which has nothing to do with recipients."""

    carrier: Literal["tencent"]
    endpoint: str = tencent.ENDPOINT
    cloud_region: str = Field(default="ap-guangzhou", min_length=1)
    secret_id: str = Field(min_length=1)
    secret_key: str = Field(min_length=1)
    sdk_app_id: str = Field(min_length=1)
    sender_id: str | None = None
    pull_receipts: bool = False
    signature: tuple[TencentSignatureSettings, ...] = ()


class TwilioSettings(CommonSettings):
    """An account at Twilio."""

    carrier: Literal["twilio"]
    endpoint: str = twilio.ENDPOINT
    account_sid: str
    auth_token: str = Field(min_length=1)
    from_: str | None = Field(default=None, alias="from", min_length=1)
    messaging_service_sid: str | None = Field(default=None, min_length=1)
    signature: tuple[FreeSignatureSettings, ...] = ()
    template: tuple[FreeTemplateSettings, ...] = ()

    @field_validator("account_sid")
    @classmethod
    def _is_sid(cls, value: str) -> str:
        if re.fullmatch(r"AC[0-9a-fA-F]{32}", value) is None:
            raise ValueError("must be AC and 32 hexadecimal digits, as Twilio's console shows it")
        return value

    @model_validator(mode="after")
    def _one_sender(self) -> TwilioSettings:
        if (self.from_ is None) == (self.messaging_service_sid is None):
            raise ValueError("it needs one of from and messaging_service_sid")
        return self


class KannelSettings(CommonSettings):
    """A sendsms-user of a Kannel; `max_messages` is what Kannel's configuration says."""

    carrier: Literal["kannel"]
    url: str = kannel.ENDPOINT
    username: str = Field(min_length=1)
    password: str = Field(min_length=1)
    from_: str = Field(default="", alias="from", max_length=21)
    smsc: str | None = Field(default=None, min_length=1)
    max_messages: int = Field(default=kannel.MAX_MESSAGES, ge=1, le=255)
    signature: tuple[FreeSignatureSettings, ...] = ()
    template: tuple[FreeTemplateSettings, ...] = ()

    @property
    def endpoint(self) -> str:
        """What answers where the address is right."""
        return self.url


ApplicationSettings = HuaweiSettings | TencentSettings | TwilioSettings | KannelSettings
_APPLICATION: TypeAdapter[ApplicationSettings] = TypeAdapter(
    Annotated[ApplicationSettings, Field(discriminator="carrier")]
)


class RoleSettings(_Strict):
    """`[roles]`: who may do what, each by a person's Slack id (U…) or a user group's (S…)."""

    admin: tuple[str, ...] = ()
    approver: tuple[str, ...] = ()
    sender: tuple[str, ...] = ()
    viewer: tuple[str, ...] = ()

    @field_validator("admin", "approver", "sender", "viewer")
    @classmethod
    def _are_ids(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            if _SLACK_ID.fullmatch(each) is None:
                raise ValueError(f"{each} is no Slack id: a person's is like U0ANA, a user group's like S0MANAGERS")
        return value

    @property
    def are_set(self) -> bool:
        """Whether anybody has a role; else everybody may do everything but what only an admin may."""
        return any((self.admin, self.approver, self.sender, self.viewer))


def _region(value: str) -> str:
    if not is_region(value):
        raise ValueError(f"no country is called {value}: write two capital letters, such as HK or GB")
    return value


class WorkspaceSettings(_Strict):
    """`[workspace.T…]`: what is different in one workspace."""

    retention_days: int | None = Field(default=None, ge=LEAST_RETENTION_DAYS, le=36_500)
    default_region: Annotated[str, AfterValidator(_region)] | None = None


class _General(_Strict):
    """What stands above all tables of the file, and `[workspace.T…]`."""

    retention_days: int | None = Field(default=None, ge=LEAST_RETENTION_DAYS, le=36_500)
    default_region: Annotated[str, AfterValidator(_region)] = MAINLAND
    workspace: dict[str, WorkspaceSettings] = Field(default_factory=dict)

    @field_validator("workspace")
    @classmethod
    def _are_teams(cls, value: dict[str, WorkspaceSettings]) -> dict[str, WorkspaceSettings]:
        for each in value:
            if _TEAM_ID.fullmatch(each) is None:
                raise ValueError(f"{each} is no Slack team: write it as [workspace.T0123ABCD]")
        return value


@dataclass(frozen=True, slots=True)
class RetentionSettings:
    """After how many days the rows of recipients are deleted: `days`, or what a workspace has of its own.

    None: never.
    """

    days: int | None
    of_workspaces: Mapping[str, int]


class _Environment(BaseModel):
    slack_bot_token: str | None = None
    slack_client_id: str | None = None
    slack_client_secret: str | None = None
    slack_token_keys: str | None = None
    slack_app_token: str | None = None
    slack_signing_secret: str | None = None
    slack_api_url: str = "https://slack.com/api/"
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

    @field_validator("slack_api_url", "public_url")
    @classmethod
    def _is_address(cls, value: str | None) -> str | None:
        return None if value is None else _address(value)


@dataclass(frozen=True, slots=True)
class OAuthSettings:
    """What workspaces install the app with. The first of `token_keys` encrypts their tokens, all of them decrypt."""

    client_id: str
    client_secret: str
    token_keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Config:
    """All settings. One of `slack_bot_token`, for one workspace, and `oauth`, for all that install the app, is there.

    Slack is reached by Socket Mode with `slack_app_token`, else over HTTP with the signing secret.

    `public_url` (no slash at its end) is where carriers reach us; None: receipts cannot come. `log_format` None: text
    on a terminal, JSON elsewhere.
    """

    slack_bot_token: str | None
    slack_app_token: str | None
    slack_signing_secret: str | None
    slack_api_url: str
    database_url: str
    http_host: str
    http_port: int
    public_url: str | None
    carrier_connect_seconds: float
    carrier_read_seconds: float
    log_format: LogFormat | None
    log_level: LogLevel
    applications: tuple[ApplicationSettings, ...]
    roles: RoleSettings
    retention: RetentionSettings
    default_regions: DefaultRegions
    oauth: OAuthSettings | None = None

    @property
    def uses_socket_mode(self) -> bool:
        """Whether Slack's requests come over a WebSocket rather than over HTTP."""
        return self.slack_app_token is not None


def read_config(environment: Mapping[str, str] | None = None) -> Config:
    """Raises BadConfig for the first setting that is missing or wrong."""
    environment = os.environ if environment is None else environment
    given = {name: environment[name.upper()] for name in _Environment.model_fields if environment.get(name.upper())}
    try:
        settings = _Environment.model_validate(given)
    except ValidationError as error:
        raise BadConfig(_first(error, lambda name: name.upper(), "the environment")) from error
    if settings.slack_app_token is None and settings.slack_signing_secret is None:
        raise BadConfig(
            "SLACK_APP_TOKEN is missing: set it for Socket Mode, or SLACK_SIGNING_SECRET for Slack over HTTP."
        )
    oauth = _oauth(settings)
    if settings.slack_bot_token is None and oauth is None:
        raise BadConfig("SLACK_BOT_TOKEN is missing in the environment: set it (docs/settings.md lists every setting).")
    if settings.slack_bot_token is not None:
        _check_token("SLACK_BOT_TOKEN", settings.slack_bot_token, "xoxb-")
    if settings.slack_app_token is not None:
        _check_token("SLACK_APP_TOKEN", settings.slack_app_token, "xapp-")
    content = _read_file(settings.sms_applications)
    applications = _applications(content, settings.sms_applications, environment)
    general = _general(content, settings.sms_applications)
    if oauth is not None:
        _check_owners(applications, settings.sms_applications)
    return Config(
        slack_bot_token=settings.slack_bot_token,
        slack_app_token=settings.slack_app_token,
        slack_signing_secret=settings.slack_signing_secret,
        slack_api_url=settings.slack_api_url.rstrip("/") + "/",
        database_url=settings.database_url,
        http_host=settings.http_host,
        http_port=settings.http_port,
        public_url=settings.public_url.rstrip("/") if settings.public_url else None,
        carrier_connect_seconds=settings.carrier_connect_seconds,
        carrier_read_seconds=settings.carrier_read_seconds,
        log_format=settings.log_format,
        log_level=settings.log_level,
        applications=applications,
        roles=_roles(content, settings.sms_applications),
        retention=_retention(general, settings.sms_applications, applications),
        default_regions=_default_regions(general),
        oauth=oauth,
    )


def _oauth(settings: _Environment) -> OAuthSettings | None:
    client_id, secret, keys = settings.slack_client_id, settings.slack_client_secret, settings.slack_token_keys
    if client_id is None and secret is None and keys is None:
        return None
    if client_id is None or secret is None or keys is None:
        raise BadConfig("SLACK_CLIENT_ID, SLACK_CLIENT_SECRET and SLACK_TOKEN_KEYS go together: set all three or none.")
    if settings.public_url is None:
        raise BadConfig("PUBLIC_URL is missing: with SLACK_CLIENT_ID, Slack leads whoever installs the app back there.")
    parts = tuple(part.strip() for part in keys.split(",") if part.strip())
    try:
        TokenCipher(parts)
    except ValueError:
        raise BadConfig(
            "SLACK_TOKEN_KEYS is wrong: each is a key that `python -m bot new-token-key` prints, with commas between."
        ) from None
    return OAuthSettings(client_id, secret, parts)


def _check_owners(applications: Sequence[ApplicationSettings], path: Path) -> None:
    for each in applications:
        if each.workspace is None:
            raise BadConfig(
                f"workspace is missing in {path}, application {each.name}: with SLACK_CLIENT_ID each application says "
                "which workspace it belongs to."
            )


def read_applications(path: Path, environment: Mapping[str, str]) -> tuple[ApplicationSettings, ...]:
    """The applications of a toml file; `env:NAME` in it stands for that variable. Raises BadConfig."""
    return _applications(_read_file(path), path, environment)


def _read_file(path: Path) -> dict[str, Any]:
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise BadConfig(
            f"SMS_APPLICATIONS is {path}, which is not there: write it as docs/settings.md shows."
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadConfig(f"{path} cannot be read: {error}.") from error
    for name in content:
        if name not in ("application", "roles", *_General.model_fields):
            raise BadConfig(
                f"{name} in {path} is no setting: only [[application]] tables, [roles], [workspace.T…], "
                "retention_days and default_region stand there."
            )
    return content


def _general(content: Mapping[str, Any], path: Path) -> _General:
    try:
        return _General.model_validate({name: content[name] for name in _General.model_fields if name in content})
    except ValidationError as error:
        raise BadConfig(_first(error, str, str(path))) from error


def _default_regions(general: _General) -> DefaultRegions:
    own = {name: each.default_region for name, each in general.workspace.items() if each.default_region is not None}
    return DefaultRegions(general.default_region, own)


def _retention(general: _General, path: Path, applications: tuple[ApplicationSettings, ...]) -> RetentionSettings:
    own = {name: each.retention_days for name, each in general.workspace.items() if each.retention_days is not None}
    shortest = min([*own.values(), *([] if general.retention_days is None else [general.retention_days])], default=None)
    for each in applications:
        if shortest is not None and each.receipt_window_hours >= shortest * 24:
            raise BadConfig(
                f"retention_days in {path} is wrong: what is deleted after {shortest} days cannot be reported any "
                f"more, and receipt_window_hours of application {each.name} is {each.receipt_window_hours}: keep it "
                "longer."
            )
    return RetentionSettings(general.retention_days, own)


def _roles(content: Mapping[str, Any], path: Path) -> RoleSettings:
    given = content.get("roles", {})
    if not isinstance(given, dict):
        raise BadConfig(f"roles in {path} is wrong: write it as one table, [roles].")
    try:
        return RoleSettings.model_validate(given)
    except ValidationError as error:
        raise BadConfig(_first(error, str, f"{path}, roles")) from error


def _applications(
    content: Mapping[str, Any], path: Path, environment: Mapping[str, str]
) -> tuple[ApplicationSettings, ...]:
    entries = content.get("application")
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise BadConfig(f"{path} holds no [[application]]: write one as docs/settings.md shows.")
    applications = []
    for number, entry in enumerate(entries, start=1):
        where = f"{path}, application {entry.get('name') or number}"
        try:
            applications.append(_APPLICATION.validate_python(_with_secrets(entry, environment, where)))
        except ValidationError as error:
            raise BadConfig(_first(error, str, where, union=True)) from error
    for one, other in combinations(applications, 2):
        # Without a workspace it belongs to whichever there is.
        if one.name == other.name and (one.workspace == other.workspace or None in (one.workspace, other.workspace)):
            raise BadConfig(f"{path} has two applications named {one.name}: give each its own name.")
    for each in applications:
        _check_failover(path, each, applications)
    return tuple(applications)


def _check_failover(path: Path, one: ApplicationSettings, applications: Sequence[ApplicationSettings]) -> None:
    if one.failover is None:
        return
    where = f"failover in {path}, application {one.name}"
    others = [each for each in applications if each.name == one.failover and each is not one]
    if not others:
        raise BadConfig(f"{where} is wrong: there is no other application named {one.failover}.")
    for other in others:
        if other.region is not one.region:
            raise BadConfig(f"{where} is wrong: {other.name} sends to another region.")


def _with_secrets(entry: Mapping[str, Any], environment: Mapping[str, str], where: str) -> dict[str, Any]:
    found = {}
    for key, value in entry.items():
        if isinstance(value, str) and value.startswith("env:"):
            name = value.removeprefix("env:")
            if not environment.get(name):
                raise BadConfig(f"{where}: {key} is {value}, and the environment has no {name}: set it.")
            value = environment[name]
        found[key] = value
    return found


def _check_token(name: str, token: str, prefix: str) -> None:
    if not token.startswith(prefix):
        raise BadConfig(f"{name} is wrong: it starts with {prefix} (docs/slack.md says where to find it).")


def _address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an address such as https://sms.example.com")
    return value


def _first(error: ValidationError, spell: Any, where: str, *, union: bool = False) -> str:
    """The first mistake as a sentence that names the setting. In a `union` a place begins with the carrier's name."""
    detail = error.errors()[0]
    name = ".".join(spell(str(part)) for part in detail["loc"][union:])
    if detail["type"] == "union_tag_invalid":
        return f"carrier in {where} is wrong: it is one of {detail['ctx']['expected_tags'].replace(chr(39), '')}."
    if detail["type"] == "union_tag_not_found":
        name = "carrier"
    if detail["type"] in ("missing", "union_tag_not_found"):
        return f"{name} is missing in {where}: set it (docs/settings.md lists every setting)."
    if detail["type"] == "extra_forbidden":
        return f"{name} in {where} is no setting: remove it, or correct its spelling (docs/settings.md lists them)."
    reason = detail["msg"].removeprefix("Value error, ")
    what = f"{name} in {where}" if name else where
    return f"{what} is wrong: {reason[0].lower()}{reason[1:]}."
