"""`/sms-optouts`: the do-not-send list, one number of it, its file, and files that are dropped for it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import openpyxl
import pytest

from handlers import imports, opt_outs
from handlers.errors import explain
from handlers.imports import Importing
from handlers.posts import Message, ThreadFile, compose, compose_reply
from handlers.replies import Block, Nothing, OpenForm, Replace, Reply, Say, SendFile
from handlers.requests import Command
from handlers.roles import Role
from handlers.routes import ROUTES
from handlers.tasks import Tasks
from handlers.views import imports as import_views
from handlers.views import opt_outs as views
from sandbox.slack.posting import UPDATE_TEXT, read_content
from services.carriers import ports
from services.errors import NotAllowed
from services.imports import Import, Progress, Purpose
from services.numbers import mask
from services.opt_outs import OptOut, OptOutPage, OptOuts, Origin
from services.posts import Post, PostKind
from services.replies import Replies
from services.replies import Reply as Heard
from services.states import ImportState
from tests.handlers.samples import ANA_HERE, LONGEST, MILLION, NOW, an_import, clicked, dropped, sent, typed
from tests.services.builders import ANA, BEN, FIRST_NUMBER, WORKSPACE, Marketing, numbers

TYPED, SHOWN = "13800000001", "+8613800000001"


@pytest.fixture
def service(marketing: Marketing) -> OptOuts:
    return OptOuts(marketing.database, marketing.clock)


def line(text: str = "", **values: object) -> Command:
    return typed(text, "/sms-optouts", **values)


def shown(reply: Reply) -> str:
    """All that a private answer says; it is within Slack's limits."""
    assert isinstance(reply, Say | Replace), reply
    read_content({"text": reply.text, "blocks": reply.blocks}, longest_text=UPDATE_TEXT)
    assert "<!channel" not in str(reply)
    return f"{reply.text}\n{reply.blocks}"


def buttons(reply: Reply) -> list[Block]:
    assert isinstance(reply, Say | Replace)
    accessories = [block["accessory"] for block in reply.blocks if "accessory" in block]
    return [*accessories, *(each for block in reply.blocks for each in block.get("elements", ()) if "value" in each)]


def test_a_number_is_written_as_it_is_dialled_in_the_workspaces_region(service: OptOuts) -> None:
    assert "+85261234567 is not on the do-not-send list" in shown(
        opt_outs.command(line("add 6123 4567", region="HK"), service)
    )


def test_an_empty_list_says_how_somebody_gets_there(service: OptOuts) -> None:
    text = shown(opt_outs.command(line(), service))
    assert "Nobody is on the do-not-send list." in text
    assert "`/sms-optouts import`" in text


def test_the_list_masks_numbers_and_says_when_why_and_by_whom(marketing: Marketing, service: OptOuts) -> None:
    service.add(WORKSPACE, FIRST_NUMBER, BEN)
    marketing.clock.move(timedelta(minutes=1))
    told = ports.Reply(FIRST_NUMBER + 1, "退订", "in-1")
    Replies(marketing.database, marketing.clock).store([(marketing.application_id, told)])
    reply = opt_outs.command(line(), service)
    text = shown(reply)
    assert "Do-not-send list: 2 numbers" in text
    assert f"+86 138****0002 · <!date^{int(marketing.clock.now().timestamp())}" in text
    assert "asked for it in a reply" in text
    assert f"added by <@{BEN}>" in text
    assert SHOWN not in text
    shows = [each for each in buttons(reply) if each["action_id"] == views.SHOW]
    one = opt_outs.show(clicked(shows[1]["value"]), service)
    assert f"*{SHOWN}* is on the do-not-send list since" in shown(one)


def test_pages_can_be_turned(marketing: Marketing, service: OptOuts) -> None:
    for number in numbers(opt_outs.PAGE_SIZE * 2 + 1):
        service.add(WORKSPACE, number, ANA)
    reply = opt_outs.command(line(), service)
    assert "page 1 of 3" in shown(reply)
    (following,) = [each for each in buttons(reply) if each["action_id"] in (views.NEXT_PAGE, views.PREVIOUS_PAGE)]
    second = opt_outs.turn_page(clicked(following["value"]), service)
    assert isinstance(second, Replace)
    assert "page 2 of 3" in shown(second)
    turning = [each["value"] for each in buttons(second) if each["action_id"] in (views.NEXT_PAGE, views.PREVIOUS_PAGE)]
    assert turning == ["1", "3"]


@pytest.mark.parametrize("text", [TYPED, "+86 138-0000-0001", f"add {TYPED}", "ADD +86 138 0000 0001"])
def test_a_number_that_is_not_there_comes_with_the_button_that_adds_it(service: OptOuts, text: str) -> None:
    reply = opt_outs.command(line(text), service)
    assert f"{SHOWN} is not on the do-not-send list." in shown(reply)
    (button,) = buttons(reply)
    assert button["action_id"] == views.ADD
    added = opt_outs.add(clicked(button["value"]), service)
    assert f"{SHOWN} is on the do-not-send list now." in shown(added)
    found = service.find(WORKSPACE, FIRST_NUMBER)
    assert found is not None
    assert (found.origin, found.added_by) == (Origin.PERSON, ANA)
    assert "was on the do-not-send list already" in shown(opt_outs.add(clicked(button["value"]), service))


