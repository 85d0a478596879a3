"""`/sms-import`, and what can be pressed on an import's post."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import openpyxl
import pytest

from handlers import arguments
from handlers import imports as handler
from handlers.imports import Importing
from handlers.posts import Message, compose
from handlers.replies import FieldErrors, Nothing, OpenForm, Reply, Say, SendFile
from handlers.tasks import Tasks
from handlers.views import imports as views
from handlers.views import opt_outs as opt_out_views
from handlers.views.imports import CANCEL, CHOOSE_COLUMN, KEEP, TEMPLATE, UNDO
from services.errors import NotAllowed, UnknownThing
from services.groups import NAME_LIMIT
from services.imports import Import, Progress, Purpose
from services.pool import Pool
from services.posts import Post, PostKind
from services.spreadsheets.reader import Column
from services.states import ImportState, SmsType
from tests.handlers.samples import EVIL, LONGEST, a_group, an_import, clicked, dropped, sent, typed
from tests.services.builders import BEN, WORKSPACE, Marketing
from tests.services.files import unclear_sheets

CSV = "mobile,name\n13812345678,Ana\n010 6234 5678,Ben\n14912345678,Cem\n12345,Dan\n"
TWO = "Name,Mobile,Phone\n" + "".join(f"Guest,1380000000{no},1390000000{no}\n" for no in range(4))


@pytest.fixture
def done(marketing: Marketing, tmp_path: Path) -> Import:
    """One imported, two that may be kept, one invalid."""
    path = tmp_path / "customers.csv"
    path.write_text(CSV, "utf-8")
    return marketing.imported(path, marketing.a_group("vip"))


@pytest.fixture
def waiting(marketing: Marketing, tmp_path: Path) -> Import:
    """A file with two columns of numbers."""
    path = tmp_path / "two.csv"
    path.write_text(TWO, "utf-8")
    return marketing.imported(path, marketing.a_group("vip"))


@pytest.fixture
def shown(importing: Importing, tasks: Tasks) -> Any:
    """The channel's post of an import, as it should be now."""

    def show(of: Import, progress: Progress | None = None) -> Message:
        message = compose(Post(1, WORKSPACE, "C0", PostKind.IMPORT, of.id, None, None, 1), importing, tasks, progress)
        assert isinstance(message, Message)
        return message

    return show


def buttons(message: Message | Say) -> dict[str, str]:
    """Action id → label."""
    elements = [each for block in message.blocks if block["type"] == "actions" for each in block["elements"]]
    return {each["action_id"]: each["text"]["text"] for each in elements if each["type"] == "button"}


def test_the_post_offers_to_keep_and_to_undo(done: Import, shown: Any) -> None:
    message = shown(done)
    assert message.text == "1 imported · 1 invalid removed · 2 set aside · you are not charged for those"
    assert buttons(message)[KEEP] == "Keep these 2 anyway"
    assert buttons(message)[UNDO] == "Undo the import"
    confirm = next(each for each in message.blocks[2]["elements"] if each["action_id"] == UNDO)["confirm"]
    assert confirm["text"]["text"] == "The numbers that it alone brought are taken out of vip again."


def test_where_all_were_set_aside_the_post_offers_to_keep_them_and_nothing_to_send() -> None:
    nothing: dict[str, Any] = {"imported": 0, "duplicates": 0, "invalid": 0, "set_aside": 2, "keepable": 2}
    line, body = views.done(an_import(group=None, group_id=None, purpose=Purpose.SEND, **nothing), None)
    assert line == "0 imported · 2 set aside · you are not charged for those"
    assert [each["text"]["text"] for each in body[-1]["elements"]] == ["Keep these 2 anyway"]


