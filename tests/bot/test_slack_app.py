"""The edge, through Slack's protocol: everything is acknowledged, everybody gets an answer."""

from __future__ import annotations

import dataclasses
import re
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

import pytest
from structlog.testing import capture_logs

from bot.slack_app import _place_of_click, _plain, _values
from handlers.groups import Grouping
from handlers.send import Sending
from sandbox.slack.core import SIGNING_SECRET
from sandbox.slack.http_delivery import signature
from services.database import Database
from tests.bot.workplace import MARKETING, Person, Workplace, opened, words
from tests.handlers.samples import tasks_of
from tests.sandbox.people import until
from tests.services.builders import numbers

Json = dict[str, Any]

REFERENCE = re.compile(r"Something went wrong on our side\..* under reference ([0-9a-f]{6})\.")


@pytest.fixture(params=["socket", "http"])
async def place(request: pytest.FixtureRequest, sqlite: Database) -> AsyncIterator[Workplace]:
    """Both ways of reaching Slack."""
    async with opened(sqlite, http=request.param == "http") as made:
        yield made


@pytest.fixture
async def socket_place(sqlite: Database) -> AsyncIterator[Workplace]:
    """Where the way to Slack makes no difference."""
    async with opened(sqlite, http=False) as made:
        yield made


@pytest.fixture
def ana(place: Workplace) -> Person:
    return place.person()


class Broken:
    """A service with a defect."""

    def __getattr__(self, name: str) -> Any:
        raise ZeroDivisionError("customer 13812345678")


async def test_help_answers_privately_with_usage(ana: Person) -> None:
    said = await ana.answer("/sms-send help")
    assert said["ephemeral"]
    assert "`/sms-send group:vip" in words(said)
    assert "three steps" in words(await ana.answer("/sms-help"))


async def test_a_mistyped_command_gets_the_sentence_and_its_usage(socket_place: Workplace) -> None:
    socket_place.marketing.a_group("vip", numbers(3))
    said = words(await socket_place.person().answer("/sms-send grup:vip"))
    assert "Did you mean `group:`?" in said
    assert "Usage: `/sms-send group:vip" in said
    assert "Usage: `/sms-cancel 42`" in words(await socket_place.person().answer("/sms-cancel"))


async def test_what_a_rule_refuses_gets_no_usage(socket_place: Workplace) -> None:
    socket_place.marketing.a_group("vip", numbers(3))
    said = words(await socket_place.person().answer("/sms-send group:vip template:sale"))
    assert "is of type promotional" in said
    assert "Usage" not in said


async def test_a_defect_is_acknowledged_and_gives_a_reference(place: Workplace, ana: Person) -> None:
    place.services["tasks"] = Broken()
    with capture_logs() as logs:
        said = await ana.answer("/sms-tasks")
    assert not said.get("failed"), "it was acknowledged"
    found = REFERENCE.search(words(said))
    assert found is not None
    (logged,) = [each for each in logs if each["event"] == "unexpected"]
    assert (logged["reference"], logged["where"]) == (found[1], "/sms-tasks")
    assert logged["exc_info"]


async def test_an_answer_comes_too_when_the_response_url_is_spent(socket_place: Workplace) -> None:
    socket_place.slack.core.response_urls.seconds = -1.0
    said = await socket_place.person().answer("/sms-help")
    assert said["ephemeral"]
    assert "three steps" in words(said)
    assert len(socket_place.calls("chat.postEphemeral")) == 1


async def test_a_form_opens_and_its_answer_comes_privately(place: Workplace, ana: Person) -> None:
    place.marketing.a_group("vip", numbers(3))
    await ana.command("/sms-send")
    errors = await ana.fill(await ana.form(), group="vip", template="spring", at="soon")
    assert list(errors) == ["at"]
    assert errors["at"].startswith("I do not understand the time soon.")
    assert await ana.fill(await ana.form(), group="vip", template="spring") == {}
    preview = await ana.sees("Send to 3 customers")
    assert preview["ephemeral"]
    await ana.press(preview, "Send to 3 customers")
    replaced = await ana.sees("Task 1 is sending to 3 customers")
    assert replaced["ts"] == preview["ts"], "the preview cannot be pressed again"


