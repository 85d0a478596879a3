"""What a preview tells beside the recipients, and at which hours nothing can be confirmed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import insert, select

from services.carriers.ports import Receipt
from services.database import Database
from services.models import batch, recipient, send_task
from services.previews import Preview, Price
from services.resends import ResendState
from services.states import SmsType, Source, TaskState
from services.task_reports import Task
from tests.services.audiences import (
    HONG_KONG,
    LONDON,
    NEW_YORK,
    VOUCHER,
    a_file,
    a_shop,
    asked,
)
from tests.services.builders import ANA, CHANNEL, FIRST_NUMBER, MAINLAND, Marketing, numbers
from tests.services.fakes import FakeCarrier, refuse, refuse_all, unanswered


@pytest.fixture
def shop(database: Database) -> Marketing:
    """A workspace with a text that has variables, and an application for abroad."""
    return a_shop(database)


def sent_as_often(shop: Marketing, task: Task, count: int) -> None:
    """So many more tasks like this one, to the same recipients."""
    with shop.database.write(everyone=True) as tx:
        own = select(*(each for each in send_task.c if each.name != "id"))
        (like,) = tx.execute(own.where(send_task.c.id == task.id)).mappings()
        tasks = [{**like, "number": n, "token": f"token-{n}"} for n in range(task.number + 1, task.number + 1 + count)]
        ids = tx.execute(insert(send_task).returning(send_task.c.id), tasks).scalars().all()
        (sent,) = tx.execute(select(batch).where(batch.c.task_id == task.id)).mappings()
        tx.execute(insert(batch), [{**sent, "task_id": each, "reference": f"{each}.1"} for each in ids])
        (person,) = tx.execute(select(recipient).where(recipient.c.task_id == task.id)).mappings()
        tx.execute(insert(recipient), [{**person, "task_id": each} for each in ids])
        tx.commit()


class TestWhatThePreviewTells:
    """Samples, countries, price, when it is done, and what to beware of."""

    def test_three_recipients_are_shown(self, shop: Marketing) -> None:
        shop.a_group("vip", numbers(9))
        assert asked(shop, groups=["vip"]).samples == [(each, "【Spring】We open at nine.") for each in numbers(3)]

    def test_countries_are_counted_the_largest_first(self, shop: Marketing) -> None:
        shop.a_group("vip", [*numbers(2), LONDON, HONG_KONG, HONG_KONG + 1, NEW_YORK])
        assert asked(shop, groups=["vip"]).countries == [("CN", 2)]
        assert asked(shop, "hi", groups=["vip"]).countries == [("HK", 2), ("GB", 1), ("US", 1)]

    def test_the_price_is_that_of_all_segments(self, database: Database) -> None:
        priced = replace(MAINLAND, price_per_segment=Decimal("0.045"), currency="CNY")
        shop = Marketing(database, applications=(priced,))
        shop.a_group("vip", numbers(3))
        assert asked(shop, groups=["vip"]).price == Price(Decimal("0.135"), "CNY")

    def test_without_a_price_there_is_none(self, shop: Marketing) -> None:
        shop.a_group("vip", numbers(3))
        assert asked(shop, groups=["vip"]).price is None

    def test_it_takes_as_long_as_the_applications_rate_makes_it(self, database: Database) -> None:
        shop = Marketing(database, applications=(replace(MAINLAND, requests_per_second=0.1),))
        shop.a_group("vip", numbers(1000))
        assert asked(shop, groups=["vip"]).takes == timedelta(seconds=20), "500 numbers a request"

    def test_with_values_of_their_own_it_takes_as_long_as_such_requests_do(self, database: Database) -> None:
        slow = replace(MAINLAND, requests_per_second=0.1, templates=(*MAINLAND.templates, VOUCHER))
        carrier = FakeCarrier(200, max_numbers_with_values=4)
        shop = Marketing(database, applications=(slow,), carrier=carrier)
        import_id = a_file(shop, *((each, f'{{"Name":"{each}","Code":"c"}}') for each in numbers(12)))
        assert asked(shop, "voucher", source=Source.FILE, import_id=import_id).takes == timedelta(seconds=30)
        shop.a_group("vip", numbers(200))
        assert asked(shop, groups=["vip"]).takes == timedelta(seconds=10), "one request for all"

    def test_recipients_abroad_are_warned_of_by_their_own_clocks(self, shop: Marketing) -> None:
        # Ten in the morning in Shanghai is two at night in London, and nine in the evening in New York.
        shop.a_group("vip", [LONDON, NEW_YORK, HONG_KONG])
        assert asked(shop, "hi", groups=["vip"]).outside_hours == 2
        # Half past twelve in London is half past seven in New York, and half past eight in the evening in Hong Kong.
        assert asked(shop, "hi", groups=["vip"], at=shop.in_(timedelta(hours=10, minutes=30))).outside_hours == 1

    async def test_who_got_another_promotion_within_a_day_is_counted(self, shop: Marketing) -> None:
        shop.a_group("shoppers", numbers(300), SmsType.PROMOTIONAL)
        shop.a_group("regulars", numbers(2, FIRST_NUMBER + 299), SmsType.PROMOTIONAL)
        shop.a_group("vip", numbers(300))
        await shop.send_all()
        assert asked(shop, "sale", groups=["shoppers"]).overlap == 0
        task = shop.confirmed(asked(shop, "sale", groups=["shoppers"]))
        await shop.send_next(shop.a_dispatch())
        assert asked(shop, "sale", groups=["shoppers"]).overlap == 200, "only the first batch has gone out"
        await shop.send_all()
        assert shop.task(task).state is TaskState.FINISHED
        assert asked(shop, "sale", groups=["regulars"]).overlap == 1
        assert asked(shop, groups=["vip"]).overlap == 0, "a notification is no promotion"
        shop.clock.move(timedelta(hours=24))
        assert asked(shop, "sale", groups=["shoppers"]).overlap == 0

    def test_what_was_confirmed_but_not_sent_is_no_overlap(self, shop: Marketing) -> None:
        shop.a_group("shoppers", numbers(3), SmsType.PROMOTIONAL)
        shop.confirmed(asked(shop, "sale", groups=["shoppers"]))
        assert asked(shop, "sale", groups=["shoppers"]).overlap == 0

    async def test_who_got_nothing_is_no_overlap(self, shop: Marketing) -> None:
        shop.a_group("shoppers", numbers(5), SmsType.PROMOTIONAL)
        one, two, three = numbers(3)
        task = shop.confirmed(asked(shop, "sale", groups=["shoppers"]))
        shop.carrier.will(refuse(one))
        await shop.send_all()
        reference = shop.carrier.requests[0].reference
        shop.report(
            Receipt("failed", "UNDELIV", f"id-{two}", reference, two),
            Receipt("delivered", "DELIVRD", f"id-{three}", reference, three),
        )
        assert asked(shop, "sale", groups=["shoppers"]).overlap == 3, "one arrived, and two may have"
        again = shop.changes.resend(shop.workspace_id, task.number, ResendState.FAILED, CHANNEL, ANA)
        assert (again.recipients, again.overlap) == (2, 0)
        shop.confirmed(again)
        await shop.send_all()
        assert asked(shop, "sale", groups=["shoppers"]).overlap == 5, "the second time it went"

    async def test_a_task_that_was_refused_whole_is_no_overlap(self, shop: Marketing) -> None:
        shop.a_group("shoppers", numbers(3), SmsType.PROMOTIONAL)
        shop.confirmed(asked(shop, "sale", groups=["shoppers"]))
        shop.carrier.will(refuse_all)
        await shop.send_all()
        assert asked(shop, "sale", groups=["shoppers"]).overlap == 0

    async def test_a_task_without_an_answer_may_have_arrived(self, shop: Marketing) -> None:
        shop.a_group("shoppers", numbers(3), SmsType.PROMOTIONAL)
        shop.confirmed(asked(shop, "sale", groups=["shoppers"]))
        shop.carrier.will(unanswered)
        await shop.send_all()
        assert asked(shop, "sale", groups=["shoppers"]).overlap == 3

    async def test_what_counts_is_when_it_was_handed_over_and_not_when_its_task_began(self, shop: Marketing) -> None:
        shop.a_group("shoppers", numbers(300), SmsType.PROMOTIONAL)
        task = shop.confirmed(asked(shop, "sale", groups=["shoppers"]))
        await shop.send_next(shop.a_dispatch())
        shop.tasks.pause(shop.workspace_id, task.number, ANA)
        shop.clock.move(timedelta(hours=25, minutes=30))
        assert asked(shop, "sale", groups=["shoppers"]).overlap == 0, "it has sent nothing since"
        shop.tasks.resume(shop.workspace_id, task.number, ANA)
        await shop.send_all()
        assert asked(shop, "sale", groups=["shoppers"]).overlap == 100

    async def test_a_busy_day_of_many_tasks_is_counted(self, shop: Marketing) -> None:
        shop.a_group("shoppers", numbers(3), SmsType.PROMOTIONAL)
        shown = asked(shop, "sale", groups=["shoppers"])
        test = shop.draft_tests.send(shop.workspace_id, shown.draft_id, ANA, FIRST_NUMBER, [])
        await shop.send_all()
        sent_as_often(shop, test, 1200)
        assert asked(shop, "sale", groups=["shoppers"]).overlap == 1


class TestPromotionHours:
    """Mainland carriers refuse promotional SMS from 22:00 to 08:00, so nobody can confirm one for then."""

    def test_at_night_it_is_offered_for_the_next_allowed_minute(self, shop: Marketing) -> None:
        shop.a_group("shoppers", numbers(3), SmsType.PROMOTIONAL)
        at = shop.in_(timedelta(hours=13))
        shown = asked(shop, "sale", groups=["shoppers"], at=at)
        assert shown.allowed_from == shop.in_(timedelta(hours=22))
        again = shop.confirmations.confirm(shop.workspace_id, shown.draft_id, ANA)
        assert isinstance(again, Preview)
        assert again.changed == ["hours"]
        moved = shop.previews.draft_again(shop.workspace_id, again.draft_id, ANA, at=shown.allowed_from)
        assert moved.allowed_from is None
        assert shop.confirmed(moved).scheduled_at == shown.allowed_from

    def test_a_preview_from_before_22_cannot_be_confirmed_after_it(self, shop: Marketing) -> None:
        shop.a_group("shoppers", numbers(3), SmsType.PROMOTIONAL)
        shop.clock.move(timedelta(hours=11, minutes=59))
        shown = asked(shop, "sale", groups=["shoppers"])
        assert shown.allowed_from is None
        shop.clock.move(timedelta(minutes=1))
        again = shop.confirmations.confirm(shop.workspace_id, shown.draft_id, ANA)
        assert isinstance(again, Preview)
        assert (again.changed, again.allowed_from) == (["hours"], shop.in_(timedelta(hours=10)))

    def test_other_types_and_regions_go_at_any_hour(self, shop: Marketing) -> None:
        shop.a_group("vip", numbers(3))
        shop.a_group("world", [LONDON], SmsType.PROMOTIONAL)
        at = shop.in_(timedelta(hours=13))
        assert asked(shop, groups=["vip"], at=at).allowed_from is None
        assert asked(shop, "offer", groups=["world"], at=at).allowed_from is None
