"""Every view stays within what Slack takes, at the longest names and largest counts there can be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from handlers.errors import explain_failure
from handlers.groups import PAGE_SIZE
from handlers.help import mistake, overview, usage
from handlers.replies import Block, Say, View
from handlers.routes import help_lines
from handlers.task_details import PAGE_SIZE as MESSAGES
from handlers.task_list import PAGE_SIZE as PAGE
from handlers.views import blocks as kit
from handlers.views import groups, imports, send, task_changes, task_details, task_list, tasks
from handlers.views.imports import reason_in_words
from handlers.views.words import money
from sandbox.slack.blocks import check_view, strings
from sandbox.slack.posting import UPDATE_TEXT, read_content
from services.errors import BadFile
from services.groups import Group, GroupPage, ListedGroup
from services.imports import Progress, Purpose
from services.numbers import Reason
from services.pool import Fate
from services.previews import Preview, Price
from services.send_tasks import Paused, Stopped
from services.states import ImportState, PauseReason, Region, SmsType, Source, TaskState
from services.surveys import MissingRow
from services.task_lists import TaskPage
from services.task_messages import MessagePage, Segment, TaskMessage, UnknownCounts
from services.task_reports import Task
from tests.handlers.samples import EVIL, LONGEST, MILLION, NOW, a_group, a_preview, a_task, a_template, an_import

MADRID = ZoneInfo("Europe/Madrid")
LONG_FILE = "&" * 250 + ".xlsx"
MANY = [a_group(f"{n:03}{name}"[:60], id=n) for n, name in enumerate(LONGEST * 30, start=1)]
STATES = [state for state in TaskState if state is not TaskState.DRAFT]


def held(text: str, body: Sequence[Block]) -> None:
    """What a channel message or a private answer shows is sound, also where it is edited."""
    read_content({"text": text, "blocks": [*body]}, longest_text=UPDATE_TEXT)
    for shown in [text, *mrkdwn(body)]:
        assert "<!channel" not in shown
        assert "<!here" not in shown
    assert text.strip()


def mrkdwn(node: Any) -> Iterator[str]:
    """Every text that Slack reads marks in."""
    if isinstance(node, dict):
        if node.get("type") == "mrkdwn":
            yield node["text"]
        for each in node.values():
            yield from mrkdwn(each)
    elif isinstance(node, list):
        for each in node:
            yield from mrkdwn(each)


def said(answer: Say) -> None:
    held(answer.text, answer.blocks)


def opened(view: View) -> None:
    assert check_view({**view, "private_metadata": "x" * 3000}) == []


def extreme_tasks() -> Iterator[Task]:
    """Each state, small and as large as it gets."""
    for state in STATES:
        yield a_task(state)
        yield a_task(state, handed_over=0, accepted=0, delivered=0, held_back=12_480, scheduled_at=NOW, started_at=None)
        for name in LONGEST:
            yield a_task(
                state,
                name=name,
                template=name,
                groups=tuple(each.name for each in MANY),
                excluded=tuple(each.name for each in MANY),
                recipients=MILLION,
                scheduled_at=NOW,
                handed_over=MILLION - 10,
                delivered=5,
                failed=400_000,
                refused=1,
                trouble=name,
                ended_by="U0BEN",
            )


def extreme_previews() -> Iterator[Preview]:
    yield a_preview()
    for source in Source:
        yield a_preview(source=source, file=LONG_FILE, groups=[], name=EVIL)
    samples = [(8613800000000 + n, LONGEST[n] * 8) for n in range(3)]
    rows = [MissingRow(MILLION, 8613800000001, [EVIL]) for _ in range(5)]
    for without_missing in (False, True):
        yield a_preview(
            samples=samples,
            text=samples[0][1],
            variables=["name", "1"],
            missing={"n" * 32: MILLION, "name": 1},
            missing_count=MILLION,
            missing_rows=rows,
            without_missing=without_missing,
            numbers=MILLION,
            recipients=2 * MILLION,
        )
    yield a_preview(signature=None, application=EVIL, region=Region.INTERNATIONAL, outside_region=1)
    for name in LONGEST:
        yield a_preview(
            groups=[each.name for each in MANY],
            excluded=[each.name for each in MANY],
            template=name,
            application=name,
            signature=name,
            text=(name * 20)[:1000],
            recipients=MILLION,
            outside_region=MILLION,
            numbers=MILLION,
            segments_each=8,
            segments=8 * MILLION,
            at=NOW + timedelta(days=20),
            outside_hours=MILLION,
            name=name,
            in_excluded=MILLION,
            opted_out=MILLION,
            duplicates=MILLION,
            countries=[(region, MILLION) for region in (None, "VC", "IO", "BQ", "BA", "AE", "TT")],
            price=Price(Decimal("360000.045"), "CNY"),
            takes=timedelta(hours=90),
            requests_per_second=0.5,
            overlap=MILLION,
            allowed_from=NOW + timedelta(days=21),
            receipts_reach_us=False,
            changed=("text", "signature", "groups", "recipients"),
            samples=[(8613800000001, "x")] * 3,
        )


@pytest.mark.parametrize(
    "task", list(extreme_tasks()), ids=lambda task: f"{task.state.value}-{task.recipients}-{task.name[:6]}"
)
def test_a_task_can_be_shown_in_every_state(task: Task) -> None:
    held(*tasks.post(task))
    held(*tasks.result(task))
    held(*tasks.late(task))
    held(*tasks.paused(task))
    said(listed([task] * PAGE, task.name))
    for fate in Fate:
        said(task_details.details(task, messages(fate, task.name), "0001", *["x" * 60] * 3))
    said(Say(tasks.cancelled(task)))
    said(Say(tasks.stopped(Stopped(task, 5, 3, 2))))
    said(Say(tasks.was_paused(Paused(task, 3))))
    said(Say(tasks.resumed(task)))
    said(Say(tasks.deleted(task)))
    said(task_changes.ask_unknown(task, UnknownCounts(5, 1), [3, 4]))
    opened(task_details.find_form(task))
    opened(task_details.files_form(task))
    opened(task_changes.edit_form(task, [a_template(name, id=n) for n, name in enumerate(LONGEST * 30)], "tomorrow"))


def listed(found: Sequence[Task], words: str = "") -> Say:
    return task_list.task_list(TaskPage(found, True, True), words, "n", "o", "a")


def messages(fate: Fate, name: str) -> MessagePage:
    """A page of long SMS with as much to say of each as there can be."""
    segments = [Segment(n, 9, "failed", name or "X", NOW) for n in range(1, 10)]
    one = TaskMessage(MILLION, 8613800000001, fate, name or "X", "huawei", "i" * 100, NOW, segments)
    return MessagePage([one] * MESSAGES, True, True)


def test_a_whole_page_of_tasks_is_shown() -> None:
    for name in LONGEST:
        groups_ = tuple(each.name for each in MANY)
        task = a_task(name=name, template=name, groups=groups_, excluded=groups_, is_test=True)
        assert [*strings(listed([task] * PAGE).blocks)].count("Details") == PAGE


def test_an_empty_list_of_tasks_says_how_to_go_on() -> None:
    said(listed([]))
    assert "/sms-send" in listed([]).text
    said(listed([], EVIL))
    assert "/sms-tasks" in listed([], EVIL).text


def test_a_task_that_paused_itself_says_why_and_asks() -> None:
    task = a_task(
        TaskState.PAUSED,
        carrier="tencent",
        pause_carrier="huawei",
        pause_reason=PauseReason.REFUSALS,
        pause_code="E200028",
        handed_over=200,
        refused=150,
        accepted=50,
        delivered=0,
    )
    text, body = tasks.paused(task)
    assert text == "Task 42, *spring* to *vip*, has paused itself."
    shown = [*strings(body)]
    assert any("The carrier refuses too many of its messages: " in each and "`E200028`" in each for each in shown)
    assert any("200 of 12,480 messages handed over, 150 of them refused, 12,280 to go." in each for each in shown)
    assert {"Go on", "Stop"} <= set(shown)
    _, decided = tasks.paused(replace(task, state=TaskState.SENDING, resumed_by="U0BEN"))
    assert any("<@U0BEN> decided to go on." in each for each in strings(decided))


@pytest.mark.parametrize("shown", list(extreme_previews()), ids=lambda shown: shown.template[:6])
def test_a_preview_can_be_shown(shown: Preview) -> None:
    answer = send.preview(shown, MADRID, NOW)
    said(answer)
    assert shown.text in [*strings(answer.blocks)], "exactly as it will arrive"


def test_the_button_under_a_preview_says_what_it_does() -> None:
    now = send.preview(a_preview(), MADRID, NOW)
    later = send.preview(a_preview(at=NOW + timedelta(days=1)), MADRID, NOW)
    assert "Send to 12,480 customers" in [*strings(now.blocks)]
    assert "Schedule for 12,480 customers" in [*strings(later.blocks)]
    assert any("Tue 24 Nov 2026, 10:00 (Europe/Madrid, UTC+1)" in each for each in strings(later.blocks))


def test_one_customer_is_not_plural() -> None:
    assert "Send to 1 customer" in [*strings(send.preview(a_preview(recipients=1, numbers=1), MADRID, NOW).blocks)]


@pytest.mark.parametrize("chosen", [None, 1, len(MANY)])
def test_the_send_form_opens_with_any_number_of_groups(chosen: int | None) -> None:
    templates = [a_template(name * 3, id=n, application=name) for n, name in enumerate(LONGEST * 30)]
    view = send.send_form(MANY, templates, chosen)
    opened(view)
    menu = view["blocks"][0]["element"]
    assert len(menu["options"]) == 100
    if chosen is not None:
        assert [option["value"] for option in menu["initial_options"]] == [str(chosen)]


@pytest.mark.parametrize("known", [[], [a_group()], MANY], ids=["none", "one", "many"])
def test_the_send_form_opens_for_a_file_and_with_many_signatures(known: list[Group]) -> None:
    templates = [a_template()]
    opened(send.send_form(known, templates, file=an_import(LONG_FILE, purpose=Purpose.SEND)))
    opened(send.send_form(known, templates, signatures=[f"{n}{name}" for n, name in enumerate(LONGEST * 30)]))
    opened(send.test_form(None))
    opened(send.test_form(8613800000001))


@pytest.mark.parametrize("name", LONGEST)
def test_a_file_for_one_send_can_be_shown(name: str) -> None:
    ended = an_import(name, purpose=Purpose.SEND, group=None, group_id=None, keepable=3, set_aside=3)
    held(*imports.done(ended, None))
    held(*imports.running(ended, None))
    held(*imports.cancelled(ended))


def test_a_price_has_all_its_decimals() -> None:
    shown = a_preview(price=Price(Decimal("561.6"), "CNY"))
    assert any("561.60 CNY" in each for each in strings(send.preview(shown, MADRID, NOW).blocks))
    assert money(Decimal("1234.5")) == "1,234.50"
    assert money(Decimal("0.0455")) == "0.0455"
    assert money(Decimal("1E+3")) == "1,000.00"


def test_when_it_is_handed_over_is_said_to_the_minute() -> None:
    shown = a_preview(takes=timedelta(minutes=4, seconds=10), requests_per_second=50.0, at=NOW)
    facts = [*strings(send.preview(shown, MADRID, NOW).blocks)]
    assert any(
        "By Mon 23 Nov 2026, 10:05 (Europe/Madrid, UTC+1): 4 min 10 s at 50 requests a second" in f for f in facts
    )
    soon = a_preview(takes=timedelta(seconds=0.5), requests_per_second=50.0)
    assert any("Within seconds, at 50 requests" in each for each in strings(send.preview(soon, MADRID, NOW).blocks))


def test_a_promotion_that_would_run_into_the_night_is_warned_of() -> None:
    # Nine in the morning in UTC is five in the afternoon in Shanghai.
    for hours, warned in ((4, False), (6, True)):
        shown = a_preview(sms_type=SmsType.PROMOTIONAL, takes=timedelta(hours=hours), requests_per_second=1.0)
        said_there = [*strings(send.preview(shown, MADRID, NOW).blocks)]
        assert any("will not be through by 22:00" in each for each in said_there) is warned


def test_recipients_abroad_are_warned_of_with_their_number() -> None:
    shown = a_preview(region=Region.INTERNATIONAL, outside_hours=1_204, countries=[("HK", 10_000), ("GB", 2_480)])
    said_there = [*strings(send.preview(shown, MADRID, NOW).blocks)]
    assert any(
        "For 1,204 of 12,480 recipients it then is, or may be, outside 08:00–21:00" in each for each in said_there
    )
    assert any("Hong Kong (HK) 10,000 · United Kingdom (GB) 2,480" in each for each in said_there)


def test_a_template_names_its_application_where_there_is_more_than_one() -> None:
    mine, other = a_template(), a_template(id=2, application_id=2, application="other")
    labels = [
        option["text"]["text"]
        for option in send.send_form([a_group()], [mine, other])["blocks"][2]["element"]["options"]
    ]
    assert labels == ["spring · notification · promo-cn", "spring · notification · other"]


@pytest.mark.parametrize("known", [[], [a_group()], MANY], ids=["none", "one", "many"])
def test_the_question_for_a_group_can_be_asked(known: list[Group]) -> None:
    said(imports.ask_group(an_import(LONG_FILE), known))
    said(imports.ask_group(an_import(EVIL), known, "There is no group *x*."))


@pytest.mark.parametrize("known", [[], [a_group()], MANY], ids=["none", "one", "many"])
def test_groups_can_be_listed(known: list[Group]) -> None:
    said(groups.group_list(GroupPage([ListedGroup(each, NOW, NOW) for each in known[:PAGE_SIZE]], 1, 9, MILLION)))
    said(groups.group_list(GroupPage([ListedGroup(a_group("&" * 60), None, None)] * PAGE_SIZE, 2, 2, 16), "&" * 60))


def test_every_form_opens() -> None:
    for name in (*LONGEST, LONG_FILE):
        opened(imports.new_group_form(name))
    opened(groups.new_group_form())
    said(Say(groups.created(a_group(EVIL))))


@pytest.mark.parametrize("progress", [None, Progress(0, 0.0), Progress(MILLION, 0.999), Progress(MILLION, 1.0)])
def test_an_import_under_way_can_be_shown(progress: Progress | None) -> None:
    held(*imports.running(an_import(LONG_FILE, group=LONGEST[0], state=ImportState.RUNNING), progress))


@pytest.mark.parametrize("name", LONGEST)
def test_an_import_that_ended_can_be_shown(name: str) -> None:
    counted = ("imported", "already_in_group", "duplicates", "invalid", "set_aside", "by_country_code")
    values: dict[str, Any] = {"group": name, **dict.fromkeys(counted, MILLION)}
    ended = an_import(name, **values)
    held(*imports.done(ended, a_group(name)))
    held(*imports.nothing_valid(an_import(name), [(reason.value, MILLION) for reason in Reason]))
    for why in BadFile.WHYS:
        text = explain_failure(why, name)
        held(text, imports.failed(text))


@pytest.mark.parametrize(
    ("counts", "line"),
    [
        pytest.param(
            {},
            "12,480 imported · 312 duplicates and 96 invalid removed · you are not charged for those",
            id="as in the console",
        ),
        pytest.param({"duplicates": 0, "invalid": 0}, "12,480 imported", id="clean"),
        pytest.param(
            {"duplicates": 1, "invalid": 0, "already_in_group": 5},
            "12,480 imported · 5 already in the group · 1 duplicate removed · you are not charged for those",
            id="some were there",
        ),
        pytest.param(
            {"duplicates": 0, "invalid": 0, "set_aside": 41},
            "12,480 imported · 41 set aside · you are not charged for those",
            id="set aside",
        ),
    ],
)
def test_an_import_ends_in_one_line(counts: dict[str, Any], line: str) -> None:
    assert imports.done(an_import(**counts), a_group())[0] == line


def test_every_reason_has_words() -> None:
    assert all(reason_in_words(reason.value) for reason in Reason)


def test_all_help_can_be_shown() -> None:
    said(overview(help_lines()))
    for line, does in help_lines():
        said(usage(line, does))
        said(mistake("x" * 2900, line))


def test_a_result_shares_out_everything_that_was_handed_over() -> None:
    text, body = tasks.result(a_task(delivered=12_400, failed=30, refused=10))
    assert text == "Result of task 42: 12,400 delivered, 40 failed, 40 unknown"
    fields = [field["text"] for field in body[1]["fields"]]
    assert fields == [
        "*Delivered*\n12,400 · 99.4 %",
        "*Failed*\n40 · 0.3 %",
        "*Unknown*\n40 · 0.3 %",
        "*Took*\n1 min 5 s",
    ]


@pytest.mark.parametrize(
    ("limit", "text", "cut"),
    [(5, "abcde", "abcde"), (5, "abcdef", "abcd…"), (1, "ab", "…"), (0, "", "")],
)
def test_a_cut_says_that_something_is_missing(limit: int, text: str, cut: str) -> None:
    assert kit.cut(text, limit) == cut


@pytest.mark.parametrize("state", [TaskState.PAUSED, TaskState.SCHEDULED, TaskState.STOPPED])
def test_a_restored_copys_task_is_asked_about_until_somebody_decides(state: TaskState) -> None:
    task = a_task(state, scheduled_at=NOW, name=EVIL, groups=LONGEST, pause_reason=PauseReason.RESTORED)
    text, body = tasks.late(task)
    held(text, body)
    assert ("actions" in [block["type"] for block in body]) == (state is TaskState.PAUSED)


def test_what_a_restored_copy_had_not_sent_is_explained_where_it_is_counted() -> None:
    task = a_task(TaskState.FINISHED, delivered=0, pause_reason=PauseReason.RESTORED)
    for text, body in (tasks.post(task), tasks.result(task)):
        held(text, body)
        assert "restored from an older copy" in str(body)
    assert "restored" not in str(tasks.post(a_task(TaskState.FINISHED)))
