"""Workspaces that remove the bot: nothing is sent in their name until they have it again and somebody says so."""

from __future__ import annotations

from sqlalchemy import select, update

from services.clock import Clock
from services.database import Database
from services.models import send_task, workspace
from services.posts import PostKind, want_post
from services.states import PauseReason, TaskState


class Removals:
    """What becomes of a workspace's tasks when it removes the bot, and when it installs it again."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def removed(self, workspace_id: str) -> int:
        """Pause what is being sent; what is scheduled is paused when it is due. Returns how many were paused."""
        sending = (send_task.c.workspace_id == workspace_id, send_task.c.state == TaskState.SENDING.value)
        paused = {
            "state": TaskState.PAUSED.value,
            "pause_reason": PauseReason.UNINSTALLED.value,
            "pause_code": None,
            "paused_by": None,
            "version": send_task.c.version + 1,
        }
        gone = update(workspace).where(workspace.c.id == workspace_id, workspace.c.removed_at.is_(None))
        with self._database.write(workspace_id) as tx:
            tx.execute(gone.values(removed_at=self._clock.now()))
            count = tx.execute(update(send_task).where(*sending).values(paused)).rowcount
            tx.commit()
        return count

    def installed(self, workspace_id: str) -> int:
        """The workspace has the bot again: ask about each task that was paused for this. Returns how many."""
        waiting = select(send_task.c.id, send_task.c.channel).where(
            send_task.c.workspace_id == workspace_id,
            send_task.c.state == TaskState.PAUSED.value,
            send_task.c.pause_reason == PauseReason.UNINSTALLED.value,
        )
        back = update(workspace).where(workspace.c.id == workspace_id, workspace.c.removed_at.is_not(None))
        with self._database.write(workspace_id) as tx:
            if tx.execute(back.values(removed_at=None)).rowcount == 0:
                # Installing it once more, as for new scopes, asks nothing.
                return 0
            rows = tx.execute(waiting.order_by(send_task.c.id)).all()
            for row in rows:
                want_post(tx, workspace_id, row.channel, PostKind.LATE, row.id)
            tx.commit()
        return len(rows)
