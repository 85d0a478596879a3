"""The Containerfile's own steps in an empty folder, for machines without a container engine: what it copies is enough,
and the bot runs from a tree that nobody may write to, as a user who is nobody special.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTAINERFILE = (ROOT / "deploy/Containerfile").read_text("utf-8").replace("\\\n", " ")
INSTALLED, NOBODY = "/opt/sms-bot", 10001

pytestmark = pytest.mark.e2e


def steps() -> Iterator[tuple[str, str]]:
    """The instructions of the first stage, each with its words."""
    first = CONTAINERFILE.split("\nFROM ")[0 if CONTAINERFILE.startswith("FROM ") else 1]
    for line in first.splitlines():
        instruction, _, words = line.strip().partition(" ")
        if instruction in ("COPY", "RUN"):
            yield instruction, words


def settings() -> dict[str, str]:
    """What the image sets."""
    (line,) = re.findall(r"^ENV (.*)$", CONTAINERFILE, re.MULTILINE)
    return dict(word.split("=", 1) for word in shlex.split(line))


def python() -> str:
    """One that other users may run too."""
    for found in (sys.executable, *(f"{folder}/python3" for folder in ("/usr/local/bin", "/usr/bin"))):
        path = Path(found).resolve()
        shut = [each for each in path.parents if not each.stat().st_mode & stat.S_IXOTH]
        version = "import sys, ensurepip; sys.exit(sys.version_info < (3, 11))"
        if path.exists() and not shut and subprocess.run([found, "-c", version], check=False).returncode == 0:
            return found
    pytest.skip("no Python 3.11 here that other users may run")


@pytest.fixture
def folder() -> Iterator[Path]:
    """Below which others may look, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="sms-image-") as name:
        path = Path(name)
        path.chmod(0o755)
        yield path


def build(folder: Path) -> Path:
    """Do the first stage; where the program is then."""
    context, installed = folder / "build", folder / "opt"
    context.mkdir()
    for instruction, words in steps():
        if instruction == "COPY":
            *names, target = words.split()
            for name in names:
                if (ROOT / name).is_dir():
                    leave_out = shutil.ignore_patterns("__pycache__")
                    shutil.copytree(ROOT / name, context / target, ignore=leave_out)
                else:
                    shutil.copy(ROOT / name, context / target)
        else:
            command = words.replace(INSTALLED, str(installed)).replace("python -m venv", f"{python()} -m venv", 1)
            subprocess.run(["/bin/sh", "-ec", command.replace("--no-cache-dir", "--quiet")], cwd=context, check=True)
    shutil.rmtree(context)
    return installed


@pytest.mark.skipif(not os.environ.get("REQUIRE_IMAGE"), reason="it installs every package anew; CI does it")
def test_the_images_steps_make_a_bot_that_runs_read_only_and_as_nobody_special(folder: Path) -> None:
    installed = build(folder)
    for path in [installed, *installed.rglob("*")]:
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & ~0o222)
    data = folder / "data"
    data.mkdir()
    is_root = os.geteuid() == 0
    if is_root:
        os.chown(data, NOBODY, NOBODY)
    toml = folder / "applications.toml"
    shutil.copy(ROOT / "docs/applications.example.toml", toml)
    environment = {
        **settings(),
        "PATH": f"{installed}/bin:/usr/bin:/bin",
        "HOME": str(data),
        "TMPDIR": str(data),
        "DATABASE_URL": f"sqlite:///{data}/sms.db",
        "SMS_APPLICATIONS": str(toml),
        "SLACK_BOT_TOKEN": "xoxb-1",
        "SLACK_APP_TOKEN": "xapp-1",
        "HUAWEI_APP_KEY": "key",
        "HUAWEI_APP_SECRET": "secret",
    }

    def bot(*words: str) -> str:
        ran = subprocess.run(
            ["python", "-m", "bot", *words],
            cwd=data,
            env=environment,
            user=NOBODY if is_root else None,
            group=NOBODY if is_root else None,
            extra_groups=[] if is_root else None,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    assert "Bulk SMS, run from a Slack channel." in bot("--help")
    assert bot("migrate") == "The schema is up to date.\n"
    assert (data / "sms.db").stat().st_uid == (NOBODY if is_root else os.geteuid())
