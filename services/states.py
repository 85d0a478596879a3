"""The states of a send task, a batch and an import, and which may follow which; pure.

Source of the rules: the consoles' guides (cancel until 5 minutes before, 24 h, no recurring) and what neither has
(stop at any second, ask after downtime, unknown).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

CANCEL_MARGIN = timedelta(minutes=5)
LATE_AFTER = timedelta(minutes=15)
EXPIRES_AFTER = timedelta(hours=24)
RESULT_AFTER = timedelta(minutes=3)
RECEIPT_WINDOW = timedelta(hours=72)


class TaskState(StrEnum):
    """Where a send task stands. A person sees these words."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    SENDING = "sending"
    PAUSED = "paused"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    STOPPED = "stopped"
    EXPIRED = "expired"

    def may_become(self, other: TaskState) -> bool:
        """Whether a rule leads from this state to `other`."""
        return other in _NEXT[self]

    @property
    def is_over(self) -> bool:
        """No request will leave for it any more; receipts may still come."""
        return not _NEXT[self]


_NEXT: dict[TaskState, frozenset[TaskState]] = {
    TaskState.DRAFT: frozenset({TaskState.SCHEDULED, TaskState.SENDING}),
    TaskState.SCHEDULED: frozenset(
        {TaskState.SENDING, TaskState.PAUSED, TaskState.CANCELLED, TaskState.STOPPED, TaskState.EXPIRED}
    ),
    TaskState.SENDING: frozenset({TaskState.PAUSED, TaskState.FINISHED, TaskState.STOPPED}),
    TaskState.PAUSED: frozenset(
        {TaskState.SCHEDULED, TaskState.SENDING, TaskState.FINISHED, TaskState.STOPPED, TaskState.EXPIRED}
    ),
    TaskState.FINISHED: frozenset(),
    TaskState.CANCELLED: frozenset(),
    TaskState.STOPPED: frozenset(),
    TaskState.EXPIRED: frozenset(),
}


class BatchState(StrEnum):
    """Where one request's range of messages stands."""

    PLANNED = "planned"
    SENDING = "sending"
    DONE = "done"
    UNKNOWN = "unknown"
    CANCELLED = "cancelled"


class ImportState(StrEnum):
    """Where an import stands. `asked` waits for a person to choose the group, `waiting` for the column."""

    ASKED = "asked"
    RUNNING = "running"
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNDONE = "undone"


class PauseReason(StrEnum):
    """Why a task is paused: it was late after downtime, a person paused it, too many of its messages were refused, the
    carrier would not take the rest either (the account is out of funds, in arrears, blocked; not at this hour; an error
    page in the place of its answer), the workspace had removed the bot, or the database was restored from an older
    copy. That stays with a task that had begun by then: what it had not sent is unknown.
    """

    LATE = "late"
    PERSON = "person"
    REFUSALS = "refusals"
    ACCOUNT = "account"
    RESTORED = "restored"
    UNINSTALLED = "uninstalled"


class Source(StrEnum):
    """Where a send task's recipients come from."""

    GROUPS = "groups"
    POOL = "pool"
    FILE = "file"
    TYPED = "typed"
    RESEND = "resend"


class ApprovalStatus(StrEnum):
    """Where a signature or a template stands; only an approved one can be chosen."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    DISABLED = "disabled"


class ContentKind(StrEnum):
    """What is approved before it can be chosen."""

    TEMPLATE = "template"
    SIGNATURE = "signature"


class ContentOrigin(StrEnum):
    """Whose word a signature's or a template's status is: the settings', a person's in Slack, or the carrier's."""

    SETTINGS = "settings"
    CHANNEL = "channel"
    CARRIER = "carrier"


class SmsType(StrEnum):
    """What a text is for. A group has one and a template has one, and they must be equal."""

    PROMOTIONAL = "promotional"
    NOTIFICATION = "notification"
    VERIFICATION = "verification"


class Region(StrEnum):
    """Where an application may send."""

    MAINLAND = "mainland"
    INTERNATIONAL = "international"


def due_state(scheduled_at: datetime, now: datetime) -> TaskState:
    """What a scheduled task becomes at `now`: a late one is asked about, a day-old one expires (no surprises)."""
    late = now - scheduled_at
    if late < timedelta(0):
        return TaskState.SCHEDULED
    if late <= LATE_AFTER:
        return TaskState.SENDING
    return TaskState.PAUSED if late <= EXPIRES_AFTER else TaskState.EXPIRED


def may_cancel(scheduled_at: datetime, now: datetime) -> bool:
    """Whether a scheduled task is still free to cancel: until 5 minutes before its time, as in the console."""
    return scheduled_at - now >= CANCEL_MARGIN
