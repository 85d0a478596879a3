"""`/sms-pool`: totals, one number and what it was sent, numbers by their last digits."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from handlers import pool
from handlers.replies import Block, Replace, Reply, Say
from handlers.requests import Command
from handlers.views import pool as views
from sandbox.slack.posting import UPDATE_TEXT, read_content
from services.carriers.ports import Receipt
from services.carriers.ports import Reply as Reply_
from services.entries import Entries, check_lines
from services.errors import NotAllowed
from services.opt_outs import OptOut, Origin
from services.pool import Fate, Found, Heard, Membership, Pool, Removed, SentMessage, Totals, Whereabouts
from services.replies import Replies
from services.states import SmsType
from tests.handlers.samples import LONGEST, MILLION, NOW, a_group, clicked, typed
from tests.services.builders import ANA, CHANNEL, FIRST_NUMBER, WORKSPACE, Marketing, numbers
from tests.services.fakes import refuse


@pytest.fixture
def service(marketing: Marketing) -> Pool:
    return Pool(marketing.database)


def line(text: str = "") -> Command:
    return typed(text, "/sms-pool")


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


def test_a_number_is_found_as_it_is_dialled_in_the_workspaces_region(marketing: Marketing, service: Pool) -> None:
    marketing.a_group("vip", [44_7911_123456])
    with pytest.raises(NotAllowed, match="no_such_number"):
        pool.command(line("07911 123456"), service)
    assert "+447911123456" in shown(pool.command(replace(line("07911 123456"), region="GB"), service))


def test_totals_are_told_by_type_country_and_group(marketing: Marketing, service: Pool) -> None:
    marketing.a_group("vip", [*numbers(3), 852_6123_4567])
    marketing.a_group("offers", numbers(2), SmsType.PROMOTIONAL)
    text = shown(pool.command(line(), service))
    assert "4 numbers in 2 groups" in text
    for part in ("notification: 4", "promotional: 2", "mainland China (CN): 3", "Hong Kong (HK): 1"):
        assert part in text
    assert "*vip* (notification): 4\\n• *offers* (promotional): 2" in text


def test_an_empty_pool_says_how_to_fill_it(service: Pool) -> None:
    assert "The customer pool is empty." in shown(pool.command(line(), service))


@pytest.mark.parametrize(
    "text",
    ["13800000001", "+86 138-0000-0001", "8613800000001", "１３８０００００００１", "(138) 0000 0001"],
)
def test_a_number_is_found_however_it_is_written(marketing: Marketing, service: Pool, text: str) -> None:
    marketing.a_group("vip", numbers(1))
    assert "*+8613800000001* · mainland China (CN)" in shown(pool.command(line(text), service))


async def test_a_number_says_where_it_is_and_what_became_of_its_messages(marketing: Marketing, service: Pool) -> None:
    group = marketing.a_group("typed")
    entries = Entries(marketing.database, marketing.clock)
    entries.enter(WORKSPACE, group.id, check_lines("13800000001"), CHANNEL, ANA)
    marketing.carrier.will(refuse(FIRST_NUMBER, code="E200025"))
    marketing.a_confirmed_task(1, group="vip")
    await marketing.send_all()
    marketing.confirmed(marketing.a_draft(["vip"], at=marketing.in_(timedelta(hours=2))))
    text = shown(pool.command(line("13800000001"), service))
    assert "*typed* · notification · since <!date^" in text
    assert f"typed by <@{ANA}>" in text
    assert "Task 2, *spring*" in text
    assert "*waiting to be sent*" in text
    assert "*refused*: no channel of the account reaches this number (E200025)" in text


async def test_a_receipts_code_comes_in_plain_words(marketing: Marketing, service: Pool) -> None:
    marketing.a_confirmed_task(1)
    await marketing.send_all()
    (request,) = marketing.carrier.requests
    marketing.report(Receipt("failed", "MBBLACK", f"id-{FIRST_NUMBER}", request.reference, FIRST_NUMBER))
    text = shown(pool.command(line("13800000001"), service))
    assert "*failed*: the number is on a block list; the person may have unsubscribed or complained (MBBLACK)" in text


def test_a_number_nobody_knows_says_so_and_has_nothing_to_remove(service: Pool) -> None:
    reply = pool.command(line("13800000001"), service)
    assert "It is in no group." in shown(reply)
    assert "Nothing was ever sent to it." in shown(reply)
    assert buttons(reply) == []


@pytest.mark.parametrize("text", ["hello", "123", "999999999", "group"])
def test_what_is_no_number_is_told(service: Pool, text: str) -> None:
    with pytest.raises(NotAllowed, match="no_such_number"):
        pool.command(line(text), service)


def test_last_digits_find_numbers_with_a_button_each(marketing: Marketing, service: Pool) -> None:
    marketing.a_group("vip", [FIRST_NUMBER, FIRST_NUMBER + 10_000, FIRST_NUMBER + 1])
    reply = pool.command(line("0001"), service)
    assert "2 numbers in the pool end in 0001" in shown(reply)
    assert [(each["action_id"], each["value"]) for each in buttons(reply)] == [
        (views.LOOK_UP, "8613800000001"),
        (views.LOOK_UP, "8613800010001"),
    ]
    assert "*+8613800010001*" in shown(pool.look_up(clicked("8613800010001"), service))
    assert "No number in the pool ends in 9999." in shown(pool.command(line("9999"), service))


def test_removing_asks_first_and_tells_who_keeps_a_copy(marketing: Marketing, service: Pool) -> None:
    task = marketing.a_confirmed_task(2, at=marketing.in_(timedelta(hours=1)))
    (button,) = buttons(pool.command(line("13800000001"), service))
    assert button["action_id"] == views.REMOVE
    assert "keep their own copy and still send to it" in button["confirm"]["text"]["text"]
    removed = pool.remove(clicked(button["value"]), service)
    assert isinstance(removed, Replace)
    assert removed.text.startswith("+8613800000001 is removed from *vip*. ")
    assert f"Task {task.number} keeps its own copy" in removed.text
    assert marketing.groups.find(WORKSPACE, "vip").size == 1
    assert "in no group any more" in shown(pool.remove(clicked(button["value"]), service))


@pytest.mark.parametrize("name", LONGEST)
def test_every_answer_holds_the_longest_names_and_largest_counts(name: str) -> None:
    group = a_group(name)
    memberships = [Membership(group, NOW, name * 4, MILLION, ANA)] * 50
    messages = [SentMessage(MILLION, name, fate, "E200038", "huawei", NOW) for fate in Fate] * 2
    for reply in (
        views.totals(
            Totals(MILLION, [(each, MILLION) for each in SmsType], [("HK", MILLION)] * 200, [group] * 10, MILLION)
        ),
        views.whereabouts(Whereabouts(FIRST_NUMBER, None, memberships, messages[:10], MILLION)),
        views.whereabouts(Whereabouts(FIRST_NUMBER, "CN", [Membership(group, None, None, 1, None)], [], 0)),
        views.whereabouts(
            Whereabouts(
                FIRST_NUMBER,
                "CN",
                memberships,
                messages[:10],
                MILLION,
                OptOut(FIRST_NUMBER, Origin.IMPORT, ANA, NOW),
                [Heard(name * 100, NOW, opts_out) for opts_out in (True, False, None)],
            )
        ),
        views.hits("12345678", Found(numbers(10), True)),
        Say(views.removed(Removed([name] * 50, range(1_000_000, 1_000_500)), FIRST_NUMBER)),
    ):
        shown(reply)


def test_a_number_on_the_do_not_send_list_says_so_and_what_it_replied(marketing: Marketing, service: Pool) -> None:
    replies = Replies(marketing.database, marketing.clock)
    for text in ("one", "<!channel> two", "START", "退订"):
        replies.store([(marketing.application_id, Reply_(FIRST_NUMBER, text, text))])
        marketing.clock.move(timedelta(minutes=1))
    text = shown(pool.command(line("13800000001"), service))
    assert "*On the do-not-send list* since <!date^" in text
    assert "asked for it in a reply. It gets no promotional SMS." in text
    assert "退订 · asked for no promotional SMS" in text
    assert "START · allowed them again" in text
    assert "&lt;!channel&gt; two" in text
    assert ": one" not in text
    other = shown(pool.command(line("13800000002"), service))
    assert "do-not-send" not in other
    assert "replies" not in other
