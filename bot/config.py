"""The settings of a process, read once: the environment (`environment.py`) and `applications.toml`
(`applications_file.py`, with what each carrier takes in `application_settings.py`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from bot.application_settings import ApplicationSettings
from bot.applications_file import ApplicationsFile, RetentionSettings, RoleSettings
from bot.bad_config import BadConfig
from bot.environment import Environment, SlackSettings, read_environment, read_slack
from services.default_regions import DefaultRegions


class WorkerConfig(Environment):
    """All settings of a process that only sends. It speaks to no Slack, so nothing of Slack's is among them."""

    applications: tuple[ApplicationSettings, ...]


class Config(WorkerConfig):
    """All settings of a process that serves Slack."""

    slack: SlackSettings
    roles: RoleSettings
    retention: RetentionSettings
    default_regions: DefaultRegions


def read_config(environment: Mapping[str, str] | None = None) -> Config:
    """Raises BadConfig for the first setting that is missing or wrong."""
    environment = os.environ if environment is None else environment
    common = read_environment(environment)
    slack = read_slack(environment, common.public_url)
    file = ApplicationsFile(common.sms_applications, environment)
    applications = file.applications()
    if slack.oauth is not None:
        _check_owners(applications, common.sms_applications)
    return Config(
        **dict(common),
        applications=applications,
        slack=slack,
        roles=file.roles(),
        retention=file.retention(applications),
        default_regions=file.default_regions(),
    )


def read_worker_config(environment: Mapping[str, str] | None = None) -> WorkerConfig:
    """Raises BadConfig, as above, for what a worker needs."""
    environment = os.environ if environment is None else environment
    common = read_environment(environment)
    file = ApplicationsFile(common.sms_applications, environment)
    return WorkerConfig(**dict(common), applications=file.applications())


def _check_owners(applications: Sequence[ApplicationSettings], path: Path) -> None:
    for each in applications:
        if each.workspace is None:
            raise BadConfig(
                f"workspace is missing in {path}, application {each.name}: with SLACK_CLIENT_ID each application says "
                "which workspace it belongs to."
            )
