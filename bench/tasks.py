"""`/sms-tasks` and `/sms-task` as a person asks for them, with many tasks and messages stored, against a tenth of them.

What is measured is the handler, from the typed text to the blocks: the filters, pages somewhere in the middle, and a
number searched for. Slack's own time is not in it.
"""

from __future__ import annotations

import json
import random
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from bench.processes import in_own_process, new_database
from handlers import task_details, task_list
from handlers.requests import Click, Command
from handlers.tasks import Tasks
from services.clock import SystemClock
from services.content import Content
from services.database import Database
from services.groups import Groups
from services.previews import Previews
from services.send_tasks import SendTasks
from services.task_changes import TaskChanges
from services.task_files import TaskFiles
from services.task_lists import TaskLists
from services.task_messages import TaskMessages
from services.task_reports import TaskReports

TASKS, MESSAGES, FEWER_MESSAGES = 10_000, 10_000_000, 1_000_000
ASKED = 200
WORKSPACE = "T0BENCH"
GROUPS = 50
PEOPLE = 20
FIRST_NUMBER = 86_130_0000_0000
# One large task, as there is always one; the rest share what is left.
LARGE_SHARE = 10
_PROGRAM = "import sys; from bench import tasks; tasks.print_times(*sys.argv[1:])"

Figures = dict[str, tuple[float, str]]


def measure() -> Figures:
    """Figures by name, each with its unit. Takes three minutes on two cores."""
    many, fewer = _times(MESSAGES), _times(FEWER_MESSAGES)
    growth = max(statistics.median(many[key]) / statistics.median(fewer[key]) for key in ("list", "detail"))
    return {
        "tasks.list_p95_ms": (_p95(many["list"]), "ms"),
        "tasks.detail_p95_ms": (_p95(many["detail"]), "ms"),
        "tasks.growth": (growth, "x"),
    }


def _times(messages: int) -> dict[str, list[float]]:
    with new_database("sqlite") as url:
        database = Database(url)
        database.migrate()
        store_tasks(database, tasks=TASKS, messages=messages)
        database.close()
        found: dict[str, list[float]] = json.loads(in_own_process(_PROGRAM, url))
        return found


def _p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20)[-1]


def print_times(url: str) -> None:
    """Ask both questions in many ways; prints the milliseconds of each answer, as JSON."""
    database, draw = Database(url), random.Random(1)
    service = _service(database)
    now = datetime.now(UTC)
    me: dict[str, Any] = {
        "workspace": WORKSPACE,
        "person": "U1",
        "zone": ZoneInfo("Asia/Shanghai"),
        "channel": "C1",
        "now": now,
    }

    def list_() -> object:
        text = draw.choice(
            [
                "",
                "",
                "status:finished",
                "status:stopped",
                "name:spring",
                f"name:campaign-{draw.randrange(TASKS)}",
                f"group:group-{draw.randrange(GROUPS)}",
                f"by:<@U{draw.randrange(PEOPLE)}|ana>",
                "date:today",
                f"status:finished group:group-{draw.randrange(GROUPS)} by:me",
            ]
        )
        return task_list.command(Command(**me, name="/sms-tasks", text=text), service)

    def deep() -> object:
        value = json.dumps({"p": "older", "x": draw.randrange(2, TASKS)})
        return task_list.turn(Click(**me, value=value), service)

    def detail() -> object:
        number = draw.choice([1, draw.randrange(1, TASKS + 1)])
        return task_details.command(Command(**me, name="/sms-task", text=str(number)), service)

    def middle() -> object:
        return task_details.turn(Click(**me, value=f"1:after:{draw.randrange(1, 90_000)}:"), service)

    def search() -> object:
        text = f"1 number:1300{draw.randrange(90_000):07}"
        return task_details.command(Command(**me, name="/sms-task", text=text), service)

    print(json.dumps({"list": _asked([list_, list_, deep]), "detail": _asked([detail, middle, search])}))
    database.close()


def _asked(questions: list[Callable[[], object]]) -> list[float]:
    for question in questions:
        question()
    times = []
    for n in range(ASKED):
        began = time.perf_counter()
        questions[n % len(questions)]()
        times.append((time.perf_counter() - began) * 1000)
    return times


def _service(database: Database) -> Tasks:
    clock = SystemClock()
    groups, content = Groups(database, clock), Content(database)
    previews = Previews(database, clock, groups, content, receipts_reach_us=True)
    return Tasks(
        SendTasks(database, clock),
        TaskReports(database),
        TaskChanges(database, clock, previews, content),
        TaskLists(database),
        TaskMessages(database),
        TaskFiles(database),
    )


