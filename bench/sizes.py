"""What a message weighs on the disk: a million of them, sent and reported, in the real schema."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bench.processes import new_database
from services.clock import SystemClock
from services.content import ApplicationDeclaration, Content, SignatureDeclaration, TemplateDeclaration
from services.database import Database
from services.models import batch, receipt, recipient, result, send_task, submission, template
from services.states import Region, SmsType

MESSAGES = 1_000_000
BATCH = 500
TABLES = (recipient, batch, submission, receipt, result)
_NOW = 1_772_589_600_000
# As Huawei's are: 36 characters and the number's last digits.
_SMS_ID = "2ea20735-f856-4376-afbf-570bd70a46ee_{:08d}"

Figures = dict[str, tuple[float, str]]


def measure() -> Figures:
    """Bytes for each message by table, indexes included."""
    return {name: figure for kind in ("postgresql", "sqlite") for name, figure in _measure(kind).items()}


def _measure(kind: str) -> Figures:
    with new_database(kind) as url:
        database = Database(url)
        database.migrate()
        _fill(database)
        sizes = _postgresql_sizes(database) if kind == "postgresql" else _sqlite_sizes(database)
        database.close()
    each: Figures = {f"sizes.{kind}.{name}": (size / MESSAGES, "bytes/message") for name, size in sizes.items()}
    return {**each, f"sizes.{kind}.all": (sum(sizes.values()) / MESSAGES, "bytes/message")}


def _fill(database: Database) -> None:
    application_id = _declare(database)
    with database.write(everyone=True) as tx:
        task_id = _task(tx, application_id)
        tx.commit()
    for table, columns, rows in _rows(task_id, application_id):
        with database.write(everyone=True) as tx:
            database.bulk.insert(tx, table, columns, rows)
            tx.commit()


def _rows(task: int, application: int) -> Iterator[tuple[Any, list[str], Iterator[tuple[object, ...]]]]:
    every = range(1, MESSAGES + 1)
    batches = range(1, MESSAGES // BATCH + 1)
    columns = ["task_id", "no", "first", "last", "application_id", "reference", "state", "attempt", "owner"]
    made = (
        (
            task,
            no,
            (no - 1) * BATCH + 1,
            no * BATCH,
            application,
            f"{task}-0123456789abcdef-{no}",
            "done",
            1,
            "worker-1-12345",
        )
        for no in batches
    )
    yield batch, columns, made
    yield recipient, ["task_id", "seq", "number"], ((task, seq, 8613000000000 + seq * 11) for seq in every)
    yield (
        submission,
        ["task_id", "seq", "outcome", "sms_id", "code", "segments", "at"],
        ((task, seq, "accepted", _SMS_ID.format(seq), "000000", 1, _NOW) for seq in every),
    )
    yield receipt, _RECEIPT_COLUMNS, (_receipt(application, task, seq) for seq in every)
    yield (
        result,
        ["task_id", "seq", "state", "code", "at"],
        ((task, seq, "delivered", "DELIVRD", _NOW) for seq in every),
    )


_RECEIPT_COLUMNS = ["application_id", "task_id", "reference", "number", "sms_id", "sequence", "total", "status", "code"]
_RECEIPT_COLUMNS += ["at", "received_at", "applied"]


def _receipt(application: int, task: int, seq: int) -> tuple[object, ...]:
    reference, number = f"{task}-0123456789abcdef-{(seq - 1) // BATCH + 1}", 8613000000000 + seq * 11
    return (application, task, reference, number, _SMS_ID.format(seq), 1, 1, "delivered", "DELIVRD", _NOW, _NOW, True)


def _task(tx: Any, application_id: int) -> int:
    template_id = tx.execute(template.select()).one().id
    made = tx.execute(
        send_task.insert().values(
            workspace_id="T0BENCH",
            token="0123456789abcdef",
            name="",
            name_key="",
            state="finished",
            channel="C0BENCH",
            application_id=application_id,
            template_id=template_id,
            template_code="8ff55eac",
            sender="csms100000001",
            text="",
            segments_each=1,
            recipients=MESSAGES,
            outside_region=0,
            created_by="U0BENCH",
            created_at=SystemClock().now(),
        )
    )
    return int(made.inserted_primary_key[0])


def _declare(database: Database) -> int:
    declared = ApplicationDeclaration(
        name="bench",
        carrier="huawei",
        region=Region.MAINLAND,
        signatures=[SignatureDeclaration("云帆咖啡", "csms100000001")],
        templates=[TemplateDeclaration("spring", "8ff55eac", SmsType.NOTIFICATION, "春季营业时间。", "云帆咖啡")],
    )
    return Content(database).declare("T0BENCH", [declared])["bench"].id


def _postgresql_sizes(database: Database) -> dict[str, int]:
    # A partitioned table is empty itself, and one that is not has no tree.
    parts = "SELECT coalesce(sum(pg_total_relation_size(relid)), 0) FROM pg_partition_tree(%(table)s)"
    whole = f"SELECT pg_total_relation_size(%(table)s) + ({parts})"
    with database.read(everyone=True) as connection:
        return {
            table.name: int(connection.exec_driver_sql(whole, {"table": table.name}).scalar_one()) for table in TABLES
        }


def _sqlite_sizes(database: Database) -> dict[str, int]:
    """SQLite tells pages by table, where it was built to; each index is a table there."""
    with database.read(everyone=True) as connection:
        found = connection.exec_driver_sql(
            "SELECT m.tbl_name, sum(s.pgsize) FROM dbstat s JOIN sqlite_schema m ON m.name = s.name GROUP BY m.tbl_name"
        )
        sizes = {str(name): int(size) for name, size in found}
    return {table.name: sizes[table.name] for table in TABLES}
