"""Test sends: the draft's text to a few numbers, as a task of its own."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from services.content import TemplateDeclaration
from services.database import Database
from services.errors import NotAllowed
from services.models import batch, opt_out, recipient, send_task
from services.states import SmsType, Source, TaskState
from tests.services.audiences import a_file, asked
from tests.services.audit import check_every_task
from tests.services.builders import ANA, BEN, FIRST_NUMBER, MAINLAND, SALE, SPRING, Marketing, numbers

OWN = 86_139_0000_0009
OTHERS = numbers(2, 86_139_0000_0001)


def refusal(marketing: Marketing, draft_id: int, own: int = OWN) -> NotAllowed:
    with pytest.raises(NotAllowed) as refused:
        marketing.draft_tests.send(marketing.workspace_id, draft_id, ANA, own, [])
    return refused.value


async def test_the_text_goes_to_these_numbers_now_and_the_draft_stays(marketing: Marketing) -> None:
    marketing.a_group("vip", numbers(3))
    draft = marketing.a_draft(at=marketing.in_(timedelta(hours=5)))
    test = marketing.draft_tests.send(marketing.workspace_id, draft.draft_id, ANA, OWN, [*OTHERS, OWN])
    assert (test.is_test, test.state, test.source, test.recipients) == (True, TaskState.SENDING, Source.TYPED, 3)
    assert (test.text, test.groups, test.scheduled_at) == (draft.text, (), None)
    await marketing.send_all()
    assert marketing.carrier.numbers == [*OTHERS, OWN]
    task = marketing.confirmed(draft)
    assert (task.number, task.is_test, task.recipients) == (2, False, 3)
    check_every_task(marketing.database)


def test_a_test_is_in_the_list_of_tasks(marketing: Marketing) -> None:
    marketing.a_group("vip", numbers(3))
    marketing.draft_tests.send(marketing.workspace_id, marketing.a_draft().draft_id, ANA, OWN, [])
    assert [task.is_test for task in marketing.reports.list(marketing.workspace_id)] == [True]


def test_variables_are_filled_with_the_first_recipients_values(database: Database) -> None:
    voucher = TemplateDeclaration("voucher", "t", SmsType.NOTIFICATION, "Dear {name}, {code}." + "x" * 60, "Spring")
    marketing = Marketing(database, applications=(replace(MAINLAND, templates=(voucher,)),))
    rows = [(FIRST_NUMBER + 1, '{"Name":"Ben","Code":"b"}'), (FIRST_NUMBER, '{"Name":"Ana"}')]
    draft = asked(marketing, "voucher", source=Source.FILE, import_id=a_file(marketing, *rows))
    test = marketing.draft_tests.send(marketing.workspace_id, draft.draft_id, ANA, None, OTHERS)
    with database.read(everyone=True) as connection:
        filled = connection.execute(select(recipient.c["values"]).where(recipient.c.task_id == test.id)).scalars().all()
        stored = connection.execute(select(send_task).where(send_task.c.id == test.id)).one()
        ranges = connection.execute(select(batch.c.first, batch.c.last).where(batch.c.task_id == test.id)).all()
    assert filled == ['["Ben","b"]'] * 2
    assert (stored.variables, stored.segments_each, stored.segments, stored.distinct_numbers) == (
        '["name","code"]',
        2,
        4,
        2,
    )
    assert [tuple(each) for each in ranges] == [(1, 2)]


def test_a_persons_own_number_is_remembered(marketing: Marketing) -> None:
    marketing.a_group("vip", numbers(3))
    tests, workspace = marketing.draft_tests, marketing.workspace_id
    assert tests.own_number(workspace, ANA) is None
    tests.send(workspace, marketing.a_draft().draft_id, ANA, None, OTHERS)
    assert tests.own_number(workspace, ANA) is None
    for own in (OWN, OTHERS[0]):
        tests.send(workspace, marketing.a_draft().draft_id, ANA, own, [])
        assert tests.own_number(workspace, ANA) == own
    assert tests.own_number(workspace, BEN) is None
    assert tests.own_number("T0OTHER", ANA) is None


def test_a_draft_that_is_a_task_already_is_told(marketing: Marketing) -> None:
    marketing.a_group("vip", numbers(3))
    draft = marketing.a_draft()
    marketing.confirmed(draft)
    assert refusal(marketing, draft.draft_id).rule == "already_confirmed"


def test_a_text_that_changed_since_the_preview_is_not_sent(marketing: Marketing) -> None:
    marketing.a_group("vip", numbers(3))
    draft = marketing.a_draft()
    marketing.declare(replace(MAINLAND, templates=(replace(SPRING, text="We close."),)))
    assert refusal(marketing, draft.draft_id).rule == "draft_changed"
    marketing.declare(replace(MAINLAND, templates=()))
    assert refusal(marketing, draft.draft_id).rule == "template_gone"
    assert marketing.reports.list(marketing.workspace_id) == []


def test_a_promotional_test_keeps_the_carriers_hours(marketing: Marketing) -> None:
    marketing.a_group("shoppers", numbers(3), SALE.sms_type)
    draft = marketing.a_draft(["shoppers"], "sale", at=marketing.in_(timedelta(hours=24)))
    marketing.clock.move(timedelta(hours=12))
    refused = refusal(marketing, draft.draft_id)
    assert (refused.rule, refused.facts["at"]) == ("test_at_night", marketing.in_(timedelta(hours=10)))


def test_a_number_that_the_application_may_not_send_to_is_refused(marketing: Marketing) -> None:
    marketing.a_group("vip", numbers(3))
    refused = refusal(marketing, marketing.a_draft().draft_id, 44_7400_123_456)
    assert (refused.rule, refused.facts["number"]) == ("test_outside_region", 44_7400_123_456)


def test_a_number_that_opted_out_gets_no_promotion_for_a_test(marketing: Marketing) -> None:
    marketing.a_group("shoppers", numbers(3), SALE.sms_type)
    draft = marketing.a_draft(["shoppers"], "sale")
    with marketing.database.write(everyone=True) as tx:
        row = (marketing.workspace_id, OWN, "reply", 0)
        marketing.database.bulk.insert(tx, opt_out, ["workspace_id", "number", "origin", "at"], [row])
        tx.commit()
    assert refusal(marketing, draft.draft_id).rule == "test_opted_out"
    assert marketing.draft_tests.own_number(marketing.workspace_id, ANA) is None
