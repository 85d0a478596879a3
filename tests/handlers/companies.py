"""Two companies on one database, each with one of everything, under names and numbers that nobody mistakes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Table, delete, select

from handlers.content import Contents
from handlers.enter import Entering
from handlers.groups import Grouping
from handlers.imports import Importing
from handlers.routes import help_lines
from handlers.send import Sending
from services.carriers.ports import Limits, Reply
from services.confirm import Confirmations
from services.content import ApplicationDeclaration, SignatureDeclaration, TemplateDeclaration
from services.content_changes import ContentChanges
from services.content_lists import ListedSignature, ListedTemplate
from services.content_sync import ContentSync
from services.database import Database
from services.draft_tests import DraftTests
from services.entries import Entries, check_lines
from services.group_changes import GroupChanges
from services.group_exports import GroupExports
from services.groups import Group
from services.imports import Import, UploadedFile
from services.models import metadata
from services.opt_outs import OptOuts
from services.pool import Pool
from services.replies import Replies
from services.states import Region, SmsType
from services.task_reports import Task
from tests.handlers.samples import tasks_of
from tests.services.builders import CHANNEL, Marketing, numbers
from tests.services.fakes import MORNING, FakeClock, refuse
from tests.services.files import a_csv

Rows = dict[str, list[tuple[object, ...]]]


@dataclass(frozen=True, slots=True)
class Company:
    """What a company has. `word` is in all of its names and texts, and all of its numbers begin with `stem`."""

    workspace_id: str
    person: str
    word: str
    stem: str
    application_id: int
    vip: Group
    second: Group
    ads: Group
    asked: Import
    running: Import
    waiting: Import
    done: Import
    for_send: Import
    typed: Import
    drafts: tuple[int, ...]
    tasks: tuple[Task, ...]
    finished: Task
    extra: tuple[int, ...]
    pending: ListedTemplate
    spring: int
    pending_signature: ListedSignature
    signature: int
    opted_out: int

    @property
    def number(self) -> int:
        """One that is in a group and was written to."""
        return int(f"{self.stem}0001")


def a_company(database: Database, folder: Path, word: str, stem: str, more_tasks: int) -> Company:
    """Made through the use cases. `more_tasks` are those whose numbers another company does not have."""
    clock = FakeClock(MORNING)
    market = Marketing(database, workspace_id=f"T0{word.upper()}", clock=clock, applications=(_application(word),))
    workspace, by = market.workspace_id, f"U0{word.upper()}"
    first = int(f"{stem}0001")
    vip = market.a_group(f"{word}vip", numbers(6, first))
    second = market.a_group(f"{word}second", numbers(3, first + 100))
    ads = market.a_group(f"{word}ads", numbers(3, first + 200), SmsType.PROMOTIONAL)
    finished = market.confirmed(market.a_draft([vip.name], f"{word}spring"))
    market.carrier.will(refuse(first))
    asyncio.run(market.send_all())
    tasks = [finished, *_tasks_in_every_state(market, vip.name, f"{word}spring")]
    extra = [market.confirmed(market.a_draft([vip.name], f"{word}spring", at=market.in_(timedelta(days=9))))]
    extra += [
        market.confirmed(market.a_draft([vip.name], f"{word}spring", at=market.in_(timedelta(days=9))))
        for _ in range(more_tasks - 1)
    ]
    Replies(database, clock).store([(market.application_id, Reply(first, f"{word} answers", at=clock.now()))])
    OptOuts(database, clock).add(workspace, first + 250, by)
    files = _Files(market, folder, word, stem, by)
    done = market.imports.run(files.begun("done", vip), files.path("done"), lambda _progress: None)
    typed = Entries(database, clock).enter(workspace, vip.id, check_lines(f"{first + 301}\n010 6234 5678"), CHANNEL, by)
    drafts = (
        market.a_draft([vip.name], f"{word}spring"),
        market.a_draft([ads.name], f"{word}sale"),
        market.a_draft([vip.name], f"{word}spring", exclude=[second.name]),
    )
    known = market.lists.signatures_of(workspace, market.application_id)
    return Company(
        workspace_id=workspace,
        person=by,
        word=word,
        stem=stem,
        application_id=market.application_id,
        vip=vip,
        second=second,
        ads=ads,
        asked=files.asked("asked"),
        running=files.begun("running", second),
        waiting=files.waiting(second),
        done=done,
        for_send=files.for_send(),
        typed=typed,
        drafts=tuple(each.draft_id for each in drafts),
        tasks=tuple(market.task(each) for each in tasks),
        finished=finished,
        extra=tuple(each.number for each in extra),
        pending=market.a_template(f"{word}pending", by=by, text=f"{word} waits."),
        spring=next(each.id for each in market.content.templates(workspace) if each.name == f"{word}spring"),
        pending_signature=market.a_signature(f"{word}maybe", by=by),
        signature=known[0].id,
        opted_out=first + 250,
    )


def _application(word: str) -> ApplicationDeclaration:
    signed = SignatureDeclaration(f"{word}sig", "1069000001")
    return ApplicationDeclaration(
        f"{word}app",
        "huawei",
        Region.MAINLAND,
        (signed, SignatureDeclaration(f"{word}other", "1069000002")),
        (
            TemplateDeclaration(f"{word}spring", "tpl-1", SmsType.NOTIFICATION, f"{word} opens.", signed.name),
            TemplateDeclaration(f"{word}sale", "tpl-2", SmsType.PROMOTIONAL, f"{word} sells.", signed.name),
            TemplateDeclaration(f"{word}hello", "tpl-3", SmsType.NOTIFICATION, f"{word} greets."),
        ),
    )


def _tasks_in_every_state(market: Marketing, group: str, template: str) -> list[Task]:
    def a_task(after: timedelta | None = None) -> Task:
        return market.confirmed(market.a_draft([group], template, at=None if after is None else market.in_(after)))

    expired = a_task(timedelta(hours=1))
    market.clock.move(timedelta(hours=26))
    market.tasks.start_due()
    late = a_task(timedelta(hours=1))
    market.clock.move(timedelta(minutes=90))
    market.tasks.start_due()
    cancelled, stopped = a_task(timedelta(days=2)), a_task(timedelta(days=2))
    market.tasks.cancel(market.workspace_id, cancelled.number, "U0ANYBODY")
    market.tasks.stop(market.workspace_id, stopped.number, "U0ANYBODY")
    return [expired, late, cancelled, stopped, a_task(timedelta(days=2)), a_task()]


class _Files:
    """Files that a company has dropped."""

    def __init__(self, market: Marketing, folder: Path, word: str, stem: str, by: str) -> None:
        self._market, self._folder, self._word, self._stem, self._by = market, folder, word, stem, by

    def path(self, name: str) -> Path:
        path = self._folder / f"{self._word}-{name}.csv"
        # The landline is set aside, and may be kept.
        return a_csv(path, [f"{self._stem}0400", f"{self._stem}0401", "010 6234 5678", f"{self._word} is no number"])

    def asked(self, name: str) -> Import:
        path = self.path(name)
        # One file for both companies, as far as Slack's id goes.
        file = UploadedFile(f"F0{name}", path.name, 100, f"https://files.slack.com/{self._word}", CHANNEL, "171.01")
        asked = self._market.imports.receive(self._market.workspace_id, file, self._by)
        assert asked is not None
        return asked

    def begun(self, name: str, group: Group) -> Import:
        return self._market.imports.begin(self._market.workspace_id, self.asked(name).id, group.id)

    def for_send(self) -> Import:
        begun = self._market.imports.begin_for_send(self._market.workspace_id, self.asked("once").id)
        return self._market.imports.run(begun, self.path("once"), lambda _progress: None)

    def waiting(self, group: Group) -> Import:
        begun, path = self.begun("columns", group), self._folder / f"{self._word}-columns.csv"
        rows = [f"Guest,{self._stem[2:]}{no:04},{self._stem[2:]}{no + 50:04}\n" for no in range(500, 504)]
        path.write_text("".join(["Name,Mobile,Phone\n", *rows]), "utf-8")
        return self._market.imports.run(begun, path, lambda _progress: None)


def services_of(database: Database, *companies: Company) -> dict[str, object]:
    """What the handlers work on, by the names of `routes`: one bot for all of these companies."""
    market = Marketing(
        database, workspace_id=companies[0].workspace_id, applications=(_application(companies[0].word),)
    )
    market.clock.move(timedelta(hours=28))
    limits = {each.application_id: Limits(500, 500) for each in companies}
    confirmations = Confirmations(database, market.clock, market.previews, limits)
    tests = DraftTests(database, market.clock, limits)
    contents = Contents(
        market.lists,
        ContentChanges(database),
        ContentSync(database, market.clock, {}),
        lambda application_id, token: f"https://sms/{application_id}/{token}",
    )
    return {
        "importing": Importing(market.imports, market.groups),
        "sending": Sending(market.previews, confirmations, tests, market.groups, market.content, market.imports),
        "groups": Grouping(market.groups, GroupChanges(database, market.clock), GroupExports(database)),
        "entering": Entering(Entries(database, market.clock), market.groups, market.imports),
        "pool": Pool(database),
        "tasks": tasks_of(market),
        "contents": contents,
        "help": help_lines(),
        "opt_outs": OptOuts(database, market.clock),
    }


def dump(database: Database) -> Rows:
    """Every row of every table."""
    with database.read(everyone=True) as connection:
        return {
            table.name: sorted((tuple(row) for row in connection.execute(select(table))), key=repr)
            for table in metadata.sorted_tables
        }


def restore(database: Database, rows: Rows) -> None:
    """The tables as they were."""
    with database.write(everyone=True) as tx:
        for table in reversed(metadata.sorted_tables):
            tx.execute(delete(table))
        for table in metadata.sorted_tables:
            if rows[table.name]:
                names = [column.name for column in table.columns]
                tx.execute(table.insert(), [dict(zip(names, row, strict=True)) for row in rows[table.name]])
        tx.commit()


def rows_of(rows: Rows, workspace_id: str) -> Rows:
    """Those of one company, found by what they refer to."""
    own: dict[str, set[object]] = {"workspace": {workspace_id}}
    found: Rows = {}
    waiting = [(table, owner) for table in metadata.sorted_tables if (owner := _owner(table)) is not None]
    while waiting:
        table, (column, of) = waiting.pop(0)
        if of not in own:
            waiting.append((table, (column, of)))
            continue
        names = [each.name for each in table.columns]
        found[table.name] = [row for row in rows[table.name] if row[names.index(column)] in own[of]]
        if "id" in names:
            own[table.name] = {row[names.index("id")] for row in found[table.name]}
    return found


def _owner(table: Table) -> tuple[str, str] | None:
    if table.name == "workspace":
        return "id", "workspace"
    for column, of in (
        ("workspace_id", "workspace"),
        ("task_id", "send_task"),
        ("application_id", "application"),
        ("group_id", "customer_group"),
        ("import_id", "number_import"),
    ):
        if column in table.c and not table.c[column].nullable:
            return column, of
    return None
