"""Who gets it and who does not: groups, the pool, a file, typed numbers; and what was shown is what is copied."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from services.database import Database
from services.entries import check_lines
from services.errors import UnknownThing
from services.models import (
    customer_group,
    import_row,
    number_import,
    send_task,
)
from services.previews import Preview
from services.states import SmsType, Source
from tests.services.audiences import (
    LONDON,
    VOUCHER,
    a_file,
    a_shop,
    asked,
    copied,
    opted_out,
    refusal,
    sent_to,
)
from tests.services.audit import check_every_task
from tests.services.builders import ANA, FIRST_NUMBER, MAINLAND, Marketing, numbers


@pytest.fixture
def shop(database: Database) -> Marketing:
    """A workspace with a text that has variables, and an application for abroad."""
    return a_shop(database)


class TestPool:
    """Every number of a group of the template's SMS type, each once."""

    def test_groups_of_the_templates_type_count_and_no_others(self, marketing: Marketing) -> None:
        marketing.a_group("vip", numbers(4))
        marketing.a_group("gold", numbers(4, FIRST_NUMBER + 2))
        marketing.a_group("shoppers", numbers(9, FIRST_NUMBER + 50), SmsType.PROMOTIONAL)
        shown = asked(marketing, source=Source.POOL)
        assert (shown.source, shown.groups, shown.recipients, shown.duplicates) == (Source.POOL, [], 6, 2)
        task = marketing.confirmed(shown)
        assert (task.source, sent_to(marketing.database, task)) == (Source.POOL, numbers(6))
        check_every_task(marketing.database)

    def test_a_group_can_be_left_out(self, marketing: Marketing) -> None:
        marketing.a_group("vip", numbers(4))
        marketing.a_group("staff", numbers(2, FIRST_NUMBER + 3))
        shown = asked(marketing, source=Source.POOL, exclude=["staff"])
        assert (shown.recipients, shown.in_excluded, shown.excluded) == (3, 2, ["staff"])
        assert sent_to(marketing.database, marketing.confirmed(shown)) == numbers(3)

    def test_a_group_that_came_since_the_preview_gives_a_fresh_one(self, marketing: Marketing) -> None:
        marketing.a_group("vip", numbers(4))
        shown = asked(marketing, source=Source.POOL)
        marketing.a_group("empty")
        marketing.a_group("new", numbers(1, FIRST_NUMBER + 9))
        again = marketing.confirmations.confirm(marketing.workspace_id, shown.draft_id, ANA)
        assert isinstance(again, Preview)
        assert (again.changed, again.source, again.recipients) == (["groups"], Source.POOL, 5)
        assert sent_to(marketing.database, marketing.confirmed(again)) == [*numbers(4), FIRST_NUMBER + 9]

    def test_an_empty_pool_is_refused(self, marketing: Marketing) -> None:
        marketing.a_group("shoppers", numbers(1), SmsType.PROMOTIONAL)
        refused = refusal(marketing, source=Source.POOL)
        assert (refused.rule, refused.facts["source"]) == ("no_recipients", Source.POOL)


