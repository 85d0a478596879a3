"""Everything of one workspace, tried by a member of another one: nothing is shown, and nothing of it changes."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from handlers.errors import explain
from handlers.replies import FieldErrors, Later, OpenForm, Replace, Reply, Say, SendFile
from handlers.requests import Request
from handlers.routes import ROUTES, Route
from handlers.views import content as content_views
from handlers.views import content_forms, task_buttons
from handlers.views import enter as enter_views
from handlers.views import group_changes as change_views
from handlers.views import groups as group_views
from handlers.views import imports as import_views
from handlers.views import opt_outs as opt_out_views
from handlers.views import pool as pool_views
from handlers.views import send as send_views
from handlers.views import task_changes as task_change_views
from handlers.views import task_details as task_detail_views
from handlers.views import task_list as task_list_views
from services.database import Database
from services.errors import NotAllowed, ServiceError, UnknownThing
from tests.handlers.companies import Company, Rows, a_company, dump, restore, rows_of, services_of
from tests.handlers.samples import clicked, dropped, sent, typed
from tests.services.conftest import empty, migrated_postgresql

__all__ = ["migrated_postgresql"]

OURS, THEIRS = ("kolibri", "861365555"), ("zaunkoenig", "861397777")


@dataclass(frozen=True, slots=True)
class Tried:
    """What a member of `ours` does with what `theirs` has: `refused` must all be, `harmless` may be answered."""

    refused: Sequence[Request] = ()
    harmless: Sequence[Request] = field(default=())


Case = Callable[[Company, Company], Tried]


def refused(*make: Callable[[Company, Company], Request]) -> Case:
    """Each names something that is not there."""
    return lambda theirs, ours: Tried([each(theirs, ours) for each in make])


def harmless(*make: Callable[[Company, Company], Request]) -> Case:
    """Each has an answer, in which nothing is theirs."""
    return lambda theirs, ours: Tried(harmless=[each(theirs, ours) for each in make])


def clicks(value: Callable[[Company], object]) -> Case:
    """A button of theirs."""
    return refused(lambda theirs, ours: clicked(value(theirs)))


def _lists(name: str) -> Case:
    def case(theirs: Company, ours: Company) -> Tried:
        lines = ("", f"name:{theirs.word}", f"app:{theirs.word}app", "status:pending")
        return Tried(harmless=[typed(line, name) for line in lines])

    return case


def _tasks(make: Callable[[int], Request]) -> Case:
    """Numbers of tasks are each workspace's own: one that both have is ours, and of the others there is none."""
    return lambda theirs, ours: Tried(
        [make(number) for number in theirs.extra if number not in ours.extra or theirs is ours],
        [make(task.number) for task in theirs.tasks],
    )


def _content(make: Callable[[str], Request]) -> Case:
    return lambda theirs, ours: Tried(
        [
            make(f"template:{theirs.pending.template.id}:{theirs.pending.standing.version}"),
            make(f"signature:{theirs.pending_signature.signature.id}:{theirs.pending_signature.standing.version}"),
            make(f"template:{theirs.spring}:0"),
        ]
    )


def _content_more(theirs: Company, ours: Company) -> Tried:
    actions = (
        content_views.EDIT,
        content_views.ASSOCIATE,
        content_views.DISABLE,
        content_views.ENABLE,
        content_views.SAY_TYPE,
    )
    things = (
        f"template:{theirs.pending.template.id}",
        f"template:{theirs.spring}",
        f"signature:{theirs.pending_signature.signature.id}",
    )
    wanted = [(what, thing) for what in actions for thing in things]
    # Only a template has a type.
    return Tried(
        [clicked(f"{what}:{thing}") for what, thing in wanted if what != "type" or thing.startswith("template")]
    )


def _template_form(context: str, **fields: object) -> Request:
    values: dict[str, object] = {"name": "new", "text": "New.", "sms_type": "notification", "code": "tpl-8"}
    return sent(context, **{**values, **fields})


