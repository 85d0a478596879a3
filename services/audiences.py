"""Who a send task is for: the rows behind groups, the pool, a file or typed numbers, as SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, exists, func, not_, select

from services.groups import Group
from services.models import group_member, import_row, opt_out
from services.resends import Resend, recipients_again
from services.states import Region, SmsType, Source

# A mainland mobile is +86 1xx xxxx xxxx; no other country's numbers begin with 86.
MAINLAND_FIRST = 86_10_000_000_000
MAINLAND_LAST = 86_19_999_999_999


@dataclass(frozen=True, slots=True)
class Audience:
    """The source of a task's recipients, and who of them is left out.

    For the pool, `groups` are all of the template's SMS type. `import_id` is a file's or the typed numbers', `file` the
    file's name; `resend` are the messages of another task. `size` counts rows, so that it is at least the number of
    recipients. `region` is the application's; `heeds_opt_outs`: somebody may be left out for having opted out, as
    `heeds_opt_outs()` answers.
    """

    workspace_id: str
    region: Region
    source: Source
    groups: Sequence[Group] = ()
    excluded: Sequence[Group] = ()
    import_id: int | None = None
    file: str | None = None
    size: int = 0
    heeds_opt_outs: bool = False
    resend: Resend | None = None


@dataclass(frozen=True, slots=True)
class Left:
    """How many numbers are left out, each for the first reason that holds; `recipients` are the others."""

    recipients: int
    excluded: int
    outside_region: int
    opted_out: int


def rows(audience: Audience) -> Select[Any]:
    """Every row: number, import_id, row, attributes; and place, by which the rows of one number are ordered.

    Those of a resend also have what filled the variables the first time, as `given`.
    """
    if audience.resend is not None:
        again = recipients_again(audience.resend.task_id, audience.resend.state).subquery()
        return select(
            again.c.number,
            again.c.import_id,
            again.c.row,
            again.c.attributes,
            again.c.row.label("place"),
            again.c["values"].label("given"),
        )
    if audience.import_id is not None:
        wanted = select(
            import_row.c.number,
            import_row.c.import_id,
            import_row.c.row,
            import_row.c.attributes,
            import_row.c.seq.label("place"),
        )
        return wanted.where(import_row.c.import_id == audience.import_id)
    return select(
        group_member.c.number,
        group_member.c.import_id,
        group_member.c.row,
        group_member.c.attributes,
        group_member.c.group_id.label("place"),
    ).where(group_member.c.group_id.in_([group.id for group in audience.groups]))


def may_repeat(audience: Audience) -> bool:
    """Whether a number can have more than one row."""
    return audience.import_id is not None or audience.resend is not None or len(audience.groups) > 1


def numbers(audience: Audience) -> Select[Any]:
    """Each number once."""
    if audience.resend is not None:
        again = recipients_again(audience.resend.task_id, audience.resend.state).subquery()
        return select(again.c.number).distinct()
    if audience.import_id is not None:
        query = select(import_row.c.number).where(import_row.c.import_id == audience.import_id)
    else:
        ids = [group.id for group in audience.groups]
        query = select(group_member.c.number).where(group_member.c.group_id.in_(ids))
    return query.distinct() if may_repeat(audience) else query


def is_recipient(number: ColumnElement[int], audience: Audience) -> Any:
    """The condition for a number of the audience to be sent to."""
    parts: list[Any] = [in_region(number, audience.region)]
    if audience.excluded:
        parts.append(~_is_excluded(number, audience))
    if audience.heeds_opt_outs:
        parts.append(~_has_opted_out(number, audience.workspace_id))
    return and_(*parts)


def recipients(audience: Audience) -> Select[Any]:
    """Each number once that is sent to."""
    found = numbers(audience).subquery()
    return select(found.c.number).where(is_recipient(found.c.number, audience))


def heeds_opt_outs(connection: Connection, workspace_id: str, sms_type: SmsType) -> bool:
    """Whether anybody can be left out for having opted out: of promotional SMS only."""
    if sms_type is not SmsType.PROMOTIONAL:
        return False
    found = select(exists().where(opt_out.c.workspace_id == workspace_id))
    return bool(connection.execute(found).scalar())


def count_left_out(connection: Connection, audience: Audience) -> Left:
    """Count those that are left out and those that are not: together they are each number once."""
    found = numbers(audience).subquery()
    inside, everyone = in_region(found.c.number, audience.region), select(func.count()).select_from(found)
    counts = select(func.count().label("every"), func.count().filter(inside).label("inside")).select_from(found)
    row = connection.execute(counts).one()
    # One more pass for each rule that can hold at all: a scan in the order of an index.
    every, not_excluded, in_reach = int(row.every), int(row.every), int(row.inside)
    if audience.excluded:
        kept = everyone.where(~_is_excluded(found.c.number, audience))
        not_excluded, in_reach = _count(connection, kept), _count(connection, kept.where(inside))
    sent_to = in_reach
    if audience.heeds_opt_outs:
        sent_to = _count(connection, everyone.where(is_recipient(found.c.number, audience)))
    return Left(sent_to, every - not_excluded, not_excluded - in_reach, in_reach - sent_to)


def in_region(number: ColumnElement[int], region: Region) -> ColumnElement[bool]:
    """Whether an application of this region may send to the number."""
    mainland = and_(number >= MAINLAND_FIRST, number <= MAINLAND_LAST)
    return mainland if region is Region.MAINLAND else not_(mainland)


def is_in_region(number: int, region: Region) -> bool:
    """The same of a number at hand."""
    return (MAINLAND_FIRST <= number <= MAINLAND_LAST) is (region is Region.MAINLAND)


def has_opted_out(connection: Connection, workspace_id: str, number: int) -> bool:
    """Whether a number is on the workspace's do-not-send list."""
    found = select(exists().where(opt_out.c.workspace_id == workspace_id, opt_out.c.number == number))
    return bool(connection.execute(found).scalar())


def _is_excluded(number: ColumnElement[int], audience: Audience) -> Any:
    other = group_member.alias()
    ids = [group.id for group in audience.excluded]
    return exists().where(other.c.group_id.in_(ids), other.c.number == number)


def _has_opted_out(number: ColumnElement[int], workspace_id: str) -> Any:
    return exists().where(opt_out.c.workspace_id == workspace_id, opt_out.c.number == number)


def _count(connection: Connection, query: Select[Any]) -> int:
    return int(connection.execute(query).scalar_one())
