"""The tables. Those that hold a row per recipient are appended to and never updated.

On PostgreSQL recipient, submission, result and receipt are partitioned by task (services/partitions.py).
Moments are stored as milliseconds since 1970 in UTC: small, sortable, and the same on SQLite and PostgreSQL.
`customer_group` and `number_import` are DESIGN's group and import, whose plain names are SQL's or Python's own.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    literal_column,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Moment(TypeDecorator[datetime]):
    """An aware UTC datetime, stored as milliseconds since 1970."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else to_milliseconds(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else datetime.fromtimestamp(value / 1000, UTC)


def to_milliseconds(moment: datetime) -> int:
    """For bulk writers, which bypass the column's type."""
    return round(moment.timestamp() * 1000)


# A partial index serves only queries that state its condition in the same words: SQLite compares text, and cannot
# look into a parameter. `~table.c.flag` becomes `flag = 0` there; a state is compared with `literal_state`.
def literal_state(column: Column[str], state: StrEnum) -> ColumnElement[bool]:
    """`column = 'state'` with the state in the statement's text, where a partial index must be seen to serve."""
    return column == literal_column(f"'{state.value}'")


# SQLite makes only an INTEGER key count up by itself; PostgreSQL's must be able to outgrow 32 bits.
# There too, a table `sqlite_autoincrement` gives no key a second time; else that of a deleted last row comes again, and
# a button in Slack would come to mean something else.
_Id = BigInteger().with_variant(Integer, "sqlite")


def _id() -> Column[int]:
    return Column("id", _Id, primary_key=True, autoincrement=True)


def _count(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False, server_default="0")


def _ref(name: str, target: str, *, nullable: bool = False, **kw: Any) -> Column[int]:
    return Column(name, _Id, ForeignKey(target), nullable=nullable, **kw)


def _owner(name: str) -> Column[int]:
    """Part of the key of a table with a row per recipient; no foreign key, which would be checked row by row."""
    return Column(name, _Id, primary_key=True, autoincrement=False)


workspace = Table(
    "workspace",
    metadata,
    Column("id", Text, primary_key=True),
    _count("last_task"),
    # Since when it does not have the bot any more; NULL while it has.
    Column("removed_at", Moment),
)

