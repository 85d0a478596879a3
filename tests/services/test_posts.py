"""What channels are owed: each post once, kept up to date, and the result in time."""

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import update

from services.carriers.ports import Receipt
from services.database import Database
from services.models import send_task
from services.models import signature as signature_table
from services.models import template as template_table
from services.posts import Post, PostKind, want_post
from services.task_reports import Task
from tests.services.builders import ANA, CHANNEL, FIRST_NUMBER, MAINLAND, Marketing
from tests.services.fakes import refuse_whole

MINUTE = timedelta(minutes=1)


def due(marketing: Marketing, kind: PostKind | None = None) -> list[Post]:
    return [post for post in marketing.posts.due() if kind in (None, post.kind)]


def show_all(marketing: Marketing) -> None:
    """Slack shows all that is due, and nothing of it is the last word."""
    for post in marketing.posts.due():
        marketing.posts.shown(post.id, f"ts-{post.id}", post.version, closed=False)


def report_all(marketing: Marketing) -> None:
    marketing.report(
        *(
            Receipt("delivered", "DELIVRD", "id", request.reference, number)
            for request in marketing.carrier.requests
            for number in request.numbers
        )
    )


async def a_sent_task(marketing: Marketing) -> Task:
    task = marketing.a_confirmed_task(3)
    await marketing.send_all()
    return task


class TestKeepingUp:
    """A post is due until Slack shows what is true."""

    def test_a_task_owes_its_channel_a_post(self, marketing: Marketing) -> None:
        task = marketing.a_confirmed_task(3)
        (post,) = due(marketing)
        assert (post.kind, post.subject_id, post.channel, post.ts) == (PostKind.TASK, task.id, CHANNEL, None)
        assert post.version == task.version

    def test_a_post_is_of_the_version_of_its_own_subject_whatever_else_has_the_same_id(
        self, marketing: Marketing
    ) -> None:
        task, template, signature = marketing.a_confirmed_task(3), marketing.a_template(), marketing.a_signature()
        with marketing.database.write(everyone=True) as tx:
            for table, row_id, version in (
                (send_task, task.id, 5),
                (template_table, template.template.id, 6),
                (signature_table, signature.signature.id, 7),
            ):
                tx.execute(update(table).where(table.c.id == row_id).values(version=version))
            tx.commit()
        versions = {each.kind: each.version for each in due(marketing)}
        assert versions == {PostKind.TASK: 5, PostKind.TEMPLATE: 6, PostKind.SIGNATURE: 7}

    def test_what_is_shown_is_not_due(self, marketing: Marketing) -> None:
        marketing.a_confirmed_task(3)
        show_all(marketing)
        assert due(marketing) == []

    async def test_every_change_makes_it_due_again_in_the_same_place(self, marketing: Marketing) -> None:
        marketing.a_confirmed_task(700)
        show_all(marketing)
        dispatch = marketing.a_dispatch()
        for _ in range(2):
            await marketing.send_next(dispatch)
            (post,) = due(marketing)
            assert post.ts == f"ts-{post.id}"
            show_all(marketing)
            assert due(marketing) == []

    async def test_a_change_while_posting_is_not_missed(self, marketing: Marketing) -> None:
        marketing.a_confirmed_task(3)
        (post,) = due(marketing)
        marketing.posts.begin(post)
        await marketing.send_all()
        marketing.posts.shown(post.id, "ts", post.version, closed=False)
        assert [each.id for each in due(marketing)] == [post.id]

    def test_a_crash_while_posting_can_be_told(self, marketing: Marketing) -> None:
        marketing.a_confirmed_task(3)
        (post,) = due(marketing)
        assert post.posting_at is None
        marketing.posts.begin(post)
        (post,) = due(marketing)
        assert (post.ts, post.posting_at) == (None, marketing.clock.now())
        marketing.posts.shown(post.id, "ts", 0, closed=False)
        assert due(marketing)[0].posting_at is None

    def test_of_two_who_have_read_the_same_only_one_begins(self, marketing: Marketing) -> None:
        marketing.a_confirmed_task(3)
        (first,), (second,) = due(marketing), due(marketing)
        assert marketing.posts.begin(first)
        marketing.clock.move(MINUTE)
        assert not marketing.posts.begin(second)
        (after_a_crash,) = due(marketing)
        assert marketing.posts.begin(after_a_crash)
        marketing.posts.shown(first.id, "ts", first.version, closed=False)
        assert not marketing.posts.begin(first), "it is there"

    async def test_a_closed_post_is_never_due_again(self, marketing: Marketing) -> None:
        marketing.a_confirmed_task(3)
        (post,) = due(marketing)
        marketing.posts.shown(post.id, "ts", post.version, closed=True)
        await marketing.send_all()
        assert due(marketing) == []

    async def test_a_post_slack_will_never_take_is_given_up(self, marketing: Marketing) -> None:
        marketing.a_confirmed_task(3)
        marketing.posts.give_up(due(marketing)[0].id)
        await marketing.send_all()
        assert due(marketing) == []

    def test_the_oldest_come_first(self, marketing: Marketing) -> None:
        tasks = [marketing.a_confirmed_task(1, group=name) for name in "abc"]
        assert [post.subject_id for post in due(marketing)] == [task.id for task in tasks]

    def test_a_task_and_an_import_of_the_same_number_are_two(self, marketing: Marketing) -> None:
        """Subjects are counted per table; an import's version is not a task's."""
        task = marketing.a_confirmed_task(1)
        show_all(marketing)
        marketing.tasks.stop(marketing.workspace_id, task.number, ANA)
        assert [(post.kind, post.subject_id) for post in due(marketing)] == [(PostKind.TASK, task.id)]


