"""What services answer with, made by hand where a view or a sentence needs an extreme one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from handlers.content import Contents
from handlers.requests import Click, Command, Submission, Upload
from handlers.tasks import Tasks
from services.carriers.ports import SyncsContent
from services.content import Template
from services.content_changes import ContentChanges
from services.content_sync import ContentSync
from services.groups import NAME_LIMIT, Group
from services.imports import Import, UploadedFile
from services.previews import Preview
from services.states import ImportState, Region, SmsType, TaskState
from services.task_files import TaskFiles
from services.task_lists import TaskLists
from services.task_messages import TaskMessages
from services.task_reports import Task
from tests.services.builders import ANA, CHANNEL, WORKSPACE, Marketing
from tests.services.fakes import MORNING

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
MILLION = 1_000_000
EVIL = "<!channel> & co"
# The longest names there can be, of the characters that grow when they are escaped or end a bold.
LONGEST = [("<>&*" * NAME_LIMIT)[:NAME_LIMIT], "&" * NAME_LIMIT, "`_~*" * (NAME_LIMIT // 4), "群" * NAME_LIMIT, EVIL]

# Ana, in Madrid, in a channel the bot is in, when the builders' clock stands still.
ANA_HERE: dict[str, Any] = {
    "workspace": WORKSPACE,
    "person": ANA,
    "zone": ZoneInfo("Europe/Madrid"),
    "channel": CHANNEL,
    "now": MORNING,
}


def tasks_of(marketing: Marketing) -> Tasks:
    """What everything about send tasks works on."""
    return Tasks(
        marketing.tasks,
        marketing.reports,
        marketing.changes,
        TaskLists(marketing.database),
        TaskMessages(marketing.database),
        TaskFiles(marketing.database),
    )


def typed(text: str, name: str = "/sms-send", **values: Any) -> Command:
    """Ana types a command."""
    return Command(**{**ANA_HERE, "name": name, "text": text, **values})


def clicked(value: object, **values: Any) -> Click:
    """Ana presses a button or chooses an option."""
    return Click(**{**ANA_HERE, "value": str(value), **values})


def sent(context: object = "", **fields: object) -> Submission:
    """Ana sends a form; a tuple is what she chose where several can be."""
    lists = {key: tuple(map(str, value)) for key, value in fields.items() if isinstance(value, tuple)}
    values = {key: "" if key in lists else str(value) for key, value in fields.items()}
    return Submission(**ANA_HERE, values=values, lists=lists, context=str(context))


def dropped(name: str = "customers.xlsx", text: str = "", **values: Any) -> Upload:
    """Ana drops a file, with some text beside it."""
    defaults = {"file_id": "F1", "file_size": 1000, "file_url": "https://files.slack.com/1", "ts": "171.01"}
    return Upload(**{**ANA_HERE, **defaults, "file_name": name, "text": text, **values})


def a_group(name: str = "vip", **values: Any) -> Group:
    """A group of a million."""
    defaults = {"id": 1, "sms_type": SmsType.NOTIFICATION, "size": MILLION, "created_by": "U0ANA", "created_at": NOW}
    return Group(**{"name": name, **defaults, **values})


def a_template(name: str = "spring", **values: Any) -> Template:
    """An approved template."""
    defaults: dict[str, Any] = {
        "id": 1,
        "code": "tpl-1",
        "sms_type": SmsType.NOTIFICATION,
        "text": "We open at nine.",
        "application_id": 1,
        "application": "promo-cn",
        "region": Region.MAINLAND,
        "signature_id": 1,
        "signature": "Spring",
    }
    return Template(**{"name": name, **defaults, **values})


def an_import(file_name: str = "customers.xlsx", **values: Any) -> Import:
    """An import that is done."""
    defaults: dict[str, Any] = {
        "id": 7,
        "workspace_id": "T0SPRING",
        "file": UploadedFile("F1", file_name, 1000, "https://files.slack.com/1", "C0MARKETING", "171.01"),
        "uploaded_by": "U0ANA",
        "group_id": 1,
        "group": "vip",
        "state": ImportState.DONE,
        "rows": 12_888,
        "imported": 12_480,
        "already_in_group": 0,
        "duplicates": 312,
        "invalid": 96,
        "set_aside": 0,
        "by_country_code": 0,
        "failure": None,
        "started_at": NOW,
        "finished_at": NOW + timedelta(seconds=3),
    }
    return Import(**{**defaults, **values})


def a_preview(**values: Any) -> Preview:
    """A preview for now."""
    defaults: dict[str, Any] = {
        "draft_id": 5,
        "groups": ["vip"],
        "excluded": [],
        "template": "spring",
        "sms_type": SmsType.NOTIFICATION,
        "application": "promo-cn",
        "region": Region.MAINLAND,
        "signature": "Spring",
        "text": "【Spring】We open at nine.",
        "recipients": 12_480,
        "outside_region": 0,
        "segments_each": 1,
        "segments": 12_480,
        "numbers": 12_480,
        "at": None,
        "outside_hours": 0,
        "receipts_reach_us": True,
    }
    return Preview(**{**defaults, **values})


def a_task(state: TaskState = TaskState.FINISHED, **values: Any) -> Task:
    """A task to 12,480 customers; by default all of them delivered."""
    defaults: dict[str, Any] = {
        "id": 9,
        "number": 42,
        "name": "",
        "state": state,
        "channel": "C0MARKETING",
        "template": "spring",
        "application": "promo-cn",
        "signature": "Spring",
        "groups": ("vip",),
        "excluded": (),
        "text": "【Spring】We open at nine.",
        "segments_each": 1,
        "recipients": 12_480,
        "confirmed_by": "U0ANA",
        "confirmed_at": NOW,
        "scheduled_at": None,
        "started_at": NOW,
        "finished_at": NOW + timedelta(seconds=65),
        "ended_by": None,
        "trouble": None,
        "handed_over": 12_480,
        "accepted": 12_480,
        "refused": 0,
        "delivered": 12_480,
        "failed": 0,
        "held_back": 0,
        "skipped": 0,
        "version": 3,
    }
    return Task(**{**defaults, **values})


def contents_of(marketing: Marketing, carriers: Mapping[int, SyncsContent] | None = None) -> Contents:
    """What `/sms-templates` works on, with these carriers that list their content."""
    changes = ContentChanges(marketing.database, carriers or {})
    sync = ContentSync(marketing.database, marketing.clock, carriers or {})
    return Contents(
        marketing.lists, changes, sync, lambda application_id, token: f"https://sms/{application_id}/{token}"
    )
