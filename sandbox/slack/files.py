"""Files: what is stored of them, how the API shows them, and the two addresses bytes travel by."""

import re
import secrets
import time
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from aiohttp import web

from sandbox.slack.workspace import BOT_USER, TEAM_DOMAIN, TEAM_ID, Workspace

# extension → (Slack's filetype, Slack's words for it, media type)
_KINDS = {
    "xlsx": ("xlsx", "Excel Spreadsheet", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    "xls": ("xls", "Excel Spreadsheet", "application/vnd.ms-excel"),
    "csv": ("csv", "CSV", "text/csv"),
    "txt": ("text", "Plain Text", "text/plain"),
    "pdf": ("pdf", "PDF", "application/pdf"),
    "png": ("png", "PNG", "image/png"),
    "jpg": ("jpg", "JPEG", "image/jpeg"),
    "zip": ("zip", "Zip", "application/zip"),
}
_LOGIN_PAGE = (
    "<!DOCTYPE html><html><head><title>Slack</title></head><body><form>Sign in to your workspace</form></body></html>"
)


@dataclass
class File:
    """A file. `shares` lists, by channel, the messages that show it; `content` is missing until its upload is done."""

    id: str
    name: str
    title: str
    user: str
    created: int
    content: bytes | None = None
    expected: int = 0
    shares: dict[str, list[str]] = field(default_factory=dict)

    @property
    def kind(self) -> tuple[str, str, str]:
        """Slack's filetype, its pretty name and the media type, by the name's extension."""
        extension = PurePosixPath(self.name).suffix.lstrip(".").lower()
        return _KINDS.get(extension, ("binary", "Binary", "application/octet-stream"))


class FileStore:
    """All files of the workspace, by id, and the upload addresses still open."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.files: dict[str, File] = {}
        self._uploads: dict[str, str] = {}

    def add(self, name: str, user: str, content: bytes | None = None, expected: int = 0) -> File:
        """Store a file, or with no content announce one that is going to be uploaded."""
        now = int(time.time())
        file = File(self.workspace.new_id("F"), name, name, user, now, content, expected)
        self.files[file.id] = file
        return file

    def open_upload(self, file: File) -> str:
        """The path to which this file's bytes are to be posted, once."""
        ticket = secrets.token_urlsafe(24)
        self._uploads[ticket] = file.id
        return f"/upload/v1/{ticket}"

    def take_upload(self, ticket: str) -> File | None:
        """The file an upload address was opened for; the address is used up by asking."""
        return self.files.get(self._uploads.pop(ticket, ""))

    def share(self, file_ids: list[str], channel: str, ts: str) -> None:
        """Note that a message shows these files."""
        for file_id in file_ids:
            self.files[file_id].shares.setdefault(channel, []).append(ts)

    def delete(self, file: File) -> None:
        """Forget a file and take it out of the messages that show it."""
        del self.files[file.id]
        for channel in file.shares:
            for message in self.workspace.messages[channel].values():
                if file.id in message.files:
                    message.files.remove(file.id)

    def visible_to_bot(self, file: File) -> bool:
        """True when the bot uploaded the file or is in a channel that shows it."""
        return file.user == BOT_USER or any(
            self.workspace.bot_is_in(self.workspace.channels[channel]) for channel in file.shares
        )

    def as_api(self, file: File, base_url: str, *, shares: bool = False) -> dict[str, Any]:
        """The file object of the Web API and of events."""
        filetype, pretty, mimetype = file.kind
        safe = quote(re.sub(r"[^\w.-]+", "_", file.name.lower()))
        private = f"{base_url}/files-pri/{TEAM_ID}-{file.id}"
        shown: dict[str, Any] = {
            "id": file.id,
            "created": file.created,
            "timestamp": file.created,
            "name": file.name,
            "title": file.title,
            "mimetype": mimetype,
            "filetype": filetype,
            "pretty_type": pretty,
            "user": file.user,
            "user_team": TEAM_ID,
            "editable": False,
            "size": len(file.content or b""),
            "mode": "hosted",
            "is_external": False,
            "external_type": "",
            "is_public": any(self._kind(channel) == "channel" for channel in file.shares),
            "public_url_shared": False,
            "display_as_bot": False,
            "username": "",
            "url_private": f"{private}/{safe}",
            "url_private_download": f"{private}/download/{safe}",
            "permalink": f"https://{TEAM_DOMAIN}.slack.com/files/{file.user}/{file.id}/{safe}",
            "has_rich_preview": False,
            "file_access": "visible",
        }
        return {**shown, **self._shares(file)} if shares else shown

    def _kind(self, channel: str) -> str:
        return self.workspace.channels[channel].kind

    def _shares(self, file: File) -> dict[str, Any]:
        public: dict[str, Any] = {}
        private: dict[str, Any] = {}
        for channel, stamps in file.shares.items():
            (public if self._kind(channel) == "channel" else private)[channel] = [{"ts": ts} for ts in stamps]
        return {
            "channels": [c for c in file.shares if self._kind(c) == "channel"],
            "groups": [c for c in file.shares if self._kind(c) == "private"],
            "ims": [c for c in file.shares if self._kind(c) == "im"],
            "shares": {name: part for name, part in (("public", public), ("private", private)) if part},
        }


def download_response(file: File) -> web.Response:
    """The file's bytes with its media type."""
    disposition = f"attachment; filename*=UTF-8''{quote(file.name)}"
    return web.Response(body=file.content, content_type=file.kind[2], headers={"Content-Disposition": disposition})


def login_page() -> web.Response:
    """What Slack sends instead of a private file to who may not have it: a page to sign in, with status 200."""
    return web.Response(text=_LOGIN_PAGE, content_type="text/html", charset="utf-8")


async def receive_upload(store: FileStore, request: web.Request) -> web.Response:
    """POST to an upload address: the raw bytes, or a form with the file in it."""
    file = store.take_upload(request.match_info["ticket"])
    if file is None:
        return web.Response(status=404, text="upload not found")
    if request.content_type == "multipart/form-data":
        parts = [part for part in (await request.post()).values() if isinstance(part, web.FileField)]
        file.content = parts[0].file.read() if parts else b""
    else:
        file.content = await request.read()
    return web.Response(text=f"OK - {len(file.content)}")


async def send_private_file(store: FileStore, request: web.Request, *, allowed: bool) -> web.Response:
    """GET of url_private or url_private_download; `allowed` says whether the token was good and has files:read."""
    file = store.files.get(request.match_info["key"].removeprefix(f"{TEAM_ID}-"))
    if not allowed or file is None or file.content is None or not store.visible_to_bot(file):
        return login_page()
    return download_response(file)
