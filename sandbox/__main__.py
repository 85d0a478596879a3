"""`python -m sandbox`: the demo, on one port of this machine."""

import argparse
import asyncio
import sys
from pathlib import Path

from sandbox.demo import CannotStart, Settings, run
from sandbox.demo_carriers import CARRIERS


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Read the command line and run; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m sandbox", description="Try the bot in a stand-in for Slack, with a stand-in for a carrier."
    )
    parser.add_argument("--port", type=int, default=8000, help="where the page is (default 8000)")
    parser.add_argument("--http", action="store_true", help="reach the bot by signed HTTP requests, not Socket Mode")
    parser.add_argument("--data", type=Path, help="folder for the bot's database and log (default: a fresh one)")
    parser.add_argument("--carrier", choices=CARRIERS, default="huawei", help="which one to show (default huawei)")
    given = parser.parse_args()
    try:
        return asyncio.run(run(Settings(given.port, given.http, given.data, carrier=given.carrier), _say))
    except CannotStart as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
