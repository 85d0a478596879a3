"""What the main job must show, whoever looks at it."""

from __future__ import annotations

from tests.e2e.lists import CustomerList, read_xlsx

TEXT = "【云帆咖啡】春季营业时间：每天 08:00–22:00。我们在老地方等您。"
# Of the sandbox carrier's endings: failed in three ways, and refused at once.
ENDINGS = ["001"] * 9 + ["002"] * 5 + ["003"] * 4 + ["005"] * 3


def counts_line(customers: CustomerList) -> str:
    """What an import says at its end."""
    return (
        f"{len(customers.numbers):,} imported · {customers.duplicates:,} duplicates and {customers.invalid:,} invalid "
        f"removed · {customers.landlines:,} set aside · you are not charged for those"
    )


def check_rejects(content: bytes, customers: CustomerList) -> None:
    """The reject file lists exactly what was left out: where, as it was typed, and why."""
    header, *rows = read_xlsx(content)
    assert header == ("Sheet", "Row", "Original value", "Reason", "Suggestion")
    assert [(row[1], row[2]) for row in rows] == list(customers.rejected)
    assert all(row[3] for row in rows)
    assert sum(row[3] == "a landline" for row in rows) == customers.landlines


def refused(customers: CustomerList) -> set[str]:
    """Those that the carrier does not take."""
    return {number for number in customers.numbers if number.endswith("005")}
