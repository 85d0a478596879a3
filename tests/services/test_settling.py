"""Which messages their carrier is asked about: every one without a final word, none twice in a short while."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from services.carriers.ports import Receipt, Unsettled
from services.database import Database
from services.settling import ASKED_AFTER, ROUND_PAUSE, Settling
from services.states import RECEIPT_WINDOW
from tests.services.builders import ANA, FIRST_NUMBER, MAINLAND, Marketing, numbers
from tests.services.fakes import FakeCarrier, leave_out, refuse, unanswered

A_LITTLE = timedelta(seconds=1)


def asked(marketing: Marketing, settling: Settling) -> Sequence[Unsettled] | None:
    return settling.next_unsettled(marketing.application_id)


def asked_numbers(marketing: Marketing, settling: Settling) -> list[int] | None:
    found = asked(marketing, settling)
    return None if found is None else [each.number for each in found]


@pytest.fixture
def settling(marketing: Marketing) -> Settling:
    return Settling(marketing.database, marketing.clock)


async def test_with_nothing_handed_over_nobody_is_asked(marketing: Marketing, settling: Settling) -> None:
    marketing.a_confirmed_task(3)
    assert asked(marketing, settling) is None


async def test_a_message_is_asked_about_five_minutes_after_it_was_accepted(
    marketing: Marketing, settling: Settling
) -> None:
    marketing.a_confirmed_task(3)
    await marketing.send_all()
    sent_at = marketing.clock.now()
    reference = marketing.carrier.requests[0].reference
    assert asked(marketing, settling) == []
    marketing.clock.move(ASKED_AFTER + A_LITTLE)
    assert asked(marketing, settling) == [
        Unsettled(number, f"id-{number}", reference, sent_at) for number in numbers(3)
    ]


async def test_what_has_a_final_word_is_not_asked_about(marketing: Marketing, settling: Settling) -> None:
    marketing.a_confirmed_task(4)
    marketing.carrier.will(refuse(FIRST_NUMBER))
    await marketing.send_all()
    reference = marketing.carrier.requests[0].reference
    marketing.report(
        Receipt("delivered", "DELIVRD", "id", reference, FIRST_NUMBER + 1),
        Receipt("pending", "ACCEPTD", "id", reference, FIRST_NUMBER + 2),
    )
    marketing.clock.move(ASKED_AFTER + A_LITTLE)
    assert asked_numbers(marketing, settling) == [FIRST_NUMBER + 2, FIRST_NUMBER + 3]


async def test_messages_whose_request_had_no_answer_are_asked_about_without_an_id(
    marketing: Marketing, settling: Settling
) -> None:
    marketing.a_confirmed_task(2)
    marketing.carrier.will(unanswered)
    await marketing.send_all()
    marketing.clock.move(ASKED_AFTER + timedelta(minutes=1))
    found = asked(marketing, settling)
    assert found is not None
    assert [(each.number, each.sms_id) for each in found] == [(number, None) for number in numbers(2)]
    assert {each.reference for each in found} == {marketing.carrier.requests[0].reference}


async def test_a_number_that_an_answer_left_out_is_asked_about(marketing: Marketing, settling: Settling) -> None:
    marketing.a_confirmed_task(3)
    marketing.carrier.will(leave_out(FIRST_NUMBER + 1))
    await marketing.send_all()
    marketing.clock.move(ASKED_AFTER + timedelta(minutes=1))
    found = asked(marketing, settling)
    assert found is not None
    assert [(each.number, each.sms_id is None) for each in found] == [
        (FIRST_NUMBER, False),
        (FIRST_NUMBER + 1, True),
        (FIRST_NUMBER + 2, False),
    ]


async def test_what_waits_or_is_under_way_is_not_asked_about(marketing: Marketing, settling: Settling) -> None:
    marketing = Marketing(marketing.database, workspace_id="T0SLOW", carrier=FakeCarrier(max_numbers=2))
    settling = Settling(marketing.database, marketing.clock)
    marketing.a_confirmed_task(6)
    dispatch = marketing.a_dispatch()
    await marketing.send_next(dispatch)
    marketing.clock.move(ASKED_AFTER + A_LITTLE)
    assert dispatch.claim(marketing.sender) is not None
    assert asked_numbers(marketing, settling) == numbers(2)


async def test_a_large_task_is_gone_through_piece_by_piece_and_then_rests(
    marketing: Marketing, settling: Settling, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.settling.ASKED_AT_ONCE", 4)
    monkeypatch.setattr("services.settling.SPAN", 3)
    marketing.a_confirmed_task(7)
    marketing.a_confirmed_task(2, group="gold", first=FIRST_NUMBER + 100)
    await marketing.send_all()
    marketing.clock.move(ASKED_AFTER + A_LITTLE)
    everybody = [*numbers(7), *numbers(2, FIRST_NUMBER + 100)]
    for _ in range(2):
        rounds = [asked_numbers(marketing, settling) for _ in range(4)]
        assert rounds == [everybody[:4], everybody[4:8], everybody[8:], []]
        marketing.clock.move(ROUND_PAUSE)


async def test_a_tick_looks_at_no_more_than_its_share(
    marketing: Marketing, settling: Settling, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.settling.SPAN", 2)
    monkeypatch.setattr("services.settling.SPANS_AT_ONCE", 2)
    marketing.a_confirmed_task(10)
    await marketing.send_all()
    marketing.clock.move(ASKED_AFTER + A_LITTLE)
    rounds = [asked_numbers(marketing, settling) for _ in range(4)]
    assert rounds == [numbers(4), numbers(4, FIRST_NUMBER + 4), numbers(2, FIRST_NUMBER + 8), []]


async def test_nobody_is_asked_about_what_is_over_or_another_applications(
    marketing: Marketing, settling: Settling
) -> None:
    marketing.a_confirmed_task(1)
    await marketing.send_all()
    other = Marketing(marketing.database, workspace_id="T0OTHER")
    assert asked(other, settling) is None
    marketing.clock.move(RECEIPT_WINDOW + A_LITTLE)
    assert asked(marketing, settling) is None


@pytest.mark.parametrize("hours", [24, 96])
async def test_nobody_is_asked_once_the_applications_own_receipt_window_has_closed(
    database: Database, hours: int
) -> None:
    marketing = Marketing(database, applications=[replace(MAINLAND, receipt_window_hours=hours)])
    settling = Settling(database, marketing.clock)
    marketing.a_confirmed_task(3)
    await marketing.send_all()
    marketing.clock.move(timedelta(hours=hours) - A_LITTLE)
    assert asked_numbers(marketing, settling) == numbers(3)
    marketing.clock.move(2 * A_LITTLE)
    assert asked(marketing, settling) is None


async def test_a_stopped_task_is_still_asked_about(marketing: Marketing, settling: Settling) -> None:
    marketing = Marketing(marketing.database, workspace_id="T0STOP", carrier=FakeCarrier(max_numbers=2))
    settling = Settling(marketing.database, marketing.clock)
    task = marketing.a_confirmed_task(6)
    await marketing.send_next(marketing.a_dispatch())
    marketing.tasks.stop(marketing.workspace_id, task.number, ANA)
    marketing.clock.move(ASKED_AFTER + A_LITTLE)
    assert asked_numbers(marketing, settling) == numbers(2)
