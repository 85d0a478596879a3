"""What people do to the app: commands, buttons and menus, forms. Builds Slack's payloads, shows the app's answers."""

import json
import time
from typing import Any

from sandbox.slack.blocks import all_blocks, elements_of
from sandbox.slack.core import Core, user_brief
from sandbox.slack.events import EventFeed
from sandbox.slack.responses import answer
from sandbox.slack.tickets import Refused, ResponseUrl
from sandbox.slack.views import Values, View, missing_inputs
from sandbox.slack.workspace import (
    APP_ID,
    BOT_USER,
    TEAM_DOMAIN,
    TEAM_ID,
    Channel,
    Message,
)

TROUBLE = "We had some trouble connecting. Try again?"
_CHANNEL_NAMES = {"private": "privategroup", "im": "directmessage"}


class NotPossible(Exception):
    """What a person asked for cannot be done; the message is the sentence the page shows."""


class Interactions:
    """One method for each thing a person can do to the app."""

    def __init__(self, core: Core, feed: EventFeed) -> None:
        self.core = core
        self.feed = feed

    def invite(self, user: str, channel: Channel, name: str) -> None:
        """`/invite @name`: add a member, most often the app."""
        workspace = self.core.workspace
        wanted = name.strip().lstrip("@").lower()
        found = [u for u in workspace.users.values() if wanted in (u.name, u.real_name.lower(), f"<@{u.id.lower()}>")]
        if channel.kind == "im" or not wanted or not found:
            raise NotPossible(f"“{name}” is nobody who can be invited here.")
        new = found[0]
        if new.id in channel.members:
            self.core.live.tell_privately(user, channel.id, f"<@{new.id}> is already in this channel.")
            return
        channel.members.append(new.id)
        text = f"<@{new.id}> has joined the channel"
        workspace.post(Message(channel.id, workspace.new_ts(), new.id, text, subtype="channel_join"))
        self.feed.joined(new.id, channel, user)
        self.core.live.state_changed()

    def command(self, user: str, channel: Channel, command: str, text: str) -> None:
        """A slash command, as typed into the composer; its answer comes later."""
        if command == "/invite":
            self.invite(user, channel, text)
            return
        known = self.core.manifest.command(command)
        if known is None:
            raise NotPossible(f"{command} is not a valid command.")
        workspace = self.core.workspace
        payload = {
            "token": "unused",
            "team_id": TEAM_ID,
            "team_domain": TEAM_DOMAIN,
            "channel_id": channel.id,
            "channel_name": _CHANNEL_NAMES.get(channel.kind, channel.name),
            "user_id": user,
            "user_name": workspace.users[user].name,
            "command": command,
            "text": workspace.as_typed(text, labels=True) if known.should_escape else text,
            "api_app_id": APP_ID,
            "is_enterprise_install": "false",
            "response_url": self.core.base_url + self.core.response_urls.issue(user, channel.id),
            "trigger_id": self.core.triggers.issue(user),
        }
        typed = f"{command} {text}".strip()
        self.core.spawn(self._run_command(user, channel, typed, payload))

    async def _run_command(self, user: str, channel: Channel, typed: str, payload: dict[str, Any]) -> None:
        said = await self.core.delivery.ask("slash_commands", payload, accepts_payload=True)
        failure: str | None = said.failure
        if failure is None and said.payload:
            if said.payload.get("response_type") == "in_channel":
                workspace = self.core.workspace
                workspace.post(Message(channel.id, workspace.new_ts(), user, typed, command=typed))
            if said.payload.keys() & {"text", "blocks", "attachments"}:
                try:
                    answer(self.core, ResponseUrl(user, channel.id, None, 0), said.payload)
                except Refused as refused:
                    failure = refused.error
        if failure is not None:
            text = f'{payload["command"]} failed with the error "{failure}"'
            self.core.live.tell_privately(user, channel.id, text, failed=text)

    def action(self, user: str, place: dict[str, Any], action: dict[str, Any], values: Values) -> None:
        """A button pressed or a choice made. `place` has view_id, or channel and message_ts."""
        payload: dict[str, Any] = {
            "type": "block_actions",
            **self._common(user),
            "enterprise": None,
            "is_enterprise_install": False,
        }
        if place.get("view_id"):
            view = self._open_view(user, place["view_id"])
            view["state"] = {"values": values}
            blocks = view["blocks"]
            payload |= {
                "container": {"type": "view", "view_id": view["id"]},
                "view": json.loads(json.dumps(view)),
                "trigger_id": self.core.triggers.issue(user, view["id"]),
            }
        else:
            message = self._message(user, place)
            blocks = message.blocks + [b for a in message.attachments for b in a.get("blocks", [])]
            payload |= self._message_part(user, message)
            payload |= {"state": {"values": values}, "trigger_id": self.core.triggers.issue(user)}
        payload["actions"] = [{**_element(blocks, action), **action, "action_ts": f"{time.time():.6f}"}]
        self.core.spawn(self._interact(user, payload))

    async def _interact(self, user: str, payload: dict[str, Any]) -> None:
        said = await self.core.delivery.ask("interactive", payload, accepts_payload=False)
        if said.failure:
            self.core.live.toast(user, TROUBLE)

    def _common(self, user: str) -> dict[str, Any]:
        return {
            "user": user_brief(self.core.workspace.users[user]),
            "api_app_id": APP_ID,
            "token": "unused",
            "team": {"id": TEAM_ID, "domain": TEAM_DOMAIN},
        }

    def _message(self, user: str, place: dict[str, Any]) -> Message:
        stored = self.core.workspace.messages.get(place.get("channel", ""), {}).get(place.get("message_ts", ""))
        if stored is None or stored.only_for not in (None, user) or stored.user != BOT_USER:
            raise NotPossible("That message is gone.")
        return stored

    def _message_part(self, user: str, message: Message) -> dict[str, Any]:
        channel = self.core.workspace.channels[message.channel]
        container: dict[str, Any] = {
            "type": "message",
            "message_ts": message.ts,
            "channel_id": message.channel,
            "is_ephemeral": message.only_for is not None,
        }
        if message.thread_ts:
            container["thread_ts"] = message.thread_ts
        part: dict[str, Any] = {
            "container": container,
            "channel": {"id": channel.id, "name": _CHANNEL_NAMES.get(channel.kind, channel.name)},
            "response_url": self.core.base_url + self.core.response_urls.issue(user, channel.id, message),
        }
        if message.only_for is None:
            part["message"] = self.core.api_message(message)
        return part

    def _open_view(self, user: str, view_id: str) -> View:
        view = next((view for view in self.core.views.stack(user) if view["id"] == view_id), None)
        if view is None:
            raise NotPossible("That form is closed.")
        return view

    async def submit(self, user: str, view_id: str, values: Values) -> dict[str, str] | None:
        """Submit a form. None when it was taken, else the errors to show by block_id (none of them: trouble)."""
        view = self._open_view(user, view_id)
        errors = missing_inputs(view, values)
        if errors:
            return errors
        view["state"] = {"values": values}
        payload = {
            "type": "view_submission",
            **self._common(user),
            "trigger_id": self.core.triggers.issue(user, view_id),
            "view": json.loads(json.dumps(view)),
            "response_urls": [],
            "is_enterprise_install": False,
            "enterprise": None,
        }
        said = await self.core.delivery.ask("interactive", payload, accepts_payload=True)
        if said.failure:
            self.core.live.toast(user, TROUBLE)
            return {}
        try:
            return self._after_submit(user, view, said.payload or {})
        except Refused:
            self.core.live.toast(user, TROUBLE)
            return {}

    def _after_submit(self, user: str, view: View, said: dict[str, Any]) -> dict[str, str] | None:
        views, live = self.core.views, self.core.live
        response = said.get("response_action")
        if response == "errors":
            errors = said.get("errors")
            known = {block["block_id"] for block in view["blocks"] if block["type"] == "input"}
            if not isinstance(errors, dict) or not errors or not errors.keys() <= known:
                raise Refused("invalid_arguments")
            live.push(user, {"type": "view_errors", "view_id": view["id"], "errors": errors})
            return errors
        if response == "update":
            live.view(user, "view_updated", views.update(view["id"], None, said.get("view"), None))
        elif response == "push":
            live.view(user, "view_opened", views.push(user, said.get("view")))
        elif response in (None, "clear"):
            for closed in views.close(user, view["id"], everything=response == "clear"):
                live.push(user, {"type": "view_closed", "view_id": closed["id"]})
        else:
            raise Refused("invalid_arguments")
        return None

    def close_view(self, user: str, view_id: str) -> None:
        """A person closed a form without submitting it; the app hears of it if the form says so."""
        view = self._open_view(user, view_id)
        for closed in self.core.views.close(user, view_id, everything=view["clear_on_close"]):
            self.core.live.push(user, {"type": "view_closed", "view_id": closed["id"]})
            if closed["notify_on_close"]:
                payload = {
                    "type": "view_closed",
                    **self._common(user),
                    "view": json.loads(json.dumps(closed)),
                    "is_cleared": bool(view["clear_on_close"]),
                    "is_enterprise_install": False,
                    "enterprise": None,
                }
                self.core.spawn(self._interact(user, payload))


def _element(blocks: list[dict[str, Any]], action: dict[str, Any]) -> dict[str, Any]:
    """The parts of the pressed element that Slack repeats in the action; refuses what is not there to be pressed."""
    for block in all_blocks(blocks):
        if block.get("block_id") == action.get("block_id"):
            for element in elements_of(block):
                if element.get("action_id") == action.get("action_id") and element.get("type") == action.get("type"):
                    return {
                        name: element[name] for name in ("text", "value", "style", "placeholder") if name in element
                    }
    raise NotPossible("That button or menu is not there any more.")