def store_tasks(database: Database, *, tasks: int, messages: int, failed: bool = False) -> None:
    """Tasks 1 to `tasks` of workspace T0BENCH, over and reported on, with that many messages in all (SQLite).

    A tenth of the messages is task 1's. Rows of the uploader's file are in another order than numbers. `failed`: every
    message has failed, else a few have and some are unknown.
    """
    large = messages if tasks == 1 else messages // LARGE_SHARE
    each = 1 if tasks == 1 else (messages - large) // (tasks - 1)
    facts = {
        "workspace": WORKSPACE,
        "now": int(datetime.now(UTC).timestamp() * 1000),
        "tasks": tasks,
        "groups": GROUPS,
        "people": PEOPLE,
        "first_number": FIRST_NUMBER,
        "size": f"CASE i WHEN 1 THEN {large} ELSE {each} END",
        # The task and the place in it of the i-th message of all.
        "task": f"CASE WHEN i <= {large} THEN 1 ELSE 2 + (i - {large} - 1) / {each} END",
        "seq": f"CASE WHEN i <= {large} THEN i ELSE (i - {large} - 1) % {each} + 1 END",
        "failed": "1" if failed else "i % 20 = 7",
        "known": "1" if failed else "i % 20 <> 3",
    }
    counted = {"all": large + each * (tasks - 1), "tasks": tasks, "groups": GROUPS, "batches": large // 500 + 1}
    for name, most in counted.items():
        facts[f"each_of_{name}"] = f"WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < {most})"
    with database.write(everyone=True) as tx:
        for statement in STORED.format(**facts).split(";"):
            tx.exec_driver_sql(statement)
        tx.commit()


STORED = """
INSERT INTO workspace (id, last_task) VALUES ('{workspace}', {tasks});
INSERT INTO application (id, workspace_id, name, carrier, region, active, receipts_token)
VALUES (1, '{workspace}', 'bench', 'huawei', 'mainland', 1, 'token');
INSERT INTO template (id, application_id, name, code, sms_type, text, status)
VALUES (1, 1, 'spring', 'tpl-1', 'notification', 'We open at nine.', 'approved');
INSERT INTO customer_group (workspace_id, name, name_key, sms_type, size, created_by, created_at)
{each_of_groups}
SELECT '{workspace}', 'group-' || (i - 1), 'group-' || (i - 1), 'notification', 9, 'U1', {now} FROM g;
INSERT INTO send_task (
  id, workspace_id, number, token, name, name_key, state, channel, application_id, template_id, template_code, sender,
  text, segments_each, segments, recipients, distinct_numbers, outside_region, created_by, created_at, confirmed_by,
  confirmed_at, started_at, finished_at, handed_over, accepted, delivered, failed, result_wanted, version)
{each_of_tasks}
SELECT
  i, '{workspace}', i, 'token-' || i, 'campaign-' || i, 'campaign-' || i,
  CASE WHEN i % 50 = 0 THEN 'stopped' ELSE 'finished' END, 'C1',
  1, 1, 'tpl-1', '106', 'We open at nine. We are glad to see you.', 1, {size}, {size}, {size}, 0, 'U' || (i % {people}),
  {now} - ({tasks} - i) * 300000, 'U1', {now} - ({tasks} - i) * 300000, {now}, {now}, {size}, {size},
  ({size}) * 9 / 10, ({size}) / 20, 1, 9
FROM g;
INSERT INTO task_group (task_id, group_id, excluded, name, name_key, size)
SELECT id, 1 + id % {groups}, 0, 'group-' || (id % {groups}), 'group-' || (id % {groups}), recipients FROM send_task;
INSERT INTO recipient (task_id, seq, number, import_id, "row")
{each_of_all}
SELECT {task}, {seq}, {first_number} + {seq}, 1, (i * 7919) % 1000003 FROM g;
INSERT INTO batch (task_id, no, first, last, application_id, reference, state, attempt)
{each_of_batches}
SELECT t.id, g.i, g.i * 500 - 499, min(g.i * 500, t.recipients), 1, t.token || '-' || g.i, 'done', 1
FROM g JOIN send_task t ON t.recipients >= g.i * 500 - 499 AND (t.id = 1 OR g.i < 5);
INSERT INTO submission (task_id, seq, outcome, sms_id, code, segments, at)
{each_of_all}
SELECT {task}, {seq}, 'accepted', '5f0c0b1e-' || i || '-4a1b', '000000', 1, {now} + i FROM g;
INSERT INTO result (task_id, seq, state, code, at)
{each_of_all}
SELECT
  {task}, {seq}, CASE WHEN {failed} THEN 'failed' ELSE 'delivered' END,
  CASE WHEN {failed} THEN 'UNDELIV' ELSE 'DELIVRD' END, {now} + i
FROM g WHERE {known}
"""
