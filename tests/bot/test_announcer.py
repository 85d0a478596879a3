"""Posts and edits against the Slack stand-in: each post once, edits no faster than Slack likes."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from bot.announcer import EDIT_EVERY_SECONDS, REPLY_EVERY_SECONDS, RETRY_AFTER_SECONDS, Announcer
from bot.slack_calls import slack_client
from bot.workspaces import Workspaces, only_home
from handlers.imports import Importing
from sandbox.slack.core import Throttle
from sandbox.slack.server import SlackSandbox
from sandbox.slack.workspace import TEAM_ID
from services.carriers.ports import Reply
from services.database import Database
from services.groups import Group
from services.imports import Import, Imports, Progress, Reject, UploadedFile
from services.posts import PostKind, Posts
from services.previews import SendRequest
from services.replies import Replies
from services.task_reports import Task
from tests.bot.settings import a_config
from tests.bot.workplace import MANIFEST, MARKETING, PATIENT
from tests.handlers.samples import contents_of, tasks_of
from tests.sandbox.people import until
from tests.services.builders import ANA, FIRST_NUMBER, Marketing, numbers
from tests.services.fakes import FakeClock

GENERAL = "C0GENERAL"


class Killed(Exception):
    """The process was gone before it could note that Slack had the post."""


class DyingPosts(Posts):
    """Dies after Slack has answered."""

    def shown(self, post_id: int, ts: str, version: int, *, closed: bool) -> None:
        raise Killed


class Desk:
    """A workspace with an announcer, whose clock the test moves."""

    def __init__(self, slack: SlackSandbox, database: Database, folder: Path) -> None:
        self.slack = slack
        # Slack's own times are real ones.
        self.marketing = Marketing(database, workspace_id=TEAM_ID, clock=FakeClock(datetime.now(UTC)))
        self.seconds = 0.0
        self.progress: dict[int, Progress] = {}
        self.folder = folder
        self._client = slack_client(a_config(folder, SLACK_API_URL=slack.api_url).slack)
        self.announcer = self.an_announcer(self.marketing.posts)

    def an_announcer(self, posts: Posts, workspaces: Workspaces | None = None) -> Announcer:
        """As after a start."""
        importing = Importing(self.marketing.imports, self.marketing.groups)
        tasks = tasks_of(self.marketing)
        replies = Replies(self.marketing.database, self.marketing.clock)
        contents = contents_of(self.marketing)
        return Announcer(
            workspaces or only_home(TEAM_ID, self._client),
            posts,
            importing,
            tasks,
            contents,
            replies,
            self.progress.get,
            lambda: self.seconds,
        )

    def a_dying_one(self) -> Announcer:
        return self.an_announcer(DyingPosts(self.marketing.database, self.marketing.clock))

    async def tick(self, after: float = 0.0) -> None:
        self.seconds += after
        await self.announcer.tick()

    def calls(self, method: str) -> list[dict[str, Any]]:
        return [call for call in self.slack.core.calls if call["method"] == method]

    def shown(self, channel: str = MARKETING) -> list[str]:
        """The text of each message, oldest first."""
        return [message.text for message in self.slack.core.workspace.messages[channel].values()]

    def a_task(self, channel: str = MARKETING) -> Task:
        """A task to three, just confirmed."""
        if "vip" not in [group.name for group in self.marketing.groups.list(TEAM_ID)]:
            self.marketing.a_group("vip", numbers(3))
        draft = self.marketing.previews.draft(TEAM_ID, channel, ANA, SendRequest(["vip"], "spring"))
        return self.marketing.confirmed(draft)

    def an_import(self, thread_ts: str = "171.01", name: str = "new") -> Import:
        """A file whose group has just been chosen."""
        group: Group = self.marketing.a_group(name)
        file = UploadedFile(f"F{group.id}", "customers.csv", 10, "https://files.slack.com/1", MARKETING, thread_ts)
        asked = self.marketing.imports.receive(TEAM_ID, file, ANA)
        assert asked is not None
        return self.marketing.imports.begin(TEAM_ID, asked.id, group.id)

    def run(self, begun: Import, content: str) -> None:
        """Import this, from beginning to end."""
        path = self.folder / "customers.csv"
        path.write_text(content, "utf-8")
        self.marketing.imports.run(begun, path, lambda progress: None)


@pytest.fixture
async def desk(sqlite: Database, tmp_path: Path) -> AsyncIterator[Desk]:
    slack = SlackSandbox(MANIFEST, timings=PATIENT)
    await slack.start()
    yield Desk(slack, sqlite, tmp_path)
    await slack.stop()


async def test_a_post_is_posted_once_and_then_edited(desk: Desk) -> None:
    task = desk.a_task()
    await desk.tick()
    assert desk.shown() == [f"<@{ANA}> is sending *spring* to *vip* (task 1)"]
    await desk.tick()
    desk.marketing.tasks.stop(TEAM_ID, task.number, ANA)
    await desk.tick(EDIT_EVERY_SECONDS)
    assert desk.shown() == [f"<@{ANA}> began to send *spring* to *vip* (task 1)"]
    await desk.tick(EDIT_EVERY_SECONDS)
    assert len(desk.calls("chat.postMessage")) == 1
    assert len(desk.calls("chat.update")) == 1


async def test_edits_are_slower_than_slacks_limit(desk: Desk) -> None:
    begun = desk.an_import()
    await desk.tick()
    for step in range(1, 41):
        desk.progress[begun.id] = Progress(step * 100, step / 50)
        await desk.tick(0.25)
    assert len(desk.calls("chat.update")) == 10 / EDIT_EVERY_SECONDS
    assert EDIT_EVERY_SECONDS * 50 > 60


async def test_an_import_that_stands_still_is_not_edited(desk: Desk) -> None:
    begun = desk.an_import()
    desk.progress[begun.id] = Progress(100, 0.5)
    await desk.tick()
    for _ in range(5):
        await desk.tick(EDIT_EVERY_SECONDS)
    assert desk.calls("chat.update") == []


async def test_posts_carry_what_finds_them_again(desk: Desk) -> None:
    desk.a_task()
    (post,) = desk.marketing.posts.due()
    await desk.tick()
    (message,) = desk.slack.core.workspace.messages[MARKETING].values()
    assert message.metadata == {"event_type": "sms_post", "event_payload": {"post": post.id}}


async def test_after_a_crash_between_post_and_note_it_is_not_posted_again(desk: Desk) -> None:
    desk.a_task()
    with capture_logs() as logs:
        await desk.a_dying_one().tick()
    assert [each["event"] for each in logs] == ["post.failed"]
    assert len(desk.shown()) == 1
    desk.announcer = desk.an_announcer(desk.marketing.posts)
    desk.marketing.clock.move(timedelta(seconds=20))
    await desk.tick()
    assert len(desk.shown()) == 1
    assert len(desk.calls("chat.postMessage")) == 1
    assert desk.marketing.posts.due() == []


async def test_after_a_crash_before_the_post_it_is_posted(desk: Desk) -> None:
    desk.a_task()
    (post,) = desk.marketing.posts.due()
    desk.marketing.posts.begin(post.id)
    await desk.tick()
    assert len(desk.shown()) == 1


async def test_two_tasks_at_once_are_two_posts(desk: Desk) -> None:
    desk.a_task()
    await desk.a_dying_one().tick()
    desk.a_task()
    await desk.tick()
    assert len(desk.shown()) == 2
    assert desk.marketing.posts.due() == []


async def test_the_posts_of_a_workspace_that_removed_the_bot_wait(desk: Desk) -> None:
    workspaces = only_home(TEAM_ID, desk._client)
    desk.announcer = desk.an_announcer(desk.marketing.posts, workspaces)
    await workspaces.forget(TEAM_ID)
    desk.a_task()
    with capture_logs() as logs:
        await desk.tick()
        await desk.tick(after=100)
    assert desk.shown() == []
    assert [each["event"] for each in logs] == ["workspace.gone"]
    assert len(desk.marketing.posts.due()) == 1
    desk.announcer = desk.an_announcer(desk.marketing.posts)
    await desk.tick()
    assert len(desk.shown()) == 1


@pytest.mark.parametrize("channel", ["C0NOWHERE", GENERAL])
async def test_a_channel_that_is_gone_is_given_up(channel: str, desk: Desk) -> None:
    desk.a_task(channel)
    with capture_logs() as logs:
        await desk.tick()
    assert logs[0]["event"] == "post.failed"
    assert desk.marketing.posts.due() == []
    await desk.tick(RETRY_AFTER_SECONDS)
    assert len(desk.calls("chat.postMessage")) == 1


async def test_a_deleted_post_is_not_posted_again(desk: Desk) -> None:
    task = desk.a_task()
    await desk.tick()
    desk.slack.core.workspace.messages[MARKETING].clear()
    desk.marketing.tasks.stop(TEAM_ID, task.number, ANA)
    await desk.tick(EDIT_EVERY_SECONDS)
    assert desk.shown() == []
    assert desk.marketing.posts.due() == []


async def test_slack_says_slow_down_and_it_goes_on_afterwards(desk: Desk) -> None:
    desk.a_task()
    desk.slack.core.throttles["chat.postMessage"] = Throttle(times=1, retry_after=0)
    await desk.tick()
    assert len(desk.shown()) == 1


async def test_trouble_that_passes_is_tried_again_later(desk: Desk) -> None:
    desk.a_task()
    desk.slack.core.throttles["chat.postMessage"] = Throttle(times=4, retry_after=0)
    with capture_logs() as logs:
        await desk.tick()
        await desk.tick(RETRY_AFTER_SECONDS - 1)
    assert [each["error"] for each in logs] == ["ratelimited"]
    assert desk.shown() == []
    await desk.tick(1)
    assert len(desk.shown()) == 1


async def test_a_post_in_trouble_does_not_hold_up_the_others(desk: Desk) -> None:
    desk.a_task("C0NOWHERE")
    desk.a_task()
    await desk.tick()
    assert len(desk.shown()) == 1


async def test_the_reject_file_is_put_in_the_files_thread_once(desk: Desk) -> None:
    async with aiohttp.ClientSession(base_url=desk.slack.url) as page:
        said = await page.post("/page/message", json={"user": "U0ANA", "channel": MARKETING, "text": "my file"})
        thread = str((await said.json())["ts"])
    begun = desk.an_import(thread)
    desk.run(begun, "mobile\n13812345678\n12345\n")
    dying = desk.a_dying_one()
    await dying.tick()
    await dying.uploaded()
    await desk.tick(RETRY_AFTER_SECONDS)
    await desk.announcer.uploaded()
    assert desk.marketing.posts.due() == []
    replies = [m for m in desk.slack.core.workspace.messages[MARKETING].values() if m.thread_ts == thread and m.files]
    (reply,) = replies
    (file,) = [desk.slack.core.files.files[each] for each in reply.files]
    assert file.name == "customers - not imported.xlsx"
    assert "1 imported · 1 invalid removed · you are not charged for those" in desk.shown()


class Halted(Imports):
    """Stops before the first row of a reject file, until it may go on."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk.marketing.database, desk.marketing.clock)
        self.begun: list[int] = []
        self.go_on = threading.Event()

    def rejects(self, workspace_id: str, import_id: int) -> Iterator[Reject]:
        self.begun.append(import_id)
        self.go_on.wait(60)
        yield from super().rejects(workspace_id, import_id)