async def test_an_answer_that_takes_long_follows_a_word(place: Workplace, ana: Person) -> None:
    place.marketing.a_group("vip", numbers(3))
    sending = place.services["sending"]
    assert isinstance(sending, Sending)
    place.services["sending"] = dataclasses.replace(sending, many=2)
    await ana.command("/sms-send group:vip template:spring")
    assert (await ana.sees("Counting 3 recipients…"))["ephemeral"]
    assert (await ana.sees("Send to 3 customers"))["ephemeral"]
    await ana.command("/sms-send")
    assert await ana.fill(await ana.form(), group="vip", template="hello") == {}
    await ana.sees("【Spring】Hello.")


async def test_what_goes_wrong_after_the_word_is_told(place: Workplace, ana: Person) -> None:
    place.marketing.a_group("abroad", [44_7400_123_456 + number for number in range(3)])
    sending = place.services["sending"]
    assert isinstance(sending, Sending)
    place.services["sending"] = dataclasses.replace(sending, many=2)
    await ana.command("/sms-send group:abroad template:spring")
    await ana.sees("Counting 3 recipients…")
    await ana.sees("3 that the application may not send to")


async def test_a_form_that_comes_too_late_is_told(socket_place: Workplace) -> None:
    socket_place.marketing.a_group("vip", numbers(3))
    socket_place.slack.core.triggers.seconds = -1.0
    assert "too late" in words(await socket_place.person().answer("/sms-send"))


async def test_a_defect_behind_a_form_closes_it_and_gives_a_reference(socket_place: Workplace) -> None:
    socket_place.marketing.a_group("vip", numbers(3))
    await socket_place.person().command("/sms-send")
    form = await socket_place.person().form()
    socket_place.services["sending"] = Broken()
    assert await socket_place.person().fill(form, group="vip", template="spring") == {}
    assert REFERENCE.search(words(await socket_place.person().sees("Something went wrong")))


@pytest.mark.parametrize("wrong", [False, True])
async def test_a_form_that_takes_long_closes_in_time_and_is_answered_in_a_message(
    place: Workplace, ana: Person, wrong: bool
) -> None:
    place.marketing.a_group("vip")
    go_on, groups, unused = threading.Event(), place.marketing.groups, cast(Any, None)

    class Slow:
        def page(self, *given: Any) -> Any:
            return groups.page(*given)

        def create(self, *given: Any) -> Any:
            assert go_on.wait(20)
            return groups.create(*given)

    place.services["groups"] = Grouping(cast(Any, Slow()), unused, unused)
    place.edge._form_seconds = 0.05
    await ana.press(await ana.answer("/sms-groups"), "New group…")
    name = "vip" if wrong else "friends"
    assert await ana.fill(await ana.form(), name=name, sms_type="Promotional") == {}
    assert (await ana.sees("This takes a moment."))["ephemeral"]
    go_on.set()
    await ana.sees("A group vip exists already." if wrong else "Group *friends* is there")


async def test_a_button_in_the_channel_answers_privately_and_leaves_the_message(socket_place: Workplace) -> None:
    socket_place.marketing.a_confirmed_task(3)
    said = await socket_place.person().answer("/sms-tasks")
    await socket_place.person().press(said, "Stop")
    assert (await socket_place.person().sees("Task 1 is stopped"))["ephemeral"]


async def test_a_dropped_file_is_asked_about_and_its_answer_replaced(
    place: Workplace, ana: Person, tmp_path: Path
) -> None:
    place.marketing.a_group("vip")
    await drop(ana, tmp_path, "customers.csv")
    asked = await ana.sees("into which group?")
    assert asked["ephemeral"]
    await ana.choose(asked, "vip")
    begun = await ana.sees("Importing *customers.csv* into *vip*.")
    assert begun["ts"] == asked["ts"]
    assert len(place.marketing.imports.running()) == 1


async def drop(person: Person, folder: Path, name: str, text: str = "") -> None:
    path = folder / name
    path.write_text("mobile\n13812345678\n", "utf-8")
    await person.upload(path, text)


async def test_a_file_told_of_twice_is_taken_once(socket_place: Workplace, tmp_path: Path) -> None:
    place = socket_place
    await drop(place.person(), tmp_path, "customers.csv")
    await place.person().sees("into which group?")
    (event,) = [e for e in place.slack.core.delivery.events if e["event"].get("subtype") == "file_share"]
    await place.tell(event["event"], event_id="Ev-again")
    await place.settled()
    assert len(await place.person().all("into which group?")) == 1


def file_share(*files: Json, **changes: Any) -> Json:
    """A message with files, as Slack tells of it."""
    return {
        "type": "message",
        "subtype": "file_share",
        "user": "U0ANA",
        "text": "",
        "ts": "171.01",
        "channel": MARKETING,
        "channel_type": "channel",
        "files": list(files),
        **changes,
    }


