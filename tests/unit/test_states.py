"""Which state may follow which, and what time makes of a scheduled task."""

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from services.states import SmsType, TaskState, due_state, may_cancel

ARROWS = {
    ("draft", "scheduled"),
    ("draft", "sending"),
    ("scheduled", "sending"),
    ("scheduled", "paused"),
    ("scheduled", "cancelled"),
    ("scheduled", "stopped"),
    ("scheduled", "expired"),
    ("sending", "paused"),
    ("sending", "finished"),
    ("sending", "stopped"),
    ("paused", "scheduled"),
    ("paused", "sending"),
    ("paused", "finished"),
    ("paused", "stopped"),
    ("paused", "expired"),
}
AT = datetime(2026, 3, 4, 2, 0, tzinfo=UTC)


@pytest.mark.parametrize(("one", "other"), list(product(TaskState, TaskState)))
def test_only_the_rules_arrows_lead_from_state_to_state(one: TaskState, other: TaskState) -> None:
    assert one.may_become(other) == ((one.value, other.value) in ARROWS)


@pytest.mark.parametrize("state", list(TaskState))
def test_a_state_with_no_way_out_is_over(state: TaskState) -> None:
    assert state.is_over == (state.value in {"finished", "cancelled", "stopped", "expired"})


@pytest.mark.parametrize(
    ("late", "state"),
    [
        pytest.param(timedelta(minutes=-1), TaskState.SCHEDULED, id="a minute ahead"),
        pytest.param(timedelta(microseconds=-1), TaskState.SCHEDULED, id="hardly ahead"),
        pytest.param(timedelta(0), TaskState.SENDING, id="now"),
        pytest.param(timedelta(minutes=15), TaskState.SENDING, id="15 minutes late"),
        pytest.param(timedelta(minutes=15, microseconds=1), TaskState.PAUSED, id="more than 15 minutes late"),
        pytest.param(timedelta(hours=24), TaskState.PAUSED, id="24 hours late"),
        pytest.param(timedelta(hours=24, microseconds=1), TaskState.EXPIRED, id="more than 24 hours late"),
        pytest.param(timedelta(days=400), TaskState.EXPIRED, id="a year late"),
    ],
)
def test_what_time_makes_of_a_scheduled_task(late: timedelta, state: TaskState) -> None:
    assert due_state(AT, AT + late) is state
    assert state is TaskState.SCHEDULED or TaskState.SCHEDULED.may_become(state)


@pytest.mark.parametrize(
    ("before", "allowed"),
    [
        pytest.param(timedelta(days=3), True, id="3 days"),
        pytest.param(timedelta(minutes=5), True, id="5 minutes"),
        pytest.param(timedelta(minutes=5, microseconds=-1), False, id="less than 5 minutes"),
        pytest.param(timedelta(0), False, id="at its time"),
        pytest.param(timedelta(minutes=-1), False, id="after its time"),
    ],
)
def test_cancelling_is_free_until_5_minutes_before(before: timedelta, allowed: bool) -> None:
    assert may_cancel(AT, AT - before) is allowed


def test_the_words_people_read() -> None:
    assert [state.value for state in SmsType] == ["promotional", "notification", "verification"]