@pytest.fixture
async def halted(desk: Desk) -> AsyncIterator[Halted]:
    halted = Halted(desk)
    desk.marketing.imports = halted
    desk.announcer = desk.an_announcer(desk.marketing.posts)
    yield halted
    halted.go_on.set()
    await desk.announcer.stop()


async def test_a_large_reject_file_does_not_hold_up_what_else_is_posted(desk: Desk, halted: Halted) -> None:
    begun = [desk.an_import(name=name) for name in ("new", "old")]
    for each in begun:
        desk.run(each, "mobile\n13812345678\n12345\n")
    await desk.tick()
    await until(lambda: halted.begun, 20)
    desk.a_task()
    await desk.tick()
    counts = "1 imported · 1 invalid removed · you are not charged for those"
    assert desk.shown() == [counts, counts, f"<@{ANA}> is sending *spring* to *vip* (task 1)"]
    assert halted.begun == [begun[0].id], "one file at a time"
    halted.go_on.set()
    await desk.announcer.uploaded()
    await desk.tick()
    await desk.announcer.uploaded()
    assert halted.begun == [each.id for each in begun]
    assert [each.name for each in desk.slack.core.files.files.values()] == 2 * ["customers - not imported.xlsx"]
    assert not [post for post in desk.marketing.posts.due() if post.kind is PostKind.REJECTS]


