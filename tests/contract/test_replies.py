"""What people answer, from every carrier's stand-in, in each carrier's own shape."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC

import pytest

from sandbox.carriers.kannel import KannelSandbox
from sandbox.carriers.twilio import TwilioSandbox
from services.carriers.http import Http
from services.carriers.ports import Carrier, ForeignReceipts, ReadsReplies, Reply
from tests.contract.callback import Callback
from tests.contract.stands import GOOD, Stand, TencentStand, TwilioStand

TEXTS = ["STOP", "stop", "退订", "ＴＤ", "好的，谢谢 👍", "a+b & c=d% #1?", " \u00a0R ", "0000", "¿Qué?", "Ωmega"]


async def answered(stand: Stand, carrier: Carrier, callback: Callback, text: str) -> Reply:
    stand.sandbox.reply_callback = callback.replies_url + stand.sandbox.reply_query
    stand.sandbox.reply(f"+{GOOD[0]}", text)
    assert isinstance(carrier, ReadsReplies)
    (reply,) = carrier.read_replies(await callback.next())
    return reply


@pytest.mark.parametrize("text", TEXTS)
async def test_a_reply_is_read_with_its_number_and_every_character(
    stand: Stand, http: Http, callback: Callback, text: str
) -> None:
    reply = await answered(stand, stand.carrier(http), callback, text)
    assert (reply.number, reply.text, reply.opts_out) == (GOOD[0], text, None)
    assert reply.at is None or reply.at.tzinfo is UTC


async def test_two_replies_differ_by_their_ids_where_the_carrier_gives_any(
    stand: Stand, http: Http, callback: Callback
) -> None:
    carrier = stand.carrier(http)
    ids = {(await answered(stand, carrier, callback, "yes")).sms_id for _ in range(2)}
    assert ids == {""} if isinstance(stand, TencentStand) else len(ids - {""}) == 2


@pytest.mark.parametrize(("text", "verdict"), [("Stop", True), ("UNSTOP", False), ("help", None), ("thanks", None)])
async def test_twilio_says_itself_who_opts_out(http: Http, callback: Callback, text: str, verdict: bool | None) -> None:
    stand = TwilioStand()
    stand.sandbox = TwilioSandbox(account_sid="AC1", auth_token="secret-1", advanced_opt_out=True)
    await stand.start(callback.url)
    assert (await answered(stand, stand.carrier(http), callback, text)).opts_out is verdict
    await stand.sandbox.stop()


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
async def test_only_twilio_can_say_what_people_answer(http: Http, callback: Callback, algorithm: str) -> None:
    stand = TwilioStand()
    stand.sandbox = TwilioSandbox(account_sid="AC1", auth_token="secret-1", algorithm=algorithm)
    await stand.start(callback.url)
    stand.sandbox.reply_callback = callback.replies_url
    stand.sandbox.reply(str(GOOD[0]), "STOP")
    request = await callback.next()
    carrier = stand.carrier(http)
    assert isinstance(carrier, ReadsReplies)
    assert [reply.text for reply in carrier.read_replies(request)] == ["STOP"]
    for forged in (
        replace(request, body=request.body.replace(b"STOP", b"START")),
        replace(request, url=request.url + "x"),
        replace(request, headers={}),
    ):
        with pytest.raises(ForeignReceipts):
            carrier.read_replies(forged)
    await stand.sandbox.stop()


async def test_whoever_answers_stop_gets_nothing_more_where_the_carrier_sees_to_it(
    http: Http, callback: Callback
) -> None:
    for stand, text, code in (
        (TwilioStand(), "STOP", "21610"),
        (TencentStand(), "TD", "FailedOperation.PhoneNumberInBlacklist"),
    ):
        await stand.start(callback.url)
        carrier = stand.carrier(http)
        await answered(stand, carrier, callback, text)
        answer = await carrier.submit(stand.submission(*GOOD[:2]))
        assert [(answer.outcomes[number].accepted, answer.outcomes[number].code) for number in GOOD[:1]] == [
            (False, code)
        ]
        assert answer.outcomes[GOOD[1]].accepted
        await stand.sandbox.stop()


async def test_the_answer_to_a_reply_says_nothing_to_the_person(stand: Stand, http: Http) -> None:
    carrier = stand.carrier(http)
    assert isinstance(carrier, ReadsReplies)
    answer = carrier.replies_answer()
    assert answer.status == 200
    if isinstance(stand.sandbox, KannelSandbox):
        assert answer.body == b"", "Kannel sends what it reads there"
    if isinstance(stand.sandbox, TwilioSandbox):
        assert (answer.content_type, answer.body) == ("text/xml", b"<Response/>")
