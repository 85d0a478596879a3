"""Every error a person can act on has its sentence, and no sentence lets their text act on Slack."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

import handlers
import services
from handlers import errors
from handlers.arguments import BadArguments
from handlers.dates import UnclearDay
from handlers.errors import explain, explain_failure, explain_in_form, is_mistyped, unexpected
from handlers.times import PastTime, SkippedTime, TooFarAhead, UnclearTime
from services.content import SIGNATURE_UNUSABLE, TYPE_UNKNOWN, NotShown
from services.errors import BadFile, NotAllowed, ServiceError, UnknownThing
from services.imports import NO_VALID_NUMBER
from services.spreadsheets.reader import ChooseColumn
from services.states import ApprovalStatus, ContentOrigin, Source

MADRID = ZoneInfo("Europe/Madrid")
MOMENT = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
EVIL = "<!channel> *& co* `x`"

# What each fact looks like, by its name; the names are hostile where people choose them.
FACTS: dict[str, object] = {
    "at": MOMENT,
    "application": EVIL,
    "applications": [EVIL, "b"],
    "by": "U0ANA",
    "columns": [EVIL, "b"],
    "excluded": 2,
    "file": EVIL,
    "carrier": "huawei",
    "first": EVIL,
    "last": EVIL,
    "example": "/sms-send group:vip template:spring",
    "forgotten": False,
    "group": EVIL,
    "group_type": "promotional",
    "groups": [EVIL],
    "key": "group",
    "limit": 60,
    "missing_count": 1,
    "name": EVIL,
    "not_shown": [
        NotShown(EVIL, "pending"),
        *(NotShown("b", why) for why in (SIGNATURE_UNUSABLE, TYPE_UNKNOWN, "promotional")),
    ],
    "number": 42,
    "origin": "channel",
    "other": EVIL,
    "opted_out": 4,
    "other_type": "notification",
    "outside_region": 3,
    "reason": EVIL,
    "role": "sender",
    "signature": EVIL,
    "signature_type": "promotional",
    "signatures": [EVIL, "b"],
    "source": Source.FILE,
    "state": "finished",
    "status": "rejected",
    "template": EVIL,
    "template_type": "notification",
    "variables": [EVIL, "b"],
    "wanted": EVIL,
    "what": "template",
    "who": ["U0ANA"],
}


NOBODY: dict[str, Any] = {
    "source": Source.GROUPS,
    "groups": ["vip", "gold"],
    "file": None,
    "excluded": 0,
    "opted_out": 0,
    "missing_count": 0,
}
COLUMNS: dict[str, Any] = {"template": "personal", "variables": ["name", "1"]}


class Facts(dict[str, Any]):
    """Notes which facts a sentence asks for."""

    def __init__(self) -> None:
        super().__init__(FACTS)
        self.asked: set[str] = set()

    def __getitem__(self, key: str) -> Any:
        self.asked.add(key)
        return super().__getitem__(key)


def raised(error: str) -> Iterator[tuple[str, ast.Call]]:
    """Every place in services and handlers that makes this error."""
    for package in (services, handlers):
        assert package.__file__ is not None
        for path in sorted(Path(package.__file__).parent.rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == error:
                    yield f"{path.name}:{node.lineno}", node


def literal(where: str, node: ast.expr) -> str:
    assert isinstance(node, ast.Constant), f"{where}: spell it out, so that its sentence can be found"
    assert isinstance(node.value, str)
    return node.value


REFUSALS = [
    (where, literal(where, call.args[0]), {each.arg for each in call.keywords}) for where, call in raised("NotAllowed")
]
UNKNOWN_KINDS = sorted({literal(where, call.args[0]) for where, call in raised("UnknownThing")})
# These are words of ours, so there is always one to choose.
ALWAYS_KNOWN = {"status", "action", "SMS type"}
RULES = sorted(errors._RULES)
TIMES = [
    PastTime(EVIL, MOMENT),
    PastTime(EVIL, MOMENT, "tomorrow 10:00"),
    TooFarAhead(EVIL, MOMENT, MOMENT),
    SkippedTime(EVIL, "Europe/Madrid", MOMENT),
    UnclearTime(EVIL, ("tomorrow 10:00", "in 2 hours")),
    UnclearDay(EVIL),
]
ARGUMENTS = [
    BadArguments("unknown_key", "grup", ("group", "template")),
    BadArguments("unknown_key", "zzzzzz", ("group", "template")),
    BadArguments("unknown_key", "zzzzzz"),
    BadArguments("no_key", EVIL, ("group", "template")),
    BadArguments("no_key", EVIL),
    BadArguments("repeated_key", "group"),
    BadArguments("no_value", "group"),
    BadArguments("open_quote", f'"{EVIL}'),
    BadArguments("one_value", "name"),
]
ALL: list[ServiceError] = [
    *(NotAllowed(rule, **FACTS) for rule in RULES),
    *(UnknownThing(kind, EVIL, [f"{EVIL}{n}" for n in range(9)]) for kind in UNKNOWN_KINDS),
    *(UnknownThing(kind, EVIL, ["zzzzzzzzz"]) for kind in UNKNOWN_KINDS),
    *(UnknownThing(kind, EVIL) for kind in UNKNOWN_KINDS if kind not in ALWAYS_KNOWN),
    *(
        NotAllowed(rule, **{**FACTS, "status": status.value, "origin": origin.value, "reason": reason})
        for rule in ("template_not_approved", "signature_not_approved")
        for status in ApprovalStatus
        for origin in ContentOrigin
        for reason in (None, EVIL)
    ),
    *(NotAllowed(rule, **{**FACTS, "not_shown": []}) for rule in ("no_templates", "no_signature")),
    NotAllowed("import_sent", **{**FACTS, "forgotten": True}),
    *(UnknownThing("task", name) for name in ("", "42", "#42", EVIL)),
    *(BadFile(why) for why in BadFile.WHYS),
    *TIMES,
    *ARGUMENTS,
]


def said(error: ServiceError) -> str:
    return explain(error, MADRID)


def sentences(text: str) -> list[str]:
    """Text without code, split where a sentence ends."""
    plain = re.sub(r"`[^`]*`", "code", text)
    return [part for part in re.split(r"(?<=[.?])\s+", plain) if part]


def test_every_refusal_has_a_sentence_and_every_sentence_a_refusal() -> None:
    assert sorted({rule for _, rule, _ in REFUSALS}) == RULES


@pytest.mark.parametrize(("where", "rule", "given_facts"), REFUSALS, ids=[f"{r}-{w}" for w, r, _ in REFUSALS])
def test_a_refusal_carries_what_its_sentence_needs(where: str, rule: str, given_facts: set[str]) -> None:
    facts = Facts()
    errors._RULES[rule](facts, MADRID)
    assert facts.asked <= given_facts, where


def test_every_kind_of_error_has_its_sentences() -> None:
    def kinds(parent: type[ServiceError]) -> Iterator[type[ServiceError]]:
        for kind in parent.__subclasses__():
            yield from (kind, *kinds(kind))

    # A question with choices, which a view asks.
    asked = {ChooseColumn}
    assert {kind for kind in kinds(ServiceError) if not kind.__module__.startswith("tests.")} - asked == set(
        errors._KINDS
    )


def test_every_file_that_cannot_be_read_has_its_sentence() -> None:
    assert set(errors._FILES) == set(BadFile.WHYS)
    made = {literal(where, call.args[0]) for where, call in raised("BadFile") if isinstance(call.args[0], ast.Constant)}
    assert made <= set(BadFile.WHYS)


@pytest.mark.parametrize(
    "error", ALL, ids=[f"{n}-{type(each).__name__}-{each.args[0][:20]}" for n, each in enumerate(ALL)]
)
def test_a_sentence_is_short_and_lets_nobody_act_on_slack(error: ServiceError) -> None:
    text = said(error)
    assert text[-1] in ".?"
    assert 1 <= len(sentences(text)) <= 2, sentences(text)
    assert text[0].isupper() or text[0] in "*`"
    assert "<!" not in text
    assert re.sub(r"<@U0ANA>", "", text).count("<") == 0
    assert "&" not in re.sub("&(amp|lt|gt);", "", text)
    assert "  " not in text
    assert "**" not in text
    assert "None" not in text
    assert len(text) < 2500


@pytest.mark.parametrize("error", ALL, ids=[f"{n}-{type(each).__name__}" for n, each in enumerate(ALL)])
def test_under_a_field_of_a_form_it_is_plain_text(error: ServiceError) -> None:
    text = explain_in_form(error, MADRID)
    assert not set("*`") & set(text)
    assert not re.search("&(lt|gt|amp);", text)


def test_a_time_under_a_form_field_is_written_as_it_is_typed_there() -> None:
    error = UnclearTime("soon", ("tomorrow 10:00", "in 2 hours"))
    assert explain_in_form(error, MADRID) == (
        'I do not understand the time soon. Write it like "tomorrow 10:00" or "in 2 hours".'
    )


@given(st.text(), st.lists(st.text(min_size=1)), st.sampled_from(UNKNOWN_KINDS))
def test_whatever_a_thing_is_called_its_name_stays_a_name(name: str, known: list[str], kind: str) -> None:
    text = said(UnknownThing(kind, name, known or ["vip"]))
    assert not set("<>") & set(text)
    assert "&" not in re.sub("&(amp|lt|gt);", "", text)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        pytest.param(
            UnknownThing("group", "vpi", ["gold", "vip"]),
            "There is no group *vpi*. Did you mean *vip*?",
            id="the nearest spelling",
        ),
        pytest.param(
            UnknownThing("group", "VPI", ["gold", "Vip"]),
            "There is no group *VPI*. Did you mean *Vip*?",
            id="whatever the case",
        ),
        pytest.param(
            UnknownThing("group", "x", ["gold", "silver", "staff"]),
            "There is no group *x*. Choose *gold*, *silver* or *staff*.",
            id="all there are",
        ),
        pytest.param(
            UnknownThing("template", "x", ["aa", "aa", "bb"]),
            "There is no template *x*. Choose *aa* or *bb*.",
            id="each once, though two applications have it",
        ),
        pytest.param(
            UnknownThing("group", "x", [f"group{n}" for n in range(8)]),
            "There is no group *x*. Choose *group0*, *group1*, *group2*, *group3*, *group4* or one of 3 more.",
            id="five of many",
        ),
        pytest.param(
            UnknownThing("group", "vip"),
            "There is no group *vip*. Drop a spreadsheet of numbers in the channel to make one.",
            id="none at all",
        ),
        pytest.param(
            UnknownThing("task", "soon"),
            "*soon* is not the number of a task. `/sms-tasks` lists them with their numbers.",
            id="a task that is no number",
        ),
        pytest.param(
            UnknownThing("task", "42"), "There is no task *42*. `/sms-tasks` lists them all.", id="no such task"
        ),
        pytest.param(
            BadArguments("unknown_key", "grup", ("group", "template")),
            "`grup:` is not something this command knows. Did you mean `group:`?",
            id="the nearest key",
        ),
        pytest.param(
            BadArguments("unknown_key", "task"),
            "`task:` is not something this command knows. Leave it out.",
            id="a key where none is taken",
        ),
        pytest.param(
            BadArguments("no_key", "sale", ("group", "template")),
            "I cannot place *sale*. Write it behind `group:` or `template:`; a value with spaces needs quotes.",
            id="a name without quotes",
        ),
        pytest.param(
            PastTime("9:00", MOMENT, "tomorrow 09:00"),
            "*9:00* is Mon 23 Nov 2026, 10:00 (Europe/Madrid, UTC+1), which is over. "
            'Did you mean `at:"tomorrow 09:00"`?',
            id="a time that is over",
        ),
        pytest.param(
            NotAllowed("not_cancellable", number=42, state="sending"),
            "Task 42 is sending, and only a scheduled task can be cancelled. "
            "`/sms-pause 42` pauses it, `/sms-stop 42` stops it.",
            id="too late to cancel, not to stop",
        ),
        pytest.param(
            NotAllowed("no_recipients", **NOBODY, outside_region=12),
            "There is nobody to send to in *vip* and *gold*: 12 that the application may not send to. "
            "Choose a template of another application.",
            id="all in another region",
        ),
        pytest.param(
            NotAllowed("no_recipients", **{**NOBODY, "source": Source.POOL, "excluded": 3}, outside_region=12),
            "There is nobody to send to in the pool: 3 in the excluded groups and 12 that the application may not send "
            "to. Exclude less.",
            id="two reasons",
        ),
        pytest.param(
            NotAllowed("no_recipients", **NOBODY, outside_region=0),
            "There is nobody to send to in *vip* and *gold*. Drop a spreadsheet of numbers in the channel.",
            id="empty groups",
        ),
        pytest.param(
            NotAllowed("no_column", **COLUMNS, source=Source.FILE, file="may.xlsx", columns=["Name", "City"]),
            "*personal* has `{name}` and `{1}`, which no column fills: besides the numbers there are *Name* and "
            "*City*. Give a column that name in a new file, or choose another template.",
            id="other columns",
        ),
        pytest.param(
            NotAllowed("no_column", **COLUMNS, source=Source.FILE, file="may.xlsx", columns=[]),
            "*personal* has `{name}` and `{1}`, which no column fills: *may.xlsx* has numbers only. Drop a file that "
            "has such a column, or choose another template.",
            id="numbers only",
        ),
        pytest.param(
            NotAllowed("no_column", **COLUMNS, source=Source.TYPED, file=None, columns=[]),
            "*personal* has `{name}` and `{1}`, which no column fills: typed numbers have no columns. Drop a file that "
            "has them, or choose another template.",
            id="typed numbers",
        ),
    ],
)
def test_what_people_read(error: ServiceError, sentence: str) -> None:
    assert said(error) == sentence


@pytest.mark.parametrize("why", [*BadFile.WHYS, NO_VALID_NUMBER])
def test_a_failed_import_says_why_and_what_to_do(why: str) -> None:
    text = explain_failure(why, "<!here> & co.xlsx")
    assert text.startswith("Import failed: ")
    assert text.endswith(".")
    assert "<" not in text


@pytest.mark.parametrize(
    ("error", "helps"),
    [
        (BadArguments("no_key", "x"), True),
        (UnknownThing("group", "x"), True),
        (UnclearTime("x", ()), True),
        (NotAllowed("key_missing", key="group", example="x"), True),
        (NotAllowed("bot_not_in_channel"), False),
        (NotAllowed("already_confirmed", number=1, by="U0ANA"), False),
    ],
)
def test_usage_is_shown_where_it_helps(error: ServiceError, helps: bool) -> None:
    assert is_mistyped(error) is helps


def test_an_error_without_a_sentence_is_a_defect_of_ours() -> None:
    with pytest.raises(TypeError, match="no sentence"):
        said(ServiceError("new"))


def test_a_defect_of_ours_gives_a_reference() -> None:
    assert "7f3a" in unexpected("7f3a")
