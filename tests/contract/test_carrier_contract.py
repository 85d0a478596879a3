"""Every carrier, the same cases, over real sockets against its stand-in."""

from __future__ import annotations

import asyncio
import re
import socket
from datetime import UTC

import pytest

from services.carriers.http import Http
from services.carriers.ports import Carrier, Submission
from services.errors import CarrierError, NotTaken, RequestRefused, Unanswered
from tests.contract.callback import Callback
from tests.contract.stands import GOOD, REFERENCE, Stand


def inject(stand: Stand, kind: str, seconds: float = 1.0) -> None:
    """The next submission to GOOD meets this fault, in each of its requests."""
    stand.sandbox.inject(kind, len(GOOD) if stand.requests_each else 1, seconds)


def accepted(stand: Stand) -> list[tuple[int, str]]:
    return sorted((int(entry.number), entry.reference) for entry in stand.sandbox.log)


async def failure(carrier: Carrier, submission: Submission) -> CarrierError:
    with pytest.raises(CarrierError) as raised:
        await carrier.submit(submission)
    return raised.value


async def test_every_number_is_accepted(stand: Stand, http: Http) -> None:
    answer = await stand.carrier(http).submit(stand.submission(*GOOD))
    assert answer.outcomes.keys() == set(GOOD)
    assert answer.not_taken == {}
    assert all(outcome.accepted for outcome in answer.outcomes.values())
    assert accepted(stand) == [(number, REFERENCE) for number in GOOD]


async def test_an_answer_tells_ids_and_segments_where_the_carrier_does(stand: Stand, http: Http) -> None:
    answer = await stand.carrier(http).submit(stand.submission(*GOOD))
    ids = {outcome.sms_id for outcome in answer.outcomes.values()}
    assert len(ids - {None}) == (len(GOOD) if stand.gives_ids else 0)
    assert {outcome.segments for outcome in answer.outcomes.values()} == {1 if stand.counts_segments else None}


async def test_the_bytes_sent_are_the_ones_documented(stand: Stand, http: Http) -> None:
    await stand.carrier(http).submit(stand.submission(*GOOD[:2]))
    stand.assert_exact_requests()


async def test_a_full_request_is_accepted(stand: Stand, patient: Http) -> None:
    carrier = stand.carrier(patient)
    numbers = [8613811110100 + step for step in range(carrier.max_numbers)]
    answer = await carrier.submit(stand.submission(*numbers))
    assert answer.outcomes.keys() == set(numbers)


async def test_one_refused_number_leaves_the_others_accepted(stand: Stand, http: Http) -> None:
    answer = await stand.carrier(http).submit(stand.submission(GOOD[0], stand.refused_number, GOOD[1]))
    refused = answer.outcomes[stand.refused_number]
    assert (refused.accepted, refused.sms_id, bool(refused.code)) == (False, None, True)
    assert all(answer.outcomes[number].accepted for number in GOOD[:2])
    assert [number for number, _ in accepted(stand)] == list(GOOD[:2])


async def test_what_is_wrong_for_every_number_refuses_every_number(stand: Stand, http: Http) -> None:
    answer = await stand.carrier(http).submit(stand.refused_for_all(*GOOD))
    assert [answer.outcomes[number].accepted for number in GOOD] == [False] * 3
    assert accepted(stand) == []


async def test_wrong_credentials_refuse_the_whole_request(stand: Stand, http: Http) -> None:
    error = await failure(stand.carrier(http, secret="wrong"), stand.submission(*GOOD))
    assert type(error) is RequestRefused
    assert accepted(stand) == []


async def test_a_slow_down_takes_nothing_and_says_how_long(stand: Stand, http: Http) -> None:
    inject(stand, "http_429", seconds=2)
    error = await failure(stand.carrier(http), stand.submission(*GOOD))
    assert isinstance(error, NotTaken)
    assert error.retry_after_seconds == 2
    assert accepted(stand) == []
    assert (await stand.carrier(http).submit(stand.submission(*GOOD))).outcomes.keys() == set(GOOD)