@pytest.mark.parametrize("text", [TYPED, f"add {TYPED}", f"remove {TYPED}"])
def test_taking_a_number_off_is_asked_again_and_says_what_it_means(service: OptOuts, text: str) -> None:
    service.add(WORKSPACE, FIRST_NUMBER, ANA)
    (button,) = buttons(opt_outs.command(line(text), service))
    assert (button["action_id"], button["style"]) == (views.REMOVE, "danger")
    assert button["confirm"]["title"]["text"] == f"Send promotional SMS to {SHOWN} again?"
    assert "only if the person has agreed" in button["confirm"]["text"]["text"]
    removed = opt_outs.remove(clicked(button["value"]), service)
    assert f"{SHOWN} is off the do-not-send list. Promotional SMS reach it again." in shown(removed)
    assert service.find(WORKSPACE, FIRST_NUMBER) is None
    with pytest.raises(NotAllowed, match="not_opted_out") as refused:
        opt_outs.remove(clicked(button["value"]), service)
    assert explain(refused.value, ANA_HERE["zone"]).startswith(f"The number {SHOWN} is not on")


@pytest.mark.parametrize("origin", Origin)
def test_the_question_says_why_the_number_is_there(origin: Origin) -> None:
    reply = views.one(FIRST_NUMBER, OptOut(FIRST_NUMBER, origin, None, NOW))
    (button,) = buttons(reply)
    said = {
        Origin.REPLY: "This person asked",
        Origin.CARRIER: "The carrier says",
        Origin.PERSON: "Somebody put",
        Origin.IMPORT: "Somebody put",
    }
    assert button["confirm"]["text"]["text"].startswith(said[origin])
    assert len(button["confirm"]["text"]["text"]) <= 300


def test_a_number_that_a_group_may_hold_can_be_opted_out_too(service: OptOuts) -> None:
    assert "+85266661234 is not on" in shown(opt_outs.command(line("85266661234"), service))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("hello", "*hello* is no phone number."),
        ("add", "Which number?"),
        ("remove ", "Which number?"),
        ("add hello", "*hello* is no phone number."),
        (f"remove {TYPED}", f"{SHOWN} is not on the do-not-send list."),
        ("export", "Nobody is on the do-not-send list"),
    ],
)
def test_what_cannot_be_done_is_explained(service: OptOuts, text: str, sentence: str) -> None:
    with pytest.raises(NotAllowed) as refused:
        opt_outs.command(line(text), service)
    assert sentence in explain(refused.value, ANA_HERE["zone"])


def test_import_tells_what_to_write_beside_the_file(service: OptOuts) -> None:
    assert "write `optouts` beside it" in shown(opt_outs.command(line("import"), service))
    with pytest.raises(NotAllowed, match="bot_not_in_channel"):
        opt_outs.command(line("import", bot_in_channel=False), service)
    assert "Nobody is on" in shown(opt_outs.command(line("", bot_in_channel=False), service))


@pytest.mark.parametrize("kind", ["xlsx", "csv"])
def test_the_list_goes_out_as_a_file_that_can_be_imported_again(service: OptOuts, tmp_path: Path, kind: str) -> None:
    for number in numbers(3):
        service.add(WORKSPACE, number, ANA)
    form = opt_outs.command(line("export"), service)
    assert isinstance(form, OpenForm)
    assert isinstance(opt_outs.export_form(clicked("all"), service), OpenForm)
    assert form.view["callback_id"] == views.EXPORT_FORM
    assert "3 numbers on the do-not-send list" in str(form.view)
    file = opt_outs.submit_export(sent(kind=kind), service)
    assert isinstance(file, SendFile)
    assert file.name == f"do-not-send list.{kind}"
    path = tmp_path / "file"
    file.write(path)
    if kind == "csv":
        rows = [row.split(",") for row in path.read_text("utf-8-sig").splitlines()]
    else:
        with path.open("rb") as content:
            sheet = openpyxl.load_workbook(content).active
            assert sheet is not None
            rows = [[str(cell) for cell in row] for row in sheet.iter_rows(values_only=True)]
    assert rows[0] == ["Number", "Since (UTC)", "How it got there", "By"]
    first = SHOWN if kind == "xlsx" else SHOWN[1:]
    assert rows[1] == [first, "2026-03-04 02:00", "added", ANA]
    assert len(rows) == 4


