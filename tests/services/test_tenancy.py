"""Statements that could touch another workspace's rows never leave, whatever a service forgot."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, bindparam, delete, exists, func, insert, literal, or_, select, text, update

from services.database import Database
from services.models import (
    batch,
    customer_group,
    group_member,
    import_row,
    lease,
    metadata,
    opt_out,
    post,
    recipient,
    result,
    send_task,
    signature,
    submission,
    task_group,
    template,
    workspace,
)
from services.tenancy import HOLDS, SHARED, CrossWorkspace
from tests.services.builders import Marketing, numbers

ROOT = Path(__file__).parents[2]
OURS, THEIRS = "T0OURS", "T0THEIRS"
OTHER = send_task.alias()


@pytest.fixture
def two(database: Database) -> tuple[Marketing, Marketing]:
    """Two companies, each with a group and a task."""
    companies = Marketing(database, workspace_id=OURS), Marketing(database, workspace_id=THEIRS)
    for each in companies:
        each.a_confirmed_task(3)
    return companies


def ids(database: Database, workspace_id: str, table: Any) -> int:
    """The id of its first row of a table."""
    with database.read(everyone=True) as connection:
        return int(
            connection.execute(select(func.min(table.c.id)).where(table.c.workspace_id == workspace_id)).scalar_one()
        )


HELD: dict[str, Callable[[int, int], Any]] = {
    "by its workspace": lambda task, group: select(send_task).where(send_task.c.workspace_id == OURS),
    "by a task's id": lambda task, group: select(recipient).where(recipient.c.task_id == task),
    "by several ids": lambda task, group: select(task_group).where(task_group.c.group_id.in_([group])),
    "by no id at all": lambda task, group: select(task_group).where(task_group.c.group_id.in_([])),
    "by a join": lambda task, group: (
        select(recipient.c.number)
        .join(send_task, send_task.c.id == recipient.c.task_id)
        .where(send_task.c.workspace_id == OURS)
    ),
    "on the right of an outer join": lambda task, group: (
        select(send_task.c.id, signature.c.name)
        .outerjoin(signature, signature.c.id == send_task.c.signature_id)
        .where(send_task.c.workspace_id == OURS)
    ),
    "by a list of its own": lambda task, group: select(group_member).where(
        group_member.c.group_id.in_(select(customer_group.c.id).where(customer_group.c.workspace_id == OURS))
    ),
    "in a subquery that belongs to the one around": lambda task, group: select(send_task.c.id).where(
        send_task.c.workspace_id == OURS, exists().where(batch.c.task_id == send_task.c.id)
    ),
    "in a subquery to select from": lambda task, group: select(func.count()).select_from(
        select(recipient.c.number).where(recipient.c.task_id == task).subquery()
    ),
    "in both parts of a union": lambda task, group: select(
        select(group_member.c.number)
        .where(group_member.c.group_id == group)
        .union_all(select(recipient.c.number).where(recipient.c.task_id == task))
        .subquery()
    ),
    "in a change": lambda task, group: update(batch).where(batch.c.task_id == task).values(attempt=1),
    "where it is deleted": lambda task, group: delete(group_member).where(group_member.c.group_id == group),
    "where it is new": lambda task, group: insert(opt_out).values(
        workspace_id=OURS, number=1, origin="person", at=None
    ),
    "where it is copied": lambda task, group: insert(group_member).from_select(
        ["group_id", "number", "import_id", "row"],
        select(literal(group), recipient.c.number, literal(None), literal(1)).where(recipient.c.task_id == task),
    ),
    "where nothing is anybody's": lambda task, group: select(lease),
}

LOOSE: dict[str, Callable[[], Any]] = {
    "nothing": lambda: select(send_task),
    "another column": lambda: select(send_task).where(send_task.c.state == "sending"),
    "one of two conditions": lambda: select(send_task).where(
        or_(send_task.c.workspace_id == OURS, send_task.c.state == "sending")
    ),
    "what it must not be": lambda: select(send_task).where(~(send_task.c.workspace_id == OURS)),
    "a subject of any kind": lambda: select(post).where(post.c.subject_id == 1),
    "the other table of a product": lambda: (
        select(send_task.c.id, OTHER.c.id)
        .join(OTHER, OTHER.c.recipients == send_task.c.recipients)
        .where(send_task.c.workspace_id == OURS)
    ),
    "the left of an outer join": lambda: select(send_task).outerjoin(
        signature, (signature.c.id == send_task.c.signature_id) & (send_task.c.workspace_id == OURS)
    ),
    "a join by something else": lambda: (
        select(recipient)
        .join(customer_group, customer_group.c.size == recipient.c.seq)
        .where(customer_group.c.workspace_id == OURS)
    ),
    "a column that holds another kind of id": lambda: (
        select(template)
        .join(customer_group, customer_group.c.id == template.c.id)
        .where(customer_group.c.workspace_id == OURS)
    ),
    "a subquery to select from": lambda: select(func.count()).select_from(select(recipient.c.number).subquery()),
    "a subquery to compare with": lambda: select(send_task.c.id).where(
        send_task.c.workspace_id == OURS, send_task.c.recipients > select(func.count(result.c.seq)).scalar_subquery()
    ),
    "a list that is not held itself": lambda: select(group_member).where(
        group_member.c.group_id.in_(select(customer_group.c.id))
    ),
    "a list that is held by what it holds": lambda: select(customer_group).where(
        customer_group.c.id.in_(select(task_group.c.group_id).where(task_group.c.group_id == customer_group.c.id))
    ),
    "a table that only looks like the one around": lambda: select(send_task.c.id).where(
        send_task.c.workspace_id == OURS, exists().where(send_task.c.state == "sending")
    ),
    "one part of a union": lambda: select(
        select(send_task.c.id).where(send_task.c.workspace_id == OURS).union_all(select(send_task.c.id)).subquery()
    ),
    "a WITH": lambda: select(select(submission.c.sms_id).cte("all_of_them").c.sms_id),
    "what is counted": lambda: select(select(func.count()).select_from(post).scalar_subquery()),
    "what it is ordered by": lambda: (
        select(send_task.c.id)
        .where(send_task.c.workspace_id == OURS)
        .order_by(select(func.max(result.c.at)).scalar_subquery())
    ),
    "a change": lambda: update(send_task).values(state="stopped"),
    "a change by another table": lambda: (
        update(send_task)
        .where(send_task.c.workspace_id == OURS, customer_group.c.size == send_task.c.recipients)
        .values(state="stopped")
    ),
    "a deletion": lambda: delete(import_row).where(import_row.c.number == 1),
    "a copy": lambda: insert(group_member).from_select(
        ["group_id", "number", "import_id", "row"], select(literal(1), recipient.c.number, literal(0), literal(1))
    ),
    "a copy to what nobody knows": lambda: insert(group_member).from_select(
        ["group_id", "number", "import_id", "row"],
        select(customer_group.c.size, literal(1), literal(0), literal(1)).where(customer_group.c.workspace_id == OURS),
    ),
    "a text": lambda: select(text("1")).select_from(text("send_task")),
}


@pytest.mark.parametrize("how", HELD)
def test_a_statement_is_held_to_a_workspace(two: tuple[Marketing, Marketing], how: str) -> None:
    database = two[0].database
    task, group = ids(database, OURS, send_task), ids(database, OURS, customer_group)
    with database.write(OURS) as tx:
        if how == "where it is new":
            tx.execute(HELD[how](task, group).values(at=two[0].clock.now()))
        elif how == "where it is copied":
            tx.execute(delete(group_member).where(group_member.c.group_id == group))
            tx.execute(HELD["by a task's id"](task, group))
        else:
            tx.execute(HELD[how](task, group))


@pytest.mark.parametrize("by", LOOSE)
def test_a_statement_is_not_held_to_a_workspace_by(two: tuple[Marketing, Marketing], by: str) -> None:
    with two[0].database.write(OURS) as tx, pytest.raises(CrossWorkspace):
        tx.execute(LOOSE[by]())


@pytest.mark.parametrize(
    "statement",
    [
        select(recipient).where(recipient.c.task_id == bindparam("key")),
        select(recipient).where(bindparam("key") == recipient.c.task_id),
        select(send_task).where(send_task.c.id == bindparam("key")),
        select(recipient).where(recipient.c.task_id.in_(bindparam("key", expanding=True))),
        update(send_task).where(send_task.c.id == bindparam("key")).values(state="stopped"),
        delete(batch).where(batch.c.task_id == bindparam("key")),
        insert(task_group).values(task_id=bindparam("key"), group_id=1, excluded=False, name="", size=0),
    ],
    ids=["a read", "turned round", "by its key", "a list", "a change", "a deletion", "a new row"],
)
def test_an_id_of_another_workspace_is_refused_wherever_it_stands(
    two: tuple[Marketing, Marketing], statement: Any
) -> None:
    database = two[0].database
    theirs: Any = ids(database, THEIRS, send_task)
    if "POSTCOMPILE" in str(statement):
        theirs = [ids(database, OURS, send_task), theirs]
    with database.write(OURS) as tx, pytest.raises(CrossWorkspace):
        tx.execute(statement, {"key": theirs})


def test_an_id_that_nobody_has_is_refused_as_well(two: tuple[Marketing, Marketing]) -> None:
    with two[0].database.read(OURS) as connection, pytest.raises(CrossWorkspace):
        connection.execute(select(task_group).where(task_group.c.group_id == 999_999))


def test_a_statement_known_already_is_looked_at_again(two: tuple[Marketing, Marketing]) -> None:
    database = two[0].database
    ours, theirs = ids(database, OURS, send_task), ids(database, THEIRS, send_task)

    def count(connection: Connection, task: int) -> int:
        return len(connection.execute(select(recipient.c.seq).where(recipient.c.task_id == task)).all())

    with database.read(OURS) as connection:
        assert count(connection, ours) == 3
        with pytest.raises(CrossWorkspace):
            count(connection, theirs)
    with database.read(THEIRS) as connection:
        assert count(connection, theirs) == 3


def test_the_first_workspace_that_is_named_is_the_only_one(two: tuple[Marketing, Marketing]) -> None:
    def tasks(connection: Connection, workspace_id: str) -> int:
        return len(connection.execute(select(send_task.c.id).where(send_task.c.workspace_id == workspace_id)).all())

    with two[0].database.read(None) as connection:
        assert tasks(connection, THEIRS) == 1
        with pytest.raises(CrossWorkspace):
            tasks(connection, OURS)


def test_an_id_alone_names_no_workspace(two: tuple[Marketing, Marketing]) -> None:
    task = ids(two[0].database, OURS, send_task)
    with two[0].database.read(None) as connection, pytest.raises(CrossWorkspace):
        connection.execute(select(recipient).where(recipient.c.task_id == task))


def test_a_row_cannot_be_given_to_another_workspace(two: tuple[Marketing, Marketing]) -> None:
    with two[0].database.write(OURS) as tx, pytest.raises(CrossWorkspace):
        tx.execute(update(send_task).where(send_task.c.workspace_id == OURS).values(workspace_id=THEIRS))


def test_nothing_is_executed_of_what_is_refused(two: tuple[Marketing, Marketing]) -> None:
    database = two[0].database
    with database.write(OURS) as tx:
        with pytest.raises(CrossWorkspace):
            tx.execute(update(send_task).values(state="stopped"))
        tx.commit()
    with database.read(everyone=True) as connection:
        assert set(connection.execute(select(send_task.c.state)).scalars()) == {"sending"}


def test_the_bots_own_work_is_on_everyones_rows(two: tuple[Marketing, Marketing]) -> None:
    with two[0].database.read(everyone=True) as connection:
        assert connection.execute(select(func.count()).select_from(send_task)).scalar_one() == 2


def test_every_table_says_whose_its_rows_are() -> None:
    for table in metadata.sorted_tables:
        assert table is workspace or table.name in SHARED or any(column.name in HOLDS for column in table.columns), (
            table
        )


def test_every_id_of_one_thing_in_another_is_known() -> None:
    for table in metadata.sorted_tables:
        for column in table.columns:
            for key in column.foreign_keys:
                assert HOLDS[column.name] is key.column.table


def test_no_statement_goes_round_the_guard() -> None:
    """It reads what SQLAlchemy makes on connections of `Database.read()` and `write()`; all else is listed here."""
    allowed = {
        r"exec_driver_sql|driver_connection": {
            *("services/bulk.py", "services/database.py", "services/batch_queue.py", "services/partitions.py"),
            # Pragmas of a process that reads only.
            "services/task_file_child.py",
        },
        # services/task_files.py reads its address.
        r"\.engine\b|writing_engine": {"services/database.py", "services/task_files.py", "bot/installations.py"},
        r'\btext\(\s*"': {
            "services/models.py",
            "services/batch_queue.py",
            "services/database_copy.py",
            "services/partitions.py",
        },
        r"literal_column\(": {"services/models.py", "services/database_copy.py", "services/retention.py"},
    }
    for folder in ("services", "bot", "handlers"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            path = file.relative_to(ROOT).as_posix()
            if path.startswith("services/migrations/"):
                continue
            source = file.read_text("utf-8")
            if "sqlalchemy" not in source and "database" not in source:
                continue
            for what, where in allowed.items():
                assert path in where or not re.search(what, source), (path, what)


def test_a_statement_known_already_costs_next_to_nothing(marketing: Marketing) -> None:
    """A look-up of an id in each transaction, and no reading of the statement: well below a tenth of a millisecond."""
    marketing.a_group("vip", numbers(1))
    task = marketing.confirmed(marketing.a_draft())
    query = select(batch).where(batch.c.task_id == task.id)

    def seconds(connection: Connection) -> float:
        connection.execute(query).all()
        began = time.thread_time()
        for _ in range(300):
            connection.execute(query).all()
        return (time.thread_time() - began) / 300

    with marketing.database.read(everyone=True) as connection:
        alone = seconds(connection)
    with marketing.database.read(marketing.workspace_id) as connection:
        guarded = seconds(connection)
    assert guarded - alone < 0.000_1
