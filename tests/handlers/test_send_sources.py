"""`/sms-send` to the pool, a file and typed numbers; what stands in a preview's way; test sends."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from handlers import imports as import_handlers
from handlers import send
from handlers.arguments import BadArguments
from handlers.imports import Importing
from handlers.posts import Message, compose
from handlers.replies import FieldErrors, Later, OpenForm, Replace, Reply, Say
from handlers.send import Sending
from handlers.tasks import Tasks
from handlers.views.enter import LEAVE_OUT as LEAVE_WRONG_OUT
from handlers.views.imports import KEEP, SEND, UNDO
from handlers.views.send import CONFIRM, DISCARD, LEAVE_OUT, RESCHEDULE, TEST
from services.errors import NotAllowed
from services.imports import Import
from services.posts import Post, PostKind
from services.states import SmsType
from tests.handlers.samples import clicked, dropped, sent, typed
from tests.services.builders import FIRST_NUMBER, WORKSPACE, Marketing, numbers
from tests.services.test_imports_for_send import CSV


def texts(reply: Reply) -> str:
    assert isinstance(reply, Say | Replace)
    return f"{reply.text}\n{reply.blocks}"


def buttons(reply: Reply) -> dict[str, str]:
    """Action id → the draft that the button carries."""
    assert isinstance(reply, Say | Replace)
    return {each["action_id"]: each["value"] for each in reply.blocks[-1]["elements"]}


def labels(reply: Reply) -> list[str]:
    assert isinstance(reply, Say | Replace)
    return [each["text"]["text"] for each in reply.blocks[-1]["elements"]]


def template_id(marketing: Marketing, name: str = "spring") -> int:
    return marketing.content.find_template(WORKSPACE, name).id


def form(marketing: Marketing, template: str = "spring", **fields: Any) -> dict[str, Any]:
    return {"template": template_id(marketing, template), "at": "", "name": "", **fields}


@pytest.fixture
def file(importing: Importing, marketing: Marketing, tmp_path: Path) -> Import:
    """A file dropped and read for one send."""
    path = tmp_path / "may.csv"
    path.write_text(CSV, "utf-8")
    import_handlers.receive(dropped("may.csv"), importing)
    import_handlers.use_once(clicked(1), importing)
    return marketing.imports.run(marketing.imports.get(WORKSPACE, 1), path, lambda progress: None)


class TestPool:
    """The lone word `pool`, or a tick in the form."""

    def test_the_word_pool_takes_every_group_of_the_type(self, sending: Sending, marketing: Marketing) -> None:
        marketing.a_group("vip", numbers(3))
        marketing.a_group("gold", numbers(2, FIRST_NUMBER + 2))
        shown = send.command(typed("pool template:spring"), sending)
        assert "4 in the whole pool" in texts(shown)
        assert "1 there twice, sent once" in texts(shown)
        assert "3 in the whole pool without *gold*" not in texts(shown)
        without = send.command(typed("Pool template:spring exclude:gold"), sending)
        assert "2 in the whole pool without *gold*" in texts(without)

    def test_the_form_takes_the_pool_too(self, sending: Sending, marketing: Marketing) -> None:
        marketing.a_group("vip", numbers(3))
        shown = send.submit_form(sent(**form(marketing, pool=("pool",), group=())), sending)
        assert "3 in the whole pool" in texts(shown)
        assert "Task 1 is sending to 3 customers." in texts(send.confirm(clicked(buttons(shown)[CONFIRM]), sending))

    def test_another_word_is_no_source(self, sending: Sending) -> None:
        with pytest.raises(BadArguments):
            send.command(typed("everybody template:spring"), sending)

    def test_pool_and_group_together_are_refused(self, sending: Sending, marketing: Marketing) -> None:
        marketing.a_group("vip", numbers(3))
        with pytest.raises(NotAllowed, match="pool_and_group"):
            send.command(typed("pool group:vip template:spring"), sending)

    def test_a_group_named_pool_is_still_a_group(self, sending: Sending, marketing: Marketing) -> None:
        marketing.a_group("pool", numbers(2))
        marketing.a_group("vip", numbers(5))
        assert "2 in *pool*" in texts(send.command(typed("group:pool template:spring"), sending))


class TestTyped:
    """Numbers typed in the form."""

    def test_those_of_the_workspaces_own_region_need_no_country_code(
        self, sending: Sending, marketing: Marketing
    ) -> None:
        typed_ = sent(**form(marketing, numbers="6123 4567\n13800000002"))
        assert isinstance(send.submit_form(typed_, sending), FieldErrors)
        shown = texts(send.submit_form(replace(typed_, region="HK"), sending))
        assert "Send to 1 customer" in shown, "the application sends to the mainland only"

    def test_typed_numbers_are_sent_to(self, sending: Sending, marketing: Marketing) -> None:
        shown = send.submit_form(sent(**form(marketing, numbers="13800000001\n13800000002")), sending)
        assert "2 typed numbers" in texts(shown)
        assert "Send to 2 customers" in labels(shown)

    def test_a_wrong_line_is_named_and_can_be_left_out(self, sending: Sending, marketing: Marketing) -> None:
        fields = form(marketing, numbers="13800000001\n138")
        reply = send.submit_form(sent(**fields, wrong=()), sending)
        assert isinstance(reply, FieldErrors)
        assert reply.errors["numbers"].startswith("Line 2 (138): too short")
        assert "1 typed number" in texts(send.submit_form(sent(**fields, wrong=(LEAVE_WRONG_OUT,)), sending))

    def test_more_than_100_are_a_files_work(self, sending: Sending, marketing: Marketing) -> None:
        many = "\n".join(str(13800000000 + no) for no in range(101))
        reply = send.submit_form(sent(**form(marketing, numbers=many)), sending)
        assert isinstance(reply, FieldErrors)
        assert "100 is the most" in reply.errors["numbers"]

    @pytest.mark.parametrize(
        ("fields", "sentence"),
        [
            ({}, "Choose groups, tick the whole pool, or type numbers here."),
            ({"numbers": "13800000001", "pool": ("pool",)}, "cannot be mixed"),
        ],
    )
    def test_one_source_is_needed(
        self, fields: dict[str, Any], sentence: str, sending: Sending, marketing: Marketing
    ) -> None:
        reply = send.submit_form(sent(**form(marketing, **fields)), sending)
        assert isinstance(reply, FieldErrors)
        assert sentence in reply.errors["numbers"]

    def test_every_wrong_field_is_told_at_once(self, sending: Sending, marketing: Marketing) -> None:
        reply = send.submit_form(sent(**form(marketing, numbers="138", at="soon")), sending)
        assert isinstance(reply, FieldErrors)
        assert sorted(reply.errors) == ["at", "numbers"]

    def test_without_any_group_the_form_still_opens(self, sending: Sending) -> None:
        opened = send.command(typed(""), sending)
        assert isinstance(opened, OpenForm)
        ids = [block["block_id"] for block in opened.view["blocks"] if block["type"] == "input"]
        assert ids == ["template", "numbers", "wrong", "at", "name"]


class TestFile:
    """A file dropped for one send alone."""

    def test_its_post_offers_to_send(self, file: Import, importing: Importing, tasks: Tasks) -> None:
        message = compose(Post(1, WORKSPACE, "C0", PostKind.IMPORT, file.id, None, None, 1), importing, tasks)
        assert isinstance(message, Message)
        found = {each["action_id"] for each in message.blocks[-1]["elements"]}
        assert found == {SEND, KEEP}
        assert UNDO not in found
        assert "for one send only, in no group" in str(message.blocks)

    def test_while_it_is_read_the_post_says_what_for(
        self, importing: Importing, tasks: Tasks, marketing: Marketing
    ) -> None:
        import_handlers.receive(dropped("may.csv"), importing)
        reply = import_handlers.use_once(clicked(1), importing)
        assert reply == Replace("Reading *may.csv* for one send only. The progress is in the channel.")
        message = compose(Post(1, WORKSPACE, "C0", PostKind.IMPORT, 1, None, None, 1), importing, tasks)
        assert isinstance(message, Message)
        assert message.text == "Importing *may.csv* for one send only"

    def test_its_form_has_no_other_source(self, file: Import, sending: Sending, marketing: Marketing) -> None:
        opened = send.open_form_for_file(clicked(file.id), sending)
        assert isinstance(opened, OpenForm)
        assert opened.context == str(file.id)
        assert "3 rows of *may.csv*" in str(opened.view["blocks"][0])
        shown = send.submit_form(sent(opened.context, **form(marketing)), sending)
        assert "2 in *may.csv*" in texts(shown)

    def test_a_text_with_variables_shows_what_arrives_at_each(
        self, file: Import, sending: Sending, marketing: Marketing
    ) -> None:
        shown = send.submit_form(sent(file.id, **form(marketing, "personal")), sending)
        assert "【Spring】Dear Ana, see you at Ana." in texts(shown)
        assert "+86 138****0001" in texts(shown)
        assert "13800000001" not in texts(shown)

    def test_a_result_must_have_a_place_to_go(self, file: Import, sending: Sending) -> None:
        with pytest.raises(NotAllowed, match="bot_not_in_channel"):
            send.open_form_for_file(clicked(file.id, bot_in_channel=False), sending)


def test_what_lacks_values_can_only_be_left_out(
    sending: Sending, importing: Importing, marketing: Marketing, tmp_path: Path
) -> None:
    path = tmp_path / "may.csv"
    path.write_text("Mobile,Name\n13800000001,Ana\n13800000002,\n13800000003,\n", "utf-8")
    import_handlers.receive(dropped("may.csv"), importing)
    import_handlers.use_once(clicked(1), importing)
    marketing.imports.run(marketing.imports.get(WORKSPACE, 1), path, lambda progress: None)
    shown = send.submit_form(sent(1, **form(marketing, "personal")), sending)
    assert list(buttons(shown)) == [LEAVE_OUT, TEST, DISCARD]
    assert labels(shown)[0] == "Leave 2 out"
    assert "Of 3 rows, 2 have no `{name}` and 2 have no `{1}`: row 3 (+86 138****0002), row 4" in texts(shown)
    with pytest.raises(NotAllowed, match="values_missing"):
        send.confirm(clicked(buttons(shown)[LEAVE_OUT]), sending)
    fresh = send.leave_out(clicked(buttons(shown)[LEAVE_OUT]), sending)
    assert isinstance(fresh, Replace)
    assert list(buttons(fresh)) == [CONFIRM, TEST, DISCARD]
    assert "2 without all values" in texts(fresh)
    assert "sending to 1 customer." in texts(send.confirm(clicked(buttons(fresh)[CONFIRM]), sending))


def test_a_promotion_at_night_can_only_be_moved_to_the_morning(sending: Sending, marketing: Marketing) -> None:
    marketing.a_group("shoppers", numbers(3), SmsType.PROMOTIONAL)
    # Ana is in Madrid, seven hours behind Shanghai.
    shown = send.command(typed('group:shoppers template:sale at:"16:30"'), sending)
    assert list(buttons(shown)) == [RESCHEDULE, TEST, DISCARD]
    assert labels(shown)[0] == "Schedule for 05 Mar, 01:00 instead"
    assert "It is 23:30 in mainland China then." in texts(shown)
    moved = send.reschedule(clicked(buttons(shown)[RESCHEDULE]), sending)
    assert "Thu 5 Mar 2026, 01:00 (Europe/Madrid, UTC+1)" in texts(moved)
    assert "is scheduled for Thu 5 Mar 2026, 01:00" in texts(send.confirm(clicked(buttons(moved)[CONFIRM]), sending))


def test_a_time_that_comes_twice_is_said_to_be_the_first(sending: Sending, marketing: Marketing) -> None:
    marketing.a_group("vip", numbers(3))
    night = datetime(2026, 10, 24, 22, 0, tzinfo=UTC)
    marketing.clock.set(night)
    shown = texts(send.command(typed('group:vip template:spring at:"2026-10-25 02:30"', now=night), sending))
    assert "Sun 25 Oct 2026, 02:30 (Europe/Madrid, UTC+2). Clocks are set back that day" in shown
    assert "this time comes twice; this is the first" in shown


def test_many_recipients_are_counted_after_a_word(sending: Sending, marketing: Marketing) -> None:
    marketing.a_group("vip", numbers(3))
    reply = send.command(typed("group:vip template:spring"), replace(sending, many=2))
    assert isinstance(reply, Later)
    assert reply.say == "Counting 3 recipients… The preview follows in a few seconds."
    assert "Send to 3 customers" in labels(reply.work())


def test_filling_many_texts_follows_a_word(file: Import, sending: Sending, marketing: Marketing) -> None:
    shown = send.submit_form(sent(file.id, **form(marketing, "personal")), sending)
    reply = send.confirm(clicked(buttons(shown)[CONFIRM]), replace(sending, many=1))
    assert isinstance(reply, Later)
    assert reply.say == "Filling in 2 SMS, each with its own values… This takes some seconds."
    assert "Task 1 is sending to 2 customers." in texts(reply.work())


class TestTests:
    """**Test send** under a preview."""

    @pytest.fixture
    def draft(self, sending: Sending, marketing: Marketing) -> str:
        marketing.a_group("vip", numbers(3))
        return buttons(send.command(typed("group:vip template:spring"), sending))[TEST]

    def test_the_form_knows_the_persons_number_the_second_time(self, sending: Sending, draft: str) -> None:
        opened = send.open_test_form(clicked(draft), sending)
        assert isinstance(opened, OpenForm)
        assert "initial_value" not in opened.view["blocks"][0]["element"]
        assert opened.context == draft
        said = send.submit_test_form(sent(draft, own="139 0000 0009", others=""), sending)
        assert texts(said).startswith("The test to 1 number is on its way as task 1")
        again = send.open_test_form(clicked(draft), sending)
        assert isinstance(again, OpenForm)
        assert again.view["blocks"][0]["element"]["initial_value"] == "+8613900000009"

    def test_up_to_five_others_can_be_typed(self, sending: Sending, marketing: Marketing, draft: str) -> None:
        five = "\n".join(str(13800000001 + no) for no in range(5))
        said = send.submit_test_form(sent(draft, own="", others=five), sending)
        assert "The test to 5 numbers" in texts(said)
        six = f"{five}\n13800000009"
        reply = send.submit_test_form(sent(draft, own="", others=six), sending)
        assert isinstance(reply, FieldErrors)
        assert reply.errors == {"others": "These are 6 numbers, and 5 is the most here. Leave some out."}
        assert len(marketing.reports.list(WORKSPACE)) == 1

    @pytest.mark.parametrize(
        ("own", "others", "field", "sentence"),
        [
            ("", "", "own", "Type your own number, or other ones below."),
            ("138", "", "own", "Line 1 (138): too short. Correct them."),
            ("13800000001", "x", "others", "Line 1 (x): not a phone number"),
            ("+447400123456", "", "own", "No test was sent: +447400123456 is not a number that application promo-cn"),
        ],
    )
    def test_what_is_wrong_is_told_where_it_can_be_mended(
        self, own: str, others: str, field: str, sentence: str, sending: Sending, draft: str
    ) -> None:
        reply = send.submit_test_form(sent(draft, own=own, others=others), sending)
        assert isinstance(reply, FieldErrors)
        assert list(reply.errors) == [field]
        assert reply.errors[field].startswith(sentence)

    def test_a_test_is_marked_in_its_post_and_in_the_list(
        self, sending: Sending, marketing: Marketing, importing: Importing, tasks: Tasks, draft: str
    ) -> None:
        send.submit_test_form(sent(draft, own="13900000009", others=""), sending)
        (task,) = marketing.reports.list(WORKSPACE)
        message = compose(Post(1, WORKSPACE, "C0", PostKind.TASK, task.id, None, None, 1), importing, tasks)
        assert isinstance(message, Message)
        assert "a test of *spring*" in message.text

    def test_a_promotional_test_at_night_says_when(self, sending: Sending, marketing: Marketing) -> None:
        marketing.a_group("shoppers", numbers(3), SmsType.PROMOTIONAL)
        draft = buttons(send.command(typed("group:shoppers template:sale"), sending))[TEST]
        marketing.clock.move(timedelta(hours=12))
        reply = send.submit_test_form(sent(draft, own="13900000009", others=""), sending)
        assert isinstance(reply, FieldErrors)
        assert "They take it again at Thu 5 Mar 2026, 01:00" in reply.errors["own"]


def test_where_a_send_goes_is_told_in_its_post(
    sending: Sending, marketing: Marketing, importing: Importing, tasks: Tasks
) -> None:
    marketing.a_group("vip", numbers(3))
    for number, (wanted, words) in enumerate(
        [("pool template:spring", "*spring* to the whole pool"), ("group:vip template:spring", "*spring* to *vip*")], 1
    ):
        send.confirm(clicked(buttons(send.command(typed(wanted), sending))[CONFIRM]), sending)
        task = marketing.reports.get(WORKSPACE, number)
        message = compose(Post(1, WORKSPACE, "C0", PostKind.TASK, task.id, None, None, 1), importing, tasks)
        assert isinstance(message, Message)
        assert words in message.text
