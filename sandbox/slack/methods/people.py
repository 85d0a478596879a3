"""users.*, usergroups.*, auth.test, api.test and apps.connections.open."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sandbox.slack.methods.conversations import page
from sandbox.slack.sockets import SocketDelivery
from sandbox.slack.tickets import Refused
from sandbox.slack.web_api import Call, Method, Methods, Result
from sandbox.slack.workspace import (
    APP_ID,
    BOT_ID,
    BOT_USER,
    TEAM_DOMAIN,
    TEAM_ID,
    TEAM_NAME,
    USERGROUPS,
    User,
)

_LOCALES = {"Europe/Madrid": "es-ES", "Asia/Shanghai": "zh-CN"}


def api_test(call: Call) -> Result:
    """api.test: what was sent comes back, also as an error if it says so."""
    if call.text("error"):
        raise Refused(call.text("error"), args=call.args)
    return {"args": {name: value for name, value in call.args.items() if name != "token"}}


def auth_test(call: Call) -> Result:
    """auth.test"""
    return {
        "url": f"https://{TEAM_DOMAIN}.slack.com/",
        "team": TEAM_NAME,
        "user": call.core.manifest.user_name,
        "team_id": TEAM_ID,
        "user_id": BOT_USER,
        "bot_id": BOT_ID,
        "is_enterprise_install": False,
    }


def open_connection(call: Call) -> Result:
    """apps.connections.open; refused while the app is set to a request URL."""
    if not isinstance(call.core.delivery, SocketDelivery):
        raise Refused("socket_mode_not_enabled")
    return {"url": call.core.delivery.new_address()}


def _user(call: Call, user: User, *, locale: bool) -> dict[str, Any]:
    now = datetime.now(ZoneInfo(user.tz))
    offset = now.utcoffset()
    profile: dict[str, Any] = {
        "real_name": user.real_name,
        "real_name_normalized": user.real_name,
        "display_name": user.name,
        "display_name_normalized": user.name,
        "team": TEAM_ID,
    }
    if user.is_bot:
        profile |= {"api_app_id": APP_ID, "bot_id": BOT_ID}
    elif "users:read.email" in call.core.manifest.scopes:
        profile["email"] = f"{user.name}@{TEAM_DOMAIN}.example"
    shown: dict[str, Any] = {
        "id": user.id,
        "team_id": TEAM_ID,
        "name": user.name,
        "deleted": False,
        "color": user.color.lstrip("#"),
        "real_name": user.real_name,
        "tz": user.tz,
        "tz_label": now.tzname(),
        "tz_offset": int(offset.total_seconds()) if offset else 0,
        "profile": profile,
        "is_admin": user.id == "U0ANA",
        "is_owner": user.id == "U0ANA",
        "is_primary_owner": user.id == "U0ANA",
        "is_restricted": False,
        "is_ultra_restricted": False,
        "is_bot": user.is_bot,
        "is_app_user": False,
        "updated": 1_763_000_000,
    }
    return shown | ({"locale": _LOCALES.get(user.tz, "en-US")} if locale else {})


def user_info(call: Call) -> Result:
    """users.info"""
    return {"user": _user(call, call.user(), locale=call.flag("include_locale"))}


def user_list(call: Call) -> Result:
    """users.list"""
    shown, more = page(call, list(call.core.workspace.users.values()))
    return {"members": [_user(call, user, locale=call.flag("include_locale")) for user in shown], **more}


def usergroup_users(call: Call) -> Result:
    """usergroups.users.list"""
    group = USERGROUPS.get(call.text("usergroup"))
    if group is None:
        raise Refused("no_such_subteam")
    return {"users": group[1]}


METHODS: Methods = {
    "api.test": Method(api_test, token="none"),
    "auth.test": Method(auth_test),
    "apps.connections.open": Method(open_connection, token="app"),
    "users.info": Method(user_info, ("users:read",), ("user",)),
    "users.list": Method(user_list, ("users:read",)),
    "usergroups.users.list": Method(usergroup_users, ("usergroups:read",), ("usergroup",)),
}