def _send_form(template: int, group: int, context: object = "", **fields: object) -> Request:
    return sent(context, template=template, group=(group,), **fields)


CASES: dict[str, Case] = {
    "/sms-send": lambda theirs, ours: Tried(
        [
            typed(f"group:{theirs.word}vip template:{ours.word}spring"),
            typed(f"group:{ours.word}vip template:{theirs.word}spring"),
            typed(f"group:{ours.word}vip template:{ours.word}spring exclude:{theirs.word}second"),
            typed(f"group:{ours.word}vip template:{ours.word}hello signature:{theirs.word}other"),
            typed(f"group:{ours.word}vip template:{ours.word}spring app:{theirs.word}app"),
        ],
        [typed(""), typed(f"pool template:{ours.word}spring")],
    ),
    "/sms-import": lambda theirs, ours: Tried(
        [typed(f"group:{theirs.word}vip", "/sms-import")], [typed("", "/sms-import")]
    ),
    "/sms-groups": _lists("/sms-groups"),
    "/sms-enter": lambda theirs, ours: Tried(
        [typed(f"group:{theirs.word}vip", "/sms-enter")], [typed("", "/sms-enter")]
    ),
    "/sms-pool": harmless(
        lambda theirs, ours: typed("", "/sms-pool"),
        lambda theirs, ours: typed(str(theirs.number), "/sms-pool"),
        lambda theirs, ours: typed(str(theirs.number)[-6:], "/sms-pool"),
    ),
    "/sms-optouts": lambda theirs, ours: Tried(
        [typed(f"remove {theirs.opted_out}", "/sms-optouts")],
        [typed(line, "/sms-optouts") for line in ("", "export", "import", str(theirs.opted_out))],
    ),
    "/sms-tasks": harmless(
        *(
            lambda theirs, ours, line=line: typed(line, "/sms-tasks")
            for line in (
                "",
                f"group:{THEIRS[0]}vip",
                f"by:<@U0{THEIRS[0].upper()}>",
                "status:sending",
                "status:scheduled",
                "status:paused",
                "status:finished",
            )
        )
    ),
    "/sms-cancel": _tasks(lambda number: typed(str(number), "/sms-cancel")),
    "/sms-task": _tasks(lambda number: typed(str(number), "/sms-task")),
    "/sms-pause": _tasks(lambda number: typed(str(number), "/sms-pause")),
    "/sms-resume": _tasks(lambda number: typed(str(number), "/sms-resume")),
    "/sms-delete": _tasks(lambda number: typed(str(number), "/sms-delete")),
    "/sms-stop": _tasks(lambda number: typed(str(number), "/sms-stop")),
    "/sms-templates": _lists("/sms-templates"),
    "/sms-signatures": _lists("/sms-signatures"),
    "/sms-apps": harmless(
        lambda theirs, ours: typed("", "/sms-apps"), lambda theirs, ours: typed(f"name:{theirs.word}", "/sms-apps")
    ),
    "/sms-help": harmless(lambda theirs, ours: typed("", "/sms-help")),
    "message": harmless(
        lambda theirs, ours: dropped(f"{theirs.word}.xlsx", f"group:{theirs.word}vip"),
        lambda theirs, ours: dropped("customers.xlsx", file_id=theirs.asked.file.file_id),
        lambda theirs, ours: dropped("customers.xlsx", "optouts", file_id="F2"),
    ),
    import_views.CHOOSE_GROUP: refused(
        lambda theirs, ours: clicked(f"{theirs.asked.id}:{ours.vip.id}"),
        lambda theirs, ours: clicked(f"{ours.asked.id}:{theirs.vip.id}"),
        lambda theirs, ours: clicked(f"{theirs.asked.id}:{theirs.vip.id}"),
    ),
    import_views.USE_ONCE: clicks(lambda theirs: theirs.asked.id),
    import_views.NEW_GROUP: clicks(lambda theirs: theirs.asked.id),
    import_views.NOT_NOW: clicks(lambda theirs: theirs.asked.id),
    import_views.NEW_GROUP_FORM: refused(
        lambda theirs, ours: sent(theirs.asked.id, name="new", sms_type="notification")
    ),
    import_views.CANCEL: clicks(lambda theirs: theirs.running.id),
    import_views.CHOOSE_COLUMN: clicks(lambda theirs: theirs.waiting.id),
    import_views.COLUMN_FORM: refused(lambda theirs, ours: sent(f"{theirs.waiting.id}:0", column=0)),
    import_views.KEEP: clicks(lambda theirs: theirs.done.id),
    import_views.UNDO: clicks(lambda theirs: theirs.done.id),
    import_views.HOW_TO_FORM: refused(lambda theirs, ours: sent(group=theirs.vip.id)),
    import_views.TEMPLATE: harmless(lambda theirs, ours: clicked("xlsx")),
    group_views.NEW: harmless(lambda theirs, ours: clicked("new")),
    group_views.NEW_FORM: harmless(lambda theirs, ours: sent(name="new", sms_type="notification")),
    group_views.PREVIOUS_PAGE: harmless(lambda theirs, ours: clicked(f"1:{theirs.word}")),
    group_views.NEXT_PAGE: harmless(lambda theirs, ours: clicked("1:"), lambda theirs, ours: clicked("2:")),
    group_views.IMPORT: clicks(lambda theirs: theirs.vip.id),
    group_views.ENTER: clicks(lambda theirs: theirs.vip.id),
    group_views.EXPORT: clicks(lambda theirs: theirs.vip.id),
    group_views.MORE: refused(
        *(
            lambda theirs, ours, what=what: clicked(f"{what}:{theirs.vip.id}")
            for what in (
                group_views.RENAME,
                group_views.MERGE,
                group_views.COPY,
                group_views.SPLIT,
                group_views.DELETE,
            )
        )
    ),
    change_views.RENAME_FORM: refused(lambda theirs, ours: sent(theirs.vip.id, name="new")),
    change_views.MERGE_FORM: refused(
        lambda theirs, ours: sent(theirs.vip.id, into=ours.second.id),
        lambda theirs, ours: sent(ours.second.id, into=theirs.vip.id),
        lambda theirs, ours: sent(theirs.second.id, into=theirs.vip.id),
    ),
    change_views.COPY_FORM: refused(lambda theirs, ours: sent(theirs.vip.id, name="new")),
    change_views.EXPORT_FORM: refused(
        lambda theirs, ours: sent(theirs.vip.id, kind="csv"), lambda theirs, ours: sent(theirs.vip.id, kind="xlsx")
    ),
    change_views.SPLIT: clicks(lambda theirs: theirs.vip.id),
    change_views.DELETE: clicks(lambda theirs: theirs.vip.id),
    change_views.LEAVE: harmless(lambda theirs, ours: clicked(theirs.vip.id)),
    enter_views.FORM: refused(lambda theirs, ours: sent(numbers="13800138000", group=theirs.vip.id)),
    enter_views.KEEP: clicks(lambda theirs: theirs.typed.id),
    enter_views.UNDO: clicks(lambda theirs: theirs.typed.id),
    pool_views.LOOK_UP: harmless(lambda theirs, ours: clicked(theirs.number)),
    pool_views.REMOVE: harmless(lambda theirs, ours: clicked(theirs.number)),
    opt_out_views.SHOW: harmless(lambda theirs, ours: clicked(theirs.opted_out)),
    opt_out_views.ADD: harmless(lambda theirs, ours: clicked(theirs.opted_out)),
    opt_out_views.REMOVE: clicks(lambda theirs: theirs.opted_out),
    opt_out_views.PREVIOUS_PAGE: harmless(lambda theirs, ours: clicked(1)),
    opt_out_views.NEXT_PAGE: harmless(lambda theirs, ours: clicked(2)),
    opt_out_views.EXPORT: harmless(lambda theirs, ours: clicked("export")),
    opt_out_views.EXPORT_FORM: harmless(lambda theirs, ours: sent(kind="csv"), lambda theirs, ours: sent(kind="xlsx")),
    group_views.SEND: harmless(lambda theirs, ours: clicked(theirs.vip.id)),
    send_views.FORM: refused(
        lambda theirs, ours: _send_form(theirs.spring, ours.vip.id),
        lambda theirs, ours: _send_form(ours.spring, theirs.vip.id),
        lambda theirs, ours: _send_form(ours.spring, ours.vip.id, exclude=(theirs.second.id,)),
        lambda theirs, ours: _send_form(ours.spring, ours.vip.id, theirs.for_send.id),
        lambda theirs, ours: _send_form(ours.spring, ours.vip.id, theirs.done.id),
        lambda theirs, ours: _send_form(ours.spring, ours.vip.id, signature=f"{theirs.word}other"),
    ),
    import_views.SEND: clicks(lambda theirs: theirs.for_send.id),
    send_views.CONFIRM: lambda theirs, ours: Tried([clicked(each) for each in theirs.drafts]),
    send_views.LEAVE_OUT: lambda theirs, ours: Tried([clicked(each) for each in theirs.drafts]),
    send_views.RESCHEDULE: lambda theirs, ours: Tried([clicked(each) for each in theirs.drafts]),
    send_views.TEST: harmless(lambda theirs, ours: clicked(theirs.drafts[0])),
    send_views.TEST_FORM: lambda theirs, ours: Tried([sent(each, own="13800138000") for each in theirs.drafts]),
    send_views.DISCARD: harmless(lambda theirs, ours: clicked(theirs.drafts[0])),
    task_buttons.FAILED_NUMBERS: _tasks(clicked),
    task_buttons.DETAILS: _tasks(clicked),
    task_buttons.FILES: _tasks(clicked),
    task_buttons.CANCEL: _tasks(clicked),
    task_buttons.STOP: _tasks(clicked),
    task_buttons.PAUSE: _tasks(clicked),
    task_buttons.RESUME: _tasks(clicked),
    task_buttons.DELETE: _tasks(clicked),
    task_buttons.EDIT: _tasks(clicked),
    task_buttons.COPY: _tasks(clicked),
    task_buttons.RESEND_FAILED: _tasks(clicked),
    task_buttons.RESEND_UNKNOWN: _tasks(clicked),
    task_change_views.RESEND_ANYWAY: _tasks(clicked),
    task_change_views.LEAVE: harmless(lambda theirs, ours: clicked(theirs.finished.number)),
    task_change_views.EDIT_FORM: lambda theirs, ours: Tried(
        [
            *(sent(number, at="2026-03-20 10:00") for number in theirs.extra if number not in ours.extra),
            sent(ours.extra[0], at="2026-03-20 10:00", template=theirs.spring),
            sent(ours.extra[0], at="2026-03-20 10:00", template=theirs.pending.template.id),
        ]
    ),
    task_detail_views.FILES_FORM: _tasks(lambda number: sent(number, which="all", kind="csv")),
    task_detail_views.BEFORE: _tasks(lambda number: clicked(f"{number}:before:2:")),
    task_detail_views.AFTER: _tasks(lambda number: clicked(f"{number}:after:0:")),
    task_detail_views.REFRESH: _tasks(lambda number: clicked(f"{number}:after:0:")),
    task_detail_views.FIND: _tasks(clicked),
    task_detail_views.FIND_FORM: _tasks(lambda number: sent(number, number="0001")),
    task_list_views.NEWER: harmless(lambda theirs, ours: clicked(json.dumps({"p": "newer", "x": 1, "n": theirs.word}))),
    task_list_views.OLDER: harmless(
        lambda theirs, ours: clicked(json.dumps({"p": "older", "x": 99, "b": theirs.person}))
    ),
    task_list_views.REFRESH: harmless(lambda theirs, ours: clicked(json.dumps({"p": "older"}))),
    content_views.PREVIOUS_PAGE: harmless(
        lambda theirs, ours: clicked("template:1:"),
        lambda theirs, ours: clicked(f"signature:1:name:{theirs.word}"),
        lambda theirs, ours: clicked(f"application:1:name:{theirs.word}"),
    ),
    content_views.NEXT_PAGE: harmless(lambda theirs, ours: clicked("template:2:")),
    content_views.REFRESH: harmless(lambda theirs, ours: clicked("refresh")),
    content_views.NEW_TEMPLATE: clicks(lambda theirs: theirs.application_id),
    content_views.NEW_SIGNATURE: clicks(lambda theirs: theirs.application_id),
    content_forms.APPLICATION_FORM: refused(
        lambda theirs, ours: sent("template", application=theirs.application_id),
        lambda theirs, ours: sent("signature", application=theirs.application_id),
    ),
    content_forms.TEMPLATE_FORM: refused(
        lambda theirs, ours: _template_form(f"new:{theirs.application_id}:0"),
        lambda theirs, ours: _template_form(
            f"edit:{theirs.pending.template.id}:{theirs.pending.standing.version}", name="changed"
        ),
        lambda theirs, ours: _template_form(f"new:{ours.application_id}:0", signature=theirs.signature),
    ),
    content_forms.SIGNATURE_FORM: refused(
        lambda theirs, ours: sent(f"new:{theirs.application_id}:0", name="new", sms_type="every", channel="1069"),
        lambda theirs, ours: sent(
            f"edit:{theirs.pending_signature.signature.id}:{theirs.pending_signature.standing.version}",
            name="new",
            sms_type="every",
            channel="1069",
        ),
    ),
    content_views.MORE: _content_more,
    content_forms.ASSOCIATE_FORM: refused(
        lambda theirs, ours: sent(
            f"{theirs.pending.template.id}:{theirs.pending.standing.version}", signature=ours.signature
        ),
        lambda theirs, ours: sent(
            f"{ours.pending.template.id}:{ours.pending.standing.version}", signature=theirs.signature
        ),
    ),
    content_forms.TYPE_FORM: refused(lambda theirs, ours: sent(theirs.pending.template.id, sms_type="notification")),
    content_forms.DISABLE_FORM: _content(lambda value: sent(value.rpartition(":")[0], reason="")),
    content_views.APPROVE: _content(clicked),
    content_views.REJECT: _content(clicked),
    content_forms.REJECT_FORM: _content(lambda value: sent(value, reason="no")),
    content_views.RECEIPTS_ADDRESS: clicks(lambda theirs: theirs.application_id),
}


