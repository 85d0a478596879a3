"""Recipients in order, each number once in a layer; batches that never hold a number twice."""

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update

from services.database import Database
from services.models import group_member, recipient
from services.recipients import FIRST_BATCH, plan
from tests.services.builders import FIRST_NUMBER, Marketing, numbers


class TestPlan:
    """A small first batch, then as many as a request takes."""

    @given(
        layers=st.lists(st.integers(0, 5_000), min_size=1, max_size=4).filter(any), max_numbers=st.integers(1, 1_000)
    )
    def test_batches_cover_everybody_once_and_none_reaches_over_a_layers_end(
        self, layers: Sequence[int], max_numbers: int
    ) -> None:
        ranges = plan(layers, max_numbers)
        assert ranges[0][0] == 1
        assert ranges[-1][1] == sum(layers)
        assert all(one[1] + 1 == other[0] for one, other in pairwise(ranges))
        assert all(1 <= last - first + 1 <= max_numbers for first, last in ranges)
        assert ranges[0][1] <= FIRST_BATCH
        ends = {sum(layers[: no + 1]) for no in range(len(layers))}
        assert all(not first <= end < last for first, last in ranges for end in ends)

    def test_a_small_task_is_one_batch(self) -> None:
        assert plan([3], 500) == [(1, 3)]
        assert plan([3, 2], 500) == [(1, 3), (4, 5)]
        assert plan([0, 3], 500) == [(1, 3)]


def test_recipients_keep_the_import_the_row_and_the_other_columns(marketing: Marketing, database: Database) -> None:
    group = marketing.a_group("vip", numbers(3))
    with database.write(everyone=True) as tx:
        tx.execute(
            update(group_member)
            .where(group_member.c.group_id == group.id, group_member.c.number == FIRST_NUMBER)
            .values(import_id=7, row=42, attributes='{"Name": "Ana"}')
        )
        tx.commit()
    task = marketing.confirmed(marketing.a_draft())
    with database.read(everyone=True) as connection:
        row = connection.execute(select(recipient).where(recipient.c.seq == 1)).one()
    assert (row.task_id, row.number, row.import_id, row.row, row.attributes) == (
        task.id,
        FIRST_NUMBER,
        7,
        42,
        '{"Name": "Ana"}',
    )


def test_a_number_in_several_groups_comes_once_as_the_first_has_it(marketing: Marketing, database: Database) -> None:
    marketing.a_group("old", [FIRST_NUMBER + 1, FIRST_NUMBER + 2])
    marketing.a_group("new", [FIRST_NUMBER, FIRST_NUMBER + 2, FIRST_NUMBER + 3])
    marketing.a_group("staff", [FIRST_NUMBER + 1])
    marketing.confirmed(marketing.a_draft(["new", "old"], exclude=["staff"]))
    with database.read(everyone=True) as connection:
        rows = connection.execute(select(recipient).order_by(recipient.c.seq)).all()
    assert [(row.seq, row.number - FIRST_NUMBER, row.row) for row in rows] == [(1, 0, 1), (2, 2, 2), (3, 3, 3)]
