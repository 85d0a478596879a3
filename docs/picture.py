"""Takes docs/picture.png: `.venv/bin/python docs/picture.py` does the main job in the demo and takes a picture of it.

Needs Debian's chromium and a font with Chinese characters. Takes three minutes: so long a result waits for the numbers
that the sandbox carrier never reports.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Page, ViewportSize, expect, sync_playwright

HERE = Path(__file__).parent
SAMPLE = HERE.parent / "sandbox/samples/customers.xlsx"
SIZE: ViewportSize = {"width": 1120, "height": 860}
RESULT_SECONDS = 240
CHROMIUM = "/usr/bin/chromium"


def main_job(page: Page) -> None:
    """Drop a file into a group, send to it, wait for the result."""
    composer = page.get_by_role("textbox", name="Message #marketing")
    page.locator("input[type=file]").set_input_files(SAMPLE)
    composer.fill("group:vip")
    page.get_by_role("button", name="Send message").click()
    expect(page.get_by_text("12,480 imported").first).to_be_visible(timeout=30_000)
    composer.fill("/sms-send group:vip template:spring")
    composer.press("Enter")
    page.get_by_role("button", name="Send to 12,480 customers").click()
    expect(page.get_by_text("Result of task 1:").first).to_be_visible(timeout=RESULT_SECONDS * 1000)
    expect(page.get_by_role("button", name="Failed numbers (xlsx)")).to_be_visible()


def take(url: str, target: Path) -> None:
    """Open the page as Ana in #marketing."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport=SIZE)
        page.goto(f"{url}?user=U0ANA&channel=C0MARKETING")
        main_job(page)
        page.mouse.move(0, 0)
        page.screenshot(path=target)
        browser.close()


def main() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    demo = subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-m", "sandbox", "--port", str(port)], cwd=HERE.parent, stdout=subprocess.PIPE, text=True
    )
    try:
        assert demo.stdout is not None
        take(demo.stdout.readline().removeprefix("Open ").strip(), HERE / "picture.png")
    finally:
        demo.terminate()
        demo.wait()


if __name__ == "__main__":
    main()
