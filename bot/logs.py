"""Logs: an event name first, its data beside it; JSON unless a person is looking.

What happens for a request bears its `request`, and what happens for a batch its `task` and `batch`: they are
structlog's context variables, which go with the work from the event loop into threads.
"""

from __future__ import annotations

import contextvars
import logging
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, TypeVar

import structlog

LogFormat = Literal["json", "text"]
LogLevel = Literal["debug", "info", "warning", "error"]
T = TypeVar("T")

# They tell of each request, session, tick, job and migration step; only their trouble matters here.
_QUIET = {
    "slack_bolt": logging.ERROR,
    "slack_sdk": logging.WARNING,
    "apscheduler": logging.ERROR,
    "alembic": logging.WARNING,
    "asyncio": logging.WARNING,
    "procrastinate": logging.WARNING,
}
_REQUEST = "request"


def set_up_logs(log_format: LogFormat | None = None, level: LogLevel = "info") -> None:
    """One format for our own events and for what libraries log. Without a format: text on a terminal, else JSON."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    on_terminal = sys.stderr.isatty()
    for_people = on_terminal if log_format is None else log_format == "text"
    renderer: structlog.typing.Processor = (
        # Its own tracebacks show variables, and those hold credentials and numbers.
        structlog.dev.ConsoleRenderer(colors=on_terminal, exception_formatter=structlog.dev.plain_traceback)
        if for_people
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    last: list[structlog.typing.Processor] = [] if for_people else [structlog.processors.format_exc_info]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last, renderer],
        )
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name, quiet in _QUIET.items():
        logging.getLogger(name).setLevel(quiet)


@contextmanager
def a_request() -> Iterator[str]:
    """Everything logged meanwhile bears a fresh id, also what threads log that are started `in_this_context`."""
    reference = secrets.token_hex(3)
    with structlog.contextvars.bound_contextvars(**{_REQUEST: reference}):
        yield reference


def current_request() -> str:
    """The id of the request that is being worked on; people are told it, so that their trouble is found in the log."""
    found = structlog.contextvars.get_contextvars().get(_REQUEST)
    return str(found) if found is not None else secrets.token_hex(3)


def in_this_context(function: Callable[..., T]) -> Callable[..., T]:
    """For an executor's thread, which would begin with none."""
    context = contextvars.copy_context()

    def run(*arguments: object) -> T:
        return context.run(function, *arguments)

    return run