def test_kept_numbers_move_in_the_same_post(importing: Importing, done: Import, shown: Any) -> None:
    assert handler.keep(clicked(done.id), importing) == Nothing()
    message = shown(done)
    assert message.text == "3 imported · 1 invalid removed · you are not charged for those"
    assert "2 that were set aside were kept" in str(message.blocks)
    assert KEEP not in buttons(message)
    with pytest.raises(NotAllowed, match="nothing_to_keep"):
        handler.keep(clicked(done.id), importing)


def test_an_undone_import_says_by_whom(importing: Importing, done: Import, shown: Any) -> None:
    assert handler.undo(clicked(done.id, person=BEN), importing) == Nothing()
    message = shown(done)
    assert message.text == (
        f"The import of *customers.csv* into *vip* was undone by <@{BEN}>. "
        "The 1 number that it alone brought is out of the group."
    )
    assert (message.is_last, buttons(message)) == (True, {})


def test_an_undone_import_says_how_many_it_took_out(
    importing: Importing, marketing: Marketing, done: Import, shown: Any
) -> None:
    Pool(marketing.database).remove(WORKSPACE, 8613812345678)
    handler.undo(clicked(done.id), importing)
    assert shown(done).text.endswith("was undone by <@U0ANA>. The group had none of its numbers any more.")


def test_an_import_without_new_numbers_has_nothing_to_undo(shown: Any) -> None:
    _, blocks = views.done(an_import(imported=0, already_in_group=5), a_group())
    assert UNDO not in str(blocks)


def test_an_import_of_a_deleted_group_can_only_be_read(shown: Any) -> None:
    _, blocks = views.done(an_import(group=None, group_id=None, keepable=3), None)
    assert [block["type"] for block in blocks] == ["section", "context"]


def test_what_was_hidden_is_said_small() -> None:
    _, blocks = views.done(an_import(hidden_rows=3, hidden_columns=1, hidden_sheets=2), a_group())
    assert "hidden in the file and left out: 3 rows, 1 column and 2 sheets" in str(blocks[1])


def test_sheets_without_numbers_are_named_small() -> None:
    sheets = ("HK", EVIL, *(f"Notes {no}" for no in range(9)))
    for _, blocks in (
        views.done(an_import(numberless_sheets=sheets), a_group()),
        opt_out_views.imported(an_import(numberless_sheets=sheets, purpose=Purpose.OPT_OUTS)),
    ):
        said = blocks[1]["elements"][0]["text"]
        assert "11 sheets without a number column left out: *HK*, " in said
        assert "and 6 more · " in said
        assert EVIL not in said


def test_numbers_that_were_all_set_aside_can_be_kept_and_not_sent_to() -> None:
    for purpose in (Purpose.GROUP, Purpose.SEND):
        line, blocks = views.done(an_import(imported=0, set_aside=3, keepable=3, purpose=purpose), a_group())
        assert line.startswith("0 imported · ")
        assert "Keep these 3 anyway" in str(blocks)
    assert [each["action_id"] for each in blocks[2]["elements"]] == [KEEP]


def test_country_codes_are_in_the_line() -> None:
    line, _ = views.done(an_import(by_country_code=37), a_group())
    assert line.startswith("12,480 imported · 37 of these read as country code + number · 312 duplicates")


@pytest.mark.parametrize(
    ("progress", "said"),
    [
        (None, "░░░░░░░░░░░░░░░░░░░░  Reading the file…"),
        (Progress(0, 0.0), "░░░░░░░░░░░░░░░░░░░░  Reading the file…"),
        (Progress(0, 0.0, waits=True), "░░░░░░░░░░░░░░░░░░░░  Waiting for another import to end…"),
        (Progress(420_000, 0.4), "▓▓▓▓▓▓▓▓░░░░░░░░░░░░  420,000 rows read and checked"),
        (
            Progress(1_000_000, 1.0, 500_000, 1_000_000),
            "▓▓▓▓▓▓▓▓▓▓░░░░░░░░░░  1,000,000 rows read and checked · 500,000 of 1,000,000 numbers stored",
        ),
    ],
    ids=["begun", "opened", "waiting", "reading", "storing"],
)
def test_progress_is_a_bar_with_a_way_out(progress: Progress | None, said: str) -> None:
    text, blocks = views.running(an_import(state=ImportState.RUNNING), progress)
    assert blocks[0]["text"]["text"] == f"{text}\n{said}"
    assert blocks[1]["elements"][0]["action_id"] == CANCEL
    assert "confirm" in blocks[1]["elements"][0]


