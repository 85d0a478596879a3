"""What must be said in two places says the same in both."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from slack_sdk.web.async_client import AsyncWebClient

import bot
from bot.carriers import CARRIERS
from bot.oauth import BOT_SCOPES
from handlers.routes import ROUTES, Kind, Route
from tests.contract.stands import STANDS

ROOT = Path(__file__).parent.parent
MANIFEST: dict[str, Any] = yaml.safe_load((ROOT / "app_manifest.yaml").read_text("utf-8"))
# slackapi/manifest-schema, MIT, its licence beside it.
SCHEMA = json.loads((ROOT / "tests/data/manifest.schema.2.0.0.json").read_text("utf-8"))
SCOPES = set(MANIFEST["oauth_config"]["scopes"]["bot"])
EVENTS = set(MANIFEST["settings"]["event_subscriptions"]["bot_events"])
COMMANDS: dict[str, dict[str, Any]] = {each["command"]: each for each in MANIFEST["features"]["slash_commands"]}
ROUTED = {route.key: route for route in ROUTES if route.kind is Kind.COMMAND}

# The bot scopes of each Web API method we call, for the channels we work in (public and private);
# source: docs.slack.dev/reference/methods/<method>, "Required scopes". None: any token.
METHOD_SCOPES: dict[str, set[str]] = {
    "apps_connections_open": set(),  # connections:write of the app-level token
    "auth_test": set(),
    "chat_postEphemeral": {"chat:write"},
    "chat_postMessage": {"chat:write"},
    "chat_update": {"chat:write"},
    "conversations_history": {"channels:history", "groups:history"},
    "conversations_info": {"channels:read", "groups:read"},
    "conversations_open": {"im:write"},
    "conversations_replies": {"channels:history", "groups:history"},
    "files_info": {"files:read"},
    "files_upload_v2": {"files:write"},
    "usergroups_users_list": {"usergroups:read"},
    "users_info": {"users:read"},
    "views_open": set(),
}
# source: docs.slack.dev/reference/events/<event>
EVENT_SCOPES = {
    "app_uninstalled": set[str](),
    "message.channels": {"channels:history"},
    "message.groups": {"groups:history"},
    "tokens_revoked": set[str](),
}
# What no method asks for: commands itself; to download a file.
OTHER_SCOPES = {"commands", "files:read"}


def called_methods() -> Iterator[str]:
    """Every method of Slack's client that the bot's code names."""
    assert bot.__file__ is not None
    for path in Path(bot.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value).endswith("client"):
                method = getattr(AsyncWebClient, node.attr, None)
                if callable(method) and "_" in node.attr and not node.attr.startswith("_"):
                    yield node.attr


def test_the_manifest_is_one_slack_takes() -> None:
    jsonschema.Draft7Validator(SCHEMA).validate(MANIFEST)


def test_slack_asks_for_a_long_description() -> None:
    assert 175 <= len(MANIFEST["display_information"]["long_description"]) <= 4000
    assert len(MANIFEST["display_information"]["description"]) <= 140


def test_every_command_of_the_manifest_is_routed_and_the_reverse() -> None:
    assert list(COMMANDS) == list(ROUTED)


@pytest.mark.parametrize("route", ROUTED.values(), ids=list(ROUTED))
def test_a_command_is_explained_alike_in_slack_and_in_our_help(route: Route) -> None:
    hint: str = COMMANDS[route.key].get("usage_hint", "")
    assert bool(hint) == bool(route.usage)
    assert re.match(r"\W*\w*", hint)[0] == re.match(r"\W*\w*", route.usage)[0]  # type: ignore[index]
    for key in re.findall(r"(\w+):", hint):
        assert f"{key}:" in route.usage


@pytest.mark.parametrize("command", COMMANDS.values(), ids=list(COMMANDS))
def test_slack_hands_a_commands_text_over_as_it_was_typed(command: dict[str, Any]) -> None:
    # Where a person can be named, Slack is to say who it is.
    assert command["should_escape"] is (command["command"] == "/sms-tasks")
    assert "url" not in command, "Socket Mode is the default"


def test_every_method_the_bot_calls_has_its_scopes_and_every_scope_a_use() -> None:
    called = set(called_methods())
    assert called == set(METHOD_SCOPES), "say here which scopes a new method needs"
    needed = set().union(*METHOD_SCOPES.values(), *(EVENT_SCOPES[event] for event in EVENTS), OTHER_SCOPES)
    assert needed == SCOPES
    assert set(BOT_SCOPES) == SCOPES, "a workspace that installs the app gives the same"


def test_every_event_that_is_routed_is_subscribed_to() -> None:
    routed = {route.key for route in ROUTES if route.kind is Kind.EVENT}
    # bot/removal.py listens for the end of an installation.
    about_installations = {"app_uninstalled", "tokens_revoked"}
    assert routed | about_installations == {event.partition(".")[0] for event in EVENTS}


def test_buttons_and_forms_reach_us() -> None:
    assert MANIFEST["settings"]["interactivity"]["is_enabled"] is True
    assert MANIFEST["settings"]["socket_mode_enabled"] is True


def test_the_invitation_names_the_bot_as_the_manifest_does() -> None:
    assert MANIFEST["features"]["bot_user"]["display_name"] == "sms"


def test_every_carrier_is_held_to_the_contract() -> None:
    assert {stand.__name__.removesuffix("Stand").lower() for stand in STANDS} == set(CARRIERS)
