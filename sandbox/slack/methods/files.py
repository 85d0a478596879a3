"""files.*: looking at files, and uploading them in three steps."""

from sandbox.slack.files import File
from sandbox.slack.tickets import Refused, bad_arguments
from sandbox.slack.web_api import Call, Method, Methods, Result
from sandbox.slack.workspace import BOT_USER, Channel, Message


def _file(call: Call, file_id: str) -> File:
    found = call.core.files.files.get(file_id)
    if found is None or not call.core.files.visible_to_bot(found):
        raise Refused("file_not_found")
    return found


def info(call: Call) -> Result:
    """files.info"""
    file = _file(call, call.text("file"))
    if file.content is None:
        raise Refused("file_not_found")
    return {"file": call.core.files.as_api(file, call.core.base_url, shares=True), "comments": []}


def delete(call: Call) -> Result:
    """files.delete, of what the app uploaded itself."""
    file = _file(call, call.text("file"))
    if file.user != BOT_USER:
        raise Refused("cant_delete_file")
    call.core.files.delete(file)
    return {}


def get_upload_url(call: Call) -> Result:
    """files.getUploadURLExternal"""
    length = call.number("length", 0)
    if length < 1:
        raise bad_arguments("must be more than 0 [json-pointer:/length]")
    file = call.core.files.add(call.text("filename"), BOT_USER, expected=length)
    return {"upload_url": call.core.base_url + call.core.files.open_upload(file), "file_id": file.id}


def _channels(call: Call) -> list[Channel]:
    """Where to share: `channel_id` takes no person's id, `channels` does, as on Slack."""
    if call.text("channel_id") in call.core.workspace.users:
        raise Refused("channel_not_found")
    named = call.text("channel_id") or call.args.get("channels") or ""
    names = named if isinstance(named, list) else str(named).split(",")
    return [Call(call.core, {"channel": name}).channel() for name in names if name]


def complete_upload(call: Call) -> Result:
    """files.completeUploadExternal: names the uploaded files and shares them, in one message a channel.

    The answer has no `shares`: Slack fills them in later, so an app must not count on them.
    """
    given = call.read("files")
    if not isinstance(given, list) or not given or not all(isinstance(f, dict) and f.get("id") for f in given):
        raise bad_arguments("must be an array of objects with an id [json-pointer:/files]")
    files = [_file(call, entry["id"]) for entry in given]
    if any(file.content is None or file.user != BOT_USER for file in files):
        raise Refused("file_not_found")
    channels = _channels(call)
    for file, entry in zip(files, given, strict=True):
        file.title = entry.get("title") or file.name
    for channel in channels:
        _share(call, channel, files)
    return {"files": [call.core.files.as_api(file, call.core.base_url) for file in files]}


def _share(call: Call, channel: Channel, files: list[File]) -> None:
    workspace = call.core.workspace
    thread = call.text("thread_ts") or None
    if thread is not None and workspace.find(channel.id, thread) is None:
        raise Refused("thread_not_found")
    blocks = None if call.text("initial_comment") else call.read("blocks", "invalid_blocks_format")
    message = Message(
        channel.id,
        workspace.new_ts(),
        BOT_USER,
        call.text("initial_comment"),
        blocks or [],
        files=[file.id for file in files],
        thread_ts=thread,
        subtype="file_share",
    )
    call.core.files.share(message.files, channel.id, message.ts)
    workspace.post(message)


METHODS: Methods = {
    "files.info": Method(info, ("files:read",), ("file",)),
    "files.delete": Method(delete, ("files:write",), ("file",)),
    "files.getUploadURLExternal": Method(get_upload_url, ("files:write",), ("filename", "length")),
    "files.completeUploadExternal": Method(complete_upload, ("files:write",), ("files",)),
}