application = Table(
    "application",
    metadata,
    _id(),
    Column("workspace_id", Text, ForeignKey("workspace.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("carrier", Text, nullable=False),
    Column("region", Text, nullable=False),
    Column("active", Boolean, nullable=False),
    # The part of its receipts' address that a stranger cannot guess.
    Column("receipts_token", Text, nullable=False),
    Column("requests_per_second", Float, nullable=False, server_default="50"),
    # A decimal as text, such as 0.045, and its currency; NULL where the settings give no price.
    Column("price_per_segment", Text),
    Column("currency", Text),
    # How long after the last request its carrier may still report.
    Column("receipt_window_hours", Integer, nullable=False, server_default="72"),
    UniqueConstraint("workspace_id", "name"),
)

signature = Table(
    "signature",
    metadata,
    _id(),
    _ref("application_id", "application.id"),
    Column("name", Text, nullable=False),
    Column("channel_number", Text, nullable=False),
    # NULL: for texts of every type.
    Column("sms_type", Text),
    Column("status", Text, nullable=False),
    # Why it was rejected, as the approver or the carrier wrote it.
    Column("reason", Text),
    # Where it comes from: settings, channel (added in Slack) or carrier (its console, by its API).
    Column("origin", Text, nullable=False, server_default="settings"),
    Column("created_by", Text),
    Column("decided_by", Text),
    _count("version"),
    UniqueConstraint("application_id", "name"),
    sqlite_autoincrement=True,
)

template = Table(
    "template",
    metadata,
    _id(),
    _ref("application_id", "application.id"),
    _ref("signature_id", "signature.id", nullable=True),
    Column("name", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("sms_type", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("status", Text, nullable=False),
    # Why it was rejected, as the approver or the carrier wrote it.
    Column("reason", Text),
    # Where it comes from: settings, channel (added in Slack) or carrier (its console, by its API).
    Column("origin", Text, nullable=False, server_default="settings"),
    Column("created_by", Text),
    Column("decided_by", Text),
    _count("version"),
    UniqueConstraint("application_id", "name"),
    sqlite_autoincrement=True,
)

customer_group = Table(
    "customer_group",
    metadata,
    _id(),
    Column("workspace_id", Text, ForeignKey("workspace.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("name_key", Text, nullable=False),
    Column("sms_type", Text, nullable=False),
    _count("size"),
    Column("created_by", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    UniqueConstraint("workspace_id", "name_key"),
    sqlite_autoincrement=True,
)

group_member = Table(
    "group_member",
    metadata,
    _owner("group_id"),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("import_id", _Id, nullable=False),
    Column("row", Integer, nullable=False),
    Column("attributes", Text),
    sqlite_with_rowid=False,
)

number_import = Table(
    "number_import",
    metadata,
    _id(),
    Column("workspace_id", Text, ForeignKey("workspace.id"), nullable=False),
    Column("channel", Text, nullable=False),
    Column("thread_ts", Text, nullable=False),
    Column("file_id", Text, nullable=False),
    Column("file_name", Text, nullable=False),
    Column("file_size", BigInteger, nullable=False),
    Column("file_url", Text, nullable=False),
    Column("uploaded_by", Text, nullable=False),
    Column("received_at", Moment, nullable=False),
    _ref("group_id", "customer_group.id", nullable=True),
    # The name of the group, where it was made for this import: cancelled, it takes the group along while that is empty.
    Column("made_group", Text),
    # "group", or "send": a file for one send alone, whose numbers stand in import_row.
    Column("purpose", Text, nullable=False, server_default="group"),
    Column("state", Text, nullable=False),
    _count("rows"),
    _count("imported"),
    _count("already_in_group"),
    _count("duplicates"),
    _count("invalid"),
    _count("set_aside"),
    _count("by_country_code"),
    # How many of those set aside a person may keep anyway, and how many somebody kept.
    _count("keepable"),
    _count("kept"),
    # How many numbers undoing it took out of its group.
    _count("taken_out"),
    _count("hidden_rows"),
    _count("hidden_columns"),
    _count("hidden_sheets"),
    # The names of the sheets left out because no column of numbers was found, as a JSON list. NULL where there is none.
    Column("numberless_sheets", Text),
    # The names of its other columns, as a JSON list: those to the right of the numbers first. NULL where it has none.
    Column("attribute_names", Text),
    # The columns to choose from with their sheet, as JSON, and those that people chose before, a JSON list.
    Column("columns", Text),
    Column("chosen", Text),
    Column("failure", Text),
    # Who cancelled or undid it.
    Column("ended_by", Text),
    Column("started_at", Moment),
    Column("finished_at", Moment),
    # When its rows were deleted, because the workspace's retention is over; its counts stay.
    Column("forgotten_at", Moment),
    _count("version"),
    UniqueConstraint("workspace_id", "channel", "file_id"),
    Index("ix_number_import_state", "state"),
    sqlite_autoincrement=True,
)

import_reject = Table(
    "import_reject",
    metadata,
    _owner("import_id"),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("sheet", Text, nullable=False),
    Column("row", Integer, nullable=False),
    Column("original", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("suggestion", Text),
    Column("candidate", BigInteger),
    sqlite_with_rowid=False,
)

# The rows of an import for one send alone. One number may stand there twice, with other attributes; its rows come in
# the order of the file.
import_row = Table(
    "import_row",
    metadata,
    _owner("import_id"),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
    Column("row", Integer, nullable=False),
    Column("attributes", Text),
    sqlite_with_rowid=False,
)

send_task = Table(
    "send_task",
    metadata,
    _id(),
    Column("workspace_id", Text, ForeignKey("workspace.id"), nullable=False),
    # A workspace's own count, given when confirmed: what people type in /sms-cancel 42.
    Column("number", Integer),
    Column("token", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("name_key", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("channel", Text, nullable=False),
    _ref("application_id", "application.id"),
    _ref("template_id", "template.id"),
    _ref("signature_id", "signature.id", nullable=True),
    Column("template_code", Text, nullable=False),
    Column("sender", Text, nullable=False),
    # What goes into the request where the template belongs to no signature; else NULL.
    Column("request_signature", Text),
    Column("text", Text, nullable=False),
    # The names of the text's variables, as a JSON list in the order the carrier takes their values; NULL without any.
    Column("variables", Text),
    # Where its recipients come from: groups, pool, file, typed or resend.
    Column("source", Text, nullable=False, server_default="groups"),
    _ref("import_id", "number_import.id", nullable=True),
    # The task whose failed or unknown messages this one sends again, and which of the two.
    Column("resend_of", _Id),
    Column("resend_state", Text),
    Column("is_test", Boolean, nullable=False, server_default=text("false")),
    # Of one recipient's copy; the largest one where values differ.
    Column("segments_each", Integer, nullable=False),
    Column("segments", BigInteger, nullable=False, server_default="0"),
    Column("recipients", Integer, nullable=False),
    # Recipients 1 to this are in order of their numbers, each once; further copies of a number stand behind them.
    _count("distinct_numbers"),
    Column("outside_region", Integer, nullable=False),
    # Whether rows that lack a value for one of the variables are left out; without that nothing can be sent.
    Column("without_missing", Boolean, nullable=False, server_default=text("false")),
    # Left out when it was confirmed, because they are on the do-not-send list.
    _count("opted_out"),
    Column("created_by", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("scheduled_at", Moment),
    Column("confirmed_by", Text),
    Column("confirmed_at", Moment),
    Column("started_at", Moment),
    Column("finished_at", Moment),
    Column("ended_by", Text),
    # Why it is paused, or last was (services/states.py, PauseReason), what code the carrier gave, and who paused it.
    Column("pause_reason", Text),
    Column("pause_code", Text),
    Column("paused_by", Text),
    # Refusals of recipients up to this one have been asked about, and do not count for pausing again.
    _count("refusals_seen"),
    # Who said that it goes on, and who last changed its time, template or name.
    Column("resumed_by", Text),
    Column("edited_by", Text),
    # Off the list, but not forgotten: its counts stay.
    Column("deleted_by", Text),
    Column("deleted_at", Moment),
    # When the rows of its recipients were deleted, because its workspace's retention is over; its counts stay.
    Column("forgotten_at", Moment),
    # Whether the last of those rows is gone.
    Column("rows_deleted", Boolean, nullable=False, server_default=text("false")),
    # Batches 1 to this have been given to the queue, where a fleet has one.
    _count("queued"),
    Column("first_batch_done", Boolean, nullable=False, server_default=text("false")),
    # Last trouble that delays it, as a carrier error code; NULL when the last request went well.
    Column("trouble", Text),
    _count("handed_over"),
    _count("accepted"),
    _count("refused"),
    _count("delivered"),
    _count("failed"),
    _count("held_back"),
    # Not handed over when their turn came, because they had opted out since it was confirmed.
    _count("skipped"),
    Column("result_wanted", Boolean, nullable=False, server_default=text("false")),
    # The carrier's receipt window has closed: what is unknown stays so, and its posts say that and change no more.
    Column("receipts_over", Boolean, nullable=False, server_default=text("false")),
    # Grows with every change a channel post shows.
    _count("version"),
    UniqueConstraint("workspace_id", "number"),
    Index("ix_send_task_state", "state", "created_at"),
    Index("ix_send_task_list", "workspace_id", "state", "number"),
    Index(
        "ix_send_task_kept",
        "created_at",
        sqlite_where=text("forgotten_at IS NULL"),
        postgresql_where=text("forgotten_at IS NULL"),
    ),
    Index(
        "ix_send_task_half_deleted",
        "forgotten_at",
        sqlite_where=text("forgotten_at IS NOT NULL AND rows_deleted = 0"),
        postgresql_where=text("forgotten_at IS NOT NULL AND NOT rows_deleted"),
    ),
    Index(
        "ix_send_task_result",
        "finished_at",
        sqlite_where=text("result_wanted = 0"),
        postgresql_where=text("NOT result_wanted"),
    ),
    sqlite_autoincrement=True,
)

task_group = Table(
    "task_group",
    metadata,
    _ref("task_id", "send_task.id", primary_key=True),
    Column("group_id", _Id, primary_key=True, autoincrement=False),
    Column("excluded", Boolean, nullable=False),
    Column("name", Text, nullable=False),
    Column("name_key", Text, nullable=False),
    Column("size", Integer, nullable=False),
)

recipient = Table(
    "recipient",
    metadata,
    _owner("task_id"),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
    # The import and the row it came from, for files in the order of the uploader's.
    Column("import_id", _Id),
    Column("row", Integer),
    # What fills the variables, as a JSON list in the order of `send_task.variables`.
    Column("values", Text),
    # The uploader's other columns, as in group_member.
    Column("attributes", Text),
    sqlite_with_rowid=False,
)

batch = Table(
    "batch",
    metadata,
    _ref("task_id", "send_task.id", primary_key=True),
    Column("no", Integer, primary_key=True, autoincrement=False),
    Column("first", Integer, nullable=False),
    Column("last", Integer, nullable=False),
    _ref("application_id", "application.id"),
    # What the carrier echoes in every receipt of this batch.
    Column("reference", Text, nullable=False, unique=True),
    Column("state", Text, nullable=False),
    _count("attempt"),
    Column("not_before", Moment),
    Column("owner", Text),
    Column("lease_until", Moment),
    Index(
        "ix_batch_planned",
        "task_id",
        "application_id",
        "no",
        sqlite_where=text("state = 'planned'"),
        postgresql_where=text("state = 'planned'"),
    ),
    Index(
        "ix_batch_sending",
        "lease_until",
        sqlite_where=text("state = 'sending'"),
        postgresql_where=text("state = 'sending'"),
    ),
)

submission = Table(
    "submission",
    metadata,
    _owner("task_id"),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("outcome", Text, nullable=False),
    Column("sms_id", Text),
    Column("code", Text, nullable=False),
    Column("segments", Integer),
    Column("at", Moment, nullable=False),
    sqlite_with_rowid=False,
)

# Where the receipts of a carrier that echoes no reference find their message; other carriers' ids are not kept here.
sent_sms = Table(
    "sent_sms",
    metadata,
    _owner("application_id"),
    Column("sms_id", Text, primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("task_id", _Id, nullable=False),
    Column("seq", Integer, nullable=False),
    Index("ix_sent_sms_task_id", "task_id"),
    sqlite_with_rowid=False,
)

# What makes a receipt the same one told again. `task_id` follows from the reference, and stands in it because
# PostgreSQL wants a partitioned table's every unique key to hold what it is partitioned by.
RECEIPT_KEY = ("application_id", "reference", "number", "sms_id", "sequence", "status", "task_id")

receipt = Table(
    "receipt",
    metadata,
    _id(),
    # No foreign key, as in every table with a row per recipient.
    Column("application_id", _Id, nullable=False),
    # As its reference says (services/references.py); 0 where it has none, or one of no task that is there.
    Column("task_id", _Id, nullable=False, server_default="0"),
    Column("reference", Text, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("sms_id", Text, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("total", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("at", Moment),
    Column("received_at", Moment, nullable=False),
    Column("applied", Boolean, nullable=False, server_default=text("false")),
    UniqueConstraint(*RECEIPT_KEY, name="uq_receipt_once"),
    Index("ix_receipt_new", "id", sqlite_where=text("applied = 0"), postgresql_where=text("NOT applied")),
    # Those that no task takes with it when it is forgotten.
    Index(
        "ix_receipt_of_no_task",
        "received_at",
        sqlite_where=text("task_id = 0"),
        postgresql_where=text("task_id = 0"),
    ),
)

result = Table(
    "result",
    metadata,
    _owner("task_id"),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("state", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("at", Moment, nullable=False),
    sqlite_with_rowid=False,
)

# The workspace's do-not-send list for promotional SMS.
opt_out = Table(
    "opt_out",
    metadata,
    Column("workspace_id", Text, ForeignKey("workspace.id"), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    # reply, carrier (it answered that the person has opted out), person or import.
    Column("origin", Text, nullable=False),
    # Who added it, where a person did.
    Column("added_by", Text),
    Column("at", Moment, nullable=False),
    sqlite_with_rowid=False,
)

# Where a person's test sends went last.
own_number = Table(
    "own_number",
    metadata,
    Column("workspace_id", Text, ForeignKey("workspace.id"), primary_key=True),
    Column("person", Text, primary_key=True),
    Column("number", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# What people answered to an SMS. `task_id` is the last task that wrote to the number, if any.
reply = Table(
    "reply",
    metadata,
    _id(),
    _ref("application_id", "application.id"),
    Column("number", BigInteger, nullable=False),
    Column("text", Text, nullable=False),
    # The carrier's id of it, or one made of its content: the same reply told twice is one.
    Column("sms_id", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("received_at", Moment, nullable=False),
    Column("task_id", _Id),
    # Whether it took its number off promotional SMS (true) or allowed them again (false); NULL for other words.
    Column("opts_out", Boolean),
    UniqueConstraint("application_id", "sms_id", name="uq_reply_once"),
    Index("ix_reply_number", "number"),
    sqlite_autoincrement=True,
)

# Callbacks that could not be read, kept for a look.
unread_callback = Table(
    "unread_callback",
    metadata,
    _id(),
    _ref("application_id", "application.id"),
    Column("received_at", Moment, nullable=False),
    Column("reason", Text, nullable=False),
    Column("body", Text, nullable=False),
)

# A message the bot owes a channel, or has there and keeps up to date.
post = Table(
    "post",
    metadata,
    _id(),
    Column("workspace_id", Text, ForeignKey("workspace.id"), nullable=False),
    Column("channel", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject_id", _Id, nullable=False),
    # NULL until Slack has answered; `posting_at` tells that a post was under way when the process died.
    Column("ts", Text),
    Column("posting_at", Moment),
    Column("shown_version", Integer),
    Column("closed", Boolean, nullable=False, server_default=text("false")),
    UniqueConstraint("kind", "subject_id"),
    Index("ix_post_open", "id", sqlite_where=text("closed = 0"), postgresql_where=text("NOT closed")),
    sqlite_autoincrement=True,
)

# What only one process of a fleet may do at a time, such as ticking.
lease = Table(
    "lease",
    metadata,
    Column("name", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("until", Moment, nullable=False),
)

# An application's turns to send, for all processes that send for it: `next_at` (microseconds since 1970) is the first
# one nobody has taken.
rate_turn = Table(
    "rate_turn",
    metadata,
    _ref("application_id", "application.id", primary_key=True),
    Column("next_at", BigInteger, nullable=False),
)
