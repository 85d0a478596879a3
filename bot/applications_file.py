"""`applications.toml`: the applications, `[roles]`, `[workspace.T…]`, `retention_days` and `default_region`, each read
and checked.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError, field_validator

from bot.application_settings import ApplicationSettings
from bot.bad_config import BadConfig, Strict, first_mistake
from services.default_regions import MAINLAND, DefaultRegions, is_region

_TEAM_ID = re.compile(r"T[A-Z0-9]{2,20}")
_SLACK_ID = re.compile(r"[UWS][A-Z0-9]{2,20}")

# What is reported has to find its message; most carriers report for three days.
LEAST_RETENTION_DAYS = 4

_APPLICATION: TypeAdapter[ApplicationSettings] = TypeAdapter(
    Annotated[ApplicationSettings, Field(discriminator="carrier")]
)


class RoleSettings(Strict):
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


class WorkspaceSettings(Strict):
    """`[workspace.T…]`: what is different in one workspace."""

    retention_days: int | None = Field(default=None, ge=LEAST_RETENTION_DAYS, le=36_500)
    default_region: Annotated[str, AfterValidator(_region)] | None = None


class _General(Strict):
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


class ApplicationsFile:
    """The file at `path`. `env:NAME` in it stands for that variable of the environment."""

    def __init__(self, path: Path, environment: Mapping[str, str]) -> None:
        """Raises BadConfig, as all of its methods do, for the first mistake."""
        self._path = path
        self._environment = environment
        self._content = _read(path)

    def applications(self) -> tuple[ApplicationSettings, ...]:
        """At least one."""
        entries = self._content.get("application")
        if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
            raise BadConfig(f"{self._path} holds no [[application]]: write one as docs/settings.md shows.")
        applications = []
        for number, entry in enumerate(entries, start=1):
            where = f"{self._path}, application {entry.get('name') or number}"
            try:
                applications.append(_APPLICATION.validate_python(_with_secrets(entry, self._environment, where)))
            except ValidationError as error:
                raise BadConfig(first_mistake(error, where, union=True)) from error
        for one, other in combinations(applications, 2):
            # Without a workspace it belongs to whichever there is.
            belong_together = one.workspace == other.workspace or None in (one.workspace, other.workspace)
            if one.name == other.name and belong_together:
                raise BadConfig(f"{self._path} has two applications named {one.name}: give each its own name.")
        for each in applications:
            _check_failover(self._path, each, applications)
        return tuple(applications)

    def roles(self) -> RoleSettings:
        """Nobody has any where the table is left out."""
        given = self._content.get("roles", {})
        if not isinstance(given, dict):
            raise BadConfig(f"roles in {self._path} is wrong: write it as one table, [roles].")
        try:
            return RoleSettings.model_validate(given)
        except ValidationError as error:
            raise BadConfig(first_mistake(error, f"{self._path}, roles")) from error

    def retention(self, applications: Sequence[ApplicationSettings]) -> RetentionSettings:
        """Long enough for what carriers report of these applications."""
        general = self._general()
        own = {name: each.retention_days for name, each in general.workspace.items() if each.retention_days is not None}
        default = [] if general.retention_days is None else [general.retention_days]
        shortest = min([*own.values(), *default], default=None)
        for each in applications:
            if shortest is not None and each.receipt_window_hours >= shortest * 24:
                raise BadConfig(
                    f"retention_days in {self._path} is wrong: what is deleted after {shortest} days cannot be "
                    f"reported any more, and receipt_window_hours of application {each.name} is "
                    f"{each.receipt_window_hours}: keep it longer."
                )
        return RetentionSettings(general.retention_days, own)

    def default_regions(self) -> DefaultRegions:
        """Whose a number without country code is."""
        general = self._general()
        own = {name: each.default_region for name, each in general.workspace.items() if each.default_region is not None}
        return DefaultRegions(general.default_region, own)

    def _general(self) -> _General:
        given = {name: self._content[name] for name in _General.model_fields if name in self._content}
        try:
            return _General.model_validate(given)
        except ValidationError as error:
            raise BadConfig(first_mistake(error, str(self._path))) from error


def _read(path: Path) -> dict[str, Any]:
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
