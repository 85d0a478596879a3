"""What people answer to an SMS: kept once, its wish followed; anything else is owed to the thread of its task."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection, delete, exists, select

from services import reply_words
from services.carriers import ports
from services.clock import Clock
from services.database import Database
from services.models import application, opt_out, post, reply, send_task, to_milliseconds
from services.opt_outs import Origin, add_opt_outs
from services.pool import last_task_to
from services.posts import PostKind, want_post

log = structlog.get_logger()

# A reply is about a task that wrote to its number no longer ago than this.
REPLY_WINDOW = timedelta(hours=72)
# The carrier's clock may be behind ours by so much, and the answer to our request is recorded after it was sent.
_CLOCKS_DIFFER = timedelta(minutes=5)
# More than any SMS holds, however many segments it has.
TEXT_LIMIT = 4000

_COLUMNS = ["application_id", "number", "text", "sms_id", "at", "received_at", "task_id", "opts_out"]


@dataclass(frozen=True, slots=True)
class Reply:
    """What somebody answered, and when."""

    id: int
    number: int
    text: str
    at: datetime


class Replies:
    """The replies to every workspace."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def store(self, received: Sequence[tuple[int, ports.Reply]]) -> int:
        """Keep (application id, reply) pairs, durably, and follow what they ask for. Returns how many were new."""
        now = self._clock.now()
        with self._database.write(everyone=True) as tx:
            new = sum(self._store(tx, application_id, each, now) for application_id, each in received)
            tx.commit()
        log.info("replies.stored", new=new, known=len(received) - new)
        return new

    def by_id(self, reply_id: int) -> Reply:
        """One that is there: no reply is ever deleted."""
        with self._database.read(everyone=True) as connection:
            row = connection.execute(select(reply).where(reply.c.id == reply_id)).one()
        return Reply(row.id, row.number, row.text, row.at)

    def _store(self, tx: Connection, application_id: int, heard: ports.Reply, now: datetime) -> bool:
        workspace_id = tx.execute(
            select(application.c.workspace_id).where(application.c.id == application_id)
        ).scalar_one()
        text, at = _clean(heard.text), min(heard.at or now, now)
        wish = reply_words.opts_out(text) if heard.opts_out is None else heard.opts_out
        sms_id = _clean(heard.sms_id) or _made_id(heard.number, text, at)
        since, until = at - REPLY_WINDOW, at + _CLOCKS_DIFFER
        task_id = last_task_to(tx, workspace_id, heard.number, since, until)
        values = (
            application_id,
            heard.number,
            text,
            sms_id,
            to_milliseconds(at),
            to_milliseconds(now),
            task_id,
            wish,
        )
        if not self._database.bulk.insert_new(tx, reply, _COLUMNS, [values]):
            return False
        if wish is not None:
            self._follow(tx, workspace_id, heard.number, at, out=wish)
        elif task_id is not None:
            _owe_to_thread(tx, workspace_id, task_id, application_id, sms_id)
        return True

    def _follow(self, tx: Connection, workspace_id: str, number: int, at: datetime, *, out: bool) -> None:
        """Carriers try again later, so that an older word may come after a newer one: the newest counts."""
        if tx.execute(select(_said_later(workspace_id, number, at))).scalar():
            return
        if out:
            add_opt_outs(tx, self._database.bulk, workspace_id, [number], Origin.REPLY, at)
            return
        # What was put on the list after the person wrote this stays.
        mine = (opt_out.c.workspace_id == workspace_id, opt_out.c.number == number, opt_out.c.at <= at)
        tx.execute(delete(opt_out).where(*mine))


def _said_later(workspace_id: str, number: int, at: datetime) -> Any:
    return exists().where(
        reply.c.number == number,
        reply.c.opts_out.is_not(None),
        reply.c.at > at,
        application.c.id == reply.c.application_id,
        application.c.workspace_id == workspace_id,
    )


def _owe_to_thread(tx: Connection, workspace_id: str, task_id: int, application_id: int, sms_id: str) -> None:
    """Unless the task's own post never came to be, as in a channel that is gone."""
    thread = select(post.c.ts, post.c.closed).where(post.c.kind == PostKind.TASK.value, post.c.subject_id == task_id)
    found = tx.execute(thread).first()
    if found is None or (found.closed and found.ts is None):
        return
    mine = select(reply.c.id).where(reply.c.application_id == application_id, reply.c.sms_id == sms_id)
    channel = select(send_task.c.channel).where(send_task.c.id == task_id)
    want_post(tx, workspace_id, tx.execute(channel).scalar_one(), PostKind.REPLY, tx.execute(mine).scalar_one())


def _clean(text: str) -> str:
    """What both databases take: PostgreSQL's text holds no NUL, and neither holds half a surrogate pair."""
    return text[:TEXT_LIMIT].replace("\0", "").encode("utf-8", "replace").decode()


def _made_id(number: int, text: str, at: datetime) -> str:
    """For a carrier that gives none. Without its time either, a callback that comes again counts as another reply,
    which is better than taking a second STOP for the first."""
    return hashlib.sha256(f"{number}\n{at.isoformat()}\n{text}".encode()).hexdigest()
