"""A person at the sandbox workspace, over the page's own protocol: what a browser would do, without one."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

Message = dict[str, Any]
View = dict[str, Any]

MARKETING, GENERAL, BEN, BEN_IM, MEI = "C0MARKETING", "C0GENERAL", "U0BEN", "D0BEN", "U0MEI"
WAIT_SECONDS, LOOK_SECONDS = 60.0, 0.15


@dataclass(slots=True)
class Person:
    """Acts as `user` in `channel` of the workspace at `url`."""

    session: aiohttp.ClientSession
    url: str
    user: str
    channel: str

    async def upload(self, path: Path, text: str = "") -> None:
        """Drop a file with some text beside it."""
        form = aiohttp.FormData({"user": self.user, "channel": self.channel, "text": text}, quote_fields=False)
        form.add_field("file", io.BytesIO(await asyncio.to_thread(path.read_bytes)), filename=path.name)
        await self._post("upload", form)

    async def command(self, line: str) -> None:
        """Type a slash command."""
        name, _, text = line.partition(" ")
        await self._post("command", {"user": self.user, "channel": self.channel, "command": name, "text": text})

    async def answer(self, line: str) -> Message:
        """Type a slash command and wait for its private answer."""
        before = {message["ts"] for message in await self.messages()}
        await self.command(line)
        return await self.sees(lambda message: bool(message.get("ephemeral")) and message["ts"] not in before)

    async def messages(self) -> list[Message]:
        """What the person sees in the channel, private answers and threads included, oldest first."""
        parameters = {"user": self.user, "channel": self.channel}
        async with self.session.get(f"{self.url}/page/messages", params=parameters) as response:
            return list((await response.json())["messages"])

    async def all(self, text: str) -> list[Message]:
        """Every message there is now that holds this text."""
        return [message for message in await self.messages() if text in words(message)]

    async def sees(self, wanted: str | Callable[[Message], bool], seconds: float = WAIT_SECONDS) -> Message:
        """Wait for a message that holds this text, or is as the function says; the newest one."""
        until = time.monotonic() + seconds
        while True:
            shown = await self.messages()
            for message in reversed(shown):
                if wanted(message) if callable(wanted) else wanted in words(message):
                    return message
            if time.monotonic() > until:
                raise AssertionError(f"not seen: {wanted!r}; the last are: {[words(each) for each in shown[-3:]]}")
            await asyncio.sleep(LOOK_SECONDS)

    async def press(self, message: Message, text: str) -> None:
        """Press the button that begins with this text."""
        element, block = next(found for found in elements(message) if _label(found[0]).startswith(text))
        action = {
            "block_id": block["block_id"],
            **{key: element[key] for key in ("type", "action_id", "value", "text")},
        }
        await self._act(message, {**action, "block_id": block["block_id"]})

    async def choose(self, message: Message, option_text: str) -> None:
        """Choose the option that begins with this text, in a menu that is open or behind three dots."""
        element, block = next(found for found in elements(message) if _has_option(found[0], option_text))
        action = {"type": element["type"], "action_id": element["action_id"], "block_id": block["block_id"]}
        await self._act(message, {**action, "selected_option": _option(element, option_text)})

    async def form(self) -> View:
        """Wait for the form that the bot opens."""
        until = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < until:
            async with self.session.get(f"{self.url}/control/state") as response:
                state = await response.json()
            if opened := state["open_views"][self.user]:
                found: View = next(view for view in state["views"] if view["id"] == opened[-1])
                return found
            await asyncio.sleep(LOOK_SECONDS)
        raise AssertionError("no form was opened")

    async def fill(self, form: View, **given: str) -> dict[str, str]:
        """Send the form with these fields and return the errors under them.

        An option is named by how it begins, several with commas.
        """
        fields = {block["block_id"]: block["element"] for block in form["blocks"] if block["type"] == "input"}
        values = {name: {fields[name]["action_id"]: _typed(fields[name], text)} for name, text in given.items()}
        body = {"user": self.user, "view_id": form["id"], "state": {"values": values}}
        answer = await self._post("view_submit", body)
        return dict(answer.get("errors") or {})

    async def file(self, message: Message) -> bytes:
        """The content of the message's only file."""
        (shared,) = message["files"]
        async with self.session.get(self.url + shared["url"]) as response:
            assert response.status == 200
            return await response.read()

    async def _act(self, message: Message, action: dict[str, Any]) -> None:
        where = {"user": self.user, "channel": message["channel"], "message_ts": message["ts"]}
        await self._post("action", {**where, "action": action, "state": {"values": {}}})

    async def _post(self, what: str, content: dict[str, Any] | aiohttp.FormData) -> dict[str, Any]:
        url = f"{self.url}/page/{what}"
        is_form = isinstance(content, aiohttp.FormData)
        sent = self.session.post(url, data=content) if is_form else self.session.post(url, json=content)
        async with sent as response:
            assert response.status == 200, await response.text()
            answer: dict[str, Any] = await response.json()
            return answer


def elements(message: Message) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Each interactive element with its block."""
    for block in message.get("blocks") or ():
        for element in [*block.get("elements", ()), *([block["accessory"]] if "accessory" in block else ())]:
            if "action_id" in element:
                yield element, block


def words(message: Message) -> str:
    """All text of a message and its blocks, one piece a line."""
    return "\n".join([message.get("text") or "", *_texts(message.get("blocks") or [])])


def fields(message: Message) -> dict[str, str]:
    """The two columns of a message, by label."""
    shown = [field["text"] for block in message["blocks"] for field in block.get("fields", ())]
    return {label.strip("*"): value for label, _, value in (text.partition("\n") for text in shown)}


def _texts(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "text" and isinstance(value, str):
                yield value
            else:
                yield from _texts(value)
    elif isinstance(node, list):
        for each in node:
            yield from _texts(each)


def _label(element: dict[str, Any]) -> str:
    return str((element.get("text") or {}).get("text", ""))


def _has_option(element: dict[str, Any], text: str) -> bool:
    return any(each["text"]["text"].startswith(text) for each in element.get("options", ()))


def _option(element: dict[str, Any], text: str) -> dict[str, Any]:
    return next(each for each in element["options"] if each["text"]["text"].startswith(text))


def _typed(element: dict[str, Any], text: str) -> dict[str, Any]:
    if element["type"] in ("multi_static_select", "checkboxes"):
        return {"type": element["type"], "selected_options": [_option(element, each) for each in text.split(",")]}
    if "options" in element:
        return {"type": element["type"], "selected_option": _option(element, text)}
    return {"type": element["type"], "value": text}
