"""What is under deploy/ names only what there is: settings, commands, figures; and its tools find no fault with it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.__main__ import cli
from bot.config import read_config
from bot.environment import Environment, SlackEnvironment
from bot.metrics import Metrics
from services.figures import Figures, Waiting
from tests.unit.test_docs import anchors

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
OURS = {name: each for name, each in COMPOSE["services"].items() if name != "database"}
RULES = [
    rule
    for group in yaml.safe_load((DEPLOY / "prometheus/rules.yml").read_text("utf-8"))["groups"]
    for rule in group["rules"]
]
DASHBOARD = json.loads((DEPLOY / "grafana/dashboard.json").read_text("utf-8"))
UNITS = sorted(DEPLOY.glob("*.service"))
CONTAINERFILE = (DEPLOY / "Containerfile").read_text("utf-8")
OF_SLACK = {name.upper() for name in SlackEnvironment.model_fields}
SETTINGS = OF_SLACK | {name.upper() for name in Environment.model_fields}
COMMANDS = {command.name or command.callback.__name__ for command in cli.registered_commands if command.callback}
NONE = Waiting(0, 0.0)
FIGURES = Figures({}, {}, NONE, {}, 0, 0, NONE, NONE, NONE, 0)
# Prometheus' own words in our expressions.
NOT_OURS = {"up"}


def there_is() -> set[str]:
    """Every name that our own process can tell."""
    return Metrics(lambda: FIGURES).names() | NOT_OURS


def named_in(expression: str) -> set[str]:
    """The figures that an expression asks for."""
    without_labels = re.sub(r"\{[^}]*\}|\"[^\"]*\"", "", expression)
    return set(re.findall(r"\b(?:sms|process|python)_\w+|\bup\b", without_labels))


def shown(node: Any) -> Iterator[str]:
    """Every expression of the dashboard."""
    if isinstance(node, dict):
        if isinstance(node.get("expr"), str):
            yield node["expr"]
        for each in node.values():
            yield from shown(each)
    elif isinstance(node, list):
        for each in node:
            yield from shown(each)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_asks_for_figures_there_are_and_has_its_page(rule: dict[str, Any]) -> None:
    asked = named_in(rule["expr"])
    assert asked
    assert asked <= there_is()
    assert rule["labels"]["severity"] in ("page", "ticket")
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert anchor == rule["alert"].lower()
    assert anchor in anchors((ROOT / page).read_text("utf-8"))


def test_every_page_of_an_alert_has_its_alert() -> None:
    headings = re.findall(r"^### (Sms\w+)$", (ROOT / "docs/operate.md").read_text("utf-8"), re.MULTILINE)
    assert headings == [rule["alert"] for rule in RULES]


def test_the_dashboard_asks_for_figures_there_are_and_for_all_of_ours() -> None:
    asked = {name for expression in shown(DASHBOARD) for name in named_in(expression)}
    assert asked <= there_is()
    ours = {re.sub(r"_(bucket|sum|count|total)$", "", name) for name in there_is() if name.startswith("sms_")}
    covered = {re.sub(r"_(bucket|sum|count|total)$", "", name) for name in asked}
    assert ours - covered == {"sms_build_info"}


def test_the_dashboards_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        place = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not place & taken, panel["title"]
        taken |= place
    assert max(x for x, _ in taken) < 24
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def promtool(*words: str) -> str:
    """CI has it; elsewhere its tests are left out."""
    tool = shutil.which("promtool")
    if tool is None:
        assert not os.environ.get("REQUIRE_PROMTOOL"), "promtool is missing"
        pytest.skip("promtool is missing; it is in Debian's package prometheus")
    ran = subprocess.run([tool, *words], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_promtool_takes_the_rules() -> None:
    assert f"{len(RULES)} rules found" in promtool("check", "rules", str(DEPLOY / "prometheus/rules.yml"))


def test_the_alerts_fire_when_they_should_and_not_else(tmp_path: Path) -> None:
    for path in (DEPLOY / "prometheus/rules.yml", ROOT / "tests/data/rules.test.yml"):
        shutil.copy(path, tmp_path)
    promtool("test", "rules", str(tmp_path / "rules.test.yml"))


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_takes_the_unit_and_finds_it_well_shut(unit: Path, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is missing")
    # A template is looked at as its first instance; the program is where these tests run.
    copy = tmp_path / unit.name.replace("@.", "@1.")
    content = unit.read_text("utf-8")
    assert "/opt/sms-bot/.venv/bin/python" in content
    copy.write_text(content.replace("/opt/sms-bot/.venv/bin/python", sys.executable), "utf-8")
    ran = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    words = ["systemd-analyze", "security", "--offline=true"]
    found = re.search(
        r"Overall exposure level for \S+ (\d+\.\d)", subprocess.check_output([*words, str(copy)], text=True)
    )
    assert found is not None
    assert float(found[1]) < 2.5


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_waits_longer_than_a_stop_takes_and_asks_only_the_bot(unit: Path) -> None:
    lines = unit.read_text("utf-8").splitlines()
    assert "TimeoutStopSec=20" in lines
    assert "KillMode=mixed" in lines
    (command,) = [line.rpartition(" -m bot ")[2] for line in lines if line.startswith("ExecStart=")]
    assert command in COMMANDS
    for name in re.findall(r"([A-Z_]+)=\S+ /opt", "\n".join(lines)):
        assert name in SETTINGS


@pytest.mark.parametrize("name", OURS)
def test_a_composed_service_is_shut_and_its_settings_are_ours(name: str) -> None:
    service = OURS[name]
    assert set(service["environment"]) <= SETTINGS
    command, *options = service["command"].split()
    assert command in COMMANDS
    assert options in ([], ["--without-sending"])
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["stop_grace_period"] == "20s"
    assert {mount.partition(":")[0] for mount in service["tmpfs"]} == {"/tmp", "/data"}


def test_compose_has_a_bot_two_workers_and_a_database_whose_passwords_agree() -> None:
    assert set(COMPOSE["services"]) == {"database", "migrate", "bot", "worker"}
    assert COMPOSE["services"]["worker"]["deploy"]["replicas"] == 2
    database = COMPOSE["services"]["database"]["environment"]
    url = OURS["bot"]["environment"]["DATABASE_URL"]
    assert (
        url
        == f"postgresql://{database['POSTGRES_USER']}:{database['POSTGRES_PASSWORD']}@database/{database['POSTGRES_DB']}"
    )
    assert OURS["bot"]["build"]["dockerfile"] == "deploy/Containerfile"


def test_a_worker_is_given_nothing_of_slacks() -> None:
    given = OURS["worker"]["environment"]
    assert {name: given[name] for name in OF_SLACK} == dict.fromkeys(OF_SLACK, "")
    assert OURS["worker"]["env_file"] == OURS["bot"]["env_file"] == "environment"
    taken = re.findall(r"^UnsetEnvironment=(.*)$", (DEPLOY / "sms-worker@.service").read_text("utf-8"), re.MULTILINE)
    assert set(" ".join(taken).split()) == OF_SLACK
    assert OURS["migrate"]["env_file"] == []
    assert not OURS["bot"]["environment"].keys() & OF_SLACK


def test_the_example_environment_is_one_the_bot_reads(tmp_path: Path) -> None:
    lines = (DEPLOY / "environment.example").read_text("utf-8").splitlines()
    given = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    secrets = {"HUAWEI_APP_KEY", "HUAWEI_APP_SECRET"}
    assert given.keys() - secrets <= SETTINGS
    given["SMS_APPLICATIONS"] = str(ROOT / "docs/applications.example.toml")
    assert read_config(given).public_url == "https://sms.example.com"


def test_the_image_runs_as_nobody_special_and_sets_only_what_is_ours() -> None:
    assert "\nUSER 10001:10001\n" in CONTAINERFILE
    named = set(re.findall(r"^\s*(?:ENV )?([A-Z_]+)=\S", CONTAINERFILE, re.MULTILINE))
    assert named - {"PATH", "HOME", "PYTHONDONTWRITEBYTECODE"} <= SETTINGS
    assert 'ENTRYPOINT ["python", "-m", "bot"]\nCMD ["run"]\n' in CONTAINERFILE


def test_everything_the_image_copies_is_in_its_context() -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")}
    copied = {
        word
        for line in CONTAINERFILE.splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for word in line.split()[1:-1]
    }
    assert copied == kept
    assert all((ROOT / name).exists() for name in copied)