@pytest.mark.parametrize(
    "text",
    ["optouts", "OptOuts", " optouts ", "opt-outs", "`optouts`", "optouts.", "/sms-optouts import", "optouts import"],
)
def test_a_file_with_the_word_beside_it_is_taken_onto_the_list(
    importing: Importing, marketing: Marketing, text: str
) -> None:
    assert imports.receive(dropped(text=text), importing) == Nothing()
    (running,) = marketing.imports.running()
    assert (running.purpose, running.group_id, running.uploaded_by) == (Purpose.OPT_OUTS, None, ANA)
    assert imports.receive(dropped(text=text), importing) == Nothing(), "Slack tells of it again"


@pytest.mark.parametrize(
    "text", ["customers without the optouts", "no optouts", "optouts?", "group:optouts", "opt outs"]
)
def test_among_other_words_it_means_nothing(importing: Importing, marketing: Marketing, text: str) -> None:
    assert isinstance(imports.receive(dropped(text=text), importing), Say)
    assert marketing.imports.running() == []


def test_the_channel_sees_the_import_and_its_counts_but_no_number(
    importing: Importing, tasks: Tasks, marketing: Marketing, tmp_path: Path
) -> None:
    imports.receive(dropped("gone.csv", "optouts"), importing)
    (running,) = marketing.imports.running()
    post = Post(1, WORKSPACE, "C0", PostKind.IMPORT, running.id, None, None, 1)
    begun = compose(post, importing, tasks, Progress(2, 0.5))
    assert isinstance(begun, Message)
    assert begun.text == "Importing *gone.csv* into the do-not-send list"
    path = tmp_path / "gone.csv"
    path.write_text("Mobile\n13800000001\n13800000001\nhello\n")
    marketing.imports.run(running, path, lambda progress: None)
    done = compose(post, importing, tasks)
    assert isinstance(done, Message)
    assert done.text == "1 number added to the do-not-send list · 1 duplicate and 1 invalid left out"
    assert done.is_last
    assert TYPED not in str(done)
    assert "promotional SMS no longer reach these numbers" in str(done.blocks)
    rejects = compose(Post(2, WORKSPACE, "C0", PostKind.REJECTS, running.id, None, None, 1), importing, tasks)
    assert isinstance(rejects, ThreadFile)


async def test_a_reply_is_shown_masked_and_as_it_was_written(marketing: Marketing) -> None:
    replies = Replies(marketing.database, marketing.clock)
    marketing.a_confirmed_task(1)
    await marketing.send_all()
    (task_post,) = marketing.posts.due()
    marketing.posts.shown(task_post.id, "171.01", task_post.version, closed=False)
    told = ports.Reply(FIRST_NUMBER, "<!channel> *when?* & `where`", "in-1")
    replies.store([(marketing.application_id, told)])
    (post,) = [each for each in marketing.posts.due() if each.kind is PostKind.REPLY]
    message = compose_reply(post, replies)
    assert message.text == "Reply from +86 138****0001: &lt;!channel&gt; *when?* &amp; `where`"
    assert message.is_last
    head, body = message.blocks
    assert head["text"]["text"] == "Reply from +86 138****0001"
    assert body["elements"][0]["elements"] == [{"type": "text", "text": "<!channel> *when?* & `where`"}]


@pytest.mark.parametrize("text", ["", " ", "x" * 4000, "&" * 4000, "群" * 4000, "\x07", *LONGEST])
def test_any_reply_fits_a_message(text: str) -> None:
    said, body = views.reply(Heard(1, FIRST_NUMBER, text, NOW))
    read_content({"text": said, "blocks": body}, longest_text=40_000)
    assert said.startswith(f"Reply from {mask(FIRST_NUMBER)}")


@pytest.mark.parametrize("name", LONGEST)
def test_every_answer_holds_the_longest_names_and_largest_counts(name: str) -> None:
    ended: Import = an_import(
        name,
        purpose=Purpose.OPT_OUTS,
        group=None,
        group_id=None,
        imported=MILLION,
        already_in_group=MILLION,
        hidden_rows=1,
    )
    page = OptOutPage([OptOut(n, Origin.IMPORT, "U" * 20, NOW) for n in numbers(8)], 50_000, 125_000, MILLION)
    for text, body in (
        views.imported(ended),
        import_views.running(ended, None),
        import_views.waiting(an_import(name, purpose=Purpose.OPT_OUTS, state=ImportState.WAITING)),
        import_views.cancelled(ended),
    ):
        read_content({"text": text, "blocks": body}, longest_text=UPDATE_TEXT)
        assert "<!channel" not in text
        assert "the do-not-send list" in f"{text}{body}"
    shown(views.opt_out_list(page))


def test_taking_off_asks_for_more_than_adding_and_adding_for_more_than_looking() -> None:
    roles = {route.key: route.role for route in ROUTES}
    assert roles["/sms-optouts"] is roles[views.NEXT_PAGE] is roles[views.PREVIOUS_PAGE] is Role.VIEWER
    # They show or hold whole numbers.
    for key in (views.SHOW, views.ADD, views.EXPORT, views.EXPORT_FORM, "message"):
        assert roles[key] is Role.SENDER, key
    assert roles[views.REMOVE] is Role.APPROVER
