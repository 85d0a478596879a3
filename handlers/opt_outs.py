"""`/sms-optouts`: the do-not-send list, in pages and as a file; one number looked up, added, or taken off.

Whatever changes the list is a button or a form of its own, so that it can ask for more than looking does.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from handlers import arguments
from handlers.replies import OpenForm, Replace, Reply, Say, SendFile
from handlers.requests import Click, Command, Submission
from handlers.views import opt_outs as views
from handlers.views.words import counted
from services.errors import NotAllowed
from services.numbers import check, format_e164
from services.opt_outs import OptOut, OptOuts, Origin
from services.spreadsheets.csv_writer import write_csv
from services.spreadsheets.writer import write_table

PAGE_SIZE = 8
FILE_NAME = "do-not-send list"

_HEADERS = ("Number", "Since (UTC)", "How it got there", "By")
_ORIGINS = {
    Origin.REPLY: "reply",
    Origin.CARRIER: "carrier",
    Origin.PERSON: "added",
    Origin.IMPORT: "imported",
}


def command(request: Command, service: OptOuts) -> Reply:
    """The list; a number; or `add`, `remove`, `import`, `export`."""
    first, *rest = [*arguments.parse(request.text, (), words=True).words] or [""]
    typed = " ".join(rest)
    match first.lower():
        case "":
            return _list(request.workspace, service, 1)
        case "import":
            if not request.bot_in_channel:
                raise NotAllowed("bot_not_in_channel")
            return views.how_to_import()
        case "export":
            return _export_form(request.workspace, service)
        case "remove":
            return _one(request, service, typed, must_be_there=True)
        case "add":
            return _one(request, service, typed)
        case _:
            return _one(request, service, f"{first} {typed}".strip())


def turn_page(request: Click, service: OptOuts) -> Reply:
    """**Previous** and **Next** under the list, which becomes that page."""
    shown = _list(request.workspace, service, int(request.value))
    return Replace(shown.text, shown.blocks)


def show(request: Click, service: OptOuts) -> Reply:
    """**Show** beside a masked number."""
    number = int(request.value)
    return views.one(number, service.find(request.workspace, number))


def add(request: Click, service: OptOuts) -> Reply:
    """**Add it to the do-not-send list**."""
    number = int(request.value)
    return Replace(views.added(number, new=service.add(request.workspace, number, request.person)))


def remove(request: Click, service: OptOuts) -> Reply:
    """**Take it off the list…**, confirmed in Slack's own dialog, which says what that means."""
    number = int(request.value)
    service.remove(request.workspace, number, request.person)
    return Replace(views.removed(number))


def export_form(request: Click, service: OptOuts) -> Reply:
    """**Export…** under the list: which kind of file."""
    return _export_form(request.workspace, service)


def submit_export(request: Submission, service: OptOuts) -> Reply:
    """The file, by direct message because it holds full numbers."""
    kind = request.values["kind"]
    numbers = counted(service.count(request.workspace), "number")
    return SendFile(
        name=f"{FILE_NAME}.{kind}",
        comment=f"The {numbers} on the do-not-send list.",
        say=f"The {numbers} on the do-not-send list are in our direct messages.",
        write=_writer(service, request.workspace, kind),
    )


def _list(workspace: str, service: OptOuts, page: int) -> Say:
    return views.opt_out_list(service.page(workspace, page, PAGE_SIZE))


def _one(request: Command, service: OptOuts, typed: str, *, must_be_there: bool = False) -> Reply:
    verdict = check(typed, request.region)
    # A landline may be in a group as well, where somebody kept it, and so may be written to.
    number = verdict.number or verdict.candidate
    if number is None:
        raise NotAllowed("no_opt_out_number", name=typed)
    found = service.find(request.workspace, number)
    if found is None and must_be_there:
        raise NotAllowed("not_opted_out", number=number)
    return views.one(number, found)


def _export_form(workspace: str, service: OptOuts) -> Reply:
    total = service.count(workspace)
    if not total:
        raise NotAllowed("no_opt_outs")
    return OpenForm(views.export_form(total))


def _writer(service: OptOuts, workspace: str, kind: str) -> Callable[[Path], None]:
    def row(each: OptOut, shown: Callable[[int], str]) -> tuple[str, ...]:
        return (shown(each.number), f"{each.at:%Y-%m-%d %H:%M}", _ORIGINS[each.origin], each.added_by or "")

    def write(path: Path) -> None:
        # A plus would make a csv's cell a formula; the consoles and our own import take country code + number.
        shown = str if kind == "csv" else format_e164
        rows = (row(each, shown) for each in service.rows(workspace))
        if kind == "csv":
            write_csv(path, _HEADERS, rows)
        else:
            write_table(path, FILE_NAME, _HEADERS, rows, widths=(18, 18, 18, 14), text_columns={0})

    return write
