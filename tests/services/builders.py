"""A marketing team's workspace in the domain's words, arranged through the use cases."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from services.carriers.ports import Limits, Receipt
from services.confirm import Confirmations
from services.content import ApplicationDeclaration, Content, SignatureDeclaration, TemplateDeclaration
from services.content_changes import ContentChanges, SignatureForm, TemplateForm
from services.content_lists import ContentLists, ListedSignature, ListedTemplate
from services.database import Database
from services.dispatch import Claim, Dispatch, Sender
from services.draft_tests import DraftTests
from services.groups import Group, Groups, resize
from services.imports import Import, Imports, UploadedFile
from services.models import group_member
from services.posts import Posts
from services.previews import Preview, Previews, SendRequest
from services.rate import RateLimit
from services.receipts import Receipts
from services.send_tasks import SendTasks
from services.states import ContentKind, Region, SmsType
from services.task_changes import TaskChanges
from services.task_reports import Task, TaskReports
from tests.services.fakes import FakeCarrier, FakeClock, InlineExecutor

WORKSPACE = "T0SPRING"
CHANNEL = "C0MARKETING"
ANA = "U0ANA"
BEN = "U0BEN"
REQUEST_TIMEOUT = timedelta(seconds=30)
FIRST_NUMBER = 86_138_0000_0001

SIGNATURE = SignatureDeclaration("Spring", "1069000001")
SPRING = TemplateDeclaration("spring", "tpl-1", SmsType.NOTIFICATION, "We open at nine.", "Spring")
SALE = TemplateDeclaration("sale", "tpl-2", SmsType.PROMOTIONAL, "Everything must go.", "Spring")
CODE = TemplateDeclaration("code", "tpl-3", SmsType.VERIFICATION, "Your code is 1234.", "Spring")
PERSONAL = TemplateDeclaration("personal", "tpl-4", SmsType.NOTIFICATION, "Dear ${name}, see you at ${1}.", "Spring")
UNIVERSAL = TemplateDeclaration("hello", "tpl-5", SmsType.NOTIFICATION, "Hello.")
MAINLAND = ApplicationDeclaration(
    "promo-cn", "huawei", Region.MAINLAND, (SIGNATURE,), (SPRING, SALE, CODE, PERSONAL, UNIVERSAL)
)


def numbers(count: int, first: int = FIRST_NUMBER) -> list[int]:
    """Mainland mobiles, one after the other."""
    return list(range(first, first + count))


def identified(content: ListedTemplate | ListedSignature) -> tuple[ContentKind, int]:
    """Which of the two it is, and its id."""
    if isinstance(content, ListedTemplate):
        return ContentKind.TEMPLATE, content.template.id
    return ContentKind.SIGNATURE, content.signature.id


class Marketing:
    """One workspace with an application, its signature and templates, and every use case.

    A second one on the same database with another `workspace_id` is another company.
    """

    def __init__(
        self,
        database: Database,
        *,
        workspace_id: str = WORKSPACE,
        clock: FakeClock | None = None,
        carrier: FakeCarrier | None = None,
        applications: Sequence[ApplicationDeclaration] = (MAINLAND,),
    ) -> None:
        self.database = database
        self.workspace_id = workspace_id
        self.clock = clock or FakeClock()
        self.carrier = carrier or FakeCarrier()
        self.content = Content(database)
        self.declare(*applications)
        self.groups = Groups(database, self.clock)
        self.imports = Imports(database, self.clock)
        limits = {
            each.id: Limits(self.carrier.max_numbers, self.carrier.max_numbers_with_values)
            for each in self.applications.values()
        }
        self.previews = Previews(
            database,
            self.clock,
            self.groups,
            self.content,
            receipts_reach_us=True,
            numbers_per_request=limits,
        )
        self.draft_tests = DraftTests(database, self.clock, limits)
        self.confirmations = Confirmations(database, self.clock, self.previews, limits)
        self.tasks = SendTasks(database, self.clock)
        self.reports = TaskReports(database)
        self.lists = self.lists_with({})
        self.content_changes = ContentChanges(database)
        self.changes = TaskChanges(database, self.clock, self.previews, self.content)
        self.posts = Posts(database, self.clock)
        self.receipts = Receipts(database, self.clock, {self.application_id: self.carrier.opted_out_codes})
        self.sender = self.a_sender()

    def lists_with(self, failovers: Mapping[str, str]) -> ContentLists:
        """The lists, where the settings name these applications to take over from those."""
        ids = {name: each.id for name, each in self.applications.items()}
        return ContentLists(self.database, {ids[one]: ids[other] for one, other in failovers.items()})

    def declare(self, *applications: ApplicationDeclaration) -> None:
        """Start with these settings."""
        self.applications = self.content.declare(self.workspace_id, applications)

    @property
    def application_id(self) -> int:
        """Of the first application."""
        return next(iter(self.applications.values())).id

    def a_sender(self, connections: int = 1, carrier: FakeCarrier | None = None) -> Sender:
        """The application as the dispatch loop sees it, as fast as it can."""
        return Sender(
            self.application_id,
            carrier or self.carrier,
            RateLimit(1_000_000),
            "https://sms.example.com/receipts",
            connections,
        )

    def a_dispatch(self, *senders: Sender, owner: str = "worker", executor: Executor | None = None) -> Dispatch:
        """A worker; the same owner again is the same worker after a restart."""
        return Dispatch(
            self.database,
            self.clock,
            senders or (self.sender,),
            owner=owner,
            executor=executor or InlineExecutor(),
            request_timeout=REQUEST_TIMEOUT,
            jitter=lambda: 1.0,
        )

    def a_group(
        self, name: str = "vip", numbers: Iterable[int] = (), sms_type: SmsType = SmsType.NOTIFICATION
    ) -> Group:
        """A new group of these numbers."""
        group = self.groups.create(self.workspace_id, name, sms_type, ANA)
        return self.join(group, numbers)

    def join(self, group: Group, numbers: Iterable[int]) -> Group:
        """Add numbers as an import would; a real import starts a process to read the file."""
        rows = [(group.id, number, 0, row) for row, number in enumerate(sorted(numbers), start=1)]
        with self.database.write(everyone=True) as tx:
            columns = ["group_id", "number", "import_id", "row"]
            new = self.database.bulk.insert_new(tx, group_member, columns, rows)
            resize(tx, [group.id], new)
            tx.commit()
        return self.groups.by_id(self.workspace_id, group.id)

    def a_template(self, name: str = "autumn", *, by: str = ANA, **values: Any) -> ListedTemplate:
        """One that Ana has added in the channel, and that waits for its approval."""
        form = TemplateForm(
            **{"name": name, "text": "Leaves fall.", "sms_type": SmsType.NOTIFICATION, "code": "tpl-9", **values}
        )
        return self.content_changes.add_template(self.workspace_id, self.application_id, form, CHANNEL, by)

    def a_signature(self, name: str = "Autumn", *, by: str = ANA, **values: Any) -> ListedSignature:
        """The same for a signature."""
        form = SignatureForm(**{"name": name, "channel_number": "1069000009", **values})
        return self.content_changes.add_signature(self.workspace_id, self.application_id, form, CHANNEL, by)

    def approve(self, waiting: ListedTemplate | ListedSignature, *, by: str = BEN) -> None:
        """Ben presses the button."""
        kind, content_id = identified(waiting)
        self.content_changes.decide(self.workspace_id, kind, content_id, waiting.standing.version, by, approve=True)

    def an_import(self, path: Path, group: Group, file_id: str | None = None) -> Import:
        """A file dropped and its group chosen; nothing has been read yet."""
        file_id = file_id or f"F{abs(hash(path))}"
        file = UploadedFile(file_id, path.name, path.stat().st_size, "https://files.example.com/1", CHANNEL, "171.01")
        asked = self.imports.receive(self.workspace_id, file, ANA)
        assert asked is not None
        return self.imports.begin(self.workspace_id, asked.id, group.id)

    def imported(self, path: Path, group: Group, file_id: str | None = None) -> Import:
        """A file taken into a group from beginning to end."""
        return self.imports.run(self.an_import(path, group, file_id), path, lambda progress: None)

    def a_draft(
        self,
        groups: Sequence[str] = ("vip",),
        template: str = "spring",
        *,
        exclude: Sequence[str] = (),
        signature: str | None = None,
        application: str | None = None,
        at: datetime | None = None,
    ) -> Preview:
        """A preview as Ana asks for it."""
        wanted = SendRequest(groups, template, exclude, signature, application, at)
        return self.previews.draft(self.workspace_id, CHANNEL, ANA, wanted)

    def a_confirmed_task(
        self, count: int = 3, *, at: datetime | None = None, group: str = "vip", first: int = FIRST_NUMBER
    ) -> Task:
        """A task to a new group of `count` numbers."""
        self.a_group(group, numbers(count, first))
        return self.confirmed(self.a_draft([group], at=at))

    def confirmed(self, draft: Preview) -> Task:
        """Ana presses the button, and nothing stands in the way."""
        task = self.confirmations.confirm(self.workspace_id, draft.draft_id, ANA)
        assert isinstance(task, Task), task.changed
        return task

    def in_(self, delay: timedelta) -> datetime:
        """A moment from now."""
        return self.clock.now() + delay

    def task(self, task: Task) -> Task:
        """As it is now."""
        return self.reports.get(self.workspace_id, task.number)

    async def send_next(self, dispatch: Dispatch) -> Claim | None:
        """Claim one batch, hand it over and record what came of it."""
        claim = dispatch.claim(self.sender)
        if claim is not None:
            await dispatch.send_batch(claim, self.sender)
        return claim

    async def send_all(self, dispatch: Dispatch | None = None) -> None:
        """Until there is nothing to do now."""
        dispatch = dispatch or self.a_dispatch()
        while await self.send_next(dispatch):
            pass

    def report(self, *received: Receipt) -> None:
        """The carrier reports this, and the tick takes it up."""
        self.receipts.store([(self.application_id, each) for each in received])
        self.receipts.apply()
