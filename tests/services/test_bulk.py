"""Both bulk writers keep the same promises."""

from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from services.database import Database
from services.models import group_member, import_reject, receipt, submission
from tests.services.builders import Marketing

REJECTED = (IntegrityError, psycopg.IntegrityError)
MEMBER = ["group_id", "number", "import_id", "row"]
REJECT = ["import_id", "seq", "sheet", "row", "original", "reason", "suggestion", "candidate"]


def members(database: Database) -> dict[int, int]:
    """Each number with the import that first brought it."""
    with database.read(everyone=True) as connection:
        return {row.number: row.import_id for row in connection.execute(select(group_member))}


def test_inserting_counts_what_was_inserted(database: Database) -> None:
    with database.write(everyone=True) as tx:
        assert database.bulk.insert(tx, group_member, MEMBER, [(1, number, 7, 1) for number in range(1234)]) == 1234
        tx.commit()
    assert members(database) == dict.fromkeys(range(1234), 7)


def test_inserting_a_known_key_is_an_error_and_leaves_nothing(database: Database) -> None:
    with database.write(everyone=True) as tx:
        database.bulk.insert(tx, group_member, MEMBER, [(1, 5, 7, 1), (1, 6, 7, 2)])
        with pytest.raises(REJECTED):
            database.bulk.insert(tx, group_member, MEMBER, [(1, 6, 8, 1)])
    assert members(database) == {}


def test_known_keys_stay_as_they_are(database: Database) -> None:
    with database.write(everyone=True) as tx:
        assert database.bulk.insert_new(tx, group_member, MEMBER, [(1, 5, 7, 1), (1, 6, 7, 2)]) == 2
        assert database.bulk.insert_new(tx, group_member, MEMBER, [(1, 6, 8, 1), (1, 7, 8, 2)]) == 1
        tx.commit()
    assert members(database) == {5: 7, 6: 7, 7: 8}


@pytest.mark.parametrize("size", [1, 200, 201, 1234], ids=str)
def test_few_rows_and_many_go_different_ways_to_the_same_end(database: Database, size: int) -> None:
    """What is odd comes last, behind the point where the way is chosen."""
    rows: list[tuple[object, ...]] = [
        (1, seq, "sheet", seq, "original", "invalid", None, None) for seq in range(1, size)
    ]
    rows.append((1, size, "a\tb\\N", size, "'\"\n", "invalid", "{}", 2**63 - 1))
    with database.write(everyone=True) as tx:
        assert database.bulk.insert_new(tx, import_reject, REJECT, iter(rows)) == size
        assert database.bulk.insert_new(tx, import_reject, REJECT, iter(rows)) == 0
        found = tx.execute(select(import_reject).order_by(import_reject.c.seq)).all()
    assert [tuple(each) for each in found] == rows


def test_one_key_twice_in_the_same_rows_counts_once(database: Database) -> None:
    with database.write(everyone=True) as tx:
        assert database.bulk.insert_new(tx, group_member, MEMBER, [(1, 5, 7, 1), (1, 5, 8, 2)]) == 1
        tx.commit()
    assert members(database) == {5: 7}


def test_no_rows_are_no_trouble(database: Database) -> None:
    nothing: Iterator[tuple[int, ...]] = iter(())
    with database.write(everyone=True) as tx:
        assert database.bulk.insert(tx, group_member, MEMBER, nothing) == 0
        assert database.bulk.insert_new(tx, group_member, MEMBER, nothing) == 0


def test_only_a_known_key_is_passed_over_never_a_wrong_row(database: Database) -> None:
    columns = ["task_id", "seq", "outcome", "code", "at"]
    rows = [(1, 1, "accepted", "0", 5), (1, 2, None, "0", 5)]
    with database.write(everyone=True) as tx, pytest.raises(REJECTED):
        database.bulk.insert_new(tx, submission, columns, rows)


def test_a_unique_rule_other_than_the_key_counts_as_known(database: Database) -> None:
    application_id = Marketing(database).application_id
    columns = ["application_id", "reference", "number", "sms_id", "sequence", "total", "status", "code", "received_at"]
    row = (application_id, "r", 1, "s", 1, 1, "delivered", "DELIVRD", 5)
    with database.write(everyone=True) as tx:
        assert database.bulk.insert_new(tx, receipt, columns, [row]) == 1
        assert database.bulk.insert_new(tx, receipt, columns, [row, (*row[:3], "other", *row[4:])]) == 1


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20),
    suggestion=st.none() | st.sampled_from(["\\N", "", "\\", "a\tb\nc\r", "NULL", "'\"", "％s"]),
    number=st.integers(-(2**63), 2**63 - 1),
)
def test_every_value_comes_back_as_it_went_in(
    database: Database, text: str, suggestion: str | None, number: int
) -> None:
    row = (1, 1, text, 2, text, "invalid", suggestion, number)
    with database.write(everyone=True) as tx:
        database.bulk.insert(tx, import_reject, REJECT, [row])
        database.bulk.insert_new(tx, import_reject, REJECT, [(1, 2, *row[2:])])
        found = tx.execute(select(import_reject).order_by(import_reject.c.seq)).all()
    assert [tuple(each) for each in found] == [row, (1, 2, *row[2:])]
