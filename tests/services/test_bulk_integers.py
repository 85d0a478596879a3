"""Rows of nothing but integers, some columns fixed, on both databases."""

from array import array

import pytest
from sqlalchemy import select

from services.database import Database
from services.models import group_member

FIXED = {"group_id": 7, "import_id": 9}


def insert(database: Database, numbers: list[int], rows: list[int], *, new_only: bool) -> int:
    with database.write(everyone=True) as tx:
        columns = {"number": array("q", numbers), "row": array("i", rows)}
        written = database.bulk.insert_integers(tx, group_member, FIXED, columns, new_only=new_only)
        tx.commit()
    return written


def stored(database: Database) -> list[tuple[int, ...]]:
    with database.read(everyone=True) as connection:
        columns = (group_member.c.group_id, group_member.c.number, group_member.c.import_id, group_member.c.row)
        return [tuple(row) for row in connection.execute(select(*columns).order_by(group_member.c.number))]


@pytest.mark.parametrize("new_only", [False, True])
@pytest.mark.parametrize("count", [0, 1, 499, 500, 501, 1250, 5001])
def test_every_row_is_written(database: Database, count: int, new_only: bool) -> None:
    numbers = [86_138_0000_0000 + no for no in range(count)]
    assert insert(database, numbers, list(range(count)), new_only=new_only) == count
    assert stored(database) == [(7, number, 9, row) for row, number in enumerate(numbers)]


def test_only_what_is_new_is_written_and_counted(database: Database) -> None:
    insert(database, [1, 3, 5], [10, 30, 50], new_only=False)
    assert insert(database, [1, 2, 3, 4], [1, 2, 3, 4], new_only=True) == 2
    assert [(number, row) for _, number, _, row in stored(database)] == [(1, 10), (2, 2), (3, 30), (4, 4), (5, 50)]


def test_a_known_key_is_an_error_where_all_must_be_new(database: Database) -> None:
    insert(database, [1, 3], [10, 30], new_only=False)
    with pytest.raises(Exception, match=r"(?i)unique"):
        insert(database, [2, 3], [2, 3], new_only=False)
    assert [number for _, number, _, _ in stored(database)] == [1, 3]


def test_twice_in_one_transaction(database: Database) -> None:
    with database.write(everyone=True) as tx:
        for first in (1, 3):
            columns = {"number": array("q", [first, first + 1]), "row": array("i", [1, 2])}
            assert database.bulk.insert_integers(tx, group_member, FIXED, columns, new_only=True) == 2
        tx.commit()
    assert len(stored(database)) == 4
