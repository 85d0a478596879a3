"""`/sms-send` from the typed line to the task, over real services."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from handlers import send
from handlers.arguments import BadArguments
from handlers.replies import FieldErrors, OpenForm, Replace, Reply, Say
from handlers.send import Sending
from handlers.times import PastTime, TooFarAhead, UnclearTime
from handlers.views.send import CONFIRM, DISCARD, TEST
from services.content import ApplicationDeclaration, NotShown
from services.errors import NotAllowed, UnknownThing
from services.states import Region, SmsType, TaskState
from tests.handlers.samples import clicked, sent, typed
from tests.services.builders import CODE, MAINLAND, SIGNATURE, SPRING, WORKSPACE, Marketing, numbers

OTHER = ApplicationDeclaration("other-cn", "huawei", Region.MAINLAND, (SIGNATURE,), (SPRING,))


@pytest.fixture(autouse=True)
def vip(marketing: Marketing) -> int:
    """A group of three."""
    return marketing.a_group("vip", numbers(3)).id


def texts(reply: Reply) -> str:
    assert isinstance(reply, Say | Replace)
    return f"{reply.text}\n{reply.blocks}"


def draft_of(reply: Reply) -> int:
    """The draft that the buttons under a preview carry."""
    assert isinstance(reply, Say | Replace)
    buttons = reply.blocks[-1]["elements"]
    assert [each["action_id"] for each in buttons] == [CONFIRM, TEST, DISCARD]
    return int(buttons[0]["value"])


def refused(rule: str, text: str, sending: Sending, **values: Any) -> NotAllowed:
    with pytest.raises(NotAllowed) as raised:
        send.command(typed(text, **values), sending)
    assert raised.value.rule == rule
    return raised.value


def test_a_line_gives_a_preview_and_the_button_makes_the_task(sending: Sending, marketing: Marketing) -> None:
    shown = send.command(typed("group:vip template:spring"), sending)
    assert "【Spring】We open at nine." in texts(shown)
    assert "Send to 3 customers" in texts(shown)
    assert marketing.reports.list(WORKSPACE) == []
    made = send.confirm(clicked(draft_of(shown)), sending)
    assert made == Replace("Task 1 is sending to 3 customers. Its progress is in the channel.")
    assert [task.state for task in marketing.reports.list(WORKSPACE)] == [TaskState.SENDING]


def test_a_second_press_sends_nothing_more(sending: Sending, marketing: Marketing) -> None:
    draft = draft_of(send.command(typed("group:vip template:spring"), sending))
    send.confirm(clicked(draft), sending)
    with pytest.raises(NotAllowed, match="already_confirmed"):
        send.confirm(clicked(draft), sending)
    assert len(marketing.reports.list(WORKSPACE)) == 1


def test_a_preview_that_is_out_of_date_becomes_a_fresh_one(sending: Sending, marketing: Marketing) -> None:
    draft = draft_of(send.command(typed("group:vip template:spring"), sending))
    marketing.join(marketing.groups.find(WORKSPACE, "vip"), numbers(5))
    fresh = send.confirm(clicked(draft), sending)
    assert "Nothing was sent:* a group changed" in texts(fresh)
    assert "Send to 5 customers" in texts(fresh)
    assert draft_of(fresh) != draft
    assert marketing.reports.list(WORKSPACE) == []
    assert "sending to 5" in texts(send.confirm(clicked(draft_of(fresh)), sending))


def test_a_time_is_the_persons_own(sending: Sending, marketing: Marketing) -> None:
    shown = send.command(typed('group:vip template:spring at:"tomorrow 10:00"'), sending)
    assert "Thu 5 Mar 2026, 10:00 (Europe/Madrid, UTC+1)" in texts(shown)
    made = send.confirm(clicked(draft_of(shown)), sending)
    assert "Task 1 is scheduled for Thu 5 Mar 2026, 10:00 (Europe/Madrid, UTC+1), to 3 customers." in texts(made)
    (task,) = marketing.reports.list(WORKSPACE)
    assert task.scheduled_at is not None
    assert task.scheduled_at.hour == 9


def test_a_time_that_passed_before_the_press_sends_nothing(sending: Sending, marketing: Marketing) -> None:
    draft = draft_of(send.command(typed('group:vip template:spring at:"in 10 minutes"'), sending))
    marketing.clock.move(timedelta(minutes=11))
    with pytest.raises(NotAllowed, match="time_passed"):
        send.confirm(clicked(draft), sending)
    assert marketing.reports.list(WORKSPACE) == []


def test_dont_send_says_so(sending: Sending) -> None:
    assert send.discard(clicked(1), sending) == Replace("Nothing was sent.")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("grup:vip template:spring", BadArguments),
        ("group:vip,gold template:spring template:x", BadArguments),
        ("group:vpi template:spring", UnknownThing),
        ("group:vip template:sprnig", UnknownThing),
        ("group:vip template:spring app:nobody", UnknownThing),
        ("group:vip template:hello signature:nobody", UnknownThing),
        ("group:vip template:spring at:soon", UnclearTime),
        ('group:vip template:spring at:"1:00"', PastTime),
        ('group:vip template:spring at:"2026-12-24 10:00"', TooFarAhead),
    ],
)
def test_a_mistyped_line_previews_nothing(text: str, error: type[Exception], sending: Sending) -> None:
    with pytest.raises(error):
        send.command(typed(text), sending)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("group:vip", "key_missing"),
        ("template:spring", "key_missing"),
        ("group:vip template:code", "verification_template"),
        ("group:vip template:personal", "no_column"),
        ("group:vip template:sale", "sms_type_differs"),
        ("group:vip template:spring signature:Autumn", "other_signature"),
        ("group:vip template:spring exclude:vip", "no_recipients"),
    ],
)
def test_what_is_not_allowed_previews_nothing(text: str, rule: str, sending: Sending) -> None:
    refused(rule, text, sending)


def test_a_result_must_have_a_place_to_go(sending: Sending, vip: int) -> None:
    refused("bot_not_in_channel", "group:vip template:spring", sending, bot_in_channel=False)
    refused("bot_not_in_channel", "", sending, bot_in_channel=False)
    for press in (send.open_form, send.confirm):
        with pytest.raises(NotAllowed, match="bot_not_in_channel"):
            press(clicked(vip, bot_in_channel=False), sending)


@pytest.mark.parametrize("text", ["", "   "])
def test_nothing_typed_opens_the_form(text: str, sending: Sending) -> None:
    assert isinstance(send.command(typed(text), sending), OpenForm)


def test_without_a_template_there_is_no_form(sending: Sending, marketing: Marketing) -> None:
    marketing.declare(replace(MAINLAND, templates=(CODE,)))
    marketing.a_template()
    facts = refused("no_templates", "", sending).facts
    assert facts["not_shown"] == [NotShown("autumn", "pending"), NotShown("code", "verification")]


def test_the_button_on_an_import_opens_the_form_with_its_group(sending: Sending, vip: int) -> None:
    opened = send.open_form(clicked(vip), sending)
    assert isinstance(opened, OpenForm)
    assert opened.view["blocks"][0]["element"]["initial_options"][0]["value"] == str(vip)


def template_id(marketing: Marketing, name: str, application: str = "promo-cn") -> int:
    return marketing.content.find_template(WORKSPACE, name, application).id


def test_the_form_gives_the_same_preview(sending: Sending, marketing: Marketing, vip: int) -> None:
    fields = {"group": (vip,), "template": template_id(marketing, "spring"), "at": ""}
    assert "Send to 3 customers" in texts(send.submit_form(sent(**fields), sending))
    later = send.submit_form(sent(**{**fields, "at": "tomorrow 10:00"}), sending)
    assert "Schedule for 3 customers" in texts(later)


def test_the_form_can_choose_between_two_applications_of_one_template_name(
    sending: Sending, marketing: Marketing, vip: int
) -> None:
    marketing.declare(MAINLAND, OTHER)
    refused("several_applications", "group:vip template:spring", sending)
    shown = send.submit_form(sent(group=(vip,), template=template_id(marketing, "spring", "other-cn"), at=""), sending)
    assert "through other-cn" in texts(shown)


@pytest.mark.parametrize(
    ("template", "at", "field", "sentence"),
    [
        ("spring", "soon", "at", "I do not understand the time soon. Write it like "),
        ("spring", "1:00", "at", "1:00 is Wed 4 Mar 2026, 01:00 (Europe/Madrid, UTC+1), which is over."),
        ("sale", "", "template", "Template sale is of type promotional, and group vip is of type notification."),
        ("code", "", "template", "code is a verification template"),
    ],
)
def test_a_wrong_field_is_told_where_it_can_be_mended(
    template: str, at: str, field: str, sentence: str, sending: Sending, marketing: Marketing, vip: int
) -> None:
    reply = send.submit_form(sent(group=(vip,), template=template_id(marketing, template), at=at), sending)
    assert isinstance(reply, FieldErrors)
    assert list(reply.errors) == [field]
    assert reply.errors[field].startswith(sentence)


def test_a_template_that_went_away_while_the_form_was_open_is_told(
    sending: Sending, marketing: Marketing, vip: int
) -> None:
    chosen = template_id(marketing, "spring")
    marketing.declare(ApplicationDeclaration("promo-cn", "huawei", Region.MAINLAND, (SIGNATURE,), ()))
    reply = send.submit_form(sent(group=(vip,), template=chosen, at=""), sending)
    assert isinstance(reply, FieldErrors)
    assert reply.errors["template"].startswith("Template spring is no longer in the settings.")


def test_a_group_named_like_a_mention_mentions_nobody(sending: Sending, marketing: Marketing) -> None:
    marketing.a_group("<!channel> & co", numbers(1), SmsType.NOTIFICATION)
    shown = texts(send.command(typed('group:"<!channel> & co" template:spring'), sending))
    assert "<!" not in shown
    assert "*&lt;!channel&gt; &amp; co*" in shown


def test_the_form_takes_several_groups_and_leaves_others_out(sending: Sending, marketing: Marketing, vip: int) -> None:
    gold, staff = marketing.a_group("gold", numbers(5)), marketing.a_group("staff", numbers(1))
    fields = {"group": (vip, gold.id), "exclude": (staff.id,), "template": template_id(marketing, "spring"), "at": ""}
    shown = send.submit_form(sent(**fields), sending)
    assert "4 in *vip* and *gold* without *staff*" in texts(shown)


def test_the_form_takes_promotional_templates_for_promotional_groups_only(
    sending: Sending, marketing: Marketing, vip: int
) -> None:
    offers = marketing.a_group("offers", numbers(1), SmsType.PROMOTIONAL)
    reply = send.submit_form(sent(group=(vip, offers.id), template=template_id(marketing, "spring"), at=""), sending)
    assert isinstance(reply, FieldErrors)
    assert "Choose a promotional template, or a notification group." in reply.errors["template"]


@pytest.mark.parametrize("name", ["template", "exclude", "all", "group"])
def test_a_group_named_like_a_keyword_can_be_sent_to_and_left_out(
    sending: Sending, marketing: Marketing, name: str
) -> None:
    marketing.a_group(name, numbers(2))
    assert "Send to 2 customers" in texts(send.command(typed(f'group:"{name}" template:spring'), sending))
    assert "Send to 1 customer" in texts(send.command(typed(f'group:vip exclude:"{name}" template:spring'), sending))


def test_the_form_says_what_it_does_not_offer_and_why(sending: Sending, marketing: Marketing) -> None:
    marketing.a_template("<!channel> & co")
    opened = send.command(typed(""), sending)
    assert isinstance(opened, OpenForm)
    (note,) = [block["elements"][0]["text"] for block in opened.view["blocks"] if block["type"] == "context"]
    assert note == (
        "Not shown: *&lt;!channel&gt; &amp; co* (pending) and *code* (verification). "
        "`/sms-templates` says more about each."
    )
    (menu,) = [block["element"] for block in opened.view["blocks"] if block.get("block_id") == "template"]
    offered = [option["text"]["text"] for option in menu["options"]]
    assert "spring · notification" in offered
    assert not [each for each in offered if "co" in each and "channel" in each]


def test_a_template_that_waits_is_there_and_the_answer_says_what_for(sending: Sending, marketing: Marketing) -> None:
    waiting = marketing.a_template()
    assert refused("template_not_approved", "group:vip template:autumn", sending).facts["status"] == "pending"
    marketing.approve(waiting)
    assert "Leaves fall." in texts(send.command(typed("group:vip template:autumn signature:Spring"), sending))
