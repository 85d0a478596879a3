"""What people reply, from each carrier's own wire to the do-not-send list."""

from __future__ import annotations

import json
from datetime import timedelta
from urllib.parse import quote_from_bytes

import pytest

from services.opt_outs import OptOuts
from tests.bot.test_web_carriers import FIRST, FORM, KINDS, SECOND, Call, Carriers, as_json, carriers, form

__all__ = ["carriers"]

each_carrier = pytest.mark.parametrize("name", KINDS)

ANSWERS = {
    "huawei": (200, "text/plain", b"OK"),
    "tencent": (200, "application/json", b'{"result":0,"errmsg":"OK"}'),
    "twilio": (200, "text/xml", b"<Response/>"),
    "kannel": (200, "text/plain", b""),
}


def a_reply(name: str, number: int, text: str, at: int = 1_795_262_400) -> Call:
    """As the carrier tells of it."""
    match name:
        case "huawei":
            fields = {"smsMsgId": f"{number}-{text}-{at}", "from": f"+{number}", "to": "1069000001", "body": text}
            return Call(body=form(**fields), headers=FORM)
        case "tencent":
            said = {"extend": "", "mobile": str(number)[2:], "nationcode": "86", "sign": "Spring", "text": text}
            return as_json({**said, "time": at})
        case "twilio":
            fields = {"MessageSid": f"SM{number}{text}{at}", "From": f"+{number}", "To": "+1", "Body": text}
            return Call(body=form(**fields), headers=FORM)
        case _:
            coded = quote_from_bytes(text.encode("utf-16-be"))
            query = f"from=%2B{number}&to=1069&text={coded}&charset=UTF-16BE&coding=2&ts={at}&id=&smsc=a"
            return Call(query=query, method="GET")


@each_carrier
@pytest.mark.parametrize(("out", "back"), [("T", "START"), ("退订", "yes")])
async def test_who_says_stop_is_on_the_list_and_who_says_start_is_off_it(
    name: str, out: str, back: str, carriers: Carriers
) -> None:
    opt_outs = OptOuts(carriers.marketing.database, carriers.marketing.clock)
    workspace = carriers.marketing.workspace_id
    for number in (FIRST, SECOND, FIRST):
        assert await carriers.call(name, a_reply(name, number, out, 1_772_582_000), kind="replies") == ANSWERS[name]
    assert [each.number for each in opt_outs.rows(workspace)] == [FIRST, SECOND]
    carriers.marketing.clock.move(timedelta(hours=1))
    assert await carriers.call(name, a_reply(name, SECOND, back, 1_772_586_000), kind="replies") == ANSWERS[name]
    assert [each.number for each in opt_outs.rows(workspace)] == [FIRST]
    assert carriers.unread.kept() == []


@each_carrier
async def test_a_reply_that_cannot_be_read_is_answered_the_same_way_and_kept(name: str, carriers: Carriers) -> None:
    call = Call(query="a=b", body=json.dumps(["T"]).encode())
    assert await carriers.call(name, call, kind="replies") == ANSWERS[name]
    (kept,) = carriers.unread.kept()
    assert kept.reason.startswith("replies: ")


async def test_a_reply_that_twilio_did_not_sign_is_refused(carriers: Carriers) -> None:
    call = a_reply("twilio", FIRST, "STOP")
    unsigned = Call(call.query, call.body, call.method, {**call.headers, "X-Twilio-Signature": "x"}, signed=False)
    assert (await carriers.call("twilio", unsigned, kind="replies"))[0] == 401
    opt_outs = OptOuts(carriers.marketing.database, carriers.marketing.clock)
    assert opt_outs.count(carriers.marketing.workspace_id) == 0
