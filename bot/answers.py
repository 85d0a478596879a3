"""Delivers a Reply to the person who asked."""

from __future__ import annotations

import asyncio
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.workspaces import Workspaces
from handlers.replies import Block, FieldErrors, Later, Nothing, OpenForm, Replace, Reply, Say, SendFile
from handlers.views.words import escape

log = structlog.get_logger()

_TOO_LATE = {"expired_trigger_id", "trigger_expired"}


class FormTooLate(Exception):
    """Slack opens a form only within 3 s of what the person did."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where an answer goes. `replaces`: the click came from a private answer, which its response_url can replace."""

    workspace: str
    channel: str
    person: str
    response_url: str | None = None
    trigger_id: str | None = None
    replaces: bool = False


class Answers:
    """Speaks to one person: by response_url where Slack gave one, else by an ephemeral message."""

    def __init__(self, workspaces: Workspaces) -> None:
        self._workspaces = workspaces

    async def give(self, reply: Reply, place: Destination) -> None:
        """Deliver. Raises FormTooLate, or SlackApiError where Slack refuses otherwise."""
        match reply:
            case Say(text, blocks):
                await self._say(text, blocks, place)
            case Replace(text, blocks):
                await self._replace(text, blocks, place)
            case OpenForm(view, context):
                await self._open(view, context, place)
            case SendFile():
                await self._send_file(reply, place)
            case FieldErrors(errors):
                await self._say(escape(" ".join(errors.values())), [], place)
            case Later(say):
                await self._say(say, [], place)
            case Nothing():
                return

    async def try_to_say(self, text: str, place: Destination) -> None:
        """For words about a failure, which must not fail in turn."""
        try:
            await self._say(text, [], place)
        except Exception:
            log.exception("answer.failed", channel=place.channel)

    async def _say(self, text: str, blocks: list[Block], place: Destination, *, replace: bool = False) -> None:
        if place.response_url and await self._respond(place.response_url, text, blocks, replace=replace):
            return
        client = await self._workspaces.client(place.workspace)
        await client.chat_postEphemeral(
            channel=place.channel, user=place.person, text=text, blocks=blocks or None, unfurl_links=False
        )

    async def _replace(self, text: str, blocks: list[Block], place: Destination) -> None:
        await self._say(text, blocks, place, replace=place.replaces)

    async def _respond(self, url: str, text: str, blocks: list[Block], *, replace: bool) -> bool:
        """Whether Slack took it; it refuses a sixth answer and one after 30 minutes."""
        answer = await AsyncWebhookClient(url).send(
            text=text,
            # An empty list, not a missing one, takes the old blocks away.
            blocks=blocks,
            response_type="ephemeral",
            replace_original=replace,
            unfurl_links=False,
            unfurl_media=False,
        )
        if answer.status_code != 200:
            log.info("response_url.refused", status=answer.status_code, body=answer.body[:100])
        return answer.status_code == 200

    async def _open(self, view: dict[str, Any], context: str, place: Destination) -> None:
        carried = {
            "channel": place.channel,
            "response_url": place.response_url,
            "replaces": place.replaces,
            "context": context,
        }
        opened = {**view, "private_metadata": json.dumps(carried)}
        client = await self._workspaces.client(place.workspace)
        try:
            await client.views_open(trigger_id=place.trigger_id, view=opened)
        except SlackApiError as error:
            if error.response.get("error") in _TOO_LATE:
                raise FormTooLate from error
            raise

    async def _send_file(self, reply: SendFile, place: Destination) -> None:
        client = await self._workspaces.client(place.workspace)
        direct = await client.conversations_open(users=place.person)
        with tempfile.TemporaryDirectory(prefix="sms-file-") as folder:
            path = Path(folder) / "file"
            await asyncio.to_thread(reply.write, path)
            await upload(client, path, reply.name, direct["channel"]["id"], reply.comment)
        await self._say(reply.say, [], place)


async def upload(
    client: AsyncWebClient, path: Path, name: str, channel: str, comment: str, thread_ts: str | None = None
) -> None:
    """Put a file into a channel or thread. Raises SlackApiError."""
    await client.files_upload_v2(
        file=str(path), filename=name, title=name, channel=channel, initial_comment=comment, thread_ts=thread_ts
    )