def a_file(file_id: str = "F1", name: str = "customers.xlsx", **changes: Any) -> Json:
    return {"id": file_id, "name": name, "size": 10, "url_private_download": "https://files.slack.com/1", **changes}


async def received(place: Workplace) -> list[tuple[str, str]]:
    """The files that were taken, each with the message its thread hangs on."""
    await place.settled()
    with place.marketing.database.read(everyone=True) as connection:
        rows = connection.exec_driver_sql("SELECT file_id, thread_ts FROM number_import ORDER BY id").all()
    return [(row.file_id, row.thread_ts) for row in rows]


async def test_a_message_with_several_files_is_several_imports(socket_place: Workplace) -> None:
    await socket_place.tell(file_share(a_file("F1"), a_file("F2", "cat.png"), a_file("F3", "more.csv")))
    assert [file for file, _ in await received(socket_place)] == ["F1", "F3"]
    assert len(await socket_place.person().all("into which group?")) == 2


NONE_OF_OUR_BUSINESS = {
    "the bot's own, without bot_id": file_share(a_file(), user="U0SMSBOT"),
    "another bot's": file_share(a_file(), bot_id="B0OTHER"),
    "no share": file_share(a_file(), subtype=None),
    "an edit": file_share(a_file(), subtype="message_changed"),
    "no files": file_share(),
    "a picture without address": file_share(a_file("F1", "cat.png", url_private_download="")),
    "a file Slack does not know": file_share({"id": "F404", "file_access": "check_file_info"}),
    "a deleted file": file_share({"id": "F1", "mode": "tombstone"}),
}


async def test_other_messages_are_none_of_our_business(socket_place: Workplace) -> None:
    for what, event in NONE_OF_OUR_BUSINESS.items():
        await socket_place.tell(event, event_id=f"Ev {what}")
        assert await received(socket_place) == [], what
        assert await socket_place.person().messages() == [], what


async def test_a_file_of_slack_connect_is_asked_for(socket_place: Workplace) -> None:
    stored = socket_place.slack.core.files.add("customers.csv", "U0ANA", b"mobile\n13812345678\n")
    socket_place.slack.core.files.share([stored.id], MARKETING, "171.01")
    await socket_place.tell(file_share({"id": stored.id, "file_access": "check_file_info"}))
    assert [file for file, _ in await received(socket_place)] == [stored.id]
    assert socket_place.calls("files.info")


async def test_a_spreadsheet_without_address_is_told(socket_place: Workplace) -> None:
    await socket_place.tell(file_share({"id": "F404", "name": "customers.xlsx"}))
    assert await received(socket_place) == []
    assert await socket_place.person().sees("could not be downloaded from Slack")


async def test_a_file_dropped_in_a_thread_is_answered_in_that_thread(socket_place: Workplace) -> None:
    await socket_place.tell(file_share(a_file(), thread_ts="170.01"))
    assert await received(socket_place) == [("F1", "170.01")]


async def test_where_the_bot_is_not_it_says_how_to_invite_it(socket_place: Workplace) -> None:
    for channel in ("C0GENERAL", "D0ANA"):
        person = socket_place.person(channel=channel)
        assert "`/invite @sms`" in words(await person.answer("/sms-send group:vip template:spring"))


async def test_a_request_knows_whose_numbers_are_written_without_country_code(sqlite: Database) -> None:
    async with opened(sqlite, http=False, region="HK") as place:
        place.marketing.a_group("vip")
        said = str(await place.person().answer("/sms-import group:vip"))
    assert "numbers of Hong Kong (HK) as dialled there, others with their country code" in said


async def test_without_a_known_zone_times_are_utc(socket_place: Workplace) -> None:
    people = socket_place.slack.core.workspace.users
    socket_place.marketing.a_group("vip", numbers(3))
    for user, zone in (("U0ANA", ""), ("U0MEI", "Mars/Phobos")):
        people[user] = dataclasses.replace(people[user], tz=zone)
        said = await socket_place.person(user).answer('/sms-send group:vip template:spring at:"tomorrow 10:00"')
        assert "10:00 (UTC, UTC)" in words(said)


async def test_everything_said_is_looked_at_afterwards(socket_place: Workplace) -> None:
    await socket_place.person().answer("/sms-tasks")
    await socket_place.person().answer("/sms-cancel 7")
    assert socket_place.worked == 2


