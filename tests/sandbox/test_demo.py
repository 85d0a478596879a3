"""The demo starts, says where to look, and stops, around a stand-in for the bot."""

import asyncio
import copy
import json
import socket
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from sandbox.demo import FIRST_COMMAND, CannotStart, Demo, Settings
from sandbox.demo_carriers import CARRIERS, applications
from tests.sandbox.people import MANIFEST, until

FAKE = Path(__file__).parent / "fake_bot.py"


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "app_manifest.yaml"
    content = copy.deepcopy(MANIFEST)
    content["features"]["slash_commands"].append({"command": "/sms-groups", "description": "Make a group"})
    path.write_text(yaml.safe_dump(content), "utf-8")
    return path


def settings(manifest: Path, kind: str, **more: Any) -> Settings:
    bot = (sys.executable, str(FAKE), kind)
    return Settings(port=0, data=manifest.parent / "data", manifest=manifest, bot=bot, **more)


def read_toml(path: str) -> dict[str, Any]:
    return tomllib.loads(Path(path).read_text("utf-8"))


@pytest.mark.parametrize(("kind", "http"), [("socket", False), ("http", True)], ids=["socket mode", "http"])
async def test_the_demo_says_where_to_look_and_stops_the_bot_gently(manifest: Path, kind: str, http: bool) -> None:
    said: list[str] = []
    demo = Demo(settings(manifest, kind, http=http), said.append)
    running = asyncio.create_task(demo.run())
    await until(lambda: len(said) == 3, seconds=10)
    assert said[0] == f"Open {demo.slack.url}/"
    assert "customers.xlsx" in said[1]
    assert str(demo.log) in said[2]
    async with aiohttp.ClientSession() as session, session.get(demo.slack.url) as response:
        assert response.status == 200
    await until(lambda: " ".join(FIRST_COMMAND) in demo.log.read_text("utf-8"))
    demo.stop.set()
    assert await running == 0
    log = demo.log.read_text("utf-8").splitlines()
    given = json.loads(log[0])
    assert log[-1] == "ended in peace"
    assert given["DATABASE_URL"] == f"sqlite:///{demo.data}/sms.db"
    assert (given["SLACK_SIGNING_SECRET"] is not None) == http
    declared = read_toml(given["SMS_APPLICATIONS"])
    assert declared["application"][0]["endpoint"].startswith("http://127.0.0.1:")


async def test_a_bot_that_dies_is_said_plainly_with_the_end_of_its_log(manifest: Path) -> None:
    said: list[str] = []
    demo = Demo(settings(manifest, "die"), said.append)
    assert await demo.run() == 1
    assert said[0].startswith("The bot ended by itself with status 3.")
    assert said[-1] == "  SLACK_BOT_TOKEN is wrong"


async def test_a_port_in_use_is_one_sentence(manifest: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        demo = Demo(Settings(port=port, data=manifest.parent / "data", manifest=manifest), lambda line: None)
        with pytest.raises(CannotStart, match=f"^Port {port} is in use: choose another with make demo PORT={port + 1}"):
            await demo.run()


def test_on_the_command_line_a_mistake_is_one_line_and_no_traceback() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ended = subprocess.run([sys.executable, "-m", "sandbox", "--port", port], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (1, "", 1)
    assert ended.stderr.startswith(f"Port {port} is in use")


@pytest.mark.parametrize("carrier", CARRIERS)
def test_the_demo_has_three_templates_of_different_types(carrier: str) -> None:
    declared = tomllib.loads(applications("http://127.0.0.1:1234", carrier))["application"]
    assert [(a["name"], a["carrier"]) for a in declared] == [("demo-cn", carrier)]
    address = declared[0]["url" if carrier == "kannel" else "endpoint"]
    assert address.startswith("http://127.0.0.1:1234")
    templates = {t["name"]: (t["sms_type"], t.get("signature")) for t in declared[0]["template"]}
    assert templates == {
        "spring": ("notification", "云帆咖啡"),
        "sale": ("promotional", "云帆咖啡"),
        "login": ("verification", None),
    }
    assert declared[0]["template"][1]["text"].endswith("拒收请回复R")