class TestTyped:
    """Numbers typed for one send: in no group, and kept as an import."""

    def test_each_right_number_is_sent_to_once(self, marketing: Marketing) -> None:
        lines = check_lines("13800000002\n13800000001\n138\n13800000002")
        shown = asked(marketing, source=Source.TYPED, lines=lines)
        assert (shown.source, shown.recipients, shown.duplicates) == (Source.TYPED, 2, 1)
        task = marketing.confirmed(shown)
        assert (task.source, sent_to(marketing.database, task)) == (Source.TYPED, numbers(2))
        assert marketing.groups.list(marketing.workspace_id) == []
        with marketing.database.read(everyone=True) as connection:
            kept = connection.execute(select(number_import)).one()
        assert (kept.purpose, kept.rows, kept.imported, kept.duplicates, kept.invalid) == ("send", 4, 2, 1, 1)

    def test_nothing_is_kept_of_what_cannot_be_sent(self, marketing: Marketing) -> None:
        refused = refusal(marketing, template="personal", source=Source.TYPED, lines=check_lines("13800000001"))
        assert (refused.rule, refused.facts["variables"], refused.facts["columns"]) == ("no_column", ["name", "1"], [])
        with marketing.database.read(everyone=True) as connection:
            assert connection.execute(select(number_import)).all() == []

    def test_numbers_of_a_forgotten_preview_are_forgotten_too(self, marketing: Marketing) -> None:
        sent, unsent = (asked(marketing, source=Source.TYPED, lines=check_lines(f"1380000000{no}")) for no in (1, 2))
        marketing.confirmed(sent)
        assert unsent.recipients == 1
        file = a_file(marketing, (FIRST_NUMBER, None))
        marketing.clock.move(timedelta(hours=49))
        marketing.tasks.forget_drafts()
        with marketing.database.read(everyone=True) as connection:
            kept = connection.execute(select(number_import).order_by(number_import.c.id)).all()
            rows = connection.execute(select(import_row.c.import_id).order_by(import_row.c.import_id)).scalars().all()
        assert [each.file_name for each in kept] == ["typed numbers", "may.xlsx"]
        assert rows == [each.id for each in kept] == [kept[0].id, file]

    def test_a_verification_text_is_refused_for_every_source(self, marketing: Marketing) -> None:
        marketing.a_group("vip", numbers(1))
        for wanted in (
            {"groups": ["vip"]},
            {"source": Source.POOL},
            {"source": Source.TYPED, "lines": check_lines("13800000001")},
            {"source": Source.FILE, "import_id": a_file(marketing, (FIRST_NUMBER, None))},
        ):
            assert refusal(marketing, template="code", **wanted).rule == "verification_template"


class TestFile:
    """A file dropped for one send alone."""

    def test_each_number_of_it_is_sent_to_once_without_variables(self, marketing: Marketing) -> None:
        first, second = numbers(2)
        import_id = a_file(marketing, (second, '{"Name":"Ben"}'), (first, '{"Name":"Ana"}'), (second, '{"Name":"Bo"}'))
        shown = asked(marketing, source=Source.FILE, import_id=import_id)
        assert (shown.file, shown.recipients, shown.duplicates) == ("may.xlsx", 2, 1)
        task = marketing.confirmed(shown)
        assert (task.source, task.file) == (Source.FILE, "may.xlsx")
        rows = [(row.number, row.import_id, row.row, row.attributes) for row in copied(marketing.database, task)]
        assert rows == [(first, import_id, 3, '{"Name":"Ana"}'), (second, import_id, 2, '{"Name":"Ben"}')]

    def test_a_group_can_be_left_out_of_it(self, marketing: Marketing) -> None:
        marketing.a_group("staff", numbers(1))
        import_id = a_file(marketing, *((number, None) for number in numbers(3)))
        shown = asked(marketing, source=Source.FILE, import_id=import_id, exclude=["staff"])
        assert (shown.recipients, shown.in_excluded) == (2, 1)

    def test_rows_that_came_since_the_preview_give_a_fresh_one(self, marketing: Marketing) -> None:
        import_id = a_file(marketing, *((number, None) for number in numbers(3)))
        shown = asked(marketing, source=Source.FILE, import_id=import_id)
        with marketing.database.write(everyone=True) as tx:
            tx.execute(insert(import_row).values(import_id=import_id, seq=9, number=FIRST_NUMBER + 9, row=10))
            tx.commit()
        again = marketing.confirmations.confirm(marketing.workspace_id, shown.draft_id, ANA)
        assert isinstance(again, Preview)
        assert (again.changed, again.recipients, again.file) == (["recipients"], 4, "may.xlsx")
        assert marketing.reports.list(marketing.workspace_id) == []

    def test_another_workspaces_file_is_unknown(self, marketing: Marketing) -> None:
        other = Marketing(marketing.database, workspace_id="T0OTHER")
        import_id = a_file(other, (FIRST_NUMBER, None))
        with pytest.raises(UnknownThing):
            asked(marketing, source=Source.FILE, import_id=import_id)


