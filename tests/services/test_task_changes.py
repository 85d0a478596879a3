"""Editing, copying and sending again: a scheduled task changes as a whole, and nobody gets what has arrived already."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from services.carriers.ports import Receipt
from services.content import TemplateDeclaration
from services.errors import NotAllowed, UnknownThing
from services.group_changes import GroupChanges
from services.models import opt_out, recipient
from services.previews import Preview
from services.resends import ResendState
from services.states import SmsType, Source, TaskState
from services.task_changes import NAME_LIMIT, Edit
from services.task_reports import Task
from tests.services.audit import check_every_task
from tests.services.builders import ANA, BEN, CHANNEL, FIRST_NUMBER, MAINLAND, SPRING, Marketing, numbers
from tests.services.fakes import leave_out, refuse, unanswered

HOUR = timedelta(hours=1)
LONG = TemplateDeclaration("long", "tpl-9", SmsType.NOTIFICATION, "We open at nine. " * 8, "Spring")


def refusal_of(call: object) -> NotAllowed:
    with pytest.raises(NotAllowed) as refused:
        call()  # type: ignore[operator] # a lambda
    return refused.value


def recipients(marketing: Marketing, task: Task) -> list[int]:
    query = select(recipient.c.number).where(recipient.c.task_id == task.id).order_by(recipient.c.seq)
    with marketing.database.read(everyone=True) as connection:
        return [*connection.execute(query).scalars()]


class TestEditing:
    """Time, template and name, until 5 minutes before its time."""

    async def test_another_time_and_name(self, marketing: Marketing) -> None:
        task = marketing.a_confirmed_task(3, at=marketing.in_(HOUR))
        wanted = Edit(marketing.in_(3 * HOUR), task.template_id, "  spring   opening ")
        edited = marketing.changes.edit(marketing.workspace_id, task.number, BEN, wanted)
        assert (edited.name, edited.scheduled_at, edited.edited_by) == ("spring opening", wanted.at, BEN)
        assert (edited.text, edited.confirmed_by, edited.version) == (task.text, ANA, task.version + 1)
        marketing.clock.move(HOUR)
        assert marketing.tasks.start_due() == 0
        marketing.clock.move(2 * HOUR)
        assert marketing.tasks.start_due() == 1

    async def test_another_template_is_what_is_sent(self, marketing: Marketing) -> None:
        marketing.declare(replace(MAINLAND, templates=(*MAINLAND.templates, LONG)))
        task = marketing.a_confirmed_task(3, at=marketing.in_(HOUR))
        other = next(t for t in marketing.changes.templates_for(marketing.workspace_id, task) if t.name == "long")
        edited = marketing.changes.edit(
            marketing.workspace_id, task.number, ANA, Edit(marketing.in_(HOUR), other.id, "")
        )
        assert edited.template == "long"
        assert edited.text == f"【Spring】{LONG.text}"
        assert (edited.segments_each, edited.segments, edited.recipients) == (3, 9, 3)
        marketing.clock.move(HOUR)
        marketing.tasks.start_due()
        await marketing.send_all()
        (request,) = marketing.carrier.requests
        assert (request.text, request.template_code, request.sender) == (edited.text, "tpl-9", "1069000001")

    async def test_a_universal_template_keeps_the_signature(self, marketing: Marketing) -> None:
        task = marketing.a_confirmed_task(1, at=marketing.in_(HOUR))
        hello = next(t for t in marketing.changes.templates_for(marketing.workspace_id, task) if t.name == "hello")
        marketing.changes.edit(marketing.workspace_id, task.number, ANA, Edit(marketing.in_(HOUR), hello.id, ""))
        marketing.clock.move(HOUR)
        marketing.tasks.start_due()
        await marketing.send_all()
        assert [(each.text, each.signature) for each in marketing.carrier.requests] == [("【Spring】Hello.", "Spring")]

    def test_only_templates_that_can_stand_in_are_offered(self, marketing: Marketing) -> None:
        task = marketing.a_confirmed_task(1, at=marketing.in_(HOUR))
        offered = [each.name for each in marketing.changes.templates_for(marketing.workspace_id, task)]
        assert offered == ["spring", "hello"], "not of another type, none with variables"
        sale = next(t for t in marketing.content.templates(marketing.workspace_id) if t.name == "sale")
        refused = refusal_of(
            lambda: marketing.changes.edit(
                marketing.workspace_id, task.number, ANA, Edit(marketing.in_(HOUR), sale.id, "")
            )
        )
        assert refused.rule == "edit_template"
        assert marketing.task(task) == task

    def test_the_text_stays_as_confirmed_where_the_template_stays(self, marketing: Marketing) -> None:
        task = marketing.a_confirmed_task(1, at=marketing.in_(HOUR))
        marketing.declare(replace(MAINLAND, templates=(replace(SPRING, text="We close."),)))
        edited = marketing.changes.edit(
            marketing.workspace_id, task.number, ANA, Edit(marketing.in_(2 * HOUR), task.template_id, "x")
        )
        assert edited.text == task.text

    @pytest.mark.parametrize(
        ("moved", "rule"), [(timedelta(minutes=55), None), (timedelta(minutes=55, seconds=1), "too_late_to_edit")]
    )
    def test_until_five_minutes_before(self, marketing: Marketing, moved: timedelta, rule: str | None) -> None:
        task = marketing.a_confirmed_task(1, at=marketing.in_(HOUR))
        marketing.clock.move(moved)
        wanted = Edit(marketing.in_(HOUR), task.template_id, "")
        if rule is None:
            marketing.changes.edit(marketing.workspace_id, task.number, ANA, wanted)
        else:
            given = (marketing.workspace_id, task.number, ANA, wanted)
            assert refusal_of(lambda: marketing.changes.edit(*given)).rule == rule

    def test_a_time_that_is_over_and_a_name_that_is_too_long_are_refused(self, marketing: Marketing) -> None:
        task = marketing.a_confirmed_task(1, at=marketing.in_(HOUR))
        for wanted, rule in [
            (Edit(marketing.clock.now(), task.template_id, ""), "edit_time_passed"),
            (Edit(marketing.in_(HOUR), task.template_id, "x" * (NAME_LIMIT + 1)), "task_name"),
        ]:
            given = (marketing.workspace_id, task.number, ANA, wanted)
            assert refusal_of(lambda given=given: marketing.changes.edit(*given)).rule == rule
        assert marketing.task(task) == task

    def test_promotional_sms_stay_within_carriers_hours(self, marketing: Marketing) -> None:
        marketing.a_group("buyers", numbers(1), SmsType.PROMOTIONAL)
        task = marketing.confirmed(marketing.a_draft(["buyers"], "sale", at=marketing.in_(HOUR)))
        # Ten at night in Shanghai.
        given = (marketing.workspace_id, task.number, ANA, Edit(marketing.in_(12 * HOUR), task.template_id, ""))
        refused = refusal_of(lambda: marketing.changes.edit(*given))
        assert (refused.rule, refused.facts["at"]) == ("edit_hours", marketing.in_(22 * HOUR))


class TestCopying:
    """A new draft of the same, to be sent now."""

    async def test_the_same_groups_template_and_name(self, marketing: Marketing) -> None:
        marketing.a_group("vip", numbers(5))
        marketing.a_group("staff", numbers(2))
        task = marketing.confirmed(marketing.a_draft(exclude=["staff"], at=marketing.in_(HOUR)))
        marketing.changes.edit(
            marketing.workspace_id, task.number, ANA, Edit(marketing.in_(HOUR), task.template_id, "spring opening")
        )
        marketing.tasks.cancel(marketing.workspace_id, task.number, ANA)
        copy = marketing.changes.copy(marketing.workspace_id, task.number, "C0OTHER", BEN)
        assert (copy.groups, copy.excluded, copy.template, copy.at) == (["vip"], ["staff"], "spring", None)
        made = marketing.confirmed(copy)
        assert (made.name, made.channel, made.recipients, made.created_by) == ("spring opening", "C0OTHER", 3, BEN)

    def test_a_test_goes_to_the_same_typed_numbers(self, marketing: Marketing) -> None:
        marketing.a_group("vip", numbers(5))
        others = numbers(2, FIRST_NUMBER + 500)
        test = marketing.draft_tests.send(marketing.workspace_id, marketing.a_draft().draft_id, ANA, None, others)
        copy = marketing.changes.copy(marketing.workspace_id, test.number, CHANNEL, BEN)
        assert (copy.source, copy.recipients, copy.text) == (Source.TYPED, 2, test.text)
        made = marketing.confirmed(copy)
        assert (made.is_test, recipients(marketing, made)) == (False, others)
        check_every_task(marketing.database)

    def test_a_test_with_values_cannot_be_copied_because_typed_numbers_have_none(
        self, marketing: Marketing, tmp_path: Path
    ) -> None:
        path = tmp_path / "customers.csv"
        path.write_text("mobile,name\n13800000001,Ana\n", "utf-8")
        marketing.imported(path, marketing.a_group("vip"))
        draft = marketing.a_draft(template="personal")
        test = marketing.draft_tests.send(marketing.workspace_id, draft.draft_id, ANA, FIRST_NUMBER + 9, [])
        given = (marketing.workspace_id, test.number, CHANNEL, BEN)
        refused = refusal_of(lambda: marketing.changes.copy(*given))
        assert (refused.rule, refused.facts["source"]) == ("no_column", Source.TYPED)

    def test_a_group_that_is_called_otherwise_by_now(self, marketing: Marketing) -> None:
        group = marketing.a_group("vip", numbers(1))
        task = marketing.confirmed(marketing.a_draft())
        changes = GroupChanges(marketing.database, marketing.clock)
        changes.rename(marketing.workspace_id, group.id, "regulars")
        assert marketing.changes.copy(marketing.workspace_id, task.number, CHANNEL, ANA).groups == ["regulars"]
        changes.delete(marketing.workspace_id, group.id)
        with pytest.raises(UnknownThing, match="vip"):
            marketing.changes.copy(marketing.workspace_id, task.number, CHANNEL, ANA)


async def a_mixed_task(marketing: Marketing) -> Task:
    """Of 8: 1 refused, 2 not answered for, 1 delivered, 1 failed, and 3 accepted without a receipt."""
    first = FIRST_NUMBER
    answer = refuse(first)

    async def mixed(submission: object) -> object:
        found = await answer(submission)  # type: ignore[arg-type]
        kept = {n: o for n, o in found.outcomes.items() if n not in (first + 1, first + 2)}
        return replace(found, outcomes=kept)

    marketing.carrier.will(mixed)  # type: ignore[arg-type]
    task = marketing.a_confirmed_task(8)
    await marketing.send_all()
    reference = marketing.carrier.requests[-1].reference
    marketing.report(
        Receipt("delivered", "DELIVRD", f"id-{first + 3}", reference, first + 3),
        Receipt("failed", "UNDELIV", f"id-{first + 4}", reference, first + 4),
    )
    return marketing.task(task)


class TestResending:
    """Exactly those that failed, or exactly those nobody knows of."""

    @pytest.mark.parametrize(
        ("state", "wanted"), [(ResendState.FAILED, [0, 4]), (ResendState.UNKNOWN, [1, 2, 5, 6, 7])]
    )
    async def test_exactly_those(self, marketing: Marketing, state: ResendState, wanted: list[int]) -> None:
        task = await a_mixed_task(marketing)
        with marketing.database.write(everyone=True) as tx:
            of_task = update(recipient).where(recipient.c.task_id == task.id)
            tx.execute(of_task.values(import_id=7, row=recipient.c.seq + 1, attributes='{"name":"李"}'))
            tx.commit()
        preview = marketing.changes.resend(marketing.workspace_id, task.number, state, CHANNEL, BEN)
        assert preview.resend is not None
        assert (preview.recipients, preview.resend.task, preview.text) == (len(wanted), task.number, task.text)
        again = marketing.confirmed(preview)
        assert recipients(marketing, again) == [FIRST_NUMBER + n for n in wanted]
        assert (again.source, again.resend_of, again.resend_state) == (Source.RESEND, task.number, state.value)
        with marketing.database.read(everyone=True) as connection:
            rows = connection.execute(select(recipient).where(recipient.c.task_id == again.id)).all()
        assert [(row.import_id, row.row, row.attributes) for row in rows] == [
            (7, n + 2, '{"name":"李"}') for n in wanted
        ]
        await marketing.send_all()
        assert marketing.carrier.requests[-1].numbers == [FIRST_NUMBER + n for n in wanted]
        assert marketing.changes.resent_in(task, state) == [again.number]
        check_every_task(marketing.database)

    async def test_what_arrived_after_the_preview_is_not_sent_again(self, marketing: Marketing) -> None:
        task = await a_mixed_task(marketing)
        preview = marketing.changes.resend(marketing.workspace_id, task.number, ResendState.UNKNOWN, CHANNEL, ANA)
        reference = marketing.carrier.requests[-1].reference
        number = FIRST_NUMBER + 5
        marketing.report(Receipt("delivered", "DELIVRD", f"id-{number}", reference, number))
        fresh = marketing.confirmations.confirm(marketing.workspace_id, preview.draft_id, ANA)
        assert isinstance(fresh, Preview)
        assert (list(fresh.changed), fresh.recipients) == (["recipients"], 4)
        again = marketing.confirmed(fresh)
        assert number not in recipients(marketing, again)

    async def test_what_somebody_sent_again_since_the_preview_is_shown_first(self, marketing: Marketing) -> None:
        task = await a_mixed_task(marketing)
        given = (marketing.workspace_id, task.number, ResendState.FAILED, CHANNEL)
        anas, bens = marketing.changes.resend(*given, ANA), marketing.changes.resend(*given, BEN)
        assert (list(anas.resent), list(bens.resent)) == ([], [])
        first = marketing.confirmed(anas)
        fresh = marketing.confirmations.confirm(marketing.workspace_id, bens.draft_id, BEN)
        assert isinstance(fresh, Preview)
        assert (list(fresh.changed), list(fresh.resent)) == (["resent"], [first.number])
        assert marketing.changes.resent_in(task, ResendState.FAILED) == [first.number]
        # He knows by now, and is not asked a third time.
        second = marketing.confirmed(fresh)
        assert marketing.changes.resent_in(task, ResendState.FAILED) == [first.number, second.number]

    async def test_the_failed_ones_sent_again_do_not_stand_in_the_way_of_the_unknown(
        self, marketing: Marketing
    ) -> None:
        task = await a_mixed_task(marketing)
        given = (marketing.workspace_id, task.number)
        failed = marketing.changes.resend(*given, ResendState.FAILED, CHANNEL, ANA)
        unknown = marketing.changes.resend(*given, ResendState.UNKNOWN, CHANNEL, BEN)
        marketing.confirmed(failed)
        assert marketing.confirmed(unknown).recipients == 5

    async def test_two_who_press_at_the_same_moment_do_not_both_send(self, marketing: Marketing) -> None:
        task = await a_mixed_task(marketing)
        given = (marketing.workspace_id, task.number, ResendState.FAILED, CHANNEL)
        drafts = [marketing.changes.resend(*given, person) for person in (ANA, BEN)]
        together = threading.Barrier(2)

        def press(draft: Preview) -> Task | Preview:
            together.wait()
            return marketing.confirmations.confirm(marketing.workspace_id, draft.draft_id, ANA)

        with ThreadPoolExecutor(2) as people:
            made = [*people.map(press, drafts)]
        assert sorted(type(each).__name__ for each in made) == ["Preview", "Task"]

    async def test_a_batch_without_any_answer_is_unknown_as_a_whole(self, marketing: Marketing) -> None:
        marketing.carrier.will(unanswered)
        task = marketing.a_confirmed_task(3)
        await marketing.send_all()
        preview = marketing.changes.resend(marketing.workspace_id, task.number, ResendState.UNKNOWN, CHANNEL, ANA)
        assert recipients(marketing, marketing.confirmed(preview)) == numbers(3)

    async def test_of_a_stopped_task_only_what_was_handed_over(self, marketing: Marketing) -> None:
        marketing.carrier.will(leave_out(FIRST_NUMBER))
        task = marketing.a_confirmed_task(700)
        await marketing.send_next(marketing.a_dispatch())
        marketing.tasks.stop(marketing.workspace_id, task.number, ANA)
        preview = marketing.changes.resend(marketing.workspace_id, task.number, ResendState.UNKNOWN, CHANNEL, ANA)
        assert preview.recipients == 200

    async def test_not_before_it_is_over(self, marketing: Marketing) -> None:
        task = marketing.a_confirmed_task(700)
        await marketing.send_next(marketing.a_dispatch())
        given = (marketing.workspace_id, task.number, ResendState.FAILED, CHANNEL, ANA)
        refused = refusal_of(lambda: marketing.changes.resend(*given))
        assert (refused.rule, refused.facts["state"]) == ("resend_running", TaskState.SENDING)

    async def test_the_template_must_still_be_there(self, marketing: Marketing) -> None:
        task = await a_mixed_task(marketing)
        marketing.declare(replace(MAINLAND, templates=()))
        given = (marketing.workspace_id, task.number, ResendState.FAILED, CHANNEL, ANA)
        assert refusal_of(lambda: marketing.changes.resend(*given)).rule == "template_gone"

    async def test_nothing_failed(self, marketing: Marketing) -> None:
        task = marketing.a_confirmed_task(1)
        await marketing.send_all()
        given = (marketing.workspace_id, task.number, ResendState.FAILED, CHANNEL, ANA)
        assert refusal_of(lambda: marketing.changes.resend(*given)).rule == "nothing_to_resend"

    async def test_a_resend_can_be_resent(self, marketing: Marketing) -> None:
        task = await a_mixed_task(marketing)
        again = marketing.confirmed(
            marketing.changes.resend(marketing.workspace_id, task.number, ResendState.FAILED, CHANNEL, ANA)
        )
        marketing.carrier.will(refuse(FIRST_NUMBER))
        await marketing.send_all()
        third = marketing.changes.resend(marketing.workspace_id, again.number, ResendState.FAILED, CHANNEL, ANA)
        assert recipients(marketing, marketing.confirmed(third)) == [FIRST_NUMBER]


async def test_what_filled_a_failed_message_fills_it_again(marketing: Marketing, tmp_path: Path) -> None:
    """Each with its own text, from the columns of the file that its number came from."""
    path = tmp_path / "customers.csv"
    path.write_text("mobile,name\n13800000001,Ana\n13800000002,Ben\n13800000003,李\n", "utf-8")
    marketing.imported(path, marketing.a_group("vip"))
    task = marketing.confirmed(marketing.a_draft(template="personal"))
    marketing.carrier.will(refuse(FIRST_NUMBER + 1, FIRST_NUMBER + 2))
    await marketing.send_all()
    preview = marketing.changes.resend(marketing.workspace_id, task.number, ResendState.FAILED, CHANNEL, ANA)
    assert [text for _, text in preview.samples] == [
        "【Spring】Dear Ben, see you at Ben.",
        "【Spring】Dear 李, see you at 李.",
    ]
    again = marketing.confirmed(preview)
    assert again.variables == task.variables
    await marketing.send_all()
    request = marketing.carrier.requests[-1]
    assert [request.text_for(number) for number in request.numbers] == [text for _, text in preview.samples]
    check_every_task(marketing.database)


async def test_who_has_opted_out_since_is_not_sent_a_promotion_again(marketing: Marketing) -> None:
    marketing.a_group("buyers", numbers(2), SmsType.PROMOTIONAL)
    task = marketing.confirmed(marketing.a_draft(["buyers"], "sale"))
    marketing.carrier.will(refuse(FIRST_NUMBER, FIRST_NUMBER + 1))
    await marketing.send_all()
    with marketing.database.write() as tx:
        values = {"workspace_id": marketing.workspace_id, "number": FIRST_NUMBER, "origin": "reply"}
        tx.execute(opt_out.insert().values(**values, at=marketing.clock.now()))
        tx.commit()
    preview = marketing.changes.resend(marketing.workspace_id, task.number, ResendState.FAILED, CHANNEL, ANA)
    assert (preview.recipients, preview.opted_out) == (1, 1)
    assert recipients(marketing, marketing.confirmed(preview)) == [FIRST_NUMBER + 1]
