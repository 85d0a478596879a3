"""The documentation says what is there: settings, commands, links, the example file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from bot.application_settings import (
    CommonSettings,
    HuaweiSettings,
    KannelSettings,
    SignatureSettings,
    TemplateSettings,
    TencentSettings,
    TwilioSettings,
)
from bot.applications_file import ApplicationsFile, RoleSettings, WorkspaceSettings
from bot.environment import Environment, SlackEnvironment
from handlers.routes import help_lines

ROOT = Path(__file__).parents[2]
SETTINGS = (ROOT / "docs/settings.md").read_text("utf-8")
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])

VARIABLES = (SlackEnvironment, Environment)
COMMON = set(CommonSettings.model_fields)

# Each table of the page: the settings it is about, and those of them that stand elsewhere.
SECTIONS: dict[str, tuple[type[BaseModel], set[str]]] = {
    "### Slack": (SlackEnvironment, set()),
    "### Database, HTTP, carriers and logs": (Environment, set()),
    "### `[[application]]`": (CommonSettings, {"signature", "template"}),
    "### Huawei Cloud Message & SMS": (HuaweiSettings, COMMON),
    "### Tencent Cloud SMS": (TencentSettings, COMMON),
    "### Twilio": (TwilioSettings, COMMON),
    "### Kannel": (KannelSettings, COMMON),
    "### `[[application.signature]]`": (SignatureSettings, set()),
    "### `[[application.template]]`": (TemplateSettings, set()),
    "### `[roles]`": (RoleSettings, set()),
    "### `[workspace.T…]`": (WorkspaceSettings, set()),
}


def rows(section: str) -> list[list[str]]:
    """The cells of the first table under a heading, its two head lines left out."""
    below = SETTINGS.split(f"\n{section}\n", 1)[1]
    table = re.search(r"(?:^\|.*\n)+", below, re.MULTILINE)
    assert table is not None
    lines = table[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@pytest.mark.parametrize("section", SECTIONS)
def test_the_settings_page_names_every_setting_and_no_other(section: str) -> None:
    model, elsewhere = SECTIONS[section]
    spell = str.upper if model in VARIABLES else str
    assert [row[0] for row in rows(section)] == [
        f"`{spell(field.alias or name)}`" for name, field in model.model_fields.items() if name not in elsewhere
    ]


@pytest.mark.parametrize("section", SECTIONS)
def test_the_settings_page_tells_which_settings_are_required_and_each_default(section: str) -> None:
    model, _ = SECTIONS[section]
    for name, kind, default, *_ in rows(section):
        key = name.strip("`").lower()
        field = next(field for known, field in model.model_fields.items() if key in (known, field.alias))
        assert kind.endswith("required") == field.is_required(), name
        told = "" if field.is_required() or field.default in (None, "", ()) else f"`{field.default}`"
        assert default == told, name


def test_the_example_of_the_settings_can_be_read() -> None:
    secrets = {"HUAWEI_APP_KEY": "key", "HUAWEI_APP_SECRET": "secret"}
    (example,) = ApplicationsFile(ROOT / "docs/applications.example.toml", secrets).applications()
    given = example.model_fields_set | {
        key for each in (*example.signature, *example.template) for key in each.model_fields_set
    }
    models = (HuaweiSettings, SignatureSettings, TemplateSettings)
    # What few need; the last would have to name another application.
    rare = {
        "auth",
        "wsse_digest",
        "callback_signed",
        "management_endpoint",
        "project_id",
        "access_key",
        "secret_key",
        "failover",
    }
    assert given == {key for model in models for key in model.model_fields} - rare
    assert isinstance(example, HuaweiSettings)
    assert example.app_secret == "secret"


def test_the_readme_lists_the_commands_as_the_routes_have_them() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    listed = re.findall(r"^\| `(/sms-[^`]*)` \| (.*) \|$", readme, re.MULTILINE)
    assert listed == help_lines()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    text = page.read_text("utf-8")
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    for link in links:
        target, _, anchor = link.partition("#")
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        path = (page.parent / target).resolve() if target else page
        assert path.exists(), link
        if anchor:
            assert anchor in anchors(path.read_text("utf-8")), link


def anchors(text: str) -> set[str]:
    """The anchors GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
