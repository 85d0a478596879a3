"""A workspace with a task, made through the use cases, for whatever measures sending."""

from __future__ import annotations

from datetime import datetime

from services.carriers.huawei import MAX_NUMBERS
from services.carriers.ports import Limits
from services.clock import SystemClock
from services.confirm import Confirmations
from services.content import ApplicationDeclaration, Content, SignatureDeclaration, TemplateDeclaration
from services.database import Database
from services.groups import Groups
from services.models import customer_group, group_member
from services.previews import Preview, Previews, SendRequest
from services.send_tasks import SendTasks
from services.states import Region, SmsType
from services.task_reports import Task

WORKSPACE, CHANNEL, PERSON = "T0BENCH", "C0BENCH", "U0BENCH"
FIRST_NUMBER = 8613000000000


class Desk:
    """The use cases around one application of Huawei's, on a database that is brought up to date."""

    def __init__(self, database: Database) -> None:
        database.migrate()
        clock = SystemClock()
        self._database = database
        self.application_id = declare(database)
        self._groups = Groups(database, clock)
        self._previews = Previews(database, clock, self._groups, Content(database), receipts_reach_us=True)
        self.tasks = SendTasks(database, clock)
        limits = {self.application_id: Limits(MAX_NUMBERS, MAX_NUMBERS)}
        self._confirmations = Confirmations(database, clock, self._previews, limits)

    def group(self, size: int, name: str = "vip") -> None:
        """A new group of so many numbers."""
        group = self._groups.create(WORKSPACE, name, SmsType.NOTIFICATION, PERSON)
        with self._database.write() as tx:
            rows = ((group.id, number, 0, 0) for number in range(FIRST_NUMBER, FIRST_NUMBER + size))
            self._database.bulk.insert(tx, group_member, ["group_id", "number", "import_id", "row"], rows)
            tx.execute(customer_group.update().where(customer_group.c.id == group.id).values(size=size))
            tx.commit()

    def draft(self, at: datetime | None = None, group: str = "vip") -> Preview:
        """What is shown before it is confirmed."""
        return self._previews.draft(WORKSPACE, CHANNEL, PERSON, SendRequest(groups=[group], template="spring", at=at))

    def confirm(self, draft: Preview) -> Task:
        """Somebody presses the button."""
        task = self._confirmations.confirm(WORKSPACE, draft.draft_id, PERSON)
        assert isinstance(task, Task), task
        return task


def declare(database: Database) -> int:
    """The application's id."""
    declared = ApplicationDeclaration(
        name="bench",
        carrier="huawei",
        region=Region.MAINLAND,
        signatures=[SignatureDeclaration("云帆咖啡", "csms100000001")],
        templates=[
            TemplateDeclaration(
                "spring", "8ff55eac", SmsType.NOTIFICATION, "春季营业时间：每天 08:00–22:00。", "云帆咖啡"
            )
        ],
    )
    return Content(database).declare(WORKSPACE, [declared])["bench"].id
