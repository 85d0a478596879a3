"""Confirm, cancel and stop: one draft one task, and what was confirmed is what is sent."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import event, select

from handlers.errors import explain
from services.content import ApplicationDeclaration, SignatureDeclaration, TemplateDeclaration
from services.database import Database
from services.entries import Entries, check_lines
from services.errors import NotAllowed, ServiceError, UnknownThing
from services.groups import Group
from services.hours import MAINLAND_ZONE
from services.imports import Import
from services.models import batch, recipient
from services.pool import Pool
from services.posts import PostKind
from services.previews import Preview
from services.resends import ResendState
from services.states import PauseReason, SmsType, TaskState
from services.task_changes import Edit
from services.task_reports import Task
from tests.services.audit import check_every_task
from tests.services.builders import (
    ANA,
    BEN,
    CHANNEL,
    FIRST_NUMBER,
    MAINLAND,
    SALE,
    SIGNATURE,
    SPRING,
    UNIVERSAL,
    Marketing,
    numbers,
)
from tests.services.fakes import not_taken

HOUR = timedelta(hours=1)
WINTER = SignatureDeclaration("Winter", "1069000002")


def sent_to(database: Database, task: Task) -> list[int]:
    with database.read(everyone=True) as connection:
        query = select(recipient.c.number).where(recipient.c.task_id == task.id).order_by(recipient.c.seq)
        return list(connection.execute(query).scalars())


def refusal(call: Callable[[], object]) -> NotAllowed:
    with pytest.raises(NotAllowed) as refused:
        call()
    return refused.value


class TestConfirming:
    """A press of the button."""

    def test_a_confirmed_draft_is_a_task_with_a_number(self, marketing: Marketing) -> None:
        marketing.a_group("vip", numbers(3))
        marketing.a_group("staff", numbers(1))
        draft = marketing.a_draft(exclude=["staff"])
        task = marketing.confirmations.confirm(marketing.workspace_id, draft.draft_id, BEN)
        assert isinstance(task, Task)
        assert (task.number, task.state, task.channel, task.confirmed_by) == (1, TaskState.SENDING, CHANNEL, BEN)
        assert (task.groups, task.excluded, task.template) == (("vip",), ("staff",), "spring")
        assert (task.text, task.recipients, task.waiting) == (draft.text, 2, 2)
        assert task.started_at == task.confirmed_at == marketing.clock.now()
        assert sent_to(marketing.database, task) == numbers(2, FIRST_NUMBER + 1)
        assert [(post.kind, post.subject_id) for post in marketing.posts.due()] == [(PostKind.TASK, task.id)]
        check_every_task(marketing.database)

    def test_each_workspace_counts_its_own_tasks(self, marketing: Marketing) -> None:
        other = Marketing(marketing.database, workspace_id="T0OTHER")
        tasks = [
            each.a_confirmed_task(1, group=name)
            for each, name in [(marketing, "a"), (other, "a"), (marketing, "b"), (other, "b"), (marketing, "c")]
        ]
        assert [task.number for task in tasks] == [1, 1, 2, 2, 3]
        with pytest.raises(UnknownThing):
            other.reports.get(other.workspace_id, 3)

    def test_a_scheduled_one_waits(self, marketing: Marketing) -> None:
        at = marketing.in_(HOUR)
        task = marketing.a_confirmed_task(3, at=at)
        assert (task.state, task.scheduled_at, task.started_at) == (TaskState.SCHEDULED, at, None)
        assert marketing.a_dispatch().claim(marketing.sender) is None

    def test_a_second_press_is_told_of_the_first(self, marketing: Marketing) -> None:
        marketing.a_group("vip", numbers(3))
        draft = marketing.a_draft()
        task = marketing.confirmed(draft)
        refused = refusal(lambda: marketing.confirmations.confirm(marketing.workspace_id, draft.draft_id, BEN))
        assert refused.rule == "already_confirmed"
        assert refused.facts == {"number": task.number, "by": ANA}

    def test_another_workspaces_draft_cannot_be_confirmed(self, marketing: Marketing) -> None:
        marketing.a_group("vip", numbers(3))
        draft = marketing.a_draft()
        assert refusal(lambda: marketing.confirmations.confirm("T0OTHER", draft.draft_id, ANA)).rule == "draft_gone"

    def test_many_presses_at_the_same_moment_make_one_task(self, marketing: Marketing) -> None:
        marketing.a_group("vip", numbers(1000))
        draft = marketing.a_draft()
        together = threading.Barrier(6)
        answers: list[Task | Preview | ServiceError] = []

        def press() -> None:
            together.wait()
            try:
                answers.append(marketing.confirmations.confirm(marketing.workspace_id, draft.draft_id, ANA))
            except ServiceError as error:
                answers.append(error)

        threads = [threading.Thread(target=press) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        made = [answer for answer in answers if isinstance(answer, Task)]
        told = [answer for answer in answers if isinstance(answer, NotAllowed)]
        assert (len(made), [each.rule for each in told]) == (1, ["already_confirmed"] * 5)
        assert sent_to(marketing.database, made[0]) == numbers(1000)
        assert len(marketing.reports.list(marketing.workspace_id)) == 1
        check_every_task(marketing.database)

    def test_a_time_that_has_passed_meanwhile_is_refused(self, marketing: Marketing) -> None:
        marketing.a_group("vip", numbers(3))
        draft = marketing.a_draft(at=marketing.in_(HOUR))
        marketing.clock.move(HOUR)
        refused = refusal(lambda: marketing.confirmations.confirm(marketing.workspace_id, draft.draft_id, ANA))
        assert (refused.rule, refused.facts["at"]) == ("time_passed", marketing.clock.now())

    def test_later_imports_do_not_join(self, marketing: Marketing) -> None:
        task = marketing.a_confirmed_task(3)
        group = marketing.groups.find(marketing.workspace_id, "vip")
        marketing.join(group, numbers(2, FIRST_NUMBER + 100))
        assert sent_to(marketing.database, task) == numbers(3)
        assert marketing.task(task).recipients == 3

    async def test_a_later_change_of_the_settings_does_not_change_what_is_sent(self, marketing: Marketing) -> None:
        task = marketing.a_confirmed_task(3)
        marketing.declare(replace(MAINLAND, templates=(replace(SPRING, text="We close.", code="other"),)))
        await marketing.send_all()
        (request,) = marketing.carrier.requests
        assert (request.text, request.template_code, request.sender) == (task.text, "tpl-1", "1069000001")


Change = Callable[[Marketing, Group], object]

CHANGES: list[tuple[str, str, Change]] = [
    ("the group grew", "groups", lambda m, g: m.join(g, numbers(1, FIRST_NUMBER + 50))),
    (
        "an excluded group grew by a stranger",
        "groups",
        lambda m, g: m.join(m.groups.find(m.workspace_id, "staff"), [FIRST_NUMBER + 70]),
    ),
    ("the text changed", "text", lambda m, g: m.declare(_with(replace(SPRING, text="We open at ten.")))),
    ("the template's code changed", "text", lambda m, g: m.declare(_with(replace(SPRING, code="tpl-9")))),
    (
        "the signature's channel changed",
        "signature",
        lambda m, g: m.declare(replace(MAINLAND, signatures=(replace(SIGNATURE, channel_number="1"),))),
    ),
    (
        "the template moved to another signature",
        "signature",
        lambda m, g: m.declare(
            replace(_with(replace(SPRING, signature="Winter")), signatures=(SIGNATURE, WINTER)),
        ),
    ),
    (
        "the template became universal",
        "signature",
        lambda m, g: m.declare(_with(replace(SPRING, signature=None))),
    ),
]


def _with(changed: TemplateDeclaration) -> ApplicationDeclaration:
    return replace(MAINLAND, templates=(changed, SALE, UNIVERSAL))


@pytest.mark.parametrize(("what", "change"), [pytest.param(*each[1:], id=each[0]) for each in CHANGES])
def test_what_changed_since_the_preview_is_shown_and_nothing_is_sent(
    marketing: Marketing, what: str, change: Change
) -> None:
    group = marketing.a_group("vip", numbers(3))
    marketing.a_group("staff", numbers(1, FIRST_NUMBER + 2))
    draft = marketing.a_draft(exclude=["staff"])
    change(marketing, group)
    again = marketing.confirmations.confirm(marketing.workspace_id, draft.draft_id, ANA)
    assert isinstance(again, Preview)
    assert what in again.changed
    assert again.draft_id != draft.draft_id
    assert marketing.reports.list(marketing.workspace_id) == []
    assert marketing.posts.due() == []
    assert marketing.a_dispatch().claim(marketing.sender) is None
    task = marketing.confirmations.confirm(marketing.workspace_id, again.draft_id, ANA)
    assert isinstance(task, Task)
    assert (task.text, task.recipients) == (again.text, again.recipients)
    check_every_task(marketing.database)


def _others_typed(marketing: Marketing, group: Group, typed: Sequence[int]) -> Import:
    lines = check_lines("\n".join(map(str, typed)))
    return Entries(marketing.database, marketing.clock).enter(marketing.workspace_id, group.id, lines, CHANNEL, BEN)


def test_as_many_other_numbers_in_the_group_are_shown_first(marketing: Marketing) -> None:
    group = marketing.a_group("vip")
    first = _others_typed(marketing, group, numbers(3))
    draft = marketing.a_draft()
    others = numbers(3, FIRST_NUMBER + 500)
    marketing.imports.undo(marketing.workspace_id, first.id, BEN)
    _others_typed(marketing, group, others)
    again = marketing.confirmations.confirm(marketing.workspace_id, draft.draft_id, ANA)
    assert isinstance(again, Preview)
    assert again.changed == ["groups"]
    assert [number for number, _ in again.samples] == others
    assert sent_to(marketing.database, marketing.confirmed(again)) == others


def test_one_number_in_the_place_of_another_is_shown_first(marketing: Marketing) -> None:
    group = marketing.a_group("vip", numbers(3))
    draft = marketing.a_draft()
    Pool(marketing.database).remove(marketing.workspace_id, FIRST_NUMBER)
    marketing.join(group, [FIRST_NUMBER + 50])
    again = marketing.confirmations.confirm(marketing.workspace_id, draft.draft_id, ANA)
    assert isinstance(again, Preview)
    assert again.changed == ["groups"]


def test_the_same_numbers_with_other_values_are_shown_first(marketing: Marketing, tmp_path: Path) -> None:
    group = marketing.a_group("vip")

    def a_file(name: str) -> Path:
        path = tmp_path / f"{name}.csv"
        path.write_text(f"Mobile,name,hour\n{FIRST_NUMBER},{name},9\n", encoding="utf-8")
        return path

    wrong = marketing.imported(a_file("Wrong"), group)
    draft = marketing.a_draft(template="personal")
    marketing.imports.undo(marketing.workspace_id, wrong.id, BEN)
    marketing.imported(a_file("Maximiliana"), group)
    again = marketing.confirmations.confirm(marketing.workspace_id, draft.draft_id, ANA)
    assert isinstance(again, Preview)
    assert again.changed == ["groups"]
    assert "Maximiliana" in again.samples[0][1]


def test_a_file_that_brought_nobody_new_leaves_the_preview_as_it_is(marketing: Marketing, tmp_path: Path) -> None:
    group = marketing.a_group("vip", numbers(3))
    draft = marketing.a_draft()
    _others_typed(marketing, group, numbers(2))
    assert marketing.confirmed(draft).recipients == 3


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        pytest.param(_with(SALE), "template_gone", id="the template is gone"),
        pytest.param(replace(MAINLAND, name="other"), "template_gone", id="the application is gone"),
        pytest.param(
            _with(replace(SPRING, sms_type=SmsType.PROMOTIONAL)), "sms_type_differs", id="the type is another"
        ),
        pytest.param(_with(replace(SPRING, text="{1}")), "no_column", id="it has variables now"),
    ],
)
def test_what_can_no_longer_be_sent_is_refused(database: Database, settings: ApplicationDeclaration, rule: str) -> None:
    marketing = Marketing(database)
    marketing.a_group("vip", numbers(3))
    draft = marketing.a_draft()
    marketing.declare(settings)
    refused = refusal(lambda: marketing.confirmations.confirm(marketing.workspace_id, draft.draft_id, ANA))
    assert refused.rule == rule
    assert marketing.reports.list(marketing.workspace_id) == []


def test_an_import_at_the_very_moment_of_confirming_changes_nothing(postgresql: Database) -> None:
    """One number comes in and another is excluded between the check and the copy: the count alone would not tell."""
    marketing = Marketing(postgresql)
    vip, staff = marketing.a_group("vip", numbers(3)), marketing.a_group("staff")
    draft = marketing.a_draft(exclude=["staff"])

    def import_both() -> None:
        marketing.join(staff, numbers(1))
        marketing.join(vip, numbers(1, FIRST_NUMBER + 50))

    importing = threading.Thread(target=import_both)

    def just_before_the_copy(*arguments: object) -> None:
        if str(arguments[2]).startswith("INSERT INTO recipient"):
            importing.start()
            importing.join(0.3)

    event.listen(postgresql.engine, "before_cursor_execute", just_before_the_copy)
    task = marketing.confirmations.confirm(marketing.workspace_id, draft.draft_id, ANA)
    event.remove(postgresql.engine, "before_cursor_execute", just_before_the_copy)
    importing.join()
    assert isinstance(task, Task)
    assert sent_to(postgresql, task) == numbers(3)


def test_a_chosen_signature_that_is_gone_is_told(marketing: Marketing) -> None:
    marketing.a_group("vip", numbers(3))
    draft = marketing.a_draft(template="hello")
    marketing.declare(replace(MAINLAND, signatures=(WINTER,), templates=(UNIVERSAL,)))
    refused = refusal(lambda: marketing.confirmations.confirm(marketing.workspace_id, draft.draft_id, ANA))
    assert (refused.rule, refused.facts["signature"], refused.facts["status"]) == (
        "signature_not_approved",
        "Spring",
        "disabled",
    )


class TestPlanning:
    """A small first batch, then as many as a request takes."""

    def test_batches_are_stored_as_planned(self, marketing: Marketing) -> None:
        task = marketing.a_confirmed_task(1300)
        with marketing.database.read(everyone=True) as connection:
            rows = connection.execute(select(batch).where(batch.c.task_id == task.id).order_by(batch.c.no)).all()
        assert [(row.no, row.first, row.last, row.state) for row in rows] == [
            (1, 1, 200, "planned"),
            (2, 201, 700, "planned"),
            (3, 701, 1200, "planned"),
            (4, 1201, 1300, "planned"),
        ]
        assert len({row.reference for row in rows}) == 4


class TestCancelling:
    """Free until 5 minutes before the time."""

    @pytest.mark.parametrize("before", [timedelta(minutes=5), HOUR], ids=["5 minutes", "long"])
    def test_in_time(self, marketing: Marketing, before: timedelta) -> None:
        task = marketing.a_confirmed_task(3, at=marketing.in_(HOUR))
        marketing.clock.move(HOUR - before)
        cancelled = marketing.tasks.cancel(marketing.workspace_id, task.number, BEN)
        assert (cancelled.state, cancelled.ended_by, cancelled.held_back) == (TaskState.CANCELLED, BEN, 3)
        marketing.clock.move(HOUR)
        assert marketing.tasks.start_due() == 0
        assert marketing.a_dispatch().claim(marketing.sender) is None
        check_every_task(marketing.database)

    def test_too_late(self, marketing: Marketing) -> None:
        task = marketing.a_confirmed_task(3, at=marketing.in_(HOUR))
        marketing.clock.move(HOUR - timedelta(minutes=4, seconds=59))
        refused = refusal(lambda: marketing.tasks.cancel(marketing.workspace_id, task.number, ANA))
        assert (refused.rule, refused.facts["at"]) == ("too_late_to_cancel", task.scheduled_at)
        assert marketing.task(task) == task

    def test_an_unknown_one(self, marketing: Marketing) -> None:
        with pytest.raises(UnknownThing):
            marketing.tasks.cancel(marketing.workspace_id, 42, ANA)

    def test_another_workspaces(self, marketing: Marketing) -> None:
        task = marketing.a_confirmed_task(3, at=marketing.in_(HOUR))
        with pytest.raises(UnknownThing):
            marketing.tasks.cancel("T0OTHER", task.number, ANA)


def in_state(marketing: Marketing, state: TaskState) -> Task:
    """A task that came there as tasks do; nothing of it is sent, except in the one that finished."""
    at = None if state in (TaskState.SENDING, TaskState.FINISHED) else marketing.in_(HOUR)
    task = marketing.a_confirmed_task(3, at=at)
    workspace_id = marketing.workspace_id
    match state:
        case TaskState.PAUSED:
            marketing.clock.move(2 * HOUR)
            marketing.tasks.start_due()
        case TaskState.EXPIRED:
            marketing.clock.move(26 * HOUR)
            marketing.tasks.start_due()
        case TaskState.CANCELLED:
            marketing.tasks.cancel(workspace_id, task.number, ANA)
        case TaskState.STOPPED:
            marketing.tasks.stop(workspace_id, task.number, ANA)
    return marketing.task(task)


S = TaskState
# What may be done in which states; everything else answers with the state.
ALLOWED = {
    "cancel": {S.SCHEDULED},
    "stop": {S.SCHEDULED, S.SENDING, S.PAUSED},
    "pause": {S.SENDING},
    "resume": {S.PAUSED},
    "delete": {S.FINISHED, S.CANCELLED, S.STOPPED, S.EXPIRED},
    "edit": {S.SCHEDULED},
    "resend": {S.FINISHED},
}
RULES = {
    "cancel": "not_cancellable",
    "stop": "not_stoppable",
    "pause": "not_pausable",
    "resume": "not_resumable",
    "delete": "not_deletable",
    "edit": "not_editable",
    "resend": "resend_running",
}


def act(marketing: Marketing, task: Task, action: str) -> None:
    given = (marketing.workspace_id, task.number)
    match action:
        case "delete":
            marketing.changes.delete(*given, BEN)
        case "edit":
            marketing.changes.edit(*given, BEN, Edit(marketing.in_(2 * HOUR), task.template_id, "new name"))
        case "resend":
            marketing.changes.resend(*given, ResendState.UNKNOWN, CHANNEL, BEN)
        case _:
            getattr(marketing.tasks, action)(*given, BEN)


@pytest.mark.parametrize("action", list(ALLOWED))
@pytest.mark.parametrize("state", [state for state in TaskState if state is not TaskState.DRAFT])
async def test_what_may_be_done_in_each_state(marketing: Marketing, state: TaskState, action: str) -> None:
    task = in_state(marketing, state)
    if state is TaskState.FINISHED:
        await marketing.send_all()
        task = marketing.task(task)
    assert task.state is state
    if state in ALLOWED[action]:
        act(marketing, task, action)
        assert action == "resend" or marketing.task(task) != task
    else:
        refused = refusal(lambda: act(marketing, task, action))
        if action == "resend" and state.is_over:
            assert (refused.rule, refused.facts["what"]) == ("nothing_to_resend", "unknown")
        else:
            assert (refused.rule, refused.facts["state"]) == (RULES[action], state.value)
            sentence = explain(refused, ZoneInfo("Europe/Madrid"))
            assert f"Task {task.number} is {state.value}" in sentence
            assert "`/sms-" in sentence, "what can be done"
        assert marketing.task(task) == task
    check_every_task(marketing.database)


@pytest.mark.parametrize("action", list(ALLOWED))
def test_another_workspaces_task_does_not_exist(marketing: Marketing, action: str) -> None:
    task = marketing.a_confirmed_task(3)
    other = Marketing(marketing.database, workspace_id="T0OTHER")
    with pytest.raises(UnknownThing) as unknown:
        act(other, task, action)
    assert (unknown.value.kind, unknown.value.name) == ("task", str(task.number))
    assert marketing.task(task) == task


class TestStopping:
    """At any second; the counts say exactly what left."""

    def test_before_anything_left(self, marketing: Marketing) -> None:
        task = marketing.a_confirmed_task(700)
        stopped = marketing.tasks.stop(marketing.workspace_id, task.number, BEN)
        assert (stopped.handed_over, stopped.in_flight, stopped.held_back) == (0, 0, 700)
        assert (stopped.task.state, stopped.task.ended_by) == (TaskState.STOPPED, BEN)
        assert stopped.task.finished_at == marketing.clock.now()
        assert marketing.a_dispatch().claim(marketing.sender) is None
        check_every_task(marketing.database)

    async def test_while_sending_the_rest_is_held_back(self, marketing: Marketing) -> None:
        task = marketing.a_confirmed_task(1700)
        dispatch = marketing.a_dispatch()
        await marketing.send_next(dispatch)
        await marketing.send_next(dispatch)
        under_way = dispatch.claim(marketing.sender)
        assert under_way is not None
        stopped = marketing.tasks.stop(marketing.workspace_id, task.number, ANA)
        assert (stopped.handed_over, stopped.in_flight, stopped.held_back) == (700, 500, 500)
        assert stopped.task.finished_at is None
        assert dispatch.claim(marketing.sender) is None
        check_every_task(marketing.database)

        await dispatch.send_batch(under_way, marketing.sender)
        ended = marketing.task(task)
        assert (ended.handed_over, ended.held_back, ended.waiting) == (1200, 500, 0)
        assert ended.finished_at == marketing.clock.now()
        assert marketing.carrier.numbers == numbers(1200)
        check_every_task(marketing.database)

    async def test_a_request_not_taken_after_the_stop_is_held_back_too(self, marketing: Marketing) -> None:
        task = marketing.a_confirmed_task(3)
        dispatch = marketing.a_dispatch()
        claim = dispatch.claim(marketing.sender)
        assert claim is not None
        marketing.tasks.stop(marketing.workspace_id, task.number, ANA)
        marketing.carrier.will(not_taken())
        await dispatch.send_batch(claim, marketing.sender)
        ended = marketing.task(task)
        assert (ended.handed_over, ended.held_back) == (0, 3)
        assert ended.finished_at is not None
        marketing.clock.move(HOUR)
        assert dispatch.claim(marketing.sender) is None
        check_every_task(marketing.database)


class TestPausing:
    """Until somebody resumes it; the counts say exactly what left."""

    async def test_nothing_leaves_until_it_is_resumed(self, marketing: Marketing) -> None:
        task = marketing.a_confirmed_task(1700)
        dispatch = marketing.a_dispatch()
        await marketing.send_next(dispatch)
        await marketing.send_next(dispatch)
        under_way = dispatch.claim(marketing.sender)
        assert under_way is not None
        paused = marketing.tasks.pause(marketing.workspace_id, task.number, BEN)
        assert (paused.task.handed_over, paused.in_flight, paused.task.waiting) == (700, 500, 1000)
        assert (paused.task.state, paused.task.paused_by) == (TaskState.PAUSED, BEN)
        assert paused.task.pause_reason is PauseReason.PERSON
        assert dispatch.claim(marketing.sender) is None
        await dispatch.send_batch(under_way, marketing.sender)
        assert marketing.task(task).handed_over == 1200
        check_every_task(marketing.database)

        marketing.clock.move(30 * HOUR)
        assert marketing.tasks.start_due() == 0, "a day of pause does not expire what has begun"
        resumed = marketing.tasks.resume(marketing.workspace_id, task.number, ANA)
        assert (resumed.state, resumed.resumed_by, resumed.started_at) == (TaskState.SENDING, ANA, task.started_at)
        await marketing.send_all(dispatch)
        assert marketing.task(task).state is TaskState.FINISHED
        assert marketing.carrier.numbers == numbers(1700)
        check_every_task(marketing.database)

    async def test_what_was_not_taken_waits_with_the_rest(self, marketing: Marketing) -> None:
        task = marketing.a_confirmed_task(3)
        dispatch = marketing.a_dispatch()
        claim = dispatch.claim(marketing.sender)
        assert claim is not None
        marketing.tasks.pause(marketing.workspace_id, task.number, ANA)
        marketing.carrier.will(not_taken())
        await dispatch.send_batch(claim, marketing.sender)
        assert (marketing.task(task).state, marketing.task(task).waiting) == (TaskState.PAUSED, 3)
        check_every_task(marketing.database)

    async def test_a_pause_after_the_last_claim_ends_with_its_answer(self, marketing: Marketing) -> None:
        task = marketing.a_confirmed_task(3)
        dispatch = marketing.a_dispatch()
        claim = dispatch.claim(marketing.sender)
        assert claim is not None
        paused = marketing.tasks.pause(marketing.workspace_id, task.number, ANA)
        assert (paused.in_flight, paused.task.waiting) == (3, 3)
        await dispatch.send_batch(claim, marketing.sender)
        ended = marketing.task(task)
        assert (ended.state, ended.finished_at) == (TaskState.FINISHED, marketing.clock.now())

    async def test_a_paused_one_is_stopped_with_exact_counts(self, marketing: Marketing) -> None:
        task = marketing.a_confirmed_task(700)
        await marketing.send_next(marketing.a_dispatch())
        marketing.tasks.pause(marketing.workspace_id, task.number, ANA)
        stopped = marketing.tasks.stop(marketing.workspace_id, task.number, BEN)
        assert (stopped.handed_over, stopped.in_flight, stopped.held_back) == (200, 0, 500)
        check_every_task(marketing.database)


class TestDeleting:
    """Off the list; the counts stay."""

    async def test_its_counts_stay(self, marketing: Marketing) -> None:
        task = marketing.a_confirmed_task(3)
        await marketing.send_all()
        gone = marketing.changes.delete(marketing.workspace_id, task.number, BEN)
        assert (gone.deleted_by, gone.deleted_at, gone.handed_over) == (BEN, marketing.clock.now(), 3)
        assert marketing.reports.list(marketing.workspace_id) == []
        assert marketing.task(task) == gone
        refused = refusal(lambda: marketing.changes.delete(marketing.workspace_id, task.number, ANA))
        assert (refused.rule, refused.facts["by"]) == ("already_deleted", BEN)


LATE = timedelta(minutes=15)


class TestBeingDue:
    """On time within 15 minutes, asked about after that, expired after a day."""

    @pytest.mark.parametrize(
        ("late", "state"),
        [
            pytest.param(timedelta(milliseconds=-1), TaskState.SCHEDULED, id="not yet"),
            pytest.param(timedelta(0), TaskState.SENDING, id="on time"),
            pytest.param(timedelta(minutes=14, seconds=59), TaskState.SENDING, id="14:59 late"),
            pytest.param(timedelta(minutes=15), TaskState.SENDING, id="15:00 late"),
            pytest.param(timedelta(minutes=15, seconds=1), TaskState.PAUSED, id="15:01 late"),
            pytest.param(timedelta(hours=24), TaskState.PAUSED, id="a day late"),
            pytest.param(timedelta(hours=24, seconds=1), TaskState.EXPIRED, id="more than a day late"),
        ],
    )
    def test_the_tick(self, marketing: Marketing, late: timedelta, state: TaskState) -> None:
        task = marketing.a_confirmed_task(3, at=marketing.in_(HOUR))
        marketing.clock.move(HOUR + late)
        assert marketing.tasks.start_due() == (state is not TaskState.SCHEDULED)
        assert marketing.tasks.start_due() == 0
        now = marketing.task(task)
        assert now.state is state
        assert now.started_at == (marketing.clock.now() if state is TaskState.SENDING else None)
        assert now.held_back == (3 if state is TaskState.EXPIRED else 0)
        assert (marketing.a_dispatch().claim(marketing.sender) is not None) == (state is TaskState.SENDING)
        kinds = [post.kind for post in marketing.posts.due()]
        told = [PostKind.LATE] if state in (TaskState.PAUSED, TaskState.EXPIRED) else []
        assert kinds == [PostKind.TASK, *told]
        check_every_task(marketing.database)

    def test_a_late_one_nobody_answers_expires(self, marketing: Marketing) -> None:
        task = in_state(marketing, TaskState.PAUSED)
        marketing.clock.move(24 * HOUR)
        assert marketing.tasks.start_due() == 1
        assert (marketing.task(task).state, marketing.task(task).held_back) == (TaskState.EXPIRED, 3)
        check_every_task(marketing.database)

    async def test_a_yes_sends_a_late_one(self, marketing: Marketing) -> None:
        task = in_state(marketing, TaskState.PAUSED)
        sending = marketing.tasks.resume(marketing.workspace_id, task.number, BEN)
        assert (sending.state, sending.started_at) == (TaskState.SENDING, marketing.clock.now())
        assert marketing.tasks.start_due() == 0
        await marketing.send_all()
        assert marketing.task(task).state is TaskState.FINISHED

    def test_a_yes_a_day_later_is_too_late(self, marketing: Marketing) -> None:
        task = in_state(marketing, TaskState.PAUSED)
        marketing.clock.move(24 * HOUR)
        refused = refusal(lambda: marketing.tasks.resume(marketing.workspace_id, task.number, BEN))
        assert (refused.rule, refused.facts["state"]) == ("not_resumable", "expired")

    def test_all_that_is_due_is_started(self, marketing: Marketing) -> None:
        at = marketing.in_(HOUR)
        tasks = [marketing.a_confirmed_task(1, at=at, group=name) for name in "abc"]
        later = marketing.a_confirmed_task(1, at=at + HOUR, group="d")
        marketing.clock.set(at)
        assert marketing.tasks.start_due() == 3
        assert {marketing.task(task).state for task in tasks} == {TaskState.SENDING}
        assert marketing.task(later).state is TaskState.SCHEDULED


class TestPromotionHours:
    """Mainland carriers refuse promotional SMS from 22:00 to 08:00, so nothing leaves for them then, whoever asks."""

    def test_a_late_one_is_not_sent_at_night(self, marketing: Marketing) -> None:
        task = due_in_the_evening(marketing, hour=21, minute=30)
        marketing.clock.set(at_home(23))
        marketing.tasks.start_due()
        refused = refusal(lambda: marketing.tasks.resume(marketing.workspace_id, task.number, BEN))
        assert (refused.rule, refused.facts) == ("resume_hours", {"number": task.number, "at": at_home(32)})
        assert marketing.task(task).state is TaskState.PAUSED
        assert marketing.a_dispatch().claim(marketing.sender) is None
        marketing.clock.set(at_home(32))
        assert marketing.tasks.resume(marketing.workspace_id, task.number, BEN).state is TaskState.SENDING

    def test_one_a_little_late_is_asked_about_where_its_hours_are_over(self, marketing: Marketing) -> None:
        task = due_in_the_evening(marketing, hour=21, minute=55)
        marketing.clock.set(at_home(22, 9))
        assert marketing.tasks.start_due() == 1
        assert marketing.tasks.start_due() == 0
        now = marketing.task(task)
        assert (now.state, now.pause_reason, now.started_at) == (TaskState.PAUSED, PauseReason.LATE, None)
        assert PostKind.LATE in [post.kind for post in marketing.posts.due()]
        assert marketing.a_dispatch().claim(marketing.sender) is None
        marketing.clock.set(at_home(32))
        assert marketing.tasks.start_due() == 0, "somebody was asked, so nothing starts by itself"

    def test_one_a_little_late_starts_before_its_hours_are_over(self, marketing: Marketing) -> None:
        task = due_in_the_evening(marketing, hour=21, minute=50)
        marketing.clock.set(at_home(21, 59))
        marketing.tasks.start_due()
        assert marketing.task(task).state is TaskState.SENDING

    async def test_one_that_was_paused_halfway_does_not_go_on_at_night(self, marketing: Marketing) -> None:
        marketing.a_group("shoppers", numbers(300), SmsType.PROMOTIONAL)
        task = marketing.confirmed(marketing.a_draft(["shoppers"], "sale"))
        await marketing.send_next(marketing.a_dispatch())
        marketing.tasks.pause(marketing.workspace_id, task.number, ANA)
        marketing.clock.set(at_home(22))
        refused = refusal(lambda: marketing.tasks.resume(marketing.workspace_id, task.number, ANA))
        assert refused.rule == "resume_hours"
        assert marketing.task(task).waiting == 100

    def test_other_types_go_on_at_any_hour(self, marketing: Marketing) -> None:
        task = marketing.a_confirmed_task(3)
        marketing.tasks.pause(marketing.workspace_id, task.number, ANA)
        marketing.clock.set(at_home(23))
        assert marketing.tasks.resume(marketing.workspace_id, task.number, ANA).state is TaskState.SENDING


def at_home(hour: int, minute: int = 0) -> datetime:
    """So many hours after the midnight before the tests' morning, in mainland China."""
    return datetime(2026, 3, 4, tzinfo=MAINLAND_ZONE) + timedelta(hours=hour, minutes=minute)


def due_in_the_evening(marketing: Marketing, *, hour: int, minute: int) -> Task:
    """A promotional task of 3 that was confirmed in the morning."""
    marketing.a_group("shoppers", numbers(3), SmsType.PROMOTIONAL)
    return marketing.confirmed(marketing.a_draft(["shoppers"], "sale", at=at_home(hour, minute)))


def test_the_newest_tasks_are_listed_first_and_by_state(marketing: Marketing) -> None:
    tasks = [marketing.a_confirmed_task(1, group=name) for name in "abc"]
    marketing.tasks.stop(marketing.workspace_id, tasks[1].number, ANA)
    listed = marketing.reports.list(marketing.workspace_id)
    assert [task.number for task in listed] == [3, 2, 1]
    assert [task.groups for task in listed] == [("c",), ("b",), ("a",)]
    stopped = marketing.reports.list(marketing.workspace_id, TaskState.STOPPED)
    assert [task.number for task in stopped] == [2]
    assert [task.number for task in marketing.reports.list(marketing.workspace_id, limit=1)] == [3]
    assert marketing.reports.list("T0OTHER") == []