class TestLeftOut:
    """Everybody who gets nothing is counted for one reason."""

    def test_each_number_is_left_out_for_the_first_reason(self, shop: Marketing) -> None:
        shop.a_group("shoppers", [*numbers(10), LONDON], SmsType.PROMOTIONAL)
        shop.a_group("staff", [FIRST_NUMBER, FIRST_NUMBER + 1])
        opted_out(shop, FIRST_NUMBER, FIRST_NUMBER + 2, FIRST_NUMBER + 50, LONDON)
        shown = asked(shop, "sale", groups=["shoppers"], exclude=["staff"])
        assert (shown.in_excluded, shown.outside_region, shown.opted_out, shown.recipients) == (2, 1, 1, 7)
        task = shop.confirmed(shown)
        assert sent_to(shop.database, task) == numbers(7, FIRST_NUMBER + 3)
        with shop.database.read(everyone=True) as connection:
            assert connection.execute(select(send_task.c.opted_out).where(send_task.c.id == task.id)).scalar() == 1

    def test_who_opted_out_still_gets_notifications(self, shop: Marketing) -> None:
        shop.a_group("vip", numbers(3))
        opted_out(shop, FIRST_NUMBER)
        shown = asked(shop, groups=["vip"])
        assert (shown.recipients, shown.opted_out) == (3, 0)

    def test_another_workspaces_opt_outs_do_not_count(self, shop: Marketing) -> None:
        shop.a_group("shoppers", numbers(3), SmsType.PROMOTIONAL)
        opted_out(Marketing(shop.database, workspace_id="T0OTHER"), FIRST_NUMBER)
        assert asked(shop, "sale", groups=["shoppers"]).recipients == 3

    def test_who_opts_out_after_the_preview_is_not_sent_to(self, shop: Marketing) -> None:
        shop.a_group("shoppers", numbers(3), SmsType.PROMOTIONAL)
        shown = asked(shop, "sale", groups=["shoppers"])
        opted_out(shop, FIRST_NUMBER)
        again = shop.confirmations.confirm(shop.workspace_id, shown.draft_id, ANA)
        assert isinstance(again, Preview)
        assert (again.changed, again.recipients, again.opted_out) == (["recipients"], 2, 1)

    def test_an_opt_out_holds_for_a_text_with_variables_too(self, database: Database) -> None:
        offer = replace(VOUCHER, sms_type=SmsType.PROMOTIONAL)
        shop = Marketing(database, applications=(replace(MAINLAND, templates=(offer,)),))
        import_id = a_file(shop, *((number, '{"Name":"A","Code":"x"}') for number in numbers(3)))
        opted_out(shop, FIRST_NUMBER)
        shown = asked(shop, "voucher", source=Source.FILE, import_id=import_id)
        assert (shown.recipients, shown.opted_out) == (2, 1)
        assert sent_to(shop.database, shop.confirmed(shown)) == numbers(2, FIRST_NUMBER + 1)


class TestAskingAgain:
    """A wish can be asked again as it was, for every source."""

    @pytest.mark.parametrize("source", [Source.GROUPS, Source.POOL, Source.FILE, Source.TYPED])
    def test_every_source_is_kept(self, shop: Marketing, source: Source) -> None:
        shop.a_group("vip", numbers(3))
        wanted: dict[str, Any] = {
            Source.GROUPS: {"groups": ["vip"]},
            Source.POOL: {},
            Source.FILE: {"import_id": a_file(shop, *((number, None) for number in numbers(3)))},
            Source.TYPED: {"lines": check_lines("\n".join(map(str, numbers(3))))},
        }
        first = asked(shop, source=source, name="May", **wanted[source])
        again = shop.previews.draft_again(shop.workspace_id, first.draft_id, ANA)
        assert replace(again, draft_id=first.draft_id) == first
        task = shop.confirmed(again)
        assert shop.previews.wanted(shop.workspace_id, task.id).source is source

    def test_a_group_renamed_since_is_still_the_same(self, shop: Marketing) -> None:
        group = shop.a_group("vip", numbers(3))
        first = asked(shop, groups=["vip"])
        with shop.database.write(everyone=True) as tx:
            tx.execute(
                update(customer_group).where(customer_group.c.id == group.id).values(name="best", name_key="best")
            )
            tx.commit()
        assert shop.previews.draft_again(shop.workspace_id, first.draft_id, ANA).groups == ["best"]
