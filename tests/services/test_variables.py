"""A text with variables from the preview to the recipients."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from services.database import Database
from services.errors import NotAllowed
from services.models import batch, customer_group, group_member, recipient, send_task
from services.states import Source
from services.surveys import MissingRow
from services.variables import Copy, Person, RecipientWriter, to_json
from tests.services.audiences import (
    a_file,
    a_shop,
    asked,
    copied,
    refusal,
    sent_to,
)
from tests.services.audit import check_every_task
from tests.services.builders import ANA, FIRST_NUMBER, Marketing, numbers


@pytest.fixture
def shop(database: Database) -> Marketing:
    """A workspace with a text that has variables, and an application for abroad."""
    return a_shop(database)


class TestVariables:
    """A text with variables is filled from the file; nobody gets one with a gap, and nobody one twice."""

    def test_recipients_carry_their_values_and_second_copies_stand_behind(self, shop: Marketing) -> None:
        one, two, three = numbers(3)
        import_id = a_file(
            shop,
            (two, '{"Name":"Ben","Code":"b"}'),
            (one, '{"Name":"Ana","Code":"a"}'),
            (two, '{"Name":"Ben","Code":"c"}'),
            (two, '{"Name":"Ben","Code":"b"}'),
            (one, '{"Name":"Ana","Code":"z"}'),
            (three, '{"Name":"Cy","Code":"d"}'),
            (two, '{"Name":"Ben","Code":"d"}'),
        )
        shown = asked(shop, "voucher", source=Source.FILE, import_id=import_id)
        assert (shown.recipients, shown.numbers, shown.duplicates, shown.missing_count) == (6, 3, 1, 0)
        assert shown.samples == [
            (one, "【Spring】Dear Ana, a."),
            (one, "【Spring】Dear Ana, z."),
            (two, "【Spring】Dear Ben, b."),
        ]
        task = shop.confirmed(shown)
        found = copied(shop.database, task)
        rows = [(row.seq, row.number, row._mapping["values"], row.row) for row in found]
        assert rows == [
            (1, one, '["Ana","a"]', 3),
            (2, two, '["Ben","b"]', 2),
            (3, three, '["Cy","d"]', 7),
            (4, one, '["Ana","z"]', 6),
            (5, two, '["Ben","c"]', 4),
            (6, two, '["Ben","d"]', 8),
        ]
        assert found[0].attributes == '{"Name":"Ana","Code":"a"}'
        with shop.database.read(everyone=True) as connection:
            stored = connection.execute(select(send_task).where(send_task.c.id == task.id)).one()
            ranges = connection.execute(select(batch.c.first, batch.c.last).order_by(batch.c.no)).all()
        assert (stored.distinct_numbers, stored.variables, stored.segments) == (3, '["name","code"]', 6)
        assert [tuple(each) for each in ranges] == [(1, 3), (4, 5), (6, 6)], "no batch holds a number twice"
        check_every_task(shop.database)

    def test_a_group_is_filled_from_the_imports_that_brought_its_numbers(self, shop: Marketing) -> None:
        one, two = numbers(2)
        first = a_file(shop, names='["Name", "Code"]')
        group = shop.a_group("vip")
        with shop.database.write(everyone=True) as tx:
            rows = [(group.id, one, first, 2, '{"Name":"Ana","Code":"a"}'), (group.id, two, first, 3, '{"Name":"Ben"}')]
            columns = ["group_id", "number", "import_id", "row", "attributes"]
            shop.database.bulk.insert(tx, group_member, columns, rows)
            tx.execute(update(customer_group).values(size=2))
            tx.commit()
        shown = asked(shop, "voucher", groups=["vip"])
        assert (shown.recipients, shown.missing, shown.missing_rows) == (1, {"code": 1}, [MissingRow(3, two, ["code"])])
        again = shop.previews.draft_again(shop.workspace_id, shown.draft_id, ANA, without_missing=True)
        task = shop.confirmed(again)
        assert [row._mapping["values"] for row in copied(shop.database, task)] == ['["Ana","a"]']

    def test_a_source_without_such_a_column_is_refused_with_what_there_is(self, shop: Marketing) -> None:
        import_id = a_file(shop, (FIRST_NUMBER, '{"Name":"Ana"}'), names='["Name", "City"]')
        refused = refusal(shop, template="voucher", source=Source.FILE, import_id=import_id)
        assert refused.rule == "no_column"
        assert (refused.facts["variables"], refused.facts["columns"]) == (["code"], ["Name", "City"])

    def test_missing_values_are_shown_and_nothing_is_sent_before_they_are_left_out(self, shop: Marketing) -> None:
        rows = [(number, '{"Name":"Ana","Code":"a"}') for number in numbers(3)]
        rows += [(number, '{"Code":"a"}') for number in numbers(7, FIRST_NUMBER + 3)]
        import_id = a_file(shop, *rows)
        shown = asked(shop, "voucher", source=Source.FILE, import_id=import_id)
        assert (shown.recipients, shown.missing, shown.missing_count) == (3, {"name": 7}, 7)
        assert shown.lacks_values
        assert [(each.row, each.names) for each in shown.missing_rows] == [(row, ["name"]) for row in range(5, 10)]
        with pytest.raises(NotAllowed) as refused:
            shop.confirmations.confirm(shop.workspace_id, shown.draft_id, ANA)
        assert refused.value.rule == "values_missing"
        assert shop.reports.list(shop.workspace_id) == []
        again = shop.previews.draft_again(shop.workspace_id, shown.draft_id, ANA, without_missing=True)
        assert (again.recipients, again.missing_count, again.lacks_values) == (3, 7, False)
        assert sent_to(shop.database, shop.confirmed(again)) == numbers(3)

    def test_a_file_in_which_nobody_has_all_values_is_refused(self, shop: Marketing) -> None:
        import_id = a_file(shop, (FIRST_NUMBER, '{"Name":"Ana"}'))
        refused = refusal(shop, template="voucher", source=Source.FILE, import_id=import_id)
        assert (refused.rule, refused.facts["missing_count"]) == ("no_recipients", 1)

    def test_segments_are_those_of_each_text(self, shop: Marketing) -> None:
        one, two = numbers(2)
        import_id = a_file(shop, (one, '{"Name":"A","Code":"x"}'), (two, f'{{"Name":"A","Code":"{"x" * 70}"}}'))
        shown = asked(shop, "voucher", source=Source.FILE, import_id=import_id)
        assert (shown.segments_each, shown.segments) == (2, 3)


PEOPLE = st.lists(st.lists(st.sampled_from(["a", "b", "c", "d"]), unique=True, max_size=4), min_size=1, max_size=25)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PEOPLE, st.integers(1, 30))
def test_copies_stand_in_layers_in_order_of_their_numbers(
    database: Database, copies: list[list[str]], at_once: int
) -> None:
    found = [
        Person(number, [Copy((value,), 7, 1, None) for value in values])
        for number, values in enumerate(copies, start=FIRST_NUMBER)
    ]
    with database.write(everyone=True) as tx:
        layers = RecipientWriter(database.bulk, tx, 1, at_once).write(iter(found), without_missing=False)
        rows = tx.execute(select(recipient).order_by(recipient.c.seq)).all()
    assert [row.seq for row in rows] == [*range(1, sum(map(len, copies)) + 1)]
    assert [(row.number, row._mapping["values"]) for row in rows] == [
        (person.number, to_json(person.copies[layer].values))
        for layer in range(4)
        for person in found
        if layer < len(person.copies)
    ]
    sizes = [sum(len(values) > layer for values in copies) for layer in range(4)]
    assert layers == [size for layer, size in enumerate(sizes) if size or layer == 0]
