"""`python -m bench [--only PREFIX]`: measure, print each figure as it comes, and keep all in bench/out/latest.json.

Every part runs in a process of its own, so that no part's memory or imports weigh on the next.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from bench.processes import in_own_process

PARTS = {
    "reading": "bench.reading",
    "numbers": "bench.numbers",
    "import": "bench.imports",
    "confirm": "bench.confirm",
    "dispatch": "bench.dispatch",
    "sizes": "bench.sizes",
    "receipts": "bench.receipts",
    "stop": "bench.stop",
    "schedule": "bench.schedule",
    "export": "bench.exports",
    "tasks": "bench.tasks",
    "fleet": "bench.fleet",
}
LATEST = Path(__file__).with_name("out") / "latest.json"

Figures = dict[str, dict[str, float | str]]


def main() -> int:
    """Run the parts asked for; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", default="", metavar="PREFIX", help="measure only what has a name that begins so")
    only: str = parser.parse_args().only
    parts = {name: module for name, module in PARTS.items() if name.startswith(only) or only.startswith(f"{name}.")}
    if not parts:
        sys.stderr.write(f"No part's name begins with {only}. There is {', '.join(PARTS)}.\n")
        return 1
    for module in parts.values():
        measured = json.loads(in_own_process(f"import json, {module}; print(json.dumps({module}.measure()))"))
        figures: Figures = {
            name: {"value": value, "unit": unit} for name, (value, unit) in measured.items() if name.startswith(only)
        }
        for name, figure in figures.items():
            print(f"{name:40}{figure['value']:>16,.1f} {figure['unit']}", flush=True)
        keep(figures)
    return 0


def keep(figures: Figures) -> None:
    """Replace these figures in the file and leave the others as they are."""
    known: Figures = json.loads(LATEST.read_text("utf-8")) if LATEST.exists() else {}
    LATEST.parent.mkdir(exist_ok=True)
    LATEST.write_text(json.dumps(dict(sorted({**known, **figures}.items())), indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    sys.exit(main())
