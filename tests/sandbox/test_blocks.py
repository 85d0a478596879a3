"""Block Kit refused and accepted, held against a corpus made elsewhere."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.slack.block_elements import ELEMENTS
from sandbox.slack.block_rules import Problem
from sandbox.slack.blocks import BLOCKS, SURFACES, Surface, all_blocks, check_blocks, check_message, check_view

Json = dict[str, Any]

SPEC = Path(__file__).parent / "block_kit" / "spec"
VALID = SPEC / "fixtures" / "valid"
CASES: list[Json] = json.loads((SPEC / "fixtures" / "invalid" / "manifest.json").read_text("utf-8"))["cases"]


def load(name: str) -> Json:
    """A valid fixture, by its path without the ending."""
    found: Json = json.loads((VALID / f"{name}.json").read_text("utf-8"))
    return found


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def section(**fields: Any) -> Json:
    return {"type": "section", "text": plain("x"), **fields}


def button(**fields: Any) -> Json:
    return {"type": "button", "text": plain("Go"), "action_id": "go", **fields}


def option(text: str = "A", **fields: Any) -> Json:
    return {"text": plain(text), "value": "a", **fields}


def modal(**fields: Any) -> Json:
    return {"type": "modal", "title": plain("T"), "blocks": [{"type": "divider"}], **fields}


def around_element(element: Json) -> tuple[Json, Surface]:
    """A block in which this element may stand, and where that block may."""
    kind = element["type"]
    if kind in ("feedback_buttons", "icon_button"):
        return {"type": "context_actions", "elements": [element]}, "message"
    if kind in ("image", "mrkdwn", "plain_text"):
        return {"type": "context", "elements": [element]}, "message"
    if kind == "url":
        return {"type": "task_card", "task_id": "t", "title": "T", "sources": [element]}, "message"
    if kind in ("button", "workflow_button", "overflow"):
        return {"type": "actions", "elements": [element]}, "message"
    return {"type": "input", "label": plain("L"), "element": element}, "modal"


def around_rich_text(piece: Json) -> Json:
    if piece["type"].startswith("rich_text_"):
        return {"type": "rich_text", "elements": [piece]}
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [piece]}]}


def select(**fields: Any) -> Json:
    return {"type": "static_select", "placeholder": plain("p"), "action_id": "s", **fields}


def workflow(trigger: Json) -> Json:
    return {"type": "workflow_button", "text": plain("Run"), "workflow": {"trigger": trigger}}


AROUND_OBJECT: dict[str, Callable[[Json], Json]] = {
    "confirmation": lambda found: button(confirm=found),
    "conversation": lambda found: {"type": "conversations_select", "filter": found},
    "dispatch": lambda found: {"type": "plain_text_input", "dispatch_action_config": found},
    "input": lambda found: workflow({"url": "https://slack.com/x", "customizable_input_parameters": [found]}),
    "option": lambda found: select(options=[found]),
    "option_group": lambda found: select(option_groups=[found]),
    "trigger": workflow,
    "workflow": lambda found: {"type": "workflow_button", "text": plain("Run"), "workflow": found},
}


def check_fixture(folder: str, name: str, found: Json) -> list[Problem]:
    """Judge a fixture on a surface where it belongs."""
    if folder == "views":
        return check_view(found)
    if folder in ("messages", "attachments"):
        return check_message({"attachments": [found]} if folder == "attachments" else found)
    if folder == "rich_text":
        return check_blocks([around_rich_text(found)], "message")
    if folder == "blocks":
        return check_blocks([found], "message" if found["type"] in SURFACES["message"] else "modal")
    if folder == "objects":
        if name.startswith("text_"):
            return check_blocks([{"type": "context", "elements": [found]}], "message")
        kind = "option_group" if name.startswith("option_group") else name.split("_")[0]
        found = AROUND_OBJECT[kind](found)
    block, surface = around_element(found)
    return check_blocks([block], surface)


# The corpus' constructors write these, Slack does not take them.
NOT_FOR_SLACK = {
    "webhook_message_basic": "the same block_id stands twice",
    "webhook_message_delete": "the same block_id stands twice",
}


@pytest.mark.parametrize("path", sorted(VALID.rglob("*.json")), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_what_the_corpus_calls_valid_is_accepted(path: Path) -> None:
    if path.stem in NOT_FOR_SLACK:
        pytest.skip(NOT_FOR_SLACK[path.stem])
    found = json.loads(path.read_text("utf-8"))
    assert check_fixture(path.parent.name, path.stem, found) == []


def long(limit: int) -> str:
    """One character over a limit."""
    return "x" * (limit + 1)


def element(found: Json) -> Json:
    return around_element(found)[0]


def typed(field: str, value: Any, kind: str = "plain_text_input") -> Json:
    return element({"type": kind, "action_id": "a", field: value})


def confirm(**changed: Any) -> Json:
    fields = {"title": plain("T"), "text": plain("x"), "confirm": plain("Yes"), "deny": plain("No")}
    return element(button(confirm={**fields, **changed}))


def fixture(name: str, **changed: Any) -> Json:
    return {**load(f"blocks/{name}"), **changed}


def chart(**changed: Any) -> Json:
    found = copy.deepcopy(load("blocks/data_visualization_bar"))
    found["chart"].update(changed)
    return found


def series(**changed: Any) -> Json:
    return chart(series=[{"name": "Pies", "data": [{"label": "a", "value": 1}], **changed}])


def axis(**changed: Any) -> Json:
    return chart(axis_config={"categories": ["Pumpkin", "Blueberry"], **changed})


def pie(segments: list[Json]) -> Json:
    return fixture("data_visualization_pie", chart={"type": "pie", "segments": segments})


def rows(*cells: int, text: str = "x") -> Json:
    return fixture("data_table_block", rows=[[{"type": "raw_text", "text": text}] * count for count in cells])


def table(*cells: int, **more: Any) -> Json:
    return {"type": "table", "rows": [[{"type": "raw_text", "text": "x"}] * count for count in cells], **more}


def video(**changed: Any) -> Json:
    return fixture("video_block_full", **changed)


def feedback(**changed: Any) -> Json:
    good = {"text": plain("Good"), "value": "good", **changed}
    return element(
        {"type": "feedback_buttons", "positive_button": good, "negative_button": {"text": plain("Bad"), "value": "bad"}}
    )


def overflow(*options: Json) -> Json:
    return element({"type": "overflow", "action_id": "o", "options": list(options)})


def choice(kind: str, count: int) -> Json:
    return element({"type": kind, "action_id": "c", "options": [option(value=str(n)) for n in range(count)]})


def chosen(**fields: Any) -> Json:
    return element(select(**fields))


def grouped(count: int, label: str = "G") -> Json:
    return {"label": plain(label), "options": [option(value=str(n)) for n in range(count)]}


def image(**fields: Any) -> Json:
    return {"type": "image", "image_url": "https://example.com/a.png", "alt_text": "a", **fields}


def card(**fields: Any) -> Json:
    return {"type": "card", "title": plain("T"), **fields}


def url(address: str) -> Json:
    return element({"type": "url", "url": address, "text": "x"})


POINT = {"label": "a", "value": 1}
CELL = {"type": "raw_text", "text": "x"}
ICON = {"type": "icon_button", "icon": "trash", "text": plain("Delete"), "action_id": "d"}

# Every case of the corpus as the JSON an app would send: a block, or for the last group a view.
REFUSED_BLOCKS: dict[str, Json] = {
    "text-empty": section(text=plain("")),
    "text-too-long": section(text=plain(long(3000))),
    "button-action-id-too-long": element(button(action_id=long(255))),
    "button-text-too-long": element(button(text=plain(long(75)))),
    "button-url-too-long": element(button(url=long(3000))),
    "button-value-too-long": element(button(value=long(2000))),
    "button-accessibility-label-too-long": element(button(accessibility_label=long(75))),
    "confirmation-title-too-long": confirm(title=plain(long(100))),
    "confirmation-text-too-long": confirm(text=plain(long(300))),
    "confirmation-confirm-too-long": confirm(confirm=plain(long(30))),
    "confirmation-deny-too-long": confirm(deny=plain(long(30))),
    "option-text-too-long": chosen(options=[option(long(75))]),
    "option-value-too-long": chosen(options=[option(value=long(150))]),
    "option-url-too-long": overflow(option(url=long(3000))),
    "option-description-too-long": chosen(options=[option(description=plain(long(75)))]),
    "option-group-label-too-long": chosen(option_groups=[grouped(1, long(75))]),
    "option-group-empty": chosen(option_groups=[grouped(0)]),
    "option-group-too-many-options": chosen(option_groups=[grouped(101)]),
    "select-placeholder-too-long": chosen(options=[option()], placeholder=plain(long(150))),
    "select-too-many-options": choice("static_select", 101),
    "select-too-many-option-groups": chosen(option_groups=[grouped(1)] * 101),
    "overflow-empty": overflow(),
    "overflow-too-many-options": overflow(*[option()] * 6),
    "checkboxes-empty": choice("checkboxes", 0),
    "checkboxes-too-many-options": choice("checkboxes", 11),
    "radio-buttons-empty": choice("radio_buttons", 0),
    "radio-buttons-too-many-options": choice("radio_buttons", 11),
    "url-source-url-empty": url(""),
    "url-source-url-too-long": url(long(3000)),
    "table-too-many-rows": table(*[2] * 101),
    "table-ragged-rows": table(2, 1),
    "table-column-settings-mismatch": table(1, column_settings=[{"align": "left"}] * 2),
    "file-input-max-files-too-small": typed("max_files", 0, "file_input"),
    "file-input-max-files-too-large": typed("max_files", 11, "file_input"),
    "plain-text-input-max-length-too-large": typed("max_length", 3001),
    "actions-too-many-elements": {"type": "actions", "elements": [button(action_id=str(n)) for n in range(26)]},
    "context-too-many-elements": {"type": "context", "elements": [plain("x")] * 11},
    "context-invalid-element": {"type": "context", "elements": [button()]},
    "context-actions-too-many-elements": {
        "type": "context_actions",
        "elements": [{**ICON, "action_id": str(n)} for n in range(6)],
    },
    "header-text-too-long": {"type": "header", "text": plain(long(150))},
    "image-url-too-long": image(image_url=long(3000)),
    "image-alt-text-too-long": image(alt_text=long(2000)),
    "image-url-and-slack-file": element(image(slack_file={"id": "F1"})),
    "input-label-too-long": {**typed("multiline", True), "label": plain(long(2000))},
    "input-hint-too-long": {**typed("multiline", True), "hint": plain(long(2000))},
    "input-invalid-element": {**typed("multiline", True), "element": button()},
    "number-input-inverted-range": element(
        {"type": "number_input", "is_decimal_allowed": False, "min_value": "9", "max_value": "1"}
    ),
    "static-select-options-and-groups": chosen(options=[option()], option_groups=[grouped(1)]),
    "markdown-empty": {"type": "markdown", "text": ""},
    "markdown-too-long": {"type": "markdown", "text": long(12_000)},
    "section-text-too-long": section(text={"type": "mrkdwn", "text": long(3000)}),
    "section-too-many-fields": section(fields=[plain("x")] * 11),
    "section-field-too-long": section(fields=[plain(long(2000))]),
    "section-missing-content": {"type": "section"},
    "block-id-too-long": section(block_id=long(255)),
    "video-alt-text-empty": video(alt_text=""),
    "video-alt-text-too-long": video(alt_text=long(200)),
    "video-title-too-long": video(title=plain(long(200))),
    "video-author-name-too-long": video(author_name=long(50)),
    "video-description-too-long": video(description=plain(long(200))),
    "video-provider-name-too-long": video(provider_name=long(50)),
    "card-title-too-long": card(title=plain(long(150))),
    "card-subtitle-too-long": card(subtitle=plain(long(150))),
    "card-body-too-long": card(body=plain(long(200))),
    "card-too-many-actions": card(actions=[button(action_id=str(n)) for n in range(4)]),
    "card-subtext-too-long": card(subtext=plain(long(200))),
    "carousel-empty": {"type": "carousel", "elements": []},
    "carousel-too-many-cards": {"type": "carousel", "elements": [card()] * 11},
    "container-title-too-long": fixture("container_block", title=plain(long(150))),
    "container-subtitle-too-long": fixture("container_block", subtitle=plain(long(150))),
    "container-too-many-child-blocks": fixture("container_block", child_blocks=[section()] * 11),
    "feedback-button-text-too-long": feedback(text=plain(long(75))),
    "feedback-button-value-too-long": feedback(value=long(2000)),
    "feedback-button-accessibility-label-too-long": feedback(accessibility_label=long(75)),
    "icon-button-too-many-visible-users": element({**ICON, "visible_to_user_ids": ["U1"] * 11}),
    "data-table-too-few-rows": rows(1),
    "data-table-too-many-rows": rows(*[1] * 202),
    "data-table-too-few-columns": rows(0, 0),
    "data-table-too-many-columns": rows(21, 21),
    "data-table-page-size-too-small": fixture("data_table_block", page_size=0),
    "data-table-page-size-too-large": fixture("data_table_block", page_size=101),
    "data-table-cell-text-empty": rows(1, 1, text=""),
    "data-table-content-too-long": rows(1, 1, text="x" * 10_001),
    "data-visualization-title-too-long": fixture("data_visualization_pie", title=long(50)),
    "pie-chart-empty": pie([]),
    "pie-chart-too-many-segments": pie([POINT] * 13),
    "chart-segment-label-too-long": pie([{"label": long(20), "value": 1}]),
    "chart-segment-value-not-positive": pie([{"label": "a", "value": 0}]),
    "chart-series-empty": chart(series=[]),
    "chart-too-many-series": chart(series=[{"name": "Pies", "data": [POINT]}] * 13),
    "data-series-name-too-long": series(name=long(20)),
    "data-series-empty": series(data=[]),
    "data-series-too-many-points": series(data=[POINT] * 21),
    "data-point-label-too-long": series(data=[{"label": long(20), "value": 1}]),
    "axis-categories-empty": axis(categories=[]),
    "axis-too-many-categories": axis(categories=["x"] * 21),
    "axis-category-label-too-long": axis(categories=[long(20)]),
    "axis-label-too-long": axis(x_label=long(50)),
    "alert-text-too-long": {"type": "alert", "text": plain(long(200))},
}
REFUSED_VIEWS: dict[str, Json] = {
    "view-missing-blocks": modal(blocks=[]),
    "view-too-many-blocks": modal(blocks=[{"type": "divider"}] * 101),
    "view-private-metadata-too-long": modal(private_metadata=long(3000)),
    "view-callback-id-too-long": modal(callback_id=long(255)),
    "view-title-too-long": modal(title=plain(long(24))),
    "view-close-too-long": modal(close=plain(long(24))),
    "view-submit-too-long": modal(submit=plain(long(24))),
}


def surface_of(block: Json) -> Surface:
    return "modal" if block["type"] in ("input", "alert") else "message"


REASONS = {
    "length-exceeded": {"max_length", "min_length", "max_items", "min_items"},
    "out-of-range": {"min", "max", "range"},
    "mutually-exclusive": {"one_of"},
    "missing-required": {"required"},
    "type-mismatch": {"enum"},
    "invalid-usage": {"row_shape", "max_items"},
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_what_the_corpus_calls_invalid_is_refused_for_its_reason(case: Json) -> None:
    if case["id"] in REFUSED_VIEWS:
        problems = check_view(REFUSED_VIEWS[case["id"]])
    else:
        block = REFUSED_BLOCKS[case["id"]]
        problems = check_blocks([block], surface_of(block))
    assert problems
    assert {problem.code for problem in problems} <= REASONS[case["category"]]


# What the corpus has no case for.
REFUSED_BESIDES: dict[str, tuple[list[Json], Surface]] = {
    "unknown block": ([{"type": "marquee"}], "message"),
    "no type": ([{"text": plain("x")}], "message"),
    "unknown key": ([section(colour="red")], "message"),
    "unknown element": ([{"type": "actions", "elements": [{"type": "slider"}]}], "message"),
    "header in mrkdwn": ([{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}], "message"),
    "emoji on mrkdwn": ([section(text={"type": "mrkdwn", "text": "x", "emoji": True})], "message"),
    "button style": ([element(button(style="warning"))], "message"),
    "51 blocks in a message": ([{"type": "divider"}] * 51, "message"),
    "101 blocks at home": ([{"type": "divider"}] * 101, "home"),
    "action_id twice in a block": ([{"type": "actions", "elements": [button(), button()]}], "message"),
    "block_id twice": ([section(block_id="a"), section(block_id="a")], "message"),
    "block_id twice, once inside": (
        [section(block_id="child_1"), load("blocks/container_block")],
        "message",
    ),
    "alert in a message": ([load("blocks/alert_block")], "message"),
    "table in a modal": ([load("blocks/table_block")], "modal"),
    "data table in a modal": ([load("blocks/data_table_block")], "modal"),
    "markdown at home": ([{"type": "markdown", "text": "x"}], "home"),
    "two tables": ([load("blocks/table_block"), {**load("blocks/table_block"), "block_id": "b"}], "message"),
    "markdown too long in total": ([{"type": "markdown", "text": "x" * 6001}] * 2, "message"),
    "file input in a message": ([typed("max_files", 1, "file_input")], "message"),
    "multi-select in actions": ([{"type": "actions", "elements": [load("elements/multi_select_user")]}], "message"),
    "initial option that is none": ([chosen(options=[option()], initial_option=option("B", value="b"))], "modal"),
    "shortest over longest": (
        [element({"type": "plain_text_input", "min_length": 9, "max_length": 3})],
        "modal",
    ),
    "date in words": ([typed("initial_date", "tomorrow", "datepicker")], "modal"),
    "blocks that are no list": ({"type": "divider"}, "message"),  # type: ignore[dict-item]
}


@pytest.mark.parametrize(("blocks", "surface"), REFUSED_BESIDES.values(), ids=REFUSED_BESIDES.keys())
def test_slack_refuses(blocks: list[Json], surface: Surface) -> None:
    assert check_blocks(blocks, surface)


def test_a_modal_with_an_input_needs_a_submit_button() -> None:
    form = modal(blocks=[typed("multiline", True)])
    assert [problem.code for problem in check_view(form)] == ["required"]
    assert check_view({**form, "submit": plain("Save")}) == []


def test_the_same_action_id_may_stand_in_two_blocks() -> None:
    assert check_blocks([element(button()), element(button())], "message") == []


def test_a_problem_points_at_what_is_wrong_and_says_the_limit() -> None:
    problem = check_blocks([section(), element(button(text=plain(long(75))))], "message")[0]
    assert problem.pointer == "/blocks/1/elements/0/text/text"
    assert (
        problem.as_message() == "[ERROR] must be less than 76 characters [json-pointer:/blocks/1/elements/0/text/text]"
    )
    assert problem.constraint == {"type": "max_length", "expected": 75, "got": 76}


def test_every_block_has_a_surface_and_the_modal_has_the_eleven_of_the_reference() -> None:
    assert {name for names in SURFACES.values() for name in names} == set(BLOCKS)
    assert len(SURFACES["modal"]) == 11


def test_blocks_inside_containers_and_carousels_are_found() -> None:
    inside = [
        block["block_id"] for block in all_blocks([load("blocks/container_block"), load("blocks/carousel_block")])
    ]
    assert inside == ["fake_block_id", "child_1", "fake_block_id", "card_1", "card_2"]


KINDS = st.sampled_from([*BLOCKS, *ELEMENTS, "modal", "home", "pie", "raw_text", "rich_text_section", "text"])
KEYS = st.sampled_from(
    ["text", "elements", "element", "blocks", "rows", "chart", "title", "options", "value", "accessory", "child_blocks"]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=3)


def objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(lambda kind, rest: {"type": kind, **rest}, KINDS, st.dictionaries(KEYS, inner, max_size=4))


ANYTHING = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | objects(inner), max_leaves=12)


@given(ANYTHING, st.sampled_from(["message", "modal", "home"]))
def test_whatever_an_app_sends_is_judged_and_breaks_nothing(sent: Any, surface: Surface) -> None:
    for problems in (
        check_blocks(sent, surface),
        check_view(sent),
        check_message({"blocks": sent, "attachments": sent}),
    ):
        assert all(problem.as_message().startswith("[ERROR] ") for problem in problems)