def test_a_cancelled_import_says_by_whom(importing: Importing, waiting: Import, shown: Any) -> None:
    assert handler.cancel(clicked(waiting.id, person=BEN), importing) == Nothing()
    message = shown(waiting)
    assert message.text == f"The import of *two.csv* into *vip* was cancelled by <@{BEN}>. Nothing was imported."
    assert message.is_last
    with pytest.raises(NotAllowed, match="import_over"):
        handler.cancel(clicked(waiting.id), importing)


def test_cancelling_takes_along_the_group_that_was_made_for_it(
    importing: Importing, marketing: Marketing, shown: Any
) -> None:
    handler.receive(dropped("customers.csv"), importing)
    handler.submit_new_group(sent("1", name=" spring  sale ", sms_type="promotional"), importing)
    (running,) = importing.imports.running()
    handler.cancel(clicked(running.id, person=BEN), importing)
    assert shown(running).text == (
        f"The import of *customers.csv* into the new group *spring sale* was cancelled by <@{BEN}>. "
        "Nothing was imported, and the group is gone again."
    )
    assert marketing.groups.list(WORKSPACE) == []


@pytest.mark.parametrize(
    ("purpose", "where"),
    [
        (Purpose.GROUP, "into *vip*"),
        (Purpose.SEND, "for one send only"),
        (Purpose.OPT_OUTS, "into the do-not-send list"),
    ],
)
def test_an_interrupted_import_says_where_it_was_going(purpose: Purpose, where: str) -> None:
    group = "vip" if purpose is Purpose.GROUP else None
    text, _ = views.interrupted(an_import(state=ImportState.RUNNING, group=group, purpose=purpose))
    assert text == f"Importing *customers.xlsx* {where}"


def test_the_question_for_the_column_shows_no_numbers_to_the_channel(waiting: Import, shown: Any) -> None:
    message = shown(waiting)
    assert message.text == "*two.csv* has more than one column of phone numbers: *Mobile* or *Phone*. Which one?"
    assert list(buttons(message)) == [CHOOSE_COLUMN, CANCEL]
    assert "138" not in str(message.blocks)
    assert not message.is_last


def test_the_form_shows_three_samples_of_each_column(importing: Importing, waiting: Import) -> None:
    opened = handler.choose_column(clicked(waiting.id), importing)
    assert isinstance(opened, OpenForm)
    options = opened.view["blocks"][0]["element"]["options"]
    assert [each["text"]["text"] for each in options] == [
        "B · Mobile: 13800000000, 13800000001, 13800000002",
        "C · Phone: 13900000000, 13900000001, 13900000002",
    ]
    assert handler.submit_column(sent(opened.context, column=options[1]["value"]), importing) == Nothing()
    (running,) = importing.imports.running()
    assert running.chosen == ("Phone",)
    with pytest.raises(NotAllowed, match="column_chosen"):
        handler.choose_column(clicked(waiting.id), importing)
    with pytest.raises(NotAllowed, match="column_chosen"):
        handler.submit_column(sent(opened.context, column="0"), importing)