class Street:
    """Both companies in one database, which is as it was before each test."""

    def __init__(self, database: Database, folder: Path) -> None:
        empty(database)
        self.database = database
        self.folder = folder
        self.theirs = a_company(database, folder, *THEIRS, more_tasks=4)
        self.ours = a_company(database, folder, *OURS, more_tasks=1)
        self.services = services_of(database, self.ours, self.theirs)
        self.rows: Rows = dump(database)

    def act(self, route: Route, request: Request, who: Company) -> str:
        """All that a member of the company gets to read; "refused …" where nothing was done."""
        asked = _as_member(request, who)
        service = self.services[route.service]
        try:
            reply: Reply = route.handler(asked, service)
            while isinstance(reply, Later):
                reply = reply.work()
        except ServiceError as error:
            return _refusal(error) + explain(error, asked.zone)
        return self._read(reply)

    def _read(self, reply: Reply) -> str:
        match reply:
            case Say() | Replace():
                return json.dumps([reply.text, reply.blocks], ensure_ascii=False)
            case OpenForm():
                return json.dumps([reply.view, reply.context], ensure_ascii=False)
            case FieldErrors():
                return f"refused {json.dumps(dict(reply.errors), ensure_ascii=False)}"
            case SendFile():
                path = self.folder / "file"
                reply.write(path)
                return f"{reply.name} {reply.comment} {reply.say} {_content_of(path)}"
        return ""


