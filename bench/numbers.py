"""The number rules against phonenumbers: how much faster, and whether they ever say something else."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberType

from services.numbers import NumberChecker

_CELLS = 1_000_000
_SLICE = 20_000
_PIECE = 20_000
_MAINLAND_PREFIXES = [str(prefix) for prefix in (*range(130, 140), *range(150, 160), *range(180, 190), 176, 177, 199)]
_MOBILE = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)


def measure() -> dict[str, tuple[float, str]]:
    """Figures by name, each with its unit. Takes two minutes on two cores."""
    return {
        "numbers.phonenumbers_over_us": (_ratio(), "x"),
        "numbers.differences": (float(_differences()), "cells"),
    }


def _ratio() -> float:
    """Time per cell of phonenumbers' parse, is_valid and format over ours with a new checker, on a customer list."""
    cells = _customer_list(random.Random(1))
    theirs = min(_seconds(lambda: [_validated(cell) for cell in cells[:_SLICE]]) for _ in range(3)) / _SLICE
    ours = min(_seconds(lambda: NumberChecker().check_many(cells)) for _ in range(3)) / len(cells)
    return theirs / ours


def _seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def _customer_list(dice: random.Random) -> list[str]:
    """A million mainland numbers: 2 in 100 are wrong, 1 in 100 has spaces or a country code."""
    cells = [f"{dice.choice(_MAINLAND_PREFIXES)}{dice.randrange(10**8):08}" for _ in range(_CELLS)]
    for index in dice.sample(range(_CELLS), _CELLS // 50):
        cell = cells[index]
        cells[index] = dice.choice((cell[:-1], cell + "0", "120" + cell[3:], "010" + cell[3:], "N/A", ""))
    for index in dice.sample(range(_CELLS), _CELLS // 100):
        cell = cells[index]
        cells[index] = dice.choice((f"+86{cell}", f"{cell[:3]} {cell[3:7]} {cell[7:]}", f"86-{cell}"))
    return cells


def _validated(cell: str) -> str | None:
    try:
        number = phonenumbers.parse(cell, "CN")
    except NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _differences() -> int:
    with ProcessPoolExecutor(os.cpu_count()) as processes:
        return sum(processes.map(_differences_in_piece, range(_CELLS // _PIECE)))


def _differences_in_piece(seed: int) -> int:
    dice = random.Random(seed)
    checker = NumberChecker("CN")
    cells = [_any_cell(dice) for _ in range(_PIECE)]
    numbers, _ = checker.check_many(cells)
    # Country by country, or else phonenumbers compiles its regular expressions again for almost every cell.
    found = sorted((_international(cell), number) for cell, number in zip(cells, numbers, strict=True))
    return sum(number != _decided(digits) for digits, number in found)


def _any_cell(dice: random.Random) -> str:
    """A number of any region and type, its last digits changed, in a form where phonenumbers alone decides."""
    if dice.random() < 0.2:
        return dice.choice(("1", "861", "+861", "00861")) + "".join(dice.choices("0123456789", k=10))
    if dice.random() < 0.1:
        return f"+{dice.choice(_CODES)}" + "".join(dice.choices("0123456789", k=dice.randrange(1, 15)))
    code, trunk, national = dice.choice(_EXAMPLES)
    changed = dice.randrange(1, 7)
    ending = "".join(dice.choices("0123456789", k=changed))
    prefix = dice.choice(("", "", "", trunk, "0"))
    return f"{dice.choice(('+', '00'))}{code}{prefix}{national[:-changed]}{ending}"


def _international(cell: str) -> str:
    if cell.startswith("00"):
        return "+" + cell[2:]
    return cell if cell[0] == "+" else "+86" + cell[-11:]


def _decided(international: str) -> int:
    """The E.164 number by phonenumbers, 0 where it is not valid or cannot be a mobile."""
    try:
        number = phonenumbers.parse(international)
    except NumberParseException:
        return 0
    if not phonenumbers.is_valid_number(number) or phonenumbers.number_type(number) not in _MOBILE:
        return 0
    return int(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def _examples() -> list[tuple[str, str, str]]:
    """(calling code, trunk prefix, national number) of every type in every region."""
    plans = (phonenumbers.PhoneMetadata.metadata_for_region(region) for region in phonenumbers.SUPPORTED_REGIONS)
    found = (
        (plan.national_prefix or "", phonenumbers.example_number_for_type(plan.id, kind))
        for plan in plans
        if plan
        for kind in range(PhoneNumberType.VOICEMAIL + 1)
    )
    return sorted(
        (str(number.country_code), trunk, phonenumbers.national_significant_number(number))
        for trunk, number in found
        if number
    )


_CODES = sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)
_EXAMPLES = _examples()