def test_a_form_for_one_sheet_is_too_late_when_another_sheet_asks(
    importing: Importing, marketing: Marketing, shown: Any, tmp_path: Path
) -> None:
    path = unclear_sheets(tmp_path / "two.xlsx")
    waiting = marketing.imported(path, marketing.a_group("vip"))
    assert "The sheet *Spring* of *two.xlsx* has more than one column of phone numbers" in shown(waiting).text
    opened = handler.choose_column(clicked(waiting.id), importing)
    assert isinstance(opened, OpenForm)
    handler.submit_column(sent(opened.context, column="1"), importing)
    (running,) = importing.imports.running()
    again = importing.imports.run(running, path, lambda _progress: None)
    assert "The sheet *Winter* of *two.xlsx* has more than one column of phone numbers" in shown(again).text
    with pytest.raises(NotAllowed, match="column_chosen"):
        handler.submit_column(sent(opened.context, column="1"), importing)


def test_a_menu_that_cannot_hold_all_columns_says_so() -> None:
    columns = tuple(Column(no, f"Phone {no}", ("13800000000",), f"Phone {no}") for no in range(150))
    view = views.column_form(an_import(columns=columns, state=ImportState.WAITING))
    assert len(view["blocks"][0]["element"]["options"]) == 100
    assert "The 100 of 150 columns that look most like phone numbers" in view["blocks"][0]["hint"]["text"]
    few = views.column_form(an_import(columns=columns[:100], state=ImportState.WAITING))
    assert "hint" not in few["blocks"][0]


@pytest.mark.parametrize("header", [*LONGEST, ""])
def test_any_header_and_any_sample_fit_in_the_menu(header: str) -> None:
    columns = tuple(Column(16_383 - no, header, ("0" * 80, "&" * 80, EVIL), header) for no in range(100))
    view = views.column_form(an_import(columns=columns, state=ImportState.WAITING))
    assert all(len(each["text"]["text"]) <= 75 for each in view["blocks"][0]["element"]["options"])


class TestTheCommand:
    """`/sms-import [group:vip] [type:promotional]`."""

    def test_it_tells_how_for_a_group_that_is_there(self, importing: Importing, marketing: Marketing) -> None:
        marketing.a_group("spring sale")
        told = said(handler.command(typed("group:'Spring  Sale'", "/sms-import"), importing))
        assert 'write `group:"spring sale"` beside it' in told.text
        assert list(buttons(told)) == [TEMPLATE]

    def test_a_new_group_is_made_where_its_type_is_given(self, importing: Importing, marketing: Marketing) -> None:
        with pytest.raises(UnknownThing):
            handler.command(typed("group:vip", "/sms-import"), importing)
        said(handler.command(typed("group:vip type:Promotional", "/sms-import"), importing))
        assert marketing.groups.find(WORKSPACE, "vip").sms_type is SmsType.PROMOTIONAL
        said(handler.command(typed("group:vip type:promotional", "/sms-import"), importing))

    @pytest.mark.parametrize(
        ("text", "rule"),
        [
            ("type:promotional", "key_missing"),
            ("group:vip type:promotional", "group_type_differs"),
            ("group:new type:verification", "verification_group"),
        ],
    )
    def test_what_cannot_be_is_refused(self, text: str, rule: str, importing: Importing, marketing: Marketing) -> None:
        marketing.a_group("vip", sms_type=SmsType.NOTIFICATION)
        with pytest.raises(NotAllowed, match=rule):
            handler.command(typed(text, "/sms-import"), importing)

    def test_an_unknown_type_is_corrected(self, importing: Importing) -> None:
        with pytest.raises(UnknownThing, match="SMS type"):
            handler.command(typed("group:vip type:marketing", "/sms-import"), importing)

    def test_where_the_bot_is_not_it_would_see_no_file(self, importing: Importing) -> None:
        with pytest.raises(NotAllowed, match="bot_not_in_channel"):
            handler.command(typed("", "/sms-import", bot_in_channel=False), importing)


