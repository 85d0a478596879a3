"""The do-not-send list: who is on it, since when and why; by hand, by file and by the carrier's word."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from services.carriers.ports import Receipt, Reply
from services.errors import NotAllowed
from services.imports import NO_VALID_NUMBER, Import, UploadedFile
from services.models import send_task
from services.opt_outs import OptOuts, Origin
from services.posts import PostKind
from services.replies import Replies
from services.states import ImportState, SmsType
from services.task_reports import Task
from tests.services.builders import ANA, BEN, CHANNEL, FIRST_NUMBER, Marketing, numbers
from tests.services.fakes import refuse, refuse_whole

UNASSIGNED = 852_6666_1234


@pytest.fixture
def opt_outs(marketing: Marketing) -> OptOuts:
    return OptOuts(marketing.database, marketing.clock)


def listed(opt_outs: OptOuts, marketing: Marketing) -> list[int]:
    """Every number of the list."""
    return [each.number for each in opt_outs.rows(marketing.workspace_id)]


def dropped(marketing: Marketing, path: Path, file_id: str = "F1") -> Import:
    """A file with the word beside it; nothing has been read yet."""
    file = UploadedFile(file_id, path.name, path.stat().st_size, "https://files.example.com/1", CHANNEL, "171.01")
    asked = marketing.imports.receive(marketing.workspace_id, file, BEN)
    assert asked is not None
    return marketing.imports.begin_opt_outs(marketing.workspace_id, asked.id)


def imported(marketing: Marketing, folder: Path, lines: str, file_id: str = "F1") -> Import:
    """A file of these lines, taken onto the list from beginning to end."""
    path = folder / f"{file_id}.csv"
    path.write_text(lines, "utf-8")
    return marketing.imports.run(dropped(marketing, path, file_id), path, lambda progress: None)


def test_a_number_is_added_once_and_keeps_how_it_got_there(marketing: Marketing, opt_outs: OptOuts) -> None:
    workspace, first = marketing.workspace_id, marketing.clock.now()
    assert opt_outs.add(workspace, FIRST_NUMBER, ANA) is True
    marketing.clock.move(timedelta(days=1))
    assert opt_outs.add(workspace, FIRST_NUMBER, BEN) is False
    found = opt_outs.find(workspace, FIRST_NUMBER)
    assert found is not None
    assert (found.number, found.origin, found.added_by, found.at) == (FIRST_NUMBER, Origin.PERSON, ANA, first)
    assert opt_outs.find(workspace, FIRST_NUMBER + 1) is None


def test_a_number_that_was_taken_off_is_on_it_no_more(marketing: Marketing, opt_outs: OptOuts) -> None:
    workspace = marketing.workspace_id
    opt_outs.add(workspace, FIRST_NUMBER, ANA)
    opt_outs.remove(workspace, FIRST_NUMBER, BEN)
    assert opt_outs.find(workspace, FIRST_NUMBER) is None
    with pytest.raises(NotAllowed, match="not_opted_out"):
        opt_outs.remove(workspace, FIRST_NUMBER, BEN)


def test_a_list_is_of_one_workspace(marketing: Marketing, opt_outs: OptOuts) -> None:
    other = Marketing(marketing.database, workspace_id="T0OTHER").workspace_id
    opt_outs.add(marketing.workspace_id, FIRST_NUMBER, ANA)
    assert opt_outs.find(other, FIRST_NUMBER) is None
    assert (opt_outs.count(other), opt_outs.page(other, 1, 8).total, list(opt_outs.rows(other))) == (0, 0, [])
    with pytest.raises(NotAllowed, match="not_opted_out"):
        opt_outs.remove(other, FIRST_NUMBER, BEN)
    assert opt_outs.count(marketing.workspace_id) == 1


def test_pages_show_the_newest_first_and_every_number_once(marketing: Marketing, opt_outs: OptOuts) -> None:
    for number in numbers(5):
        opt_outs.add(marketing.workspace_id, number, ANA)
        marketing.clock.move(timedelta(seconds=1))
    pages = [opt_outs.page(marketing.workspace_id, page, 2) for page in (1, 2, 3)]
    assert [each.number for page in pages for each in page.opt_outs] == numbers(5)[::-1]
    assert [(page.page, page.pages, page.total) for page in pages] == [(1, 3, 5), (2, 3, 5), (3, 3, 5)]
    beyond = opt_outs.page(marketing.workspace_id, 99, 2)
    assert (beyond.page, len(beyond.opt_outs)) == (3, 1)
    assert opt_outs.page(marketing.workspace_id, 0, 2).page == 1


def test_an_empty_list_has_one_page(marketing: Marketing, opt_outs: OptOuts) -> None:
    page = opt_outs.page(marketing.workspace_id, 1, 8)
    assert (page.opt_outs, page.page, page.pages, page.total) == ([], 1, 1, 0)


def test_a_file_is_taken_onto_the_list_by_the_rules_of_every_import(
    marketing: Marketing, opt_outs: OptOuts, tmp_path: Path
) -> None:
    opt_outs.add(marketing.workspace_id, FIRST_NUMBER, ANA)
    lines = "Mobile,Name\n13800000001,Li\n138 0000 0002,Wu\n+8613800000003,Hu\n13800000002,Wu again\nhello,He\n"
    done = imported(marketing, tmp_path, lines)
    assert done.state is ImportState.DONE
    assert (done.rows, done.imported, done.already_in_group, done.duplicates, done.invalid) == (5, 2, 1, 1, 1)
    assert listed(opt_outs, marketing) == numbers(3)
    first, second, _ = opt_outs.rows(marketing.workspace_id)
    assert (first.origin, first.added_by) == (Origin.PERSON, ANA)
    assert (second.origin, second.added_by) == (Origin.IMPORT, BEN)
    assert marketing.groups.list(marketing.workspace_id) == []
    assert {post.kind for post in marketing.posts.due()} == {PostKind.IMPORT, PostKind.REJECTS}
    assert [each.original for each in marketing.imports.rejects(marketing.workspace_id, done.id)] == ["hello"]


def test_numbers_that_a_person_might_keep_in_a_group_are_taken_at_once(
    marketing: Marketing, opt_outs: OptOuts, tmp_path: Path
) -> None:
    done = imported(marketing, tmp_path, f"Mobile\n13800000001\n{UNASSIGNED}\n{UNASSIGNED}\n+861065529988\n")
    assert done.state is ImportState.DONE
    assert (done.rows, done.imported, done.duplicates) == (4, 3, 1)
    assert (done.set_aside, done.keepable, done.rejects) == (0, 0, 0)
    assert listed(opt_outs, marketing) == [UNASSIGNED, 86_10_6552_9988, FIRST_NUMBER]
    assert [post.kind for post in marketing.posts.due()] == [PostKind.IMPORT]


def test_a_file_of_nothing_but_those_is_taken_too(marketing: Marketing, opt_outs: OptOuts, tmp_path: Path) -> None:
    assert imported(marketing, tmp_path, f"Mobile\n{UNASSIGNED}\n").state is ImportState.DONE
    assert listed(opt_outs, marketing) == [UNASSIGNED]


def test_a_file_without_a_number_fails_and_one_that_was_taken_is_not_begun_again(
    marketing: Marketing, opt_outs: OptOuts, tmp_path: Path
) -> None:
    failed = imported(marketing, tmp_path, "Mobile\nhello\n", "F1")
    assert (failed.state, failed.failure) == (ImportState.FAILED, NO_VALID_NUMBER)
    done = imported(marketing, tmp_path, "Mobile\n13800000001\n", "F2")
    for ended in (failed, done):
        with pytest.raises(NotAllowed, match="import_begun"):
            marketing.imports.begin_opt_outs(marketing.workspace_id, ended.id)
        with pytest.raises(NotAllowed):
            marketing.imports.keep(marketing.workspace_id, ended.id)
        with pytest.raises(NotAllowed):
            marketing.imports.undo(marketing.workspace_id, ended.id, ANA)
    assert listed(opt_outs, marketing) == [FIRST_NUMBER]


def test_an_import_that_is_cancelled_leaves_the_list_as_it_was(
    marketing: Marketing, opt_outs: OptOuts, tmp_path: Path
) -> None:
    path = tmp_path / "numbers.csv"
    path.write_text("Mobile\n13800000001\n")
    begun = dropped(marketing, path)
    marketing.imports.cancel(marketing.workspace_id, begun.id, ANA)
    with pytest.raises(NotAllowed, match="import_begun"):
        marketing.imports.begin_opt_outs(marketing.workspace_id, begun.id)
    assert listed(opt_outs, marketing) == []


def test_a_second_file_counts_who_is_there_already(marketing: Marketing, opt_outs: OptOuts, tmp_path: Path) -> None:
    imported(marketing, tmp_path, "Mobile\n13800000001\n13800000002\n", "F1")
    again = imported(marketing, tmp_path, "Mobile\n13800000002\n13800000003\n", "F2")
    assert (again.imported, again.already_in_group) == (1, 1)
    assert listed(opt_outs, marketing) == numbers(3)


async def test_whom_the_carrier_refuses_as_opted_out_is_put_on_the_list(
    marketing: Marketing, opt_outs: OptOuts
) -> None:
    opt_outs.add(marketing.workspace_id, FIRST_NUMBER, ANA)
    marketing.carrier.will(refuse(FIRST_NUMBER, FIRST_NUMBER + 1, code="OPTED_OUT"), refuse(FIRST_NUMBER + 10))
    marketing.a_confirmed_task(3)
    marketing.a_confirmed_task(3, group="others", first=FIRST_NUMBER + 10)
    await marketing.send_all()
    by_hand, told = opt_outs.rows(marketing.workspace_id)
    assert (by_hand.number, by_hand.origin) == (FIRST_NUMBER, Origin.PERSON)
    assert (told.number, told.origin, told.added_by) == (FIRST_NUMBER + 1, Origin.CARRIER, None)
    assert told.at == marketing.clock.now()


async def test_a_request_that_is_refused_whole_opts_nobody_out(marketing: Marketing, opt_outs: OptOuts) -> None:
    marketing.carrier.will(refuse_whole("E000510"))
    marketing.a_confirmed_task(3)
    await marketing.send_all()
    assert listed(opt_outs, marketing) == []


async def test_whom_a_receipt_names_as_opted_out_is_put_on_the_list(marketing: Marketing, opt_outs: OptOuts) -> None:
    marketing.a_confirmed_task(3)
    await marketing.send_all()
    (request,) = marketing.carrier.requests
    first, second, third = request.numbers
    marketing.report(
        Receipt("failed", "OPTED_OUT", f"id-{first}", request.reference, first),
        Receipt("failed", "UNDELIV", f"id-{second}", request.reference, second),
        Receipt("delivered", "DELIVRD", f"id-{third}", request.reference, third),
        Receipt("failed", "OPTED_OUT", "nobody's", request.reference, FIRST_NUMBER + 900),
        Receipt("failed", "OPTED_OUT", "nobody's", "unheard-of", FIRST_NUMBER + 901),
    )
    (told,) = opt_outs.rows(marketing.workspace_id)
    assert (told.number, told.origin) == (first, Origin.CARRIER)
    opt_outs.remove(marketing.workspace_id, first, ANA)
    marketing.report(Receipt("failed", "OPTED_OUT", f"id-{first}", request.reference, first))
    assert listed(opt_outs, marketing) == [], "a receipt that comes again is no news"


def counts(marketing: Marketing, task: Task) -> dict[str, int]:
    """What the task's own row says of its recipients."""
    columns = (
        send_task.c.recipients,
        send_task.c.opted_out,
        send_task.c.handed_over,
        send_task.c.skipped,
        send_task.c.held_back,
    )
    with marketing.database.read(everyone=True) as connection:
        return dict(connection.execute(select(*columns).where(send_task.c.id == task.id)).one()._mapping)


