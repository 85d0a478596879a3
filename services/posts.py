"""What the bot owes a channel: one message per kind and subject, posted once and then kept up to date."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    Connection,
    FromClause,
    Row,
    Update,
    and_,
    exists,
    func,
    null,
    or_,
    select,
    update,
)

from services.clock import Clock
from services.database import Database
from services.models import (
    number_import,
    post,
    reply,
    send_task,
    signature,
    template,
    to_milliseconds,
)
from services.settling import window_closes_at
from services.states import RESULT_AFTER


class PostKind(StrEnum):
    """What a post is about: for IMPORT and REJECTS (a file in its thread) an import, for REPLY (in the thread of its
    task's post) a reply, for TEMPLATE and SIGNATURE what waits for approval, else a send task."""

    IMPORT = "import"
    REJECTS = "rejects"
    TASK = "task"
    RESULT = "result"
    LATE = "late"
    REPLY = "reply"
    PAUSED = "paused"
    TEMPLATE = "template"
    SIGNATURE = "signature"


_IMPORTS = (PostKind.IMPORT, PostKind.REJECTS)
_TASKS = (PostKind.TASK, PostKind.RESULT, PostKind.LATE, PostKind.PAUSED)
_TEMPLATES = (PostKind.TEMPLATE,)
_SIGNATURES = (PostKind.SIGNATURE,)


@dataclass(frozen=True, slots=True)
class Post:
    """A post that Slack does not have yet (`ts` None), or has in an older `version`.

    `posting_at` with no `ts`: a process was about to post it and died; Slack may have it. `thread_ts` is the message it
    hangs on, None for a post of its own.
    """

    id: int
    workspace_id: str
    channel: str
    kind: PostKind
    subject_id: int
    ts: str | None
    posting_at: datetime | None
    version: int
    thread_ts: str | None = None


# A reply waits until its task's post is in the channel.
_THREAD = post.alias("thread")
_IS_THREAD = and_(_THREAD.c.kind == PostKind.TASK.value, _THREAD.c.subject_id == reply.c.task_id)
_NEXT_REPLIES = (
    select(func.min(post.c.id))
    .join(reply, reply.c.id == post.c.subject_id)
    .join(_THREAD, _IS_THREAD)
    .where(~post.c.closed, post.c.ts.is_(None), post.c.kind == PostKind.REPLY.value, _THREAD.c.ts.is_not(None))
    .group_by(post.c.channel)
)


class Posts:
    """The posts owed to channels."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def due(self) -> list[Post]:
        """Those that do not show what is true now, oldest first; replies last, and of each channel only the next."""
        subjects = ((send_task, _TASKS), (number_import, _IMPORTS), (template, _TEMPLATES), (signature, _SIGNATURES))
        version = func.coalesce(*(table.c.version for table, _ in subjects), 0)
        owed: FromClause = post
        for table, kinds in subjects:
            is_about = and_(post.c.kind.in_([kind.value for kind in kinds]), table.c.id == post.c.subject_id)
            owed = owed.outerjoin(table, is_about)
        is_reply = post.c.kind == PostKind.REPLY.value
        query = (
            select(post, version.label("version"), _THREAD.c.ts.label("thread_ts"))
            .select_from(owed)
            .outerjoin(reply, and_(is_reply, reply.c.id == post.c.subject_id))
            .outerjoin(_THREAD, _IS_THREAD)
            .where(~post.c.closed, or_(post.c.ts.is_(None), post.c.shown_version < version))
            .where(or_(~is_reply, post.c.id.in_(_NEXT_REPLIES)))
            .order_by(is_reply, post.c.id)
        )
        with self._database.read(everyone=True) as connection:
            return [_post(row) for row in connection.execute(query)]

    def open_imports(self) -> list[Post]:
        """The posts of imports under way, whose progress is shown though nothing is stored yet."""
        query = select(post, post.c.shown_version.label("version"), null().label("thread_ts")).where(
            ~post.c.closed, post.c.kind == PostKind.IMPORT.value, post.c.ts.is_not(None)
        )
        with self._database.read(everyone=True) as connection:
            return [_post(row) for row in connection.execute(query)]

    def begin(self, post_id: int) -> None:
        """Note that Slack is about to be asked, so that a crash in between is noticed."""
        self._set(post_id, posting_at=self._clock.now())

    def shown(self, post_id: int, ts: str, version: int, *, closed: bool) -> None:
        """Slack shows this version. A closed post is never touched again."""
        self._set(post_id, ts=ts, shown_version=version, posting_at=None, closed=closed)

    def give_up(self, post_id: int) -> None:
        """Slack will never take it (the channel is gone, or the bot was removed from it)."""
        self._set(post_id, closed=True)

    def want_results(self) -> int:
        """Owe each finished task its result: when all is final, or 3 minutes after its last request.

        Returns how many came due.
        """
        now = self._clock.now()
        unknown = send_task.c.handed_over - send_task.c.refused - send_task.c.delivered - send_task.c.failed
        due = select(send_task.c.id, send_task.c.workspace_id, send_task.c.channel).where(
            ~send_task.c.result_wanted,
            send_task.c.finished_at.is_not(None),
            send_task.c.handed_over + send_task.c.skipped > 0,
            or_(unknown <= 0, send_task.c.finished_at <= now - RESULT_AFTER),
        )
        with self._database.read(everyone=True) as connection:
            if not connection.execute(select(exists(due))).scalar():
                return 0
        with self._database.write(everyone=True) as tx:
            rows = tx.execute(due).all()
            for row in rows:
                tx.execute(update(send_task).where(send_task.c.id == row.id).values(result_wanted=True))
                want_post(tx, row.workspace_id, row.channel, PostKind.RESULT, row.id)
            tx.commit()
        return len(rows)

    def close_receipt_windows(self) -> int:
        """Let the posts of tasks whose carrier's receipt window has closed say so, which is the last they say.

        Returns how many tasks.
        """
        now = to_milliseconds(self._clock.now())
        with self._database.write(everyone=True) as tx:
            closed = tx.execute(
                update(send_task)
                .where(~send_task.c.receipts_over, send_task.c.finished_at.is_not(None), window_closes_at() < now)
                .values(receipts_over=True, version=send_task.c.version + 1)
            ).rowcount
            tx.commit()
        return closed

    def _set(self, post_id: int, **values: object) -> None:
        with self._database.write(everyone=True) as tx:
            tx.execute(update(post).where(post.c.id == post_id).values(**values))
            tx.commit()


def want_post(tx: Connection, workspace_id: str, channel: str, kind: PostKind, subject_id: int) -> None:
    """Owe the channel a post, in the transaction that makes it true.

    Where there was one before, that one stays as it is, and nothing edits it any more.
    """
    afresh = {"channel": channel, "ts": None, "posting_at": None, "shown_version": None, "closed": False}
    if tx.execute(_of_subject(workspace_id, kind, subject_id).values(**afresh)).rowcount:
        return
    tx.execute(post.insert().values(workspace_id=workspace_id, channel=channel, kind=kind.value, subject_id=subject_id))


def show_again(tx: Connection, workspace_id: str, kind: PostKind, subject_id: int) -> None:
    """Bring a closed post up to date once more, in the transaction that changes what it shows."""
    tx.execute(_of_subject(workspace_id, kind, subject_id).values(closed=False))


def _of_subject(workspace_id: str, kind: PostKind, subject_id: int) -> Update:
    return update(post).where(
        post.c.workspace_id == workspace_id, post.c.kind == kind.value, post.c.subject_id == subject_id
    )


def _post(row: Row[Any]) -> Post:
    return Post(
        id=row.id,
        workspace_id=row.workspace_id,
        channel=row.channel,
        kind=PostKind(row.kind),
        subject_id=row.subject_id,
        ts=row.ts,
        posting_at=row.posting_at,
        version=row.version,
        thread_ts=row.thread_ts,
    )