class TestTheResult:
    """When every message is final, or 3 minutes after the last request, whichever is first; once."""

    async def test_it_is_not_owed_while_receipts_may_come(self, marketing: Marketing) -> None:
        await a_sent_task(marketing)
        assert marketing.posts.want_results() == 0
        marketing.clock.move(3 * MINUTE - timedelta(milliseconds=1))
        assert marketing.posts.want_results() == 0

    async def test_it_is_owed_3_minutes_after_the_last_request(self, marketing: Marketing) -> None:
        task = await a_sent_task(marketing)
        marketing.clock.move(3 * MINUTE)
        assert marketing.posts.want_results() == 1
        (post,) = due(marketing, PostKind.RESULT)
        assert (post.subject_id, post.channel) == (task.id, CHANNEL)

    async def test_it_is_owed_at_once_when_all_is_final(self, marketing: Marketing) -> None:
        await a_sent_task(marketing)
        report_all(marketing)
        assert marketing.posts.want_results() == 1

    async def test_refused_is_final(self, marketing: Marketing) -> None:
        marketing.carrier.will(refuse_whole())
        await a_sent_task(marketing)
        assert marketing.posts.want_results() == 1

    async def test_it_is_owed_once(self, marketing: Marketing) -> None:
        await a_sent_task(marketing)
        report_all(marketing)
        marketing.posts.want_results()
        marketing.clock.move(3 * MINUTE)
        assert marketing.posts.want_results() == 0
        assert len(due(marketing, PostKind.RESULT)) == 1

    async def test_later_receipts_edit_the_same_post(self, marketing: Marketing) -> None:
        await a_sent_task(marketing)
        marketing.clock.move(3 * MINUTE)
        marketing.posts.want_results()
        show_all(marketing)
        report_all(marketing)
        (post,) = due(marketing, PostKind.RESULT)
        assert post.ts == f"ts-{post.id}"

    def test_a_task_of_which_nothing_left_has_none(self, marketing: Marketing) -> None:
        task = marketing.a_confirmed_task(3)
        marketing.tasks.stop(marketing.workspace_id, task.number, ANA)
        marketing.clock.move(3 * MINUTE)
        assert marketing.posts.want_results() == 0

    async def test_a_stopped_task_has_one_for_what_left(self, marketing: Marketing) -> None:
        task = marketing.a_confirmed_task(700)
        await marketing.send_next(marketing.a_dispatch())
        marketing.tasks.stop(marketing.workspace_id, task.number, ANA)
        report_all(marketing)
        assert marketing.posts.want_results() == 1

    async def test_each_task_has_its_own(self, marketing: Marketing) -> None:
        tasks = [
            marketing.a_confirmed_task(2, group=name, first=FIRST_NUMBER + 10 * no) for no, name in enumerate("ab")
        ]
        await marketing.send_all()
        report_all(marketing)
        assert marketing.posts.want_results() == 2
        assert {post.subject_id for post in due(marketing, PostKind.RESULT)} == {task.id for task in tasks}


