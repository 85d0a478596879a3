"""Modals and home tabs: what is open for whom, three deep at most."""

import hashlib
import json
import secrets
import time
from typing import Any

from sandbox.slack.blocks import all_blocks, check_view, elements_of
from sandbox.slack.tickets import Refused
from sandbox.slack.workspace import APP_ID, BOT_ID, TEAM_ID, Workspace

View = dict[str, Any]
Values = dict[str, dict[str, dict[str, Any]]]

STACK = 3
_GIVEN = ("type", "title", "blocks", "submit", "close", "private_metadata", "callback_id", "external_id")
_SWITCHES = ("clear_on_close", "notify_on_close", "submit_disabled")


def with_ids(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Blocks with the block_id and action_id that Slack makes up where the app gave none."""
    done: list[dict[str, Any]] = json.loads(json.dumps(blocks))
    for block in all_blocks(done):
        block.setdefault("block_id", secrets.token_urlsafe(4))
        for element in elements_of(block):
            element.setdefault("action_id", secrets.token_urlsafe(4))
    return done


def check_given(view: Any, kinds: tuple[str, ...]) -> None:
    """Refuse a view as views.open and its sisters do: invalid_arguments with a line for each problem."""
    problems = check_view(view, kinds)
    if problems:
        lines = [problem.as_message() for problem in problems]
        raise Refused("invalid_arguments", response_metadata={"messages": lines})


class ViewStore:
    """Every view ever opened, by id; the stack of open modals and the home tab of each person."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.views: dict[str, View] = {}
        self.homes: dict[str, View] = {}
        self._stacks: dict[str, list[str]] = {}

    def stack(self, user: str) -> list[View]:
        """This person's open modals, the visible one last."""
        return [self.views[view_id] for view_id in self._stacks.get(user, [])]

    def owner(self, view_id: str) -> str | None:
        """The person for whom this modal is open."""
        return next((user for user, ids in self._stacks.items() if view_id in ids), None)

    def open(self, user: str, given: Any) -> View:
        """Open a modal over nothing; what was open is closed. Refuses what Slack refuses."""
        view = self._new(given, ("modal",), None)
        self._stacks[user] = [view["id"]]
        return view

    def push(self, user: str, given: Any) -> View:
        """Open a modal on top of the one this person sees."""
        stack = self._stacks.get(user, [])
        if len(stack) >= STACK:
            raise Refused("push_limit_reached")
        view = self._new(given, ("modal",), self.views[stack[-1]] if stack else None)
        self._stacks.setdefault(user, []).append(view["id"])
        return view

    def update(self, view_id: str | None, external_id: str | None, given: Any, known_hash: str | None) -> View:
        """Replace an open modal's content; what people typed stays with the blocks that keep their ids."""
        view = self._find(view_id, external_id)
        if view is None or self.owner(view["id"]) is None:
            raise Refused("not_found")
        if known_hash and known_hash != view["hash"]:
            raise Refused("hash_conflict")
        check_given(given, ("modal",))
        self._fill(view, given)
        view["state"] = {"values": _still_there(view["state"]["values"], view["blocks"])}
        return view

    def publish(self, user: str, given: Any, known_hash: str | None) -> View:
        """Set this person's home tab."""
        current = self.homes.get(user)
        if known_hash and current is not None and known_hash != current["hash"]:
            raise Refused("hash_conflict")
        check_given(given, ("home",))
        if current is None:
            current = self.homes[user] = self._new(given, ("home",), None)
        else:
            self._fill(current, given)
        return current

    def close(self, user: str, view_id: str, *, everything: bool = False) -> list[View]:
        """Close a modal and what lies on it, or with `everything` all of them; the closed ones, top first."""
        stack = self._stacks.get(user, [])
        start = 0 if everything else stack.index(view_id)
        closed = [self.views[name] for name in reversed(stack[start:])]
        self._stacks[user] = stack[:start]
        return closed

    def _find(self, view_id: str | None, external_id: str | None) -> View | None:
        if view_id:
            return self.views.get(view_id)
        return next((v for v in self.views.values() if external_id and v["external_id"] == external_id), None)

    def _new(self, given: Any, kinds: tuple[str, ...], previous: View | None) -> View:
        check_given(given, kinds)
        external_id = given.get("external_id")
        if external_id and self._find(None, external_id):
            raise Refused("duplicate_external_id")
        view_id = self.workspace.new_id("V")
        view: View = {
            "id": view_id,
            "team_id": TEAM_ID,
            "app_id": APP_ID,
            "app_installed_team_id": TEAM_ID,
            "bot_id": BOT_ID,
            "root_view_id": previous["root_view_id"] if previous else view_id,
            "previous_view_id": previous["id"] if previous else None,
            "state": {"values": {}},
        }
        self._fill(view, given)
        self.views[view_id] = view
        return view

    def _fill(self, view: View, given: View) -> None:
        for name in _GIVEN:
            empty = "" if name in ("private_metadata", "callback_id", "external_id") else None
            view[name] = given.get(name, empty)
        for name in _SWITCHES:
            view[name] = given.get(name, False)
        view["blocks"] = with_ids(given["blocks"])
        content = json.dumps([time.time_ns(), given], sort_keys=True).encode()
        view["hash"] = f"{int(time.time())}.{hashlib.sha256(content).hexdigest()[:8]}"


def _still_there(values: Values, blocks: list[dict[str, Any]]) -> Values:
    actions = {(block["block_id"], element.get("action_id")) for block in blocks for element in elements_of(block)}
    return {
        block_id: kept
        for block_id, elements in values.items()
        if (kept := {action_id: v for action_id, v in elements.items() if (block_id, action_id) in actions})
    }


def missing_inputs(view: View, values: Values) -> dict[str, str]:
    """The errors Slack's own form shows before it sends a submission: empty required inputs and wrong lengths."""
    errors: dict[str, str] = {}
    for block in view["blocks"]:
        if block["type"] != "input":
            continue
        element = block["element"]
        entered = values.get(block["block_id"], {}).get(element["action_id"], {})
        content = next((v for k, v in entered.items() if k not in ("type", "action_id", "block_id") and v), None)
        if content is None:
            if not block.get("optional"):
                errors[block["block_id"]] = "Please complete this required field."
        elif element["type"] == "plain_text_input":
            shortest, longest = element.get("min_length", 0), element.get("max_length", 3000)
            if len(content) < shortest:
                errors[block["block_id"]] = f"Please enter at least {shortest} characters."
            elif len(content) > longest:
                errors[block["block_id"]] = f"Please enter no more than {longest} characters."
    return errors
