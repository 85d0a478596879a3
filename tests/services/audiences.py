"""Sources of recipients, and how a test asks for a preview of a send to one."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from sqlalchemy import Row, insert, select

from services.content import ApplicationDeclaration, TemplateDeclaration
from services.database import Database
from services.errors import NotAllowed
from services.models import (
    import_row,
    number_import,
    opt_out,
    recipient,
)
from services.previews import Preview, SendRequest
from services.states import Region, SmsType
from services.task_reports import Task
from tests.services.builders import ANA, CHANNEL, MAINLAND, Marketing

ABROAD = ApplicationDeclaration(
    "promo-intl",
    "huawei",
    Region.INTERNATIONAL,
    (),
    (
        TemplateDeclaration("hi", "x", SmsType.NOTIFICATION, "Hi."),
        TemplateDeclaration("offer", "y", SmsType.PROMOTIONAL, "Half price."),
    ),
)
_IDS = count()
LONDON = 44_7400_123_456
HONG_KONG = 852_6412_3456
NEW_YORK = 1_212_555_0100


VOUCHER = TemplateDeclaration("voucher", "tpl-9", SmsType.NOTIFICATION, "Dear {name}, {code}.", "Spring")


def copied(database: Database, task: Task) -> list[Row[Any]]:
    with database.read(everyone=True) as connection:
        query = select(recipient).where(recipient.c.task_id == task.id).order_by(recipient.c.seq)
        return list(connection.execute(query))


def sent_to(database: Database, task: Task) -> list[int]:
    return [row.number for row in copied(database, task)]


def refusal(marketing: Marketing, **wanted: Any) -> NotAllowed:
    with pytest.raises(NotAllowed) as refused:
        asked(marketing, **wanted)
    return refused.value


def asked(marketing: Marketing, template: str = "spring", **wanted: Any) -> Preview:
    request = SendRequest(**{"groups": (), "template": template, **wanted})
    return marketing.previews.draft(marketing.workspace_id, CHANNEL, ANA, request)


def opted_out(marketing: Marketing, *who: int) -> None:
    with marketing.database.write(everyone=True) as tx:
        rows = [(marketing.workspace_id, number, "person", 0) for number in who]
        marketing.database.bulk.insert(tx, opt_out, ["workspace_id", "number", "origin", "at"], rows)
        tx.commit()


def a_file(marketing: Marketing, *rows: tuple[int, str | None], names: str | None = '["Name", "Code"]') -> int:
    """A file read for one send: numbers with their other columns."""
    with marketing.database.write(everyone=True) as tx:
        values = {
            "workspace_id": marketing.workspace_id,
            "channel": CHANNEL,
            "thread_ts": "171.01",
            "file_id": f"F{next(_IDS)}",
            "file_name": "may.xlsx",
            "file_size": 1,
            "file_url": "",
            "uploaded_by": ANA,
            "received_at": marketing.clock.now(),
            "purpose": "send",
            "state": "done",
            "attribute_names": names,
        }
        made = tx.execute(insert(number_import).values(values)).inserted_primary_key
        assert made is not None
        stored = [(made[0], seq, number, seq + 1, attributes) for seq, (number, attributes) in enumerate(rows, start=1)]
        columns = ["import_id", "seq", "number", "row", "attributes"]
        marketing.database.bulk.insert(tx, import_row, columns, stored)
        tx.commit()
    return int(made[0])


def a_shop(database: Database) -> Marketing:
    """A workspace with a text that has variables, and an application for abroad."""
    return Marketing(database, applications=(replace(MAINLAND, templates=(*MAINLAND.templates, VOUCHER)), ABROAD))