async def test_a_result_owes_its_last_words_when_the_receipt_window_closes(marketing: Marketing) -> None:
    task = await a_sent_task(marketing)
    marketing.clock.move(3 * MINUTE)
    marketing.posts.want_results()
    show_all(marketing)
    marketing.clock.move(timedelta(hours=71.9) - 3 * MINUTE)
    assert marketing.posts.close_receipt_windows() == 0
    assert not marketing.task(task).receipts_over
    assert not due(marketing)
    marketing.clock.move(timedelta(hours=0.2))
    assert marketing.posts.close_receipt_windows() == 1
    assert marketing.task(task).receipts_over
    assert PostKind.RESULT in {post.kind for post in due(marketing)}
    assert marketing.posts.close_receipt_windows() == 0


async def test_an_old_post_that_slack_never_took_is_still_owed(marketing: Marketing) -> None:
    await a_sent_task(marketing)
    marketing.clock.move(timedelta(hours=80))
    marketing.posts.want_results()
    marketing.posts.close_receipt_windows()
    assert {post.kind for post in due(marketing)} == {PostKind.TASK, PostKind.RESULT}


async def test_each_application_has_its_own_receipt_window(database: Database) -> None:
    marketing = Marketing(database, applications=[replace(MAINLAND, receipt_window_hours=24)])
    task = await a_sent_task(marketing)
    assert task.receipt_window == timedelta(hours=24)
    marketing.clock.move(timedelta(hours=23.9))
    assert marketing.posts.close_receipt_windows() == 0
    marketing.clock.move(timedelta(hours=0.2))
    assert marketing.posts.close_receipt_windows() == 1


def test_a_task_that_has_not_ended_waits_for_reports_however_long(marketing: Marketing) -> None:
    marketing.a_confirmed_task(2)
    marketing.clock.move(timedelta(hours=80))
    assert marketing.posts.close_receipt_windows() == 0


async def test_skipped_messages_alone_have_a_result_too(marketing: Marketing) -> None:
    task = await a_sent_task(marketing)
    with marketing.database.write(everyone=True) as tx:
        tx.execute(update(send_task).where(send_task.c.id == task.id).values(handed_over=0, accepted=0, skipped=3))
        tx.commit()
    assert (marketing.task(task).waiting, marketing.task(task).is_settled) == (0, True)
    assert marketing.posts.want_results() == 1


def test_a_second_pause_is_posted_anew(marketing: Marketing) -> None:
    task = marketing.a_confirmed_task(3)

    def pause() -> Post:
        with marketing.database.write(everyone=True) as tx:
            want_post(tx, marketing.workspace_id, CHANNEL, PostKind.PAUSED, task.id)
            tx.commit()
        (post,) = due(marketing, PostKind.PAUSED)
        return post

    first = pause()
    marketing.posts.shown(first.id, "171.01", first.version, closed=True)
    assert due(marketing, PostKind.PAUSED) == []
    assert pause().ts is None
