"""What people answer: kept once, what they ask for is done, and the rest is owed to the thread of their task."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from services.carriers.ports import Reply
from services.models import reply, send_task
from services.opt_outs import OptOuts, Origin
from services.pool import Pool
from services.posts import Post, PostKind
from services.replies import REPLY_WINDOW, TEXT_LIMIT, Replies
from tests.services.builders import ANA, BEN, FIRST_NUMBER, Marketing, numbers
from tests.services.fakes import refuse, unanswered

STRANGER = FIRST_NUMBER + 900
MINUTE = timedelta(minutes=1)


class Postbox:
    """Replies to one workspace."""

    def __init__(self, marketing: Marketing) -> None:
        self.marketing = marketing
        self.replies = Replies(marketing.database, marketing.clock)
        self.opt_outs = OptOuts(marketing.database, marketing.clock)

    def hear(self, text: str, number: int = FIRST_NUMBER, **values: Any) -> int:
        """Somebody answers this now, and the carrier says so at once."""
        values = {"at": self.marketing.clock.now(), **values}
        return self.replies.store([(self.marketing.application_id, Reply(number, text, **values))])

    def later(self, by: timedelta = MINUTE) -> None:
        self.marketing.clock.move(by)

    def is_out(self, number: int = FIRST_NUMBER) -> bool:
        return self.opt_outs.find(self.marketing.workspace_id, number) is not None

    def tasks(self) -> list[int | None]:
        """Which task each reply is about, by its own number, in the order they came."""
        query = select(send_task.c.number).select_from(reply.outerjoin(send_task, send_task.c.id == reply.c.task_id))
        with self.marketing.database.read(everyone=True) as connection:
            return list(connection.execute(query.order_by(reply.c.id)).scalars())

    def owed(self) -> list[Post]:
        """The replies that are to be posted now."""
        return [post for post in self.marketing.posts.due() if post.kind is PostKind.REPLY]

    def post_tasks(self, ts: str = "171.01") -> None:
        """The tasks' own posts are in their channels."""
        for post in self.marketing.posts.due():
            if post.kind is PostKind.TASK:
                self.marketing.posts.shown(post.id, ts, post.version, closed=False)


@pytest.fixture
def box(marketing: Marketing) -> Postbox:
    return Postbox(marketing)


def test_a_word_puts_the_number_on_the_list_and_another_takes_it_off(box: Postbox) -> None:
    assert box.hear("td") == 1
    found = box.opt_outs.find(box.marketing.workspace_id, FIRST_NUMBER)
    assert found is not None
    assert (found.origin, found.added_by, found.at) == (Origin.REPLY, None, box.marketing.clock.now())
    box.later()
    box.hear("thank you")
    assert box.is_out()
    box.later()
    box.hear("Start")
    assert not box.is_out()


def test_the_carriers_own_verdict_wins_over_the_words(box: Postbox) -> None:
    box.hear("Bitte nicht mehr", opts_out=True)
    assert box.is_out()
    box.later()
    box.hear("STOP", opts_out=False)
    assert not box.is_out()


def test_a_reply_told_again_changes_nothing(box: Postbox) -> None:
    told: dict[str, Any] = {"sms_id": "in-1", "at": box.marketing.clock.now()}
    assert box.hear("T", **told) == 1
    box.later()
    box.hear("START")
    assert box.hear("T", **told) == 0
    assert not box.is_out()


def test_without_an_id_the_number_the_text_and_the_time_tell_replies_apart(box: Postbox) -> None:
    assert box.hear("T") == 1
    assert box.hear("T") == 0
    assert box.hear("T", STRANGER) == 1
    assert box.hear("N") == 1
    box.later()
    assert box.hear("T") == 1


def test_the_same_id_of_another_application_is_another_reply(box: Postbox) -> None:
    other = Marketing(box.marketing.database, workspace_id="T0OTHER")
    assert box.hear("hello", sms_id="in-1") == 1
    assert Postbox(other).hear("hello", sms_id="in-1") == 1


