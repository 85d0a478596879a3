"""A dropped file: asked about, begun at once, or left alone; and what its posts say at the end."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest

from handlers import imports as handler
from handlers.imports import Importing
from handlers.posts import Message, ThreadFile, compose
from handlers.replies import FieldErrors, Nothing, OpenForm, Replace, Say
from handlers.tasks import Tasks
from handlers.views.imports import CHOOSE_GROUP, NEW_GROUP, NOT_NOW, USE_ONCE
from services.errors import BadFile, NotAllowed, UnknownThing
from services.imports import Import, Progress
from services.posts import Post, PostKind
from services.removals import Removals
from services.states import ImportState
from tests.handlers.samples import clicked, dropped, sent
from tests.services.builders import ANA, WORKSPACE, Marketing

CSV = "mobile,name\n13812345678,Ana\n13812345679,Ben\n13812345678,Ana again\n12345,=HYPERLINK(1)\n"


@pytest.fixture
def vip(marketing: Marketing) -> int:
    """An empty group."""
    return marketing.a_group("vip").id


def running(marketing: Marketing) -> list[Import]:
    return marketing.imports.running()


def test_a_dropped_spreadsheet_is_asked_about(importing: Importing, marketing: Marketing, vip: int) -> None:
    asked = handler.receive(dropped(), importing)
    assert isinstance(asked, Say)
    assert asked.text == "Import *customers.xlsx* into which group?"
    elements = asked.blocks[1]["elements"]
    assert [each["action_id"] for each in elements] == [CHOOSE_GROUP, NEW_GROUP, USE_ONCE, NOT_NOW]
    assert elements[0]["options"][0]["value"] == f"1:{vip}"
    assert running(marketing) == []


def test_without_a_group_there_is_no_menu(importing: Importing) -> None:
    asked = handler.receive(dropped(), importing)
    assert isinstance(asked, Say)
    assert [each["action_id"] for each in asked.blocks[1]["elements"]] == [NEW_GROUP, USE_ONCE, NOT_NOW]


@pytest.mark.parametrize("text", ["group:vip", "the new ones, Group：VIP, thanks"])
def test_a_group_beside_the_file_starts_the_import(
    text: str, importing: Importing, marketing: Marketing, vip: int
) -> None:
    assert handler.receive(dropped(text=text), importing) == Nothing()
    assert [each.group_id for each in running(marketing)] == [vip]


@pytest.mark.usefixtures("vip")
@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("group:vpi", "There is no group *vpi*. Did you mean *vip*?"),
        ('group:"<!channel> & co"', "There is no group *&lt;!channel&gt; &amp; co*. Choose *vip*."),
        ('group:"vip', 'The quote in *"vip* is never closed. Add the closing quote.'),
        ("group:", "`group:` has no value. Write one behind it, or leave `group:` out."),
    ],
)
def test_a_group_that_cannot_be_found_is_asked_for_with_a_note(
    text: str, note: str, importing: Importing, marketing: Marketing
) -> None:
    asked = handler.receive(dropped(text=text), importing)
    assert isinstance(asked, Say)
    assert asked.text == f"{note} Import *customers.xlsx* into which group?"
    assert running(marketing) == []


@pytest.mark.parametrize("name", ["cat.png", "notes.docx", "customers", "xlsx", "F1"])
@pytest.mark.parametrize("text", ["", "look", "group:", 'group:"vip'])
def test_other_files_are_none_of_our_business(name: str, text: str, importing: Importing) -> None:
    assert handler.receive(dropped(name, text, file_url=""), importing) == Nothing()


@pytest.mark.usefixtures("vip")
def test_a_file_of_any_name_is_imported_where_the_message_says_so(importing: Importing, marketing: Marketing) -> None:
    assert handler.receive(dropped("customers", "group:vip"), importing) == Nothing()
    assert len(running(marketing)) == 1


@pytest.mark.usefixtures("vip")
@pytest.mark.parametrize("text", ["", "group:vip"])
def test_a_file_told_of_twice_is_taken_once(text: str, importing: Importing, marketing: Marketing) -> None:
    handler.receive(dropped(text=text), importing)
    before = len(running(marketing))
    assert handler.receive(dropped(text=text), importing) == Nothing()
    assert len(running(marketing)) == before


@pytest.mark.usefixtures("vip")
def test_the_same_file_in_two_channels_is_two_imports(importing: Importing) -> None:
    handler.receive(dropped(), importing)
    assert isinstance(handler.receive(dropped(channel="C0OTHER"), importing), Say)


def test_a_file_without_an_address_is_told(importing: Importing) -> None:
    with pytest.raises(BadFile, match="not_downloadable"):
        handler.receive(dropped(file_url=""), importing)


def test_choosing_a_group_starts_the_import_once(importing: Importing, marketing: Marketing, vip: int) -> None:
    handler.receive(dropped("a<b>.xlsx"), importing)
    begun = handler.choose_group(clicked(f"1:{vip}"), importing)
    assert begun == Replace("Importing *a&lt;b&gt;.xlsx* into *vip*. The progress is in the channel.")
    with pytest.raises(NotAllowed, match="import_begun"):
        handler.choose_group(clicked(f"1:{vip}"), importing)
    with pytest.raises(NotAllowed, match="import_begun"):
        handler.not_now(clicked(1), importing)
    assert len(running(marketing)) == 1


def test_a_new_group_is_made_and_imported_into(importing: Importing, marketing: Marketing) -> None:
    handler.receive(dropped(), importing)
    opened = handler.new_group(clicked(1), importing)
    assert isinstance(opened, OpenForm)
    assert opened.context == "1"
    begun = handler.submit_new_group(sent("1", name=" spring  sale ", sms_type="promotional"), importing)
    assert begun == Replace("Importing *customers.xlsx* into *spring sale*. The progress is in the channel.")
    assert [each.group for each in running(marketing)] == ["spring sale"]


@pytest.mark.usefixtures("vip")
@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("VIP", "A group VIP exists already. Choose another name, or import into that one."),
        ("", "A group name has 1 to 60 characters. Choose another one."),
        ("x" * 61, "A group name has 1 to 60 characters. Choose another one."),
    ],
)
def test_a_name_that_cannot_be_is_told_in_the_form(name: str, sentence: str, importing: Importing) -> None:
    handler.receive(dropped(), importing)
    reply = handler.submit_new_group(sent("1", name=name, sms_type="promotional"), importing)
    assert reply == FieldErrors({"name": sentence})


def test_no_group_is_made_for_a_file_that_was_begun_already(
    importing: Importing, marketing: Marketing, vip: int
) -> None:
    handler.receive(dropped(), importing)
    handler.choose_group(clicked(f"1:{vip}"), importing)
    reply = handler.submit_new_group(sent("1", name="gold", sms_type="promotional"), importing)
    assert isinstance(reply, FieldErrors)
    assert [group.name for group in marketing.groups.list(WORKSPACE)] == ["vip"]


def test_not_now_leaves_the_file_alone(importing: Importing, marketing: Marketing) -> None:
    handler.receive(dropped(), importing)
    assert handler.not_now(clicked(1), importing) == Replace(
        "*customers.xlsx* was not imported. Drop it again when you want it."
    )
    assert running(marketing) == []


def test_another_workspaces_file_is_not_there(importing: Importing, vip: int) -> None:
    handler.receive(dropped(), importing)
    for press in (handler.new_group, handler.not_now):
        with pytest.raises(UnknownThing):
            press(clicked(1, workspace="T0OTHER"), importing)
    with pytest.raises(UnknownThing):
        handler.choose_group(clicked(f"1:{vip}", workspace="T0OTHER"), importing)


def a_post(kind: PostKind, subject_id: int, version: int = 1) -> Post:
    return Post(1, WORKSPACE, "C0MARKETING", kind, subject_id, None, None, version)


def test_a_post_follows_its_import_to_the_end(
    importing: Importing, tasks: Tasks, marketing: Marketing, vip: int, tmp_path: Path
) -> None:
    path = tmp_path / "customers.csv"
    path.write_text(CSV, "utf-8")
    begun = marketing.an_import(path, marketing.groups.by_id(WORKSPACE, vip))
    post = a_post(PostKind.IMPORT, begun.id)
    started = compose(post, importing, tasks, Progress(2, 0.5))
    assert isinstance(started, Message)
    assert "2 rows read and checked" in str(started.blocks)
    assert not started.is_last
    ended = marketing.imports.run(begun, path, lambda progress: None)
    assert ended.state is ImportState.DONE
    done = compose(post, importing, tasks)
    assert isinstance(done, Message)
    assert done.is_last
    assert done.text == "2 imported · 1 duplicate and 1 invalid removed · you are not charged for those"
    assert "*customers.csv* → *vip*, which now has 2 customers" in str(done.blocks)
    rejects = compose(a_post(PostKind.REJECTS, begun.id), importing, tasks)
    assert isinstance(rejects, ThreadFile)
    assert (rejects.name, rejects.thread_ts) == ("customers - not imported.xlsx", "171.01")
    rejects.write(tmp_path / "rejects.xlsx")
    (sheet,) = openpyxl.load_workbook(tmp_path / "rejects.xlsx").worksheets
    rows = [*sheet.iter_rows(values_only=True)]
    assert any("12345" in map(str, row) and "too short" in map(str, row) for row in rows), rows


def test_a_failed_import_says_why(
    importing: Importing, tasks: Tasks, marketing: Marketing, vip: int, tmp_path: Path
) -> None:
    group = marketing.groups.by_id(WORKSPACE, vip)
    bad = tmp_path / "bad.csv"
    bad.write_text("mobile\n12345\nabc\n", "utf-8")
    nothing_valid = marketing.imported(bad, group, "F1")
    message = compose(a_post(PostKind.IMPORT, nothing_valid.id), importing, tasks)
    assert isinstance(message, Message)
    assert message.text == "Import failed: the file has no valid phone number."
    assert "2 rows read · " in str(message.blocks)
    unread = marketing.imports.fail(marketing.an_import(bad, group, "F2"), "login_page")
    message = compose(a_post(PostKind.IMPORT, unread.id), importing, tasks)
    assert isinstance(message, Message)
    assert message.text.startswith("Import failed: *bad.csv* could not be downloaded from Slack")
    assert message.is_last


async def test_a_task_has_its_post_its_result_and_the_question_when_it_is_late(
    importing: Importing, tasks: Tasks, marketing: Marketing
) -> None:
    task = marketing.a_confirmed_task(3)
    begun = compose(a_post(PostKind.TASK, task.id), importing, tasks)
    assert isinstance(begun, Message)
    assert not begun.is_last
    await marketing.send_all()
    over = compose(a_post(PostKind.TASK, task.id), importing, tasks)
    result = compose(a_post(PostKind.RESULT, task.id), importing, tasks)
    assert isinstance(over, Message)
    assert isinstance(result, Message)
    assert (over.is_last, result.is_last) == (True, False)
    assert result.text == "Result of task 1: 0 delivered, 0 failed, 3 unknown"


async def test_a_task_of_a_workspace_that_had_removed_the_bot_is_asked_about(
    importing: Importing, tasks: Tasks, marketing: Marketing
) -> None:
    task = marketing.a_confirmed_task(3)
    removals = Removals(marketing.database, marketing.clock)
    removals.removed(marketing.workspace_id)
    removals.installed(marketing.workspace_id)
    own = compose(a_post(PostKind.TASK, task.id), importing, tasks)
    asked = compose(a_post(PostKind.LATE, task.id), importing, tasks)
    assert isinstance(own, Message)
    assert isinstance(asked, Message)
    assert "Paused, because this workspace had removed me." in str(own.blocks)
    assert "It has still to go to 3 customers. Send it all the same?" in str(asked.blocks)
    assert not asked.is_last
    marketing.tasks.resume(marketing.workspace_id, task.number, ANA)
    decided = compose(a_post(PostKind.LATE, task.id), importing, tasks)
    assert isinstance(decided, Message)
    assert "It is sending." in str(decided.blocks)
    assert decided.is_last
