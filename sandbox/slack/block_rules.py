"""The language the Block Kit tables are written in: a Check looks at one JSON value and notes what Slack refuses."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LIMITS: dict[str, Any] = json.loads((Path(__file__).parent / "block_kit" / "limits.json").read_text("utf-8"))


@dataclass(frozen=True)
class Problem:
    """One thing Slack refuses. `pointer` is a JSON pointer; `constraint` is {type, expected, got}."""

    pointer: str
    code: str
    message: str
    constraint: dict[str, Any] = field(default_factory=dict)

    def as_message(self) -> str:
        """The line Slack puts into `response_metadata.messages`."""
        return f"[ERROR] {self.message} [json-pointer:{self.pointer}]"

    def as_error(self) -> dict[str, Any]:
        """The entry blocks.validate puts into `errors`."""
        return {"pointer": self.pointer, "code": self.code, "message": self.message, "constraint": self.constraint}


Check = Callable[[Any, str, list[Problem]], None]
Fields = Mapping[str, Check]


def _note(found: list[Problem], at: str, code: str, message: str, expected: Any = None, got: Any = None) -> None:
    found.append(Problem(at, code, message, {"type": code, "expected": expected, "got": got}))


def refuse(found: list[Problem], at: str, code: str, message: str) -> None:
    """Note a problem found by a check of its own."""
    _note(found, at, code, message)


def _length(found: list[Problem], at: str, size: int, low: int, high: int | None) -> None:
    if size < low:
        _note(found, at, "min_length", f"must be more than {low - 1} characters", low, size)
    if high is not None and size > high:
        _note(found, at, "max_length", f"must be less than {high + 1} characters", high, size)


def string(max_length: int | None = None, min_length: int = 0, choices: tuple[str, ...] = ()) -> Check:
    """A JSON string; lengths are in code points, as Slack counts them."""

    def check(value: Any, at: str, found: list[Problem]) -> None:
        if not isinstance(value, str):
            _note(found, at, "type", "must be a string", "string", type(value).__name__)
        elif choices and value not in choices:
            _note(found, at, "enum", f"must be one of: {', '.join(choices)}", list(choices), value)
        else:
            _length(found, at, len(value), min_length, max_length)

    return check


def number(
    low: float | None = None, high: float | None = None, above: float | None = None, whole: bool = True
) -> Check:
    """A JSON number (a whole one unless said otherwise), low and high included, `above` excluded."""

    def check(value: Any, at: str, found: list[Problem]) -> None:
        if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
            _note(
                found, at, "type", "must be an integer" if whole else "must be a number", "number", type(value).__name__
            )
        elif (low is not None and value < low) or (above is not None and value <= above):
            _note(found, at, "min", f"must be more than {above if low is None else low}", low, value)
        elif high is not None and value > high:
            _note(found, at, "max", f"must be at most {high}", high, value)

    return check


def boolean(value: Any, at: str, found: list[Problem]) -> None:
    """A JSON boolean; Slack does not take 0, 1 or "true" here."""
    if not isinstance(value, bool):
        _note(found, at, "type", "must be a boolean", "boolean", type(value).__name__)


def anything(value: Any, at: str, found: list[Problem]) -> None:
    """What Slack stores without looking at it."""


def items(each: Check, low: int = 0, high: int | None = None) -> Check:
    """A JSON array whose every item passes `each`."""

    def check(value: Any, at: str, found: list[Problem]) -> None:
        if not isinstance(value, list):
            _note(found, at, "type", "must be an array", "array", type(value).__name__)
            return
        if len(value) < low:
            _note(found, at, "min_items", f"no less than {low} items allowed", low, len(value))
        if high is not None and len(value) > high:
            _note(found, at, "max_items", f"no more than {high} items allowed", high, len(value))
        for index, item in enumerate(value):
            each(item, f"{at}/{index}", found)

    return check


def shape(required: Fields, optional: Fields | None = None, extra: Check | None = None) -> Check:
    """A JSON object with these fields and no others; `extra` looks at the whole of it once its fields are sound."""
    known = {**required, **(optional or {})}

    def check(value: Any, at: str, found: list[Problem]) -> None:
        if not isinstance(value, dict):
            _note(found, at, "type", "must be an object", "object", type(value).__name__)
            return
        before = len(found)
        for name in required:
            if value.get(name) is None:
                _note(found, at, "required", f"missing required field: {name}", name)
        for name, content in value.items():
            if name not in known:
                _note(found, at, "additional_property", f"invalid additional property: {name}", None, name)
            elif content is not None:
                known[name](content, f"{at}/{name}", found)
        if extra is not None and len(found) == before:
            extra(value, at, found)

    return check


def typed(table: Mapping[str, Check], allowed: tuple[str, ...] | None = None) -> Check:
    """An object judged by the table's entry for its `type`; `allowed` narrows which types may stand here."""

    def check(value: Any, at: str, found: list[Problem]) -> None:
        if not isinstance(value, dict):
            _note(found, at, "type", "must be an object", "object", type(value).__name__)
            return
        kind = value.get("type")
        if not isinstance(kind, str):
            _note(found, at, "required", "missing required field: type", "type")
        elif kind not in table or (allowed is not None and kind not in allowed):
            _note(found, f"{at}/type", "enum", f"unsupported type: {kind}", list(allowed or table), kind)
        else:
            table[kind](value, at, found)

    return check


def exactly_one(*names: str) -> Check:
    """One of these fields and not two of them."""

    def check(value: Any, at: str, found: list[Problem]) -> None:
        if sum(value.get(name) is not None for name in names) != 1:
            _note(found, at, "one_of", f"must provide exactly one of: {', '.join(names)}", list(names))

    return check


def text(max_length: int = 3000, min_length: int = 1, kinds: tuple[str, ...] = ("plain_text", "mrkdwn")) -> Check:
    """A text object of one of these kinds."""
    content = string(max_length, min_length)
    table = {
        "plain_text": shape({"type": anything, "text": content}, {"emoji": boolean}),
        "mrkdwn": shape({"type": anything, "text": content}, {"verbatim": boolean}),
    }
    return typed(table, kinds)


def plain(max_length: int, min_length: int = 1) -> Check:
    """A plain_text object."""
    return text(max_length, min_length, ("plain_text",))