def test_an_older_word_that_comes_late_does_not_undo_a_newer_one(box: Postbox) -> None:
    begun = box.marketing.clock.now()
    box.later()
    box.hear("START")
    box.hear("T", at=begun)
    assert not box.is_out()
    box.later()
    box.hear("STOP")
    box.hear("YES", at=begun + MINUTE)
    assert box.is_out()


def test_a_word_does_not_undo_what_was_put_on_the_list_after_it(box: Postbox) -> None:
    written = box.marketing.clock.now()
    box.later()
    box.opt_outs.add(box.marketing.workspace_id, FIRST_NUMBER, ANA)
    box.hear("START", at=written)
    assert box.is_out()


def test_a_word_takes_off_what_a_person_had_put_there(box: Postbox) -> None:
    box.opt_outs.add(box.marketing.workspace_id, FIRST_NUMBER, ANA)
    box.later()
    box.hear("START")
    assert not box.is_out()


def test_a_time_ahead_of_ours_is_now(box: Postbox) -> None:
    box.hear("START", at=box.marketing.clock.now() + timedelta(days=400))
    box.later()
    box.hear("T")
    assert box.is_out()


def test_lists_of_other_workspaces_are_left_alone(box: Postbox) -> None:
    other = Postbox(Marketing(box.marketing.database, workspace_id="T0OTHER"))
    box.hear("T")
    assert not other.is_out()
    other.hear("T")
    other.later()
    other.hear("START")
    assert box.is_out()


async def test_a_reply_is_about_the_last_task_that_wrote_to_its_number(box: Postbox) -> None:
    marketing = box.marketing
    marketing.a_confirmed_task(3, group="first")
    marketing.a_confirmed_task(3, group="elsewhere", first=FIRST_NUMBER + 100)
    await marketing.send_all()
    box.later()
    box.hear("one")
    marketing.a_confirmed_task(3, group="second")
    await marketing.send_all()
    box.later()
    box.hear("two")
    box.hear("three", FIRST_NUMBER + 100)
    box.hear("four", STRANGER)
    assert box.tasks() == [1, 3, 2, None]


async def test_a_task_that_only_waits_has_not_written_to_anybody(box: Postbox) -> None:
    marketing = box.marketing
    marketing.a_confirmed_task(3, group="first")
    await marketing.send_all()
    marketing.a_confirmed_task(3, group="later", at=marketing.in_(timedelta(hours=1)))
    stopped = marketing.a_confirmed_task(3, group="stopped")
    marketing.tasks.stop(marketing.workspace_id, stopped.number, ANA)
    marketing.a_confirmed_task(3, group="planned")
    box.hear("hello")
    assert box.tasks() == [1]


async def test_a_refused_message_was_not_written_an_unanswered_one_may_have_been(box: Postbox) -> None:
    marketing = box.marketing
    marketing.carrier.will(refuse(FIRST_NUMBER), unanswered)
    marketing.a_confirmed_task(2, group="refused")
    await marketing.send_all()
    box.hear("one")
    marketing.a_confirmed_task(2, group="unanswered")
    await marketing.send_all()
    box.hear("two")
    assert box.tasks() == [None, 2]


async def test_a_reply_that_overtakes_the_record_of_its_message_finds_its_task(box: Postbox) -> None:
    marketing = box.marketing
    marketing.a_confirmed_task(2)
    claim = marketing.a_dispatch().claim(marketing.sender)
    assert claim is not None
    box.hear("fast", at=marketing.clock.now() - timedelta(seconds=90))
    assert box.tasks() == [1]


async def test_after_72_hours_a_reply_is_about_no_task(box: Postbox) -> None:
    marketing = box.marketing
    marketing.a_confirmed_task(2)
    await marketing.send_all()
    box.later(REPLY_WINDOW)
    box.hear("just in time")
    box.later()
    box.hear("too late")
    assert box.tasks() == [1, None]


async def test_another_workspaces_task_is_not_found(box: Postbox) -> None:
    other = Marketing(box.marketing.database, workspace_id="T0OTHER")
    other.a_confirmed_task(2)
    await other.send_all()
    box.hear("hello")
    with box.marketing.database.read(everyone=True) as connection:
        assert connection.execute(select(reply.c.task_id)).scalars().all() == [None]


