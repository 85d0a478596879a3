"""Files up and down: what Slack's client does with files_upload_v2, and who may read what."""

from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from sandbox.slack.core import APP_TOKEN, BOT_TOKEN
from sandbox.slack.server import SlackSandbox
from tests.sandbox.app import App
from tests.sandbox.people import ANA_IM, GENERAL, MARKETING, Person, acting, manifest_without

XLSX = b"PK\x03\x04 not really a workbook"


async def fetch(url: str, token: str | None) -> tuple[int, str, bytes]:
    """Status, media type and body of a GET."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as response:
        return response.status, response.content_type, await response.read()


async def refused(call: Any) -> str:
    """The error this call is refused with."""
    with pytest.raises(SlackApiError) as raised:
        await call
    return str(raised.value.response["error"])


async def test_the_bot_reads_a_dropped_file_with_its_token(slack: SlackSandbox, ana: Person, app: App) -> None:
    await ana.drop("Customers 客户.xlsx", XLSX, text="")
    file = (await app.event("message"))["files"][0]
    assert file["name"] == "Customers 客户.xlsx"
    assert (file["filetype"], file["size"], file["mode"], file["is_external"]) == ("xlsx", len(XLSX), "hosted", False)
    for address in (file["url_private"], file["url_private_download"]):
        assert await fetch(address, BOT_TOKEN) == (200, file["mimetype"], XLSX)


@pytest.mark.parametrize("token", [None, "xoxb-other", APP_TOKEN], ids=["none", "wrong", "app token"])
async def test_without_the_token_there_is_a_login_page_with_status_200(
    slack: SlackSandbox, ana: Person, app: App, token: str | None
) -> None:
    await ana.drop("customers.xlsx", XLSX)
    file = (await app.event("message"))["files"][0]
    status, media_type, body = await fetch(file["url_private_download"], token)
    assert (status, media_type) == (200, "text/html")
    assert body.startswith(b"<!DOCTYPE html>")


async def test_without_the_scope_there_is_a_login_page_too() -> None:
    sandbox = SlackSandbox(manifest_without("files:read"))
    await sandbox.start()
    async with acting(sandbox, "U0ANA") as ana:
        await ana.drop("customers.xlsx", XLSX)
    file = sandbox.control.state()["files"][0]
    assert (await fetch(file["url_private"], BOT_TOKEN))[1] == "text/html"
    await sandbox.stop()


async def test_a_file_of_a_channel_the_bot_is_not_in_is_not_to_be_had(
    slack: SlackSandbox, client: AsyncWebClient, ana: Person
) -> None:
    await ana.drop("secret.csv", b"1", GENERAL)
    file = slack.control.state()["files"][0]
    assert (await fetch(file["url_private"], BOT_TOKEN))[1] == "text/html"
    assert await refused(client.files_info(file=file["id"])) == "file_not_found"


async def test_upload_v2_shares_a_file_in_a_persons_im(client: AsyncWebClient, ana: Person) -> None:
    im = (await client.conversations_open(users="U0ANA"))["channel"]["id"]
    done = await client.files_upload_v2(
        channel=im, filename="failed.xlsx", title="Failed numbers", content=XLSX, initial_comment="Here it is"
    )
    assert (done["file"]["title"], done["file"]["size"]) == ("Failed numbers", len(XLSX))
    message = (await ana.sees("message"))["message"]
    assert (message["channel"], message["user"], message["text"]) == (ANA_IM, "U0SMSBOT", "Here it is")
    shown = message["files"][0]
    assert shown["url"].startswith("/page/files/")
    async with ana.session.get(shown["url"]) as response:
        assert await response.read() == XLSX


async def test_upload_v2_takes_several_files_into_a_thread(client: AsyncWebClient, ana: Person, app: App) -> None:
    parent = await ana.say("here they come")
    uploads = [{"filename": "a.csv", "content": "1"}, {"filename": "b.csv", "content": "2"}]
    await client.files_upload_v2(channel=MARKETING, thread_ts=parent, file_uploads=uploads)
    event = await app.event("message", 2)
    assert (event["subtype"], event["thread_ts"], event["bot_id"]) == ("file_share", parent, "B0SMSBOT")
    assert [file["name"] for file in event["files"]] == ["a.csv", "b.csv"]
    await app.event("file_shared", 2)


async def test_files_info_says_where_a_file_is_shared(client: AsyncWebClient) -> None:
    done = await client.files_upload_v2(channel=MARKETING, filename="a.csv", content="1")
    assert "shares" not in done["file"]
    file = (await client.files_info(file=done["file"]["id"]))["file"]
    assert list(file["shares"]["public"]) == file["channels"] == [MARKETING]


async def test_a_file_shared_nowhere_is_the_bots_alone(client: AsyncWebClient, ana: Person) -> None:
    done = await client.files_upload_v2(filename="a.csv", content="1")
    assert (await fetch(done["file"]["url_private"], BOT_TOKEN))[2] == b"1"
    async with ana.session.get(f"/page/files/{done['file']['id']}/a.csv", params={"user": "U0ANA"}) as response:
        assert response.status == 404


@pytest.mark.parametrize(
    ("channel", "error"),
    [("C1", "channel_not_found"), (GENERAL, "not_in_channel"), ("U0ANA", "channel_not_found")],
    ids=["no channel", "not a member", "a person's id"],
)
async def test_a_file_goes_only_where_the_bot_is(client: AsyncWebClient, channel: str, error: str) -> None:
    assert await refused(client.files_upload_v2(channel=channel, filename="a.csv", content="1")) == error


async def test_an_upload_address_is_used_once_and_must_be_used(client: AsyncWebClient) -> None:
    opened = await client.files_getUploadURLExternal(filename="a.csv", length=1)
    files = [{"id": opened["file_id"], "title": "a"}]
    assert await refused(client.files_completeUploadExternal(files=files)) == "file_not_found"
    async with aiohttp.ClientSession() as session:
        async with session.post(opened["upload_url"], data=b"1") as response:
            assert (response.status, await response.text()) == (200, "OK - 1")
        async with session.post(opened["upload_url"], data=b"2") as response:
            assert response.status == 404


async def test_an_upload_may_be_a_form(client: AsyncWebClient) -> None:
    opened = await client.files_getUploadURLExternal(filename="a.csv", length=3)
    form = aiohttp.FormData()
    form.add_field("file", b"1,2", filename="a.csv")
    async with aiohttp.ClientSession() as session:
        await session.post(opened["upload_url"], data=form)
    done = await client.files_completeUploadExternal(files=[{"id": opened["file_id"], "title": "a"}])
    assert done["files"][0]["size"] == 3


async def test_an_upload_of_nothing_is_refused(client: AsyncWebClient) -> None:
    assert await refused(client.files_getUploadURLExternal(filename="a.csv", length=0)) == "invalid_arguments"


async def test_the_bot_deletes_only_its_own_files(slack: SlackSandbox, client: AsyncWebClient, ana: Person) -> None:
    done = await client.files_upload_v2(channel=MARKETING, filename="a.csv", content="1")
    await client.files_delete(file=done["file"]["id"])
    assert await refused(client.files_info(file=done["file"]["id"])) == "file_not_found"
    await ana.drop("customers.csv", b"1")
    theirs = slack.control.state()["files"][0]["id"]
    assert await refused(client.files_delete(file=theirs)) == "cant_delete_file"


async def test_thirty_megabytes_go_up_and_come_down(slack: SlackSandbox, ana: Person, app: App) -> None:
    await ana.drop("big.csv", b"1" * 31_000_000)
    file = (await app.event("message"))["files"][0]
    assert file["size"] == 31_000_000
    assert len((await fetch(file["url_private_download"], BOT_TOKEN))[2]) == 31_000_000