async def test_a_reject_file_under_way_does_not_hold_up_the_stop(desk: Desk, halted: Halted) -> None:
    desk.run(desk.an_import(), "mobile\n13812345678\n12345\n")
    await desk.tick()
    await until(lambda: halted.begun, 20)
    await desk.announcer.stop(seconds=0)
    await desk.tick()
    assert len(halted.begun) == 1
    halted.go_on.set()
    desk.announcer = desk.an_announcer(desk.marketing.posts)
    await desk.tick()
    await desk.announcer.uploaded()
    assert desk.marketing.posts.due() == []


class Thread:
    """The thread under a task's post, and people who answer its SMS."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._replies = Replies(desk.marketing.database, desk.marketing.clock)

    def answer(self, text: str, number: int = FIRST_NUMBER) -> None:
        told = Reply(number, text, f"{text}-{number}")
        self._replies.store([(self.desk.marketing.application_id, told)])

    def shown(self) -> list[tuple[str, str]]:
        """The head of the thread and the text of each reply in it, oldest first."""
        messages = self.desk.slack.core.workspace.messages[MARKETING].values()
        return [(message.thread_ts or "", message.text) for message in messages if message.is_reply]


@pytest.fixture
async def thread(desk: Desk) -> Thread:
    """A task that was sent and is in its channel."""
    desk.a_task()
    await desk.marketing.send_all()
    await desk.tick()
    return Thread(desk)


async def test_a_reply_is_posted_once_in_the_thread_of_its_task(desk: Desk, thread: Thread) -> None:
    (head,) = desk.slack.core.workspace.messages[MARKETING]
    thread.answer("When <today>?")
    thread.answer("STOP", FIRST_NUMBER + 1)
    await desk.tick()
    await desk.tick(REPLY_EVERY_SECONDS)
    assert thread.shown() == [(head, "Reply from +86 138****0001: When &lt;today&gt;?")]


async def test_replies_are_posted_one_after_the_other_slower_than_slacks_limit(desk: Desk, thread: Thread) -> None:
    for number in numbers(4):
        thread.answer("hello", number)
    for expected in (1, 1, 2, 2, 3):
        await desk.tick()
        assert len(thread.shown()) == expected
        desk.seconds += REPLY_EVERY_SECONDS / 2
    assert REPLY_EVERY_SECONDS > 1


async def test_a_task_that_is_posted_while_replies_wait_is_not_held_up(desk: Desk, thread: Thread) -> None:
    for number in numbers(3):
        thread.answer("hello", number)
    await desk.tick()
    desk.a_task()
    await desk.tick()
    assert len(thread.shown()) == 1
    assert len(desk.shown()) == 3


async def test_after_a_crash_between_reply_and_note_it_is_not_posted_again(desk: Desk, thread: Thread) -> None:
    thread.answer("hello")
    await desk.a_dying_one().tick()
    assert len(thread.shown()) == 1
    await desk.tick(RETRY_AFTER_SECONDS)
    assert len(thread.shown()) == 1
    assert not [post for post in desk.marketing.posts.due() if post.kind is PostKind.REPLY]


async def test_a_thread_whose_head_was_deleted_gets_no_reply(desk: Desk, thread: Thread) -> None:
    desk.slack.core.workspace.messages[MARKETING].clear()
    thread.answer("hello")
    thread.answer("anybody?", FIRST_NUMBER + 1)
    for _ in range(3):
        await desk.tick(REPLY_EVERY_SECONDS)
    assert thread.shown() == []
    assert not [post for post in desk.marketing.posts.due() if post.kind is PostKind.REPLY]