async def test_what_is_no_word_is_owed_to_the_thread_of_its_task(box: Postbox) -> None:
    marketing = box.marketing
    marketing.a_confirmed_task(3)
    await marketing.send_all()
    for text, number in (("what time?", FIRST_NUMBER), ("T", FIRST_NUMBER + 1), ("thanks", STRANGER)):
        box.hear(text, number)
    assert box.owed() == [], "not before the task's own post is there"
    box.post_tasks("171.42")
    (owed,) = box.owed()
    assert owed.thread_ts == "171.42"
    assert owed.channel == marketing.reports.get(marketing.workspace_id, 1).channel
    heard = box.replies.by_id(owed.subject_id)
    assert (heard.number, heard.text) == (FIRST_NUMBER, "what time?")
    marketing.posts.shown(owed.id, "171.43", owed.version, closed=True)
    assert box.owed() == []


async def test_of_each_channel_one_reply_is_due_at_a_time_and_after_everything_else(box: Postbox) -> None:
    marketing = box.marketing
    marketing.a_confirmed_task(3, group="first")
    await marketing.send_all()
    box.post_tasks()
    for number in numbers(3):
        box.hear("hello", number)
    marketing.a_confirmed_task(2, group="second")
    due = marketing.posts.due()
    assert [post.kind for post in due] == [PostKind.TASK, PostKind.REPLY]
    marketing.posts.shown(due[-1].id, "1.2", due[-1].version, closed=True)
    (following,) = box.owed()
    assert following.id > due[-1].id


async def test_a_task_without_a_post_of_its_own_has_no_thread(box: Postbox) -> None:
    marketing = box.marketing
    marketing.a_confirmed_task(2)
    await marketing.send_all()
    (post,) = marketing.posts.due()
    marketing.posts.give_up(post.id)
    box.hear("hello")
    assert box.tasks() == [1]
    assert box.owed() == []


@pytest.mark.parametrize("text", ["T\0", "\ud800", "x" * (TEXT_LIMIT + 1), "", "<!channel> & co"])
def test_any_text_can_be_kept(box: Postbox, text: str) -> None:
    assert box.hear(text, sms_id="i\0\udc00d") == 1
    found = Pool(box.marketing.database).find(box.marketing.workspace_id, FIRST_NUMBER)
    (heard,) = found.replies
    assert len(heard.text) <= TEXT_LIMIT
    assert "\0" not in heard.text


def test_several_in_one_callback_are_kept_together_or_not_at_all(box: Postbox) -> None:
    application, now = box.marketing.application_id, box.marketing.clock.now()
    good = Reply(FIRST_NUMBER, "T", "in-1", now)
    with pytest.raises(Exception, match="No row was found"):
        box.replies.store([(application, good), (application + 99, good)])
    assert not box.is_out()
    assert box.replies.store([(application, good), (application, Reply(STRANGER, "STOP", "in-2", now))]) == 2
    assert box.is_out()
    assert box.is_out(STRANGER)


def test_the_pool_tells_of_the_last_three_replies_and_the_list(box: Postbox) -> None:
    pool, workspace = Pool(box.marketing.database), box.marketing.workspace_id
    other = Postbox(Marketing(box.marketing.database, workspace_id="T0OTHER", clock=box.marketing.clock))
    other.hear("not mine")
    assert pool.find(workspace, FIRST_NUMBER).replies == []
    for text in ("one", "two", "START", "T"):
        box.hear(text)
        box.later()
    found = pool.find(workspace, FIRST_NUMBER)
    assert [(each.text, each.opts_out) for each in found.replies] == [("T", True), ("START", False), ("two", None)]
    assert found.opted_out is not None
    assert pool.find(workspace, STRANGER).opted_out is None


def test_whoever_decides_to_write_again_is_not_overruled_by_an_old_reply(box: Postbox) -> None:
    told: dict[str, Any] = {"sms_id": "in-1", "at": box.marketing.clock.now()}
    box.hear("T", **told)
    box.later()
    box.opt_outs.remove(box.marketing.workspace_id, FIRST_NUMBER, BEN)
    box.hear("T", **told)
    assert not box.is_out()