def _as_member(request: Request, who: Company) -> Request:
    values = {name: getattr(request, name) for name in request.__dataclass_fields__}
    return type(request)(**{**values, "workspace": who.workspace_id, "person": who.person})


def _refusal(error: ServiceError) -> str:
    what = error.kind if isinstance(error, UnknownThing) else error.rule if isinstance(error, NotAllowed) else ""
    return f"refused {type(error).__name__} {what}: "


def _content_of(path: Path) -> str:
    if not zipfile.is_zipfile(path):
        return path.read_text("utf-8-sig")
    with zipfile.ZipFile(path) as file:
        return " ".join(file.read(name).decode("utf-8", "replace") for name in file.namelist())


def _marks(company: Company) -> list[str]:
    """What nobody else may ever read: names, texts, people, and numbers in every way they are written."""
    names = ("vip", "second", "ads", "app", "sig", "other", "spring", "sale", "hello", "pending", "maybe")
    words = [f"{company.word}{name}" for name in names]
    texts = [f"{company.word} opens", f"{company.word} sells", f"{company.word} waits", f"{company.word} answers"]
    files = [f"{company.word}-{name}" for name in ("done", "asked", "running", "columns", "once")]
    return [*words, *texts, *files, company.workspace_id, company.person, company.stem, company.stem[2:]]


