"""What operators are told of the installation: what waits, for how long, and what became of messages."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from services.carriers.ports import Receipt
from services.database import Database, DatabaseUnavailable
from services.figures import COUNTED_FOR, COUNTED_TO, MESSAGE_STATES, FigureReader, Figures, Waiting
from services.models import receipt
from tests.services.builders import FIRST_NUMBER, Marketing
from tests.services.fakes import leave_out, not_taken, refuse

MINUTE = timedelta(minutes=1)
NONE = Waiting(0, 0.0)


def read(marketing: Marketing) -> Figures:
    return FigureReader(marketing.database, marketing.clock).read()


def messages(marketing: Marketing) -> dict[str, int]:
    """Those that are not 0."""
    return {state: count for (_, state), count in read(marketing).messages.items() if count}


def test_nothing_is_nothing(marketing: Marketing) -> None:
    figures = read(marketing)
    assert (figures.messages, figures.tasks) == ({}, {})
    assert figures.batches_due == figures.scheduled == figures.receipts == figures.imports == NONE
    assert (figures.batches_put_off, figures.batches_sending, figures.posts) == (0, 0, 0)


async def test_a_message_is_in_one_state_from_beginning_to_end(marketing: Marketing) -> None:
    task = marketing.a_confirmed_task(300)
    assert messages(marketing) == {"waiting": 300}
    marketing.carrier.will(refuse(FIRST_NUMBER), leave_out(FIRST_NUMBER + 299))
    await marketing.send_all()
    assert messages(marketing) == {"refused": 1, "unknown": 299}
    first = marketing.carrier.requests[0]
    marketing.report(
        Receipt("delivered", "DELIVRD", "id", first.reference, FIRST_NUMBER + 1),
        Receipt("failed", "UNDELIV", "id", first.reference, FIRST_NUMBER + 2),
    )
    assert messages(marketing) == {"refused": 1, "delivered": 1, "failed": 1, "unknown": 297}
    assert sum(messages(marketing).values()) == task.recipients
    assert {state for _, state in read(marketing).messages} == set(MESSAGE_STATES)
    marketing.clock.move(COUNTED_FOR + MINUTE)
    assert messages(marketing) == {}, "a task that is long over is counted no more"


async def test_what_is_held_back_is_counted_too(marketing: Marketing) -> None:
    task = marketing.a_confirmed_task(300)
    await marketing.send_next(marketing.a_dispatch())
    marketing.tasks.stop(marketing.workspace_id, task.number, "U0ANA")
    assert messages(marketing) == {"unknown": 200, "held_back": 100}


async def test_the_queue_tells_what_is_due_from_what_was_put_off(marketing: Marketing) -> None:
    marketing.a_confirmed_task(700)
    marketing.clock.move(MINUTE)
    assert read(marketing).batches_due == Waiting(2, 60.0)
    assert read(marketing).due_of == {"promo-cn": 2}
    claim = marketing.a_dispatch().claim(marketing.sender)
    figures = read(marketing)
    assert (figures.batches_due.count, figures.batches_sending) == (1, 1)
    assert claim is not None
    marketing.a_dispatch().give_back(claim, "http_429", MINUTE)
    figures = read(marketing)
    assert (figures.batches_due.count, figures.batches_put_off, figures.batches_sending) == (1, 1, 0)
    marketing.clock.move(2 * MINUTE)
    assert read(marketing).batches_due == Waiting(2, 180.0)


async def test_slow_down_is_put_off(marketing: Marketing) -> None:
    marketing.a_confirmed_task(100)
    marketing.carrier.will(not_taken(retry_after_seconds=30))
    await marketing.send_next(marketing.a_dispatch())
    figures = read(marketing)
    assert (figures.batches_due, figures.batches_put_off) == (NONE, 1)


def test_tasks_are_counted_by_state_and_the_overdue_show(marketing: Marketing) -> None:
    marketing.a_confirmed_task(3, at=marketing.in_(10 * MINUTE))
    marketing.a_confirmed_task(3, group="now")
    assert read(marketing).tasks == {"scheduled": 1, "sending": 1}
    assert read(marketing).scheduled == NONE
    marketing.clock.move(11 * MINUTE)
    assert read(marketing).scheduled == Waiting(1, 60.0)
    marketing.tasks.start_due()
    assert read(marketing).scheduled == NONE


def test_receipts_wait_until_they_are_applied(marketing: Marketing) -> None:
    stranger = Receipt("delivered", "DELIVRD", "id-1", "nobody's", FIRST_NUMBER)
    marketing.receipts.store([(marketing.application_id, stranger)])
    marketing.clock.move(MINUTE)
    assert read(marketing).receipts == Waiting(1, 60.0)
    marketing.receipts.apply()
    assert read(marketing).receipts == NONE


def test_imports_under_way_and_posts_owed_show(marketing: Marketing, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("mobile\n13812345678\n", "utf-8")
    marketing.an_import(path, marketing.a_group())
    marketing.clock.move(MINUTE)
    assert read(marketing).imports == Waiting(1, 60.0)
    assert read(marketing).posts == 1


def test_a_count_ends_at_its_limit(sqlite: Database) -> None:
    marketing = Marketing(sqlite)
    columns = ["application_id", "reference", "number", "sms_id", "sequence", "total", "status", "code", "received_at"]
    rows = ((marketing.application_id, "r", number, "", 1, 1, "delivered", "", 0) for number in range(COUNTED_TO + 5))
    with sqlite.write(everyone=True) as tx:
        sqlite.bulk.insert(tx, receipt, columns, rows)
        tx.commit()
    assert read(marketing).receipts.count == COUNTED_TO


def test_a_database_that_is_away_is_one_error(marketing: Marketing) -> None:
    away = Database("sqlite:////nowhere/sms.db")
    with pytest.raises(DatabaseUnavailable, match="OperationalError"):
        FigureReader(away, marketing.clock).read()


def test_what_piles_up_is_read_through_an_index(sqlite: Database) -> None:
    """SQLite says SCAN without an index where it reads a whole table, which only small ones may be."""
    asked: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_more: object) -> None:
        asked.append((statement, parameters))

    marketing = Marketing(sqlite)
    event.listen(sqlite.engine, "before_cursor_execute", note)
    read(marketing)
    event.remove(sqlite.engine, "before_cursor_execute", note)
    with sqlite.read(everyone=True) as connection:
        plans = [
            row[3] for query in asked for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query[0]}", query[1])
        ]
    scanned = {plan.split()[1] for plan in plans if plan.startswith("SCAN") and "INDEX" not in plan}
    assert scanned == {"anon_1"}, "the counted rows themselves, and no table"
