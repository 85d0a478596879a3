"""What Prometheus is told: events as they happen, the database's figures when asked, and nothing about people."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families
from slack_sdk.errors import SlackApiError
from structlog.testing import capture_logs

from bot.metrics import KEPT_SECONDS, Metrics
from bot.observed_carrier import ObservedCarrier
from bot.scheduler import TickAge
from bot.slack_calls import slack_client
from sandbox.slack.core import Throttle
from sandbox.slack.server import SlackSandbox
from services.carriers.ports import Answer, CutShort, Submission
from services.database import Database, DatabaseUnavailable
from services.errors import CarrierError, NotTaken
from services.figures import FigureReader, Figures, Waiting
from tests.bot.settings import a_config
from tests.bot.workplace import MANIFEST, MARKETING, PATIENT
from tests.services.builders import FIRST_NUMBER, Marketing, numbers
from tests.services.fakes import (
    Answering,
    FakeCarrier,
    accepted,
    crash,
    leave_out,
    not_taken,
    refuse,
    refuse_whole,
    unanswered,
)

NONE = Waiting(0, 0.0)
FIGURES = Figures(
    messages={("huawei", "waiting"): 1},
    tasks={"sending": 1},
    batches_due=NONE,
    batches_put_off=0,
    batches_sending=0,
    scheduled=NONE,
    receipts=NONE,
    imports=NONE,
    posts=0,
)

Samples = dict[tuple[str, tuple[str, ...]], float]


def samples(metrics: Metrics) -> Samples:
    """By name and the values of the labels."""
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(metrics.text().decode())
        for sample in family.samples
    }


def of(metrics: Metrics, name: str) -> dict[tuple[str, ...], float]:
    return {labels: value for (found, labels), value in samples(metrics).items() if found == name}


def test_two_bots_of_one_process_count_apart() -> None:
    one, other = Metrics(), Metrics()
    one.http_answered("/healthz", 200)
    assert of(one, "sms_http_requests_total") == {("/healthz", "200"): 1}
    assert of(other, "sms_http_requests_total") == {}


def test_every_name_there_is_is_one_prometheus_reads() -> None:
    metrics = Metrics(lambda: FIGURES, lambda: [TickAge("tick", 0.5, 0.1)])
    metrics.http_answered("/healthz", 200)
    metrics.tick_ran("tick", 0.1, False)
    metrics.acknowledged("command", 0.1)
    read = {name for name, _ in samples(metrics)} - {"python_gc_objects_collected_created"}
    assert {name for name in read if not name.endswith("_created")} <= metrics.names()


async def test_the_databases_figures_show(sqlite: Database) -> None:
    marketing = Marketing(sqlite)
    marketing.a_confirmed_task(300)
    metrics = Metrics(FigureReader(sqlite, marketing.clock).read)
    found = samples(metrics)
    assert found["sms_database_up", ()] == 1
    assert found["sms_messages", ("huawei", "waiting")] == 300
    assert found["sms_tasks", ("sending",)] == 1
    assert found["sms_batches", ("due",)] == 2
    assert found["sms_posts_owed", ()] == 1
    assert found["sms_receipts_waiting", ()] == 0


def test_asking_often_reads_the_database_once_in_a_while() -> None:
    seconds, asked = [0.0], [0]

    def read() -> Figures:
        asked[0] += 1
        return FIGURES

    metrics = Metrics(read, monotonic=lambda: seconds[0])
    for _ in range(5):
        metrics.text()
    assert asked == [1]
    seconds[0] += KEPT_SECONDS
    metrics.text()
    assert asked == [2]


def test_a_database_that_is_away_leaves_the_other_figures() -> None:
    def read() -> Figures:
        raise DatabaseUnavailable("OperationalError")

    metrics = Metrics(read)
    metrics.http_answered("/healthz", 200)
    found = samples(metrics)
    assert found["sms_database_up", ()] == 0
    assert found["sms_http_requests_total", ("/healthz", "200")] == 1
    assert ("sms_posts_owed", ()) not in found


def test_ticks_tell_their_age_their_length_and_their_failures() -> None:
    metrics = Metrics(ages=lambda: [TickAge("Receipts.keep_up", 0.5, 70.0)])
    metrics.tick_ran("Receipts.keep_up", 0.2, True)
    assert of(metrics, "sms_tick_failures_total") == {("Receipts.keep_up",): 0}, "0 is there before the first failure"
    metrics.tick_ran("Receipts.keep_up", 0.2, False)
    assert of(metrics, "sms_tick_failures_total") == {("Receipts.keep_up",): 1}
    assert of(metrics, "sms_tick_age_seconds") == {("Receipts.keep_up",): 70}
    assert of(metrics, "sms_tick_seconds_count") == {("Receipts.keep_up",): 2}


def submission(count: int) -> Submission:
    return Submission("ref-1", numbers(count), "1069000001", "tpl-1", "We open at nine.")


async def partly(asked: Submission) -> Answer:
    first, *rest = asked.numbers
    return Answer({first: accepted(first)}, dict.fromkeys(rest, NotTaken("http_429", "slow down")))


async def cut_short(asked: Submission) -> Answer:
    raise CutShort(await partly(asked))


@pytest.mark.parametrize(
    ("answer", "result", "outcomes"),
    [
        pytest.param(refuse(FIRST_NUMBER), "answered", {"accepted": 4, "refused": 1}, id="answered"),
        pytest.param(leave_out(FIRST_NUMBER), "answered", {"accepted": 4, "unknown": 1}, id="one left out"),
        pytest.param(partly, "answered", {"accepted": 1, "not_taken": 4}, id="partly taken"),
        pytest.param(not_taken(), "not_taken", {"not_taken": 5}, id="not taken"),
        pytest.param(refuse_whole(), "refused", {"refused": 5}, id="refused"),
        pytest.param(unanswered, "unanswered", {"unknown": 5}, id="unanswered"),
        pytest.param(crash, "broken", {"unknown": 5}, id="broken"),
        pytest.param(cut_short, "broken", {"accepted": 1, "not_taken": 4}, id="cut short"),
    ],
)
async def test_each_batch_is_timed_and_its_messages_counted(
    answer: Answering, result: str, outcomes: dict[str, int]
) -> None:
    metrics, carrier = Metrics(), FakeCarrier()
    carrier.will(answer)
    seconds = iter((10.0, 10.5))
    observed = ObservedCarrier(
        carrier, lambda *told: metrics.batch_answered("promo-cn", "huawei", *told), lambda: next(seconds)
    )
    with capture_logs() as logged:
        try:
            await observed.submit(submission(5))
        except (CarrierError, ZeroDivisionError, CutShort):
            assert result != "answered"
    assert of(metrics, "sms_batch_seconds_sum") == {("promo-cn", "huawei", result): 0.5}
    counted = of(metrics, "sms_messages_submitted_total")
    assert counted == {("promo-cn", "huawei", outcome): count for outcome, count in outcomes.items()}
    assert logged == [{"event": "batch.ended", "log_level": "info", "result": result, "seconds": 0.5, **outcomes}]


@pytest.fixture
async def slack() -> AsyncIterator[SlackSandbox]:
    sandbox = SlackSandbox(MANIFEST, timings=PATIENT)
    await sandbox.start()
    yield sandbox
    await sandbox.stop()


async def test_calls_of_slack_are_counted_with_what_came_of_them(slack: SlackSandbox, tmp_path: Path) -> None:
    metrics = Metrics()
    client = slack_client(a_config(tmp_path, SLACK_API_URL=slack.api_url).slack, metrics)
    slack.core.throttles["chat.postMessage"] = Throttle(times=1, retry_after=1)
    await client.auth_test()
    await client.chat_postMessage(channel=MARKETING, text="Hello")
    with pytest.raises(SlackApiError):
        await client.chat_postMessage(channel="C0NOWHERE", text="Hello")
    assert of(metrics, "sms_slack_calls_total") == {
        ("auth.test", "ok"): 1,
        ("chat.postMessage", "ok"): 1,
        ("chat.postMessage", "refused"): 1,
    }
    assert of(metrics, "sms_slack_rate_limited_total") == {("chat.postMessage",): 1}
    await slack.stop()
    with pytest.raises(aiohttp.ClientError):
        await client.auth_test()
    assert of(metrics, "sms_slack_calls_total")["auth.test", "unanswered"] == 1


async def test_no_figure_names_a_number_or_a_person(sqlite: Database) -> None:
    marketing = Marketing(sqlite)
    metrics = Metrics(FigureReader(sqlite, marketing.clock).read)
    marketing.carrier.will(refuse(FIRST_NUMBER))
    observed = ObservedCarrier(
        marketing.carrier, lambda *told: metrics.batch_answered("promo-cn", "huawei", *told), lambda: 0.0
    )
    marketing.a_confirmed_task(300)
    await observed.submit(submission(5))
    text = metrics.text().decode()
    for secret in (str(FIRST_NUMBER)[2:], "U0ANA", "U0BEN", "We open", "vip", marketing.workspace_id):
        assert secret not in text
