"""Every carrier, where each number has values of its own: the right text at each, and the same care as ever."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from aiohttp import web

from services.carriers.http import Http
from services.carriers.in_parts import InParts
from services.carriers.ports import Submission
from services.errors import CarrierError, NotTaken, RequestRefused, Unanswered
from tests.contract.callback import Callback
from tests.contract.stands import REFERENCE, STANDS, HuaweiStand, Stand, TencentAbroadStand, TencentStand, at_once


@pytest.fixture(params=[*STANDS, TencentAbroadStand], ids=lambda made: made.__name__.removesuffix("Stand").lower())
async def stand(request: pytest.FixtureRequest, callback: Callback) -> AsyncIterator[Stand]:
    made: Stand = request.param()
    await made.start(callback.url)
    yield made
    await made.sandbox.stop()


def arrived(stand: Stand) -> dict[int, str]:
    assert all(entry.reference == REFERENCE for entry in stand.sandbox.log)
    texts = {int(entry.number): entry.text for entry in stand.sandbox.log}
    assert len(texts) == len(stand.sandbox.log), "nobody got two"
    return texts


async def failure(stand: Stand, http: Http, submission: Submission) -> CarrierError:
    with pytest.raises(CarrierError) as raised:
        await stand.carrier(http).submit(submission)
    return raised.value


async def test_each_number_gets_its_own_text(stand: Stand, http: Http) -> None:
    submission = stand.with_values(*stand.good)
    answer = await stand.carrier(http).submit(submission)
    assert {number: outcome.accepted for number, outcome in answer.outcomes.items()} == dict.fromkeys(stand.good, True)
    assert arrived(stand) == submission.texts


async def test_the_bytes_sent_are_the_ones_documented(stand: Stand, http: Http) -> None:
    await stand.carrier(http).submit(stand.with_values(*stand.good[:2]))
    stand.assert_exact_requests_with_values()


async def test_a_full_batch_is_accepted(stand: Stand, patient: Http) -> None:
    carrier = stand.carrier(patient)
    first = stand.good[0] - stand.good[0] % 10_000 + 100
    numbers = [first + step for step in range(carrier.max_numbers_with_values)]
    submission = stand.with_values(*numbers)
    answer = await carrier.submit(submission)
    assert all(outcome.accepted for outcome in answer.outcomes.values())
    assert arrived(stand) == submission.texts


async def test_one_refused_number_leaves_the_others_accepted(stand: Stand, http: Http) -> None:
    numbers = (stand.good[0], stand.refused_number, stand.good[1])
    answer = await stand.carrier(http).submit(stand.with_values(*numbers))
    assert [answer.outcomes[number].accepted for number in numbers] == [True, False, True]
    assert arrived(stand).keys() == set(stand.good[:2])


async def test_wrong_credentials_refuse_the_whole_batch(stand: Stand, http: Http) -> None:
    with pytest.raises(RequestRefused) as raised:
        await stand.carrier(http, secret="wrong").submit(stand.with_values(*stand.good))
    assert stand.carrier(http).kind_of(raised.value.code) == "refused_account"
    assert stand.sandbox.log == []


@pytest.mark.parametrize("kind", ["http_429", "slow_down"])
async def test_a_slow_down_takes_nothing(stand: Stand, http: Http, kind: str) -> None:
    stand.sandbox.inject(kind, len(stand.good))
    assert type(await failure(stand, http, stand.with_values(*stand.good))) is NotTaken
    assert stand.sandbox.log == []


@pytest.mark.parametrize("kind", ["timeout_after", "reset_after", "garbage", "http_403", "half", "http_500"])
async def test_without_a_readable_answer_nobody_knows(stand: Stand, http: Http, kind: str) -> None:
    stand.sandbox.inject(kind, len(stand.good))
    assert type(await failure(stand, http, stand.with_values(*stand.good))) is Unanswered


async def test_of_several_requests_each_has_its_own_end(callback: Callback, http: Http) -> None:
    stand = TencentStand()
    await stand.start(callback.url)
    stand.sandbox.inject("http_429")
    answer = await stand.carrier(http).submit(stand.with_values(*stand.good))
    # The first and the last number share a request.
    assert answer.not_taken.keys() | answer.outcomes.keys() == set(stand.good)
    assert arrived(stand).keys() == answer.outcomes.keys()
    await stand.sandbox.stop()


async def test_values_over_huaweis_64_kb_are_several_requests(callback: Callback, http: Http) -> None:
    stand = HuaweiStand()
    await stand.start(callback.url)
    numbers = [8613811110100 + step for step in range(300)]
    long_name = "名" * 120
    submission = stand.with_values(*numbers)
    values = {number: (f"{long_name}{number}", "9") for number in numbers}
    texts = {number: f"【Shop】{name}, see you at {hour}." for number, (name, hour) in values.items()}
    submission = Submission(
        submission.reference, numbers, submission.sender, "tpl-personal", "", values=values, texts=texts
    )
    answer = await stand.carrier(http).submit(submission)
    assert answer.outcomes.keys() == set(numbers)
    assert arrived(stand) == texts
    assert len(stand.sandbox.requests) == 3
    await stand.sandbox.stop()


class Scripted:
    """A carrier whose answers are written down beforehand; a good one accepts what it was asked for."""

    def __init__(self, *answers: object) -> None:
        self.url = ""
        self._answers = list(answers)

    async def take(self, request: web.Request) -> web.Response:
        asked = await request.json()
        answer = self._answers.pop(0)
        if answer == "good" and "smsContent" in asked:
            numbers = [number for entry in asked["smsContent"] for number in entry["to"]]
            results = [{"originTo": number, "status": "000000", "smsMsgId": "1"} for number in numbers]
            answer = {"code": "000000", "result": results}
        elif answer == "good":
            statuses = [{"PhoneNumber": number, "Code": "Ok", "SerialNo": "1"} for number in asked["PhoneNumberSet"]]
            answer = {"Response": {"SendStatusSet": statuses}}
        return web.json_response(answer)

    async def start(self) -> web.AppRunner:
        app = web.Application()
        app.router.add_post("/{tail:.*}", self.take)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner


def tencents(code: str) -> dict[str, object]:
    return {"Response": {"Error": {"Code": code, "Message": "why"}}}


def huaweis(code: str) -> dict[str, object]:
    return {"code": code, "description": "why"}


@pytest.mark.parametrize(
    ("made", "refusal", "are_all"),
    [
        pytest.param(TencentStand, tencents("InvalidParameterValue.TemplateParameterLengthLimit"), False, id="tencent"),
        pytest.param(TencentStand, tencents("SomethingNew.Altogether"), False, id="tencent, unlisted"),
        pytest.param(
            TencentStand, tencents("UnauthorizedOperation.ServiceSuspendDueToArrears"), True, id="tencent, the account"
        ),
        pytest.param(TencentStand, tencents("LimitExceeded.AppDailyLimit"), True, id="tencent, its limit"),
        pytest.param(HuaweiStand, huaweis("E000000"), False, id="huawei"),
        pytest.param(HuaweiStand, huaweis("E000112"), True, id="huawei, the account"),
        pytest.param(HuaweiStand, huaweis("E000623"), True, id="huawei, its limit"),
    ],
)
async def test_a_refused_request_is_about_its_own_values_or_about_the_account(
    http: Http, made: type[TencentStand] | type[HuaweiStand], refusal: object, are_all: bool
) -> None:
    scripted = Scripted(refusal, *["good"] * 2)
    runner = await scripted.start()
    stand = made()
    await stand.start("http://127.0.0.1:9")
    numbers = [8613811110100 + step for step in range(3)]
    values = {number: ("名" * 15000 + str(number), "9") for number in numbers}
    submission = replace(stand.with_values(*numbers), values=values)
    carrier = stand.carrier(http, url=scripted.url)
    carrier._in_parts = InParts(at_once, at_once=1)  # type: ignore[attr-defined] # one after the other
    if are_all:
        with pytest.raises(RequestRefused):
            await carrier.submit(submission)
    else:
        answer = await carrier.submit(submission)
        assert [answer.outcomes[number].accepted for number in numbers] == [False, True, True]
    await runner.cleanup()
    await stand.sandbox.stop()
