"""The part of `check-config` about `[roles]`: whether Slack knows everybody they name, in one workspace or another."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.applications_file import RoleSettings
from bot.bad_config import BadConfig
from bot.config import Config
from bot.oauth import installations_of
from bot.slack_calls import make_client, slack_client
from bot.token_cipher import UnreadableTokens
from bot.workspaces import ask_home
from services.database import Database

Say = Callable[[str], None]

# The bot exchanges such a token when it needs it; to do so here would change what is stored.
_EXPIRED = "token_expired"


async def check_roles(config: Config, database: Database | None, say: Say) -> bool:
    """Say what could be found out, and what could not. `database` holds the workspaces' tokens; None: there is none.

    The ids are of whatever workspace, so each is looked for in all of them.
    """
    roles = config.roles
    if not roles.are_set:
        say("! [roles]: nobody is named, so everybody may send, and any member but the author approves.")
        return True
    try:
        clients, unasked = await _workspaces(config, database)
    except BadConfig:
        say("! [roles]: nobody was looked up, because SLACK_BOT_TOKEN does not work.")
        return False
    if not clients:
        say(f"! [roles]: nobody was looked up: {'; '.join(_reasons(unasked))}.")
        return True
    right, known = True, set[str]()
    for entry in dict.fromkeys((*roles.admin, *roles.approver, *roles.sender, *roles.viewer)):
        refused, not_now = await _ask_for(entry, clients)
        silent = unasked | not_now
        if refused is None:
            known.add(entry)
        elif silent:
            why = "; ".join([*_codes(refused), *_reasons(silent)])
            say(f"! [roles]: whether there is {entry} is not known: {why}.")
        else:
            say(f"✗ [roles]: {entry} was not found: {'; '.join(_codes(refused))}.")
            right = False
    if right and known:
        others = "may do nothing" if roles.viewer else "may look"
        say(f"✓ [roles]: {_who_is_what(roles, known)}. Everybody else {others}.")
    return right


async def _workspaces(config: Config, database: Database | None) -> tuple[dict[str, AsyncWebClient], dict[str, str]]:
    """Those that can be asked, and why the others cannot. Raises BadConfig where SLACK_BOT_TOKEN does not work."""
    slack, clients, unasked = config.slack, dict[str, AsyncWebClient](), dict[str, str]()
    if slack.bot_token is not None:
        home = await ask_home(slack, slack_client(slack))
        clients[home.team_id] = home.client
    if slack.oauth is None:
        return clients, unasked
    installations = None if database is None else installations_of(slack.oauth, database)
    for team in sorted({each.workspace for each in config.applications if each.workspace} - clients.keys()):
        if installations is None:
            unasked[team] = "there is no database to look for its token in"
            continue
        unasked[team] = "it has not installed the app"
        try:
            found = await installations.async_find_bot(enterprise_id=None, team_id=team)
        except UnreadableTokens:
            unasked[team] = "its token was encrypted with a key that SLACK_TOKEN_KEYS does not hold"
        else:
            if found is not None and found.bot_token is not None:
                clients[team] = make_client(found.bot_token, slack.api_url)
                del unasked[team]
    return clients, unasked


async def _ask_for(entry: str, clients: Mapping[str, AsyncWebClient]) -> tuple[dict[str, str] | None, dict[str, str]]:
    """By workspace, the code it answered with, or None once one knows it; and why one gave no answer."""
    refused, silent = dict[str, str](), dict[str, str]()
    for team, client in clients.items():
        try:
            if entry.startswith("S"):
                await client.usergroups_users_list(usergroup=entry)
            else:
                await client.users_info(user=entry)
        except SlackApiError as error:
            code = str(error.response.get("error"))
            if code == _EXPIRED:
                silent[team] = "its token has to be exchanged first, which the bot does"
            else:
                refused[team] = code
        except (aiohttp.ClientError, TimeoutError):
            silent[team] = "Slack does not answer"
        else:
            return None, {}
    return refused, silent


def _codes(refused: Mapping[str, str]) -> list[str]:
    return [f"{code} in {team}" for team, code in refused.items()]


def _reasons(unasked: Mapping[str, str]) -> list[str]:
    return [f"{team} could not be asked ({why})" for team, why in unasked.items()]


def _who_is_what(roles: RoleSettings, known: set[str]) -> str:
    named = {name: [each for each in getattr(roles, name) if each in known] for name in type(roles).model_fields}
    return "; ".join(f"{name}: {', '.join(ids)}" for name, ids in named.items() if ids)