class TestTheForm:
    """The choice of an existing or a new group."""

    def test_it_offers_both(self, importing: Importing, marketing: Marketing) -> None:
        vip = marketing.a_group("vip")
        opened = handler.command(typed("", "/sms-import"), importing)
        assert isinstance(opened, OpenForm)
        fields = {block["block_id"]: block for block in opened.view["blocks"] if "block_id" in block}
        assert list(fields) == ["group", "name", "sms_type"]
        assert all(field["optional"] for field in fields.values())
        assert fields["group"]["element"]["options"][0]["value"] == str(vip.id)

    def test_without_any_group_the_new_one_must_be_named(self, importing: Importing) -> None:
        opened = handler.command(typed("", "/sms-import"), importing)
        assert isinstance(opened, OpenForm)
        fields = {block["block_id"]: block["optional"] for block in opened.view["blocks"] if "block_id" in block}
        assert fields == {"name": False, "sms_type": False}

    @pytest.mark.parametrize(
        ("values", "wrong"),
        [
            ({}, {"name": "Choose a group above, or name a new one."}),
            ({"name": "  "}, {"name": "Choose a group above, or name a new one."}),
            (
                {"group": 1, "name": "new", "sms_type": "promotional"},
                {"name": "Choose an existing group or name a new one, not both."},
            ),
            ({"name": "new"}, {"sms_type": "Choose what the new group is for."}),
            (
                {"name": "VIP", "sms_type": "promotional"},
                {"name": "A group VIP exists already. Choose another name, or import into that one."},
            ),
        ],
        ids=["nothing", "spaces", "both", "no type", "taken"],
    )
    def test_a_wrong_field_is_named(
        self, values: dict[str, object], wrong: dict[str, str], importing: Importing, marketing: Marketing
    ) -> None:
        marketing.a_group("vip")
        fields = {"group": "", "name": "", "sms_type": "", **values}
        assert handler.submit_how_to(sent(**fields), importing) == FieldErrors(wrong)

    def test_either_leads_to_how_to_import(self, importing: Importing, marketing: Marketing) -> None:
        vip = marketing.a_group("vip")
        told = said(handler.submit_how_to(sent(group=vip.id, name="", sms_type=""), importing))
        assert "`group:vip`" in told.text
        told = said(handler.submit_how_to(sent(group="", name=" gold ", sms_type="notification"), importing))
        assert "`group:gold`" in told.text


@pytest.mark.parametrize(("locale", "header"), [("en-US", "Mobile"), ("zh-CN", "手机号")])
def test_the_template_is_in_the_persons_language(
    importing: Importing, tmp_path: Path, locale: str, header: str
) -> None:
    reply = handler.template(clicked("xlsx", locale=locale), importing)
    assert isinstance(reply, SendFile)
    path = tmp_path / reply.name
    reply.write(path)
    (sheet,) = openpyxl.load_workbook(path).worksheets
    assert header in [cell.value for cell in sheet["A"]]


def test_more_than_a_hundred_groups_are_offered_by_their_last_use(importing: Importing, marketing: Marketing) -> None:
    groups = [marketing.a_group(f"g{no:03}") for no in range(102)]
    asked = said(handler.receive(dropped(), importing))
    options = asked.blocks[1]["elements"][0]["options"]
    assert len(options) == 100
    assert options[0]["value"].endswith(f":{groups[-1].id}")
    assert "The menu shows the 100 groups last used; *group:name* beside the file takes any." in str(asked.blocks[2])
    opened = handler.command(typed("", "/sms-import"), importing)
    assert isinstance(opened, OpenForm)
    assert "/sms-import group:name takes any" in str(opened.view)


@pytest.mark.parametrize("name", [*LONGEST, "vip", "a b", 'say "hi"', "it's", "«x»", "a,b", "group:x", "a：b", "“"])
def test_a_name_is_written_as_it_is_read(name: str) -> None:
    pair = arguments.write_pair("group", name)
    assert arguments.find_one(f"please {pair}, thanks", "group") == " ".join(name.split())
    assert arguments.parse(pair, ("group",)).one("group") == " ".join(name.split())
    assert len(name) <= NAME_LIMIT


def said(reply: Reply) -> Say:
    assert isinstance(reply, Say)
    return reply