async def test_the_carriers_own_slow_down_takes_nothing(stand: Stand, http: Http) -> None:
    inject(stand, "slow_down")
    error = await failure(stand.carrier(http), stand.submission(*GOOD))
    assert type(error) is NotTaken
    assert accepted(stand) == []


async def test_a_refused_connection_takes_nothing(stand: Stand, http: Http) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        error = await failure(stand.carrier(http, url=url), stand.submission(*GOOD))
    assert type(error) is NotTaken


@pytest.mark.parametrize(
    ("kind", "taken"),
    [
        ("timeout_after", True),
        ("reset_after", True),
        ("garbage", True),
        ("http_403", True),
        ("half", True),
        ("reset_before", False),
        ("http_500", False),
    ],
)
async def test_without_a_readable_answer_nobody_knows(stand: Stand, http: Http, kind: str, taken: bool) -> None:
    inject(stand, kind)
    error = await failure(stand.carrier(http), stand.submission(*GOOD))
    assert type(error) is Unanswered
    assert len(accepted(stand)) == (len(GOOD) if taken else 0)


@pytest.mark.parametrize("kind", ["timeout_after", "reset_after", "garbage", "http_403", "half"])
async def test_receipts_still_name_number_and_reference_of_what_was_never_answered(
    stand: Stand, http: Http, callback: Callback, kind: str
) -> None:
    inject(stand, kind)
    carrier = stand.carrier(http)
    await failure(carrier, stand.submission(*GOOD))
    receipts = await callback.read(carrier, len(GOOD))
    assert {(receipt.number, receipt.reference, receipt.status) for receipt in receipts} == {
        (number, REFERENCE, "delivered") for number in GOOD
    }


async def test_a_receipt_carries_the_id_of_the_answer(stand: Stand, http: Http, callback: Callback) -> None:
    carrier = stand.carrier(http)
    answer = await carrier.submit(stand.submission(*GOOD))
    for receipt in await callback.read(carrier, len(GOOD)):
        assert receipt.number is not None
        assert receipt.sms_id == answer.outcomes[receipt.number].sms_id or not stand.gives_ids
        assert (receipt.sequence, receipt.total) == (1, 1)
        assert (receipt.at is not None and receipt.at.tzinfo is UTC) == stand.tells_time


async def test_a_failure_is_reported_with_the_carriers_word(stand: Stand, http: Http, callback: Callback) -> None:
    carrier = stand.carrier(http)
    await carrier.submit(stand.submission(8613811110001))
    (receipt,) = await callback.read(carrier, 1)
    assert (receipt.number, receipt.status, receipt.reference) == (8613811110001, "failed", REFERENCE)
    assert receipt.code in ("UNDELIV", "30008")


async def test_requests_that_run_at_once_do_not_mix(stand: Stand, patient: Http) -> None:
    carrier = stand.carrier(patient)
    batches = [[8613811120100 + 50 * batch + step for step in range(50)] for batch in range(4)]
    answers = await asyncio.gather(*(carrier.submit(stand.submission(*numbers)) for numbers in batches))
    assert [set(answer.outcomes) for answer in answers] == [set(numbers) for numbers in batches]


async def test_no_error_tells_a_secret(stand: Stand, http: Http) -> None:
    for kind in ("http_429", "http_500", "reset_before", "garbage", "timeout_after"):
        inject(stand, kind)
        error = await failure(stand.carrier(http, secret="hush-hush"), stand.submission(*GOOD))
        assert not re.search("hush", f"{error!r} {error.reason} {error.__cause__}")


async def test_an_address_that_is_none_is_refused_at_once(stand: Stand, http: Http) -> None:
    with pytest.raises(ValueError, match="not an http"):
        stand.carrier(http, url="ftp://carrier.example.com")
