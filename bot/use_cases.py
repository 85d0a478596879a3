"""The use cases, made once for a process that serves Slack: what `handlers/routes.py` hands to handlers by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.carriers import numbers_per_request
from bot.sending import Connected, failovers
from bot.web import receipts_path
from handlers.content import Contents
from handlers.enter import Entering
from handlers.groups import Grouping
from handlers.imports import Importing
from handlers.routes import help_lines
from handlers.send import Sending
from handlers.tasks import Tasks
from services.carriers.ports import Limits, SyncsContent
from services.clock import Clock
from services.confirm import Confirmations
from services.content import Content
from services.content_changes import ContentChanges
from services.content_lists import ContentLists
from services.content_sync import ContentSync
from services.database import Database
from services.default_regions import DefaultRegions
from services.draft_tests import DraftTests
from services.entries import Entries
from services.group_changes import GroupChanges
from services.group_exports import GroupExports
from services.groups import Groups
from services.imports import Imports
from services.opt_outs import OptOuts
from services.pool import Pool
from services.posts import Posts
from services.previews import Previews
from services.receipts import Receipts
from services.replies import Replies
from services.send_tasks import SendTasks
from services.task_changes import TaskChanges
from services.task_files import TaskFiles
from services.task_lists import TaskLists
from services.task_messages import TaskMessages
from services.task_reports import TaskReports


@dataclass(frozen=True, slots=True)
class Services:
    """Every use case, by the names `handlers/routes.py` uses where a handler takes it."""

    importing: Importing
    sending: Sending
    groups: Grouping
    entering: Entering
    pool: Pool
    tasks: Tasks
    contents: Contents
    help: list[tuple[str, str]]
    posts: Posts
    receipts: Receipts
    replies: Replies
    opt_outs: OptOuts

    def by_name(self) -> dict[str, object]:
        """As the edge looks them up."""
        return {name: getattr(self, name) for name in Services.__slots__}


def make_services(
    database: Database,
    clock: Clock,
    connected: Sequence[Connected],
    public_url: str | None,
    regions: DefaultRegions,
) -> Services:
    """Carriers report to `public_url`; without one they cannot, and the preview says so."""
    groups, content, imports = Groups(database, clock), Content(database), Imports(database, clock, regions)
    limits = {each.address.application_id: _limits(each, connected) for each in connected}
    per_request = {
        each.address.application_id: numbers_per_request(each.settings, limits[each.address.application_id])
        for each in connected
    }
    previews = Previews(
        database,
        clock,
        groups,
        content,
        receipts_reach_us=public_url is not None,
        numbers_per_request=per_request,
    )
    return Services(
        importing=Importing(imports, groups),
        sending=Sending(
            previews=previews,
            confirmations=Confirmations(database, clock, previews, limits),
            tests=DraftTests(database, clock, limits),
            groups=groups,
            content=content,
            imports=imports,
        ),
        groups=Grouping(groups, GroupChanges(database, clock), GroupExports(database)),
        entering=Entering(Entries(database, clock), groups, imports),
        pool=Pool(database),
        contents=_contents(database, clock, connected, public_url),
        tasks=Tasks(
            SendTasks(database, clock),
            TaskReports(database),
            TaskChanges(database, clock, previews, content),
            TaskLists(database),
            TaskMessages(database),
            TaskFiles(database),
        ),
        help=help_lines(),
        posts=Posts(database, clock),
        receipts=Receipts(
            database, clock, {each.address.application_id: each.carrier.opted_out_codes for each in connected}
        ),
        replies=Replies(database, clock),
        opt_outs=OptOuts(database, clock),
    )


def _contents(database: Database, clock: Clock, connected: Sequence[Connected], public_url: str | None) -> Contents:
    synced = {each.address.application_id: each.carrier for each in connected if isinstance(each.carrier, SyncsContent)}

    def receipts_address(application_id: int, token: str) -> str:
        return f"{public_url or ''}{receipts_path(application_id, token)}"

    return Contents(
        ContentLists(database, failovers(connected)),
        ContentChanges(database, synced),
        ContentSync(database, clock, synced),
        receipts_address,
    )


def _limits(one: Connected, connected: Sequence[Connected]) -> Limits:
    """A batch must fit where it may go, too."""
    both = [one.carrier, *(each.carrier for each in connected if each.is_failover_of(one))]
    return Limits(min(each.max_numbers for each in both), min(each.max_numbers_with_values for each in both))