async def test_stopping_lets_handlers_answer(socket_place: Workplace) -> None:
    tasks = tasks_of(socket_place.marketing)

    class Slow:
        def page(self, *given: Any) -> Any:
            time.sleep(0.3)
            return tasks.lists.page(*given)

    slow: Any = Slow()
    socket_place.services["tasks"] = replace(tasks, lists=slow)
    await socket_place.person().command("/sms-tasks")
    await until(lambda: socket_place.edge._under_way, 20)
    await socket_place.edge.stop()
    assert await socket_place.person().all("No send tasks yet")


async def test_no_log_line_of_a_whole_job_holds_a_number(socket_place: Workplace, tmp_path: Path) -> None:
    with capture_logs() as logs:
        socket_place.marketing.a_group("vip", numbers(3))
        await drop(socket_place.person(), tmp_path, "13812345678.csv", "group:vip")
        await socket_place.person().press(
            await socket_place.person().answer("/sms-send group:vip template:spring"), "Send to 3 customers"
        )
        await socket_place.person().sees("is sending to 3 customers")
        await socket_place.person().answer("/sms-send 13812345678")
        await socket_place.person().answer("/sms-cancel 13812345678")
        await socket_place.settled()
    assert logs
    assert "1380000" not in str(logs)
    assert "13812345678" not in str(logs)


@pytest.mark.parametrize(
    ("body", "channel", "replaces"),
    [
        pytest.param(
            {
                "channel": {"id": "C1", "name": "marketing"},
                "container": {"type": "message", "channel_id": "C1", "is_ephemeral": False},
                "response_url": "https://hooks.slack.com/1",
            },
            "C1",
            False,
            id="a message",
        ),
        pytest.param(
            {
                "channel": {"id": "C1"},
                "container": {"type": "message", "channel_id": "C1", "is_ephemeral": True},
                "response_url": "https://hooks.slack.com/1",
            },
            "C1",
            True,
            id="a private message",
        ),
        pytest.param({"container": {"type": "message", "channel_id": "C1"}}, "C1", False, id="no channel beside it"),
        pytest.param({"container": {"type": "view", "view_id": "V1"}, "view": {}}, "", False, id="a form"),
    ],
)
def test_a_click_comes_from_wherever_there_are_buttons(body: Json, channel: str, replaces: bool) -> None:
    found = _place_of_click({**body, "team": {"id": "T1"}, "user": {"id": "U1"}, "trigger_id": "1.2"})
    assert (found.workspace, found.channel, found.person, found.trigger_id) == ("T1", channel, "U1", "1.2")
    assert found.replaces is replaces
    assert found.response_url == body.get("response_url")


def test_what_is_left_empty_in_a_form_is_empty_text() -> None:
    state: dict[str, Json] = {
        "at": {"at": {"type": "plain_text_input", "value": None}},
        "group": {"group": {"type": "static_select", "selected_option": None}},
        "type": {"type": {"type": "radio_buttons", "selected_option": {"value": "promotional"}}},
        "tags": {"tags": {"type": "checkboxes", "selected_options": [{"value": "a"}, {"value": "b"}]}},
        "none": {"none": {"type": "checkboxes", "selected_options": []}},
        "name": {"name": {"type": "plain_text_input", "value": "vip"}},
    }
    values, lists = _values(state)
    assert values == {"at": "", "group": "", "type": "promotional", "tags": "", "none": "", "name": "vip"}
    assert lists == {"tags": ("a", "b"), "none": ()}


@pytest.mark.parametrize(
    ("escaped", "typed"), [("&lt;!channel&gt; &amp; co", "<!channel> & co"), ("&amp;lt;", "&lt;"), ("a & b", "a & b")]
)
def test_what_slack_escaped_is_read_as_it_was_typed(escaped: str, typed: str) -> None:
    assert _plain(escaped) == typed


@pytest.mark.parametrize(
    ("secret", "age"), [("wrong", 0), (SIGNING_SECRET, 600)], ids=["another secret", "ten minutes old"]
)
async def test_over_http_only_slack_is_heard(sqlite: Database, secret: str, age: int) -> None:
    async with opened(sqlite, http=True) as place:
        delivery: Any = place.slack.core.delivery
        body = urlencode({"command": "/sms-tasks", "team_id": "T0SANDBOX", "user_id": "U0ANA"}).encode()
        stamp = str(int(time.time()) - age)
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Slack-Request-Timestamp": stamp,
            "X-Slack-Signature": signature(secret, stamp, body),
        }
        async with place.session.post(delivery.request_url, data=body, headers=headers) as response:
            assert response.status == 401
        assert place.worked == 0
