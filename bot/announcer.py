"""Posts and edits what the bot owes channels, slower than Slack's limits."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.answers import upload
from bot.scheduler import STOP_SECONDS
from bot.workspaces import NotInstalled, Workspaces
from handlers.content import Contents
from handlers.imports import Importing
from handlers.posts import Message, ThreadFile, approval, compose, compose_reply, interrupted
from handlers.tasks import Tasks
from services.imports import Progress
from services.posts import Post, PostKind, Posts
from services.replies import Replies

log = structlog.get_logger()

# chat.update allows about 50 a minute; chat.postMessage about one a second in a channel.
EDIT_EVERY_SECONDS = 2.0
# Of one channel, so that many replies leave room for everything else that is posted there.
REPLY_EVERY_SECONDS = 2.0
RETRY_AFTER_SECONDS = 10.0
RETRY_GONE_AFTER_SECONDS = 60.0
_EVENT_TYPE = "sms_post"
# Around the moment it was to be posted: how far clocks may differ, and how long Slack may have made it wait.
_LOOK_BACK, _LOOK_AHEAD = timedelta(minutes=1), timedelta(minutes=30)
# Trying again would not help.
_REMOVED = {"account_inactive", "token_revoked", "invalid_auth", "not_authed"}
_FOR_GOOD = {
    "channel_not_found",
    "not_in_channel",
    "is_archived",
    "message_not_found",
    "thread_not_found",
    "cant_update_message",
    "edit_window_closed",
}


class Announcer:
    """Makes channels show what the database says. It owns no facts: what is due is read afresh at each tick."""

    def __init__(
        self,
        workspaces: Workspaces,
        posts: Posts,
        importing: Importing,
        tasks: Tasks,
        contents: Contents,
        replies: Replies,
        progress: Callable[[int], Progress | None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._workspaces = workspaces
        self._gone: set[str] = set()
        self._posts = posts
        self._importing = importing
        self._tasks = tasks
        self._contents = contents
        self._replies = replies
        self._progress = progress
        self._monotonic = monotonic
        self._retry_at: dict[int, float] = {}
        self._edit_at: dict[int, float] = {}
        self._reply_at: dict[str, float] = {}
        self._shown_progress: dict[int, Progress | None] = {}
        self._upload_under_way: asyncio.Task[None] | None = None
        self._stopping = False

    async def tick(self) -> None:
        """Bring what is out of date up to date, each post no more often than Slack likes.

        A reject file is only begun, one at a time: a large one takes many seconds, and other posts go on meanwhile.
        """
        due = await asyncio.to_thread(self._posts.due)
        due_ids = {post.id for post in due}
        moving = [post for post in await asyncio.to_thread(self._posts.open_imports) if self._has_moved(post)]
        for post in [*due, *(post for post in moving if post.id not in due_ids)]:
            if self._monotonic() < self._retry_at.get(post.id, 0):
                continue
            if post.kind is PostKind.REJECTS:
                self._begin_upload(post)
            else:
                await self._bring_up_to_date(post)

    async def uploaded(self) -> None:
        """Return when no reject file is under way."""
        if self._upload_under_way is not None:
            await asyncio.wait([self._upload_under_way])

    async def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Begin no reject file any more; one under way is given up after so many seconds, and put there after the next
        start.
        """
        self._stopping = True
        if self._upload_under_way is not None:
            await asyncio.wait([self._upload_under_way], timeout=seconds)
            self._upload_under_way.cancel()
            await asyncio.gather(self._upload_under_way, return_exceptions=True)

    def _begin_upload(self, post: Post) -> None:
        if self._stopping or (self._upload_under_way is not None and not self._upload_under_way.done()):
            return
        self._upload_under_way = asyncio.create_task(self._bring_up_to_date(post))

    async def tell_interrupted(self) -> None:
        """Say in the posts of imports under way that they start over. After the last tick: it notes nothing."""
        for post in await asyncio.to_thread(self._posts.open_imports):
            try:
                message = await asyncio.to_thread(interrupted, post, self._importing)
                if message is not None:
                    assert post.ts is not None
                    client = await self._workspaces.client(post.workspace_id)
                    await client.chat_update(channel=post.channel, ts=post.ts, text=message.text, blocks=message.blocks)
            except Exception:
                log.exception("post.failed", post=post.id, kind=post.kind.value)

    def _has_moved(self, post: Post) -> bool:
        return self._progress(post.subject_id) != self._shown_progress.get(post.subject_id)

    async def _bring_up_to_date(self, post: Post) -> None:
        try:
            await self._show(post, await self._workspaces.client(post.workspace_id))
            self._gone.discard(post.workspace_id)
        except NotInstalled:
            self._wait_for_workspace(post)
        except SlackApiError as error:
            code = error.response.get("error")
            if code in _REMOVED:
                self._wait_for_workspace(post)
                return
            log.warning("post.failed", post=post.id, kind=post.kind.value, error=code)
            if code in _FOR_GOOD:
                await asyncio.to_thread(self._posts.give_up, post.id)
            self._retry_at[post.id] = self._monotonic() + RETRY_AFTER_SECONDS
        except Exception:
            log.exception("post.failed", post=post.id, kind=post.kind.value)
            self._retry_at[post.id] = self._monotonic() + RETRY_AFTER_SECONDS

    def _wait_for_workspace(self, post: Post) -> None:
        """Its posts wait until it has the bot again; the log says so once."""
        if post.workspace_id not in self._gone:
            self._gone.add(post.workspace_id)
            log.warning("workspace.gone", workspace=post.workspace_id)
        self._retry_at[post.id] = self._monotonic() + RETRY_GONE_AFTER_SECONDS

    async def _show(self, post: Post, client: AsyncWebClient) -> None:
        progress = self._progress(post.subject_id) if post.kind is PostKind.IMPORT else None
        if post.kind is PostKind.REPLY and not self._may_reply(post.channel):
            return
        composed: Message | ThreadFile
        if post.kind is PostKind.REPLY:
            composed = await asyncio.to_thread(compose_reply, post, self._replies)
        elif post.kind in (PostKind.TEMPLATE, PostKind.SIGNATURE):
            composed = await asyncio.to_thread(approval, post, self._contents)
        else:
            composed = await asyncio.to_thread(compose, post, self._importing, self._tasks, progress)
        if isinstance(composed, ThreadFile):
            await self._upload(client, post, composed)
            return
        # People wait for the last word; only what will change again is held to the pace.
        if not composed.is_last and self._monotonic() < self._edit_at.get(post.id, 0):
            return
        ts = post.ts or await self._find(client, post)
        if ts is None:
            ts = await self._post(client, post, composed)
        else:
            await client.chat_update(channel=post.channel, ts=ts, text=composed.text, blocks=composed.blocks)
        await asyncio.to_thread(self._posts.shown, post.id, ts, composed.version, closed=composed.is_last)
        self._shown_progress[post.subject_id] = progress
        self._edit_at[post.id] = self._monotonic() + EDIT_EVERY_SECONDS
        if composed.is_last:
            self._edit_at.pop(post.id, None)
            self._retry_at.pop(post.id, None)
            self._shown_progress.pop(post.subject_id, None)

    def _may_reply(self, channel: str) -> bool:
        now = self._monotonic()
        if now < self._reply_at.get(channel, 0):
            return False
        self._reply_at[channel] = now + REPLY_EVERY_SECONDS
        return True

    async def _post(self, client: AsyncWebClient, post: Post, message: Message) -> str:
        await asyncio.to_thread(self._posts.begin, post.id)
        answer = await client.chat_postMessage(
            channel=post.channel,
            thread_ts=post.thread_ts,
            text=message.text,
            blocks=message.blocks,
            metadata={"event_type": _EVENT_TYPE, "event_payload": {"post": post.id}},
            unfurl_links=False,
            unfurl_media=False,
        )
        ts = answer["ts"]
        assert isinstance(ts, str)
        return ts

    async def _find(self, client: AsyncWebClient, post: Post) -> str | None:
        """Post once: where an earlier try may have reached Slack, look for it before posting again."""
        if post.posting_at is None:
            return None
        around: dict[str, Any] = {
            "channel": post.channel,
            "oldest": f"{(post.posting_at - _LOOK_BACK).timestamp():.6f}",
            "latest": f"{(post.posting_at + _LOOK_AHEAD).timestamp():.6f}",
            "include_all_metadata": True,
            "limit": 200,
        }
        if post.thread_ts is None:
            history = await client.conversations_history(**around)
        else:
            history = await client.conversations_replies(ts=post.thread_ts, **around)
        for message in history["messages"]:
            metadata = message.get("metadata") or {}
            payload = metadata.get("event_payload") or {}
            if metadata.get("event_type") == _EVENT_TYPE and payload.get("post") == post.id:
                return str(message["ts"])
        return None

    async def _upload(self, client: AsyncWebClient, post: Post, file: ThreadFile) -> None:
        if not await self._is_in_thread(client, post, file):
            await asyncio.to_thread(self._posts.begin, post.id)
            await self._write_and_upload(client, post, file)
        await asyncio.to_thread(self._posts.shown, post.id, file.thread_ts, post.version, closed=True)

    async def _is_in_thread(self, client: AsyncWebClient, post: Post, file: ThreadFile) -> bool:
        """The same for a file, which carries no metadata of ours: by its name."""
        if post.posting_at is None:
            return False
        thread = await client.conversations_replies(channel=post.channel, ts=file.thread_ts, limit=200)
        shared = [each for message in thread["messages"] for each in message.get("files") or ()]
        return any(each.get("name") == file.name for each in shared)

    async def _write_and_upload(self, client: AsyncWebClient, post: Post, file: ThreadFile) -> None:
        with tempfile.TemporaryDirectory(prefix="sms-file-") as folder:
            path = Path(folder) / "file"
            await asyncio.to_thread(file.write, path)
            await upload(client, path, file.name, post.channel, file.comment, file.thread_ts)
