"""A batch's reference, and which task it is read to be of."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.references import NO_TASK, reference_of, task_of


@given(st.integers(1, 10**18 - 1), st.text("0123456789abcdef", min_size=1), st.integers(1, 10**7))
def test_a_reference_says_its_task(task_id: int, token: str, no: int) -> None:
    assert task_of(reference_of(task_id, token, no)) == task_id


def test_the_longest_reference_fits_at_every_carrier() -> None:
    """Huawei's `extend` holds 128 characters, which is the least."""
    assert len(reference_of(10**18 - 1, "0123456789abcdef", 10**7)) <= 128


@pytest.mark.parametrize(
    "reference",
    [None, "", "7", "7-1", "-7-x-1", "07-x-1", "x7-x-1", "7-x-", "7-x-y", "٧-x-1", "7-x-1\n", f"{10**18}-x-1", "1.1"],
)
def test_anything_else_is_of_no_task(reference: str | None) -> None:
    assert task_of(reference) == NO_TASK


@given(st.text())
def test_whatever_a_stranger_sends_fits_into_the_column(reference: str) -> None:
    assert 0 <= task_of(reference) < 2**63
