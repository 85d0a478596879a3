"""The app's manifest, read as Slack reads it when the app is installed."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True)
class SlashCommand:
    """One entry of features.slash_commands."""

    command: str
    description: str
    usage_hint: str
    should_escape: bool


@dataclass(frozen=True)
class Manifest:
    """What installing the app grants it: its names, commands, bot scopes and bot event subscriptions."""

    name: str
    display_name: str
    commands: tuple[SlashCommand, ...]
    scopes: frozenset[str]
    events: frozenset[str]
    interactive: bool
    home_tab: bool

    @property
    def user_name(self) -> str:
        """The bot user's handle: what follows the @ when somebody mentions it."""
        return re.sub(r"[^a-z0-9._-]+", "", self.display_name.lower()) or "app"

    def command(self, name: str) -> SlashCommand | None:
        """The slash command of this name, with its slash."""
        return next((command for command in self.commands if command.command == name), None)


def parse_manifest(content: dict[str, Any]) -> Manifest:
    """Read a manifest of schema 2; what it leaves out is off, as on Slack."""
    features, settings = content.get("features", {}), content.get("settings", {})
    name = content["display_information"]["name"]
    commands = tuple(
        SlashCommand(
            command=entry["command"],
            description=entry["description"],
            usage_hint=entry.get("usage_hint", ""),
            should_escape=entry.get("should_escape", False),
        )
        for entry in features.get("slash_commands", [])
    )
    return Manifest(
        name=name,
        display_name=features.get("bot_user", {}).get("display_name", name),
        commands=commands,
        scopes=frozenset(content.get("oauth_config", {}).get("scopes", {}).get("bot", [])),
        events=frozenset(settings.get("event_subscriptions", {}).get("bot_events", [])),
        interactive=settings.get("interactivity", {}).get("is_enabled", False),
        home_tab=features.get("app_home", {}).get("home_tab_enabled", False),
    )


def read_manifest(path: Path) -> Manifest:
    """Read an app manifest file, YAML or JSON."""
    return parse_manifest(yaml.safe_load(path.read_text("utf-8")))