async def test_who_is_on_the_list_is_left_out_when_a_promotional_task_is_confirmed(
    marketing: Marketing, opt_outs: OptOuts
) -> None:
    other = Marketing(marketing.database, workspace_id="T0OTHER").workspace_id
    marketing.a_group("offers", numbers(5), SmsType.PROMOTIONAL)
    for number in (FIRST_NUMBER, FIRST_NUMBER + 3, FIRST_NUMBER + 900):
        opt_outs.add(marketing.workspace_id, number, ANA)
    opt_outs.add(other, FIRST_NUMBER + 1, ANA)
    task = marketing.confirmed(marketing.a_draft(["offers"], "sale"))
    await marketing.send_all()
    assert marketing.carrier.numbers == [FIRST_NUMBER + 1, FIRST_NUMBER + 2, FIRST_NUMBER + 4]
    assert counts(marketing, task) == {
        "recipients": 3,
        "opted_out": 2,
        "handed_over": 3,
        "skipped": 0,
        "held_back": 0,
    }


async def test_who_says_stop_after_a_promotional_task_was_confirmed_is_skipped_when_their_turn_comes(
    marketing: Marketing, opt_outs: OptOuts
) -> None:
    marketing.a_group("offers", numbers(4), SmsType.PROMOTIONAL)
    task = marketing.confirmed(marketing.a_draft(["offers"], "sale"))
    told = Reply(FIRST_NUMBER + 2, "T", "in-1")
    Replies(marketing.database, marketing.clock).store([(marketing.application_id, told)])
    await marketing.send_all()
    assert marketing.carrier.numbers == [FIRST_NUMBER, FIRST_NUMBER + 1, FIRST_NUMBER + 3]
    assert counts(marketing, task) == {
        "recipients": 4,
        "opted_out": 0,
        "handed_over": 3,
        "skipped": 1,
        "held_back": 0,
    }


async def test_notifications_reach_who_is_on_the_list(marketing: Marketing, opt_outs: OptOuts) -> None:
    marketing.a_group("vip", numbers(3))
    opt_outs.add(marketing.workspace_id, FIRST_NUMBER, ANA)
    task = marketing.confirmed(marketing.a_draft(["vip"], "spring"))
    opt_outs.add(marketing.workspace_id, FIRST_NUMBER + 1, ANA)
    await marketing.send_all()
    assert marketing.carrier.numbers == numbers(3)
    assert counts(marketing, task)["skipped"] == counts(marketing, task)["opted_out"] == 0