@pytest.fixture(scope="module")
def streets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Street]:
    """One for each database, made where it is first needed."""
    return {}


@pytest.fixture(params=["sqlite", "postgresql"])
def street(
    request: pytest.FixtureRequest, streets: dict[str, Street], tmp_path_factory: pytest.TempPathFactory
) -> Street:
    """Two companies, as they were made."""
    if request.param not in streets:
        database = request.getfixturevalue(f"migrated_{request.param}")
        streets[request.param] = Street(database, tmp_path_factory.mktemp(request.param))
    made = streets[request.param]
    restore(made.database, made.rows)
    return made


def test_every_route_has_its_case() -> None:
    assert set(CASES) == {route.key for route in ROUTES}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: str(route.key))
def test_a_member_of_another_workspace_gets_nothing(street: Street, route: Route) -> None:
    tried = CASES[route.key](street.theirs, street.ours)
    before = rows_of(dump(street.database), street.theirs.workspace_id)
    others = []
    for request in (*tried.refused, *tried.harmless):
        read = street.act(route, request, street.ours)
        # What they typed themselves may be said back to them.
        told = [mark for mark in _marks(street.theirs) if mark in read.replace(" ", "") and mark not in repr(request)]
        assert not told, (request, read)
        if request in tried.refused:
            assert read.startswith("refused"), (request, read)
            others.append(read)
    assert rows_of(dump(street.database), street.theirs.workspace_id) == before
    _is_there_for_a_member(street, route, others)


def _is_there_for_a_member(street: Street, route: Route, others: Sequence[str]) -> None:
    """Else nothing could be told from what others were refused. Some of it is refused to a member as well, but for what
    it is, and not for being nowhere.
    """
    to_members = CASES[route.key](street.theirs, street.theirs)
    members = [street.act(route, request, street.theirs) for request in to_members.refused]
    assert not members or members != others


def test_the_dump_tells_the_companies_apart(street: Street) -> None:
    ours = rows_of(street.rows, street.ours.workspace_id)
    theirs = rows_of(street.rows, street.theirs.workspace_id)
    for name, rows in street.rows.items():
        if name in ours:
            assert len(ours[name]) + len(theirs[name]) == len(rows), name
    for name in ("recipient", "group_member", "submission", "result", "reply", "opt_out", "import_row", "post"):
        assert theirs[name], name
