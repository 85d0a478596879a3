"""Raw cell → number or reason: a table of cells people have really typed, and rules that hold for any cell."""

from __future__ import annotations

import random

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.numbers import NumberChecker, Reason, Verdict, check, format_e164, mask, region_of

MOBILE = "+8613812345678"

TAKEN_MAINLAND = {
    "13812345678": MOBILE,
    "8613812345678": MOBILE,
    "+8613812345678": MOBILE,
    "008613812345678": MOBILE,
    "0086 13812345678": MOBILE,
    "138 1234 5678": MOBILE,
    "138-1234-5678": MOBILE,
    "138.1234.5678": MOBILE,
    "138.12345678": MOBILE,
    "+86.138.1234.5678": MOBILE,
    "138 - 1234 - 5678": MOBILE,
    "(138) 1234-5678": MOBILE,
    "（138）12345678": MOBILE,
    "[138]12345678": MOBILE,
    "【13812345678】": MOBILE,
    "(86)13812345678": MOBILE,
    "(+86)13812345678": MOBILE,
    "+86 (0) 138 1234 5678": MOBILE,
    "+86-138-1234-5678": MOBILE,
    "86-138-1234-5678": MOBILE,
    " 13812345678 ": MOBILE,
    "\t13812345678\r\n": MOBILE,
    "138\n1234\n5678": MOBILE,
    "138\u00a01234\u00a05678": MOBILE,
    "138\u20091234\u200a5678": MOBILE,
    "138\u202f1234\u205f5678": MOBILE,
    "138\u30001234\u30005678": MOBILE,
    "138\u16801234\u20005678": MOBILE,
    "138\u20281234\u20295678": MOBILE,
    "138\u0085\u001f12345678": MOBILE,
    "138\u180e12345678": MOBILE,
    "138\u200b1234\u200c5678\u200d": MOBILE,
    "\ufeff13812345678": MOBILE,
    "\u206013812345678": MOBILE,
    "138\u00ad12345678": MOBILE,
    "\u200e13812345678\u200f": MOBILE,
    "\u202a+8613812345678\u202c": MOBILE,
    "\u202d138 1234 5678\u202c": MOBILE,
    "\u2066+86 138 1234 5678\u2069": MOBILE,
    "138\u316412345678": MOBILE,
    "138\u280012345678": MOBILE,
    "13812345678\ufe0f": MOBILE,
    "138\u20101234\u20115678": MOBILE,
    "138\u20121234\u20135678": MOBILE,
    "138\u20141234\u20155678": MOBILE,
    "138\u22121234\u22125678": MOBILE,
    "138\u20431234\ufe635678": MOBILE,
    "138－1234－5678": MOBILE,
    "138ー1234ー5678": MOBILE,
    "138·1234·5678": MOBILE,
    "138・1234・5678": MOBILE,
    "１３８１２３４５６７８": MOBILE,
    "＋８６１３８１２３４５６７８": MOBILE,
    "１３８．１２３４．５６７８": MOBILE,
    "٠٠٨٦١٣٨١٢٣٤٥٦٧٨": MOBILE,
    "١٣٨١٢٣٤٥٦٧٨": MOBILE,
    "۱۳۸۱۲۳۴۵۶۷۸": MOBILE,
    "१३८१२३४५६७८": MOBILE,
    "𝟏𝟑𝟖𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖": MOBILE,
    "'13812345678": MOBILE,
    "\u201913812345678": MOBILE,
    "`13812345678": MOBILE,
    "＇13812345678": MOBILE,
    '"13812345678"': MOBILE,
    "“13812345678”": MOBILE,
    '="13812345678"': MOBILE,
    "=13812345678": MOBILE,
    "=+8613812345678": MOBILE,
    "tel:13812345678": MOBILE,
    "TEL: 138 1234 5678": MOBILE,
    "Tel：13812345678": MOBILE,
    "tel:+86-138-1234-5678": MOBILE,
    "'tel:+8613812345678": MOBILE,
    "13812345678.0": MOBILE,
    "13812345678.00": MOBILE,
    "13812345678.": MOBILE,
    "8613812345678.0": MOBILE,
    "+8613812345678.0": MOBILE,
    "138-1234-5678.0": MOBILE,
    "1.3812345678E+10": MOBILE,
    "1.3812345678e10": MOBILE,
    "1,3812345678E+10": MOBILE,
    "1.38123456780E+10": MOBILE,
    "8.613812345678E+12": MOBILE,
    "１．３８１２３４５６７８Ｅ＋１０": MOBILE,
    "19912345678": "+8619912345678",
    "17012345678": "+8617012345678",
    "17400123456": "+8617400123456",
    "14512345678": "+8614512345678",
    "+85261234567": "+85261234567",
    "0085261234567": "+85261234567",
    "+852 6123 4567": "+85261234567",
    "+1 212 555 1234": "+12125551234",
    "+1 (212) 555-1234": "+12125551234",
    "+44 7911 123456": "+447911123456",
    "+44 (0)7911 123456": "+447911123456",
    "+39 347 1234567": "+393471234567",
    "+54 9 11 2345-6789": "+5491123456789",
    "+52 55 1234 5678": "+525512345678",
    "+225 07 01 23 45 67": "+2250701234567",
}

# Taken, and counted apart: no plus, no 00, not a mainland number.
TAKEN_BY_COUNTRY_CODE = {
    "85261234567": "+85261234567",
    "852 6123 4567": "+85261234567",
    "85261234567.0": "+85261234567",
    "8.5261234567E+10": "+85261234567",
    "85366123456": "+85366123456",
    "886912345678": "+886912345678",
    "6591234567": "+6591234567",
    "60123456789": "+60123456789",
    "447911123456": "+447911123456",
    "4407911123456": "+447911123456",
    "34612345678": "+34612345678",
    "79161234567": "+79161234567",
    "919812345678": "+919812345678",
    "2348021234567": "+2348021234567",
}

REFUSED = {
    "": (Reason.EMPTY, None),
    "   ": (Reason.EMPTY, None),
    "\ufeff": (Reason.EMPTY, None),
    "-": (Reason.EMPTY, None),
    "'": (Reason.EMPTY, None),
    "()": (Reason.EMPTY, None),
    "+": (Reason.NOT_A_NUMBER, None),
    "n/a": (Reason.NOT_A_NUMBER, None),
    "无": (Reason.NOT_A_NUMBER, None),
    "手机号": (Reason.NOT_A_NUMBER, None),
    "#N/A": (Reason.NOT_A_NUMBER, None),
    "########": (Reason.NOT_A_NUMBER, None),
    "ALPHANUM3R1C": (Reason.NOT_A_NUMBER, None),
    "1-800-FLOWERS": (Reason.NOT_A_NUMBER, None),
    "13812345678.5": (Reason.NOT_A_NUMBER, None),
    "1381234567.8": (Reason.NOT_A_NUMBER, None),
    "0.5": (Reason.NOT_A_NUMBER, None),
    "1.38E-10": (Reason.NOT_A_NUMBER, None),
    "①②③": (Reason.NOT_A_NUMBER, None),
    "2026/11/23": (Reason.EXTRA_TEXT, None),
    '07";DROP TABLE;"': (Reason.NOT_A_NUMBER, None),
    "a@example.com": (Reason.NOT_A_NUMBER, None),
    "1.38E+10": (Reason.LOST_DIGITS, None),
    "1.38123E+10": (Reason.LOST_DIGITS, None),
    "1.381234567E+10": (Reason.LOST_DIGITS, None),
    "1E+10": (Reason.LOST_DIGITS, None),
    "8.61381E+12": (Reason.LOST_DIGITS, None),
    "1.3812345678E+999": (Reason.LOST_DIGITS, None),
    "138****5678": (Reason.LOST_DIGITS, None),
    "138xxxx5678": (Reason.LOST_DIGITS, None),
    "110": (Reason.TOO_SHORT, None),
    "10086": (Reason.TOO_SHORT, None),
    "1381234567": (Reason.TOO_SHORT, None),
    "+86138": (Reason.TOO_SHORT, None),
    "+861381234567": (Reason.TOO_SHORT, None),
    "861381234567": (Reason.TOO_SHORT, None),
    "2026-11-23": (Reason.TOO_SHORT, None),
    "00": (Reason.TOO_SHORT, None),
    "138123456789": (Reason.TOO_LONG, None),
    "86138123456789": (Reason.TOO_LONG, None),
    "+86138123456789": (Reason.TOO_LONG, None),
    "013812345678": (Reason.TOO_LONG, MOBILE),
    "08613812345678": (Reason.TOO_LONG, MOBILE),
    "00013812345678": (Reason.UNKNOWN_COUNTRY, MOBILE),
    "1" * 40: (Reason.TOO_LONG, None),
    "9" * 5000: (Reason.TOO_LONG, None),
    "23812345678": (Reason.UNKNOWN_COUNTRY, None),
    "+99912345678": (Reason.UNKNOWN_COUNTRY, None),
    "+013812345678": (Reason.UNKNOWN_COUNTRY, MOBILE),
    "+008613812345678": (Reason.UNKNOWN_COUNTRY, MOBILE),
    "++8613812345678": (Reason.EXTRA_TEXT, MOBILE),
    "13812345678 13912345678": (Reason.TWO_NUMBERS, MOBILE),
    "13812345678\n13912345678": (Reason.TWO_NUMBERS, MOBILE),
    "13812345678/13912345678": (Reason.TWO_NUMBERS, MOBILE),
    "13812345678;13912345678": (Reason.TWO_NUMBERS, MOBILE),
    "13812345678；13912345678": (Reason.TWO_NUMBERS, MOBILE),
    "13812345678,13912345678": (Reason.TWO_NUMBERS, MOBILE),
    "13812345678，13912345678": (Reason.TWO_NUMBERS, MOBILE),
    "13812345678、13912345678": (Reason.TWO_NUMBERS, MOBILE),
    "13812345678|13912345678": (Reason.TWO_NUMBERS, MOBILE),
    "13812345678-13912345678": (Reason.TWO_NUMBERS, MOBILE),
    "13812345678 or 13912345678": (Reason.TWO_NUMBERS, MOBILE),
    "138 1234 5678 / 139 1234 5678": (Reason.TWO_NUMBERS, MOBILE),
    "+8613812345678 +85261234567": (Reason.TWO_NUMBERS, MOBILE),
    "张三13812345678李四13912345678": (Reason.TWO_NUMBERS, MOBILE),
    "13812345678/79": (Reason.TWO_NUMBERS, MOBILE),
    "0755-26001234、13812345678": (Reason.TWO_NUMBERS, MOBILE),
    "张三，13812345678": (Reason.EXTRA_TEXT, MOBILE),
    "张三、13812345678": (Reason.EXTRA_TEXT, MOBILE),
    "张三~13812345678": (Reason.EXTRA_TEXT, MOBILE),
    "13812345678, 2 pcs": (Reason.EXTRA_TEXT, MOBILE),
    "wa.me/8613812345678": (Reason.EXTRA_TEXT, MOBILE),
    "13812345678 (张三)": (Reason.EXTRA_TEXT, MOBILE),
    "13812345678（张三）": (Reason.EXTRA_TEXT, MOBILE),
    "张三 138 1234 5678": (Reason.EXTRA_TEXT, MOBILE),
    "Ann <+85261234567>": (Reason.EXTRA_TEXT, "+85261234567"),
    "手机：13812345678": (Reason.EXTRA_TEXT, MOBILE),
    "13812345678*": (Reason.EXTRA_TEXT, MOBILE),
    "13,812,345,678": (Reason.EXTRA_TEXT, MOBILE),
    "138/1234/5678": (Reason.EXTRA_TEXT, MOBILE),
    "138_1234_5678": (Reason.EXTRA_TEXT, MOBILE),
    "order 123456789012345": (Reason.EXTRA_TEXT, None),
    "13812345678 ext. 12": (Reason.EXTENSION, MOBILE),
    "13812345678 x12": (Reason.EXTENSION, MOBILE),
    "13812345678#12": (Reason.EXTENSION, MOBILE),
    "13812345678转801": (Reason.EXTENSION, MOBILE),
    "13812345678分机801": (Reason.EXTENSION, MOBILE),
    "13812345678-801": (Reason.EXTENSION, MOBILE),
    "tel:13812345678;ext=12": (Reason.EXTENSION, MOBILE),
    "010-12345678-801": (Reason.EXTENSION, None),
}

# Reason, what it would be if kept, suggestion.
SET_ASIDE = {
    "12125551234": (Reason.UNASSIGNED, "+8612125551234", "+12125551234"),
    "11012345678": (Reason.UNASSIGNED, "+8611012345678", None),
    "+8611012345678": (Reason.UNASSIGNED, "+8611012345678", None),
    "+13812345678": (Reason.UNASSIGNED, "+13812345678", MOBILE),
    "0013812345678": (Reason.UNASSIGNED, "+13812345678", MOBILE),
    "85266661234": (Reason.UNASSIGNED, "+85266661234", None),
    "+85266661234": (Reason.UNASSIGNED, "+85266661234", None),
    "010-12345678": (Reason.LANDLINE, "+861012345678", None),
    "(010) 1234 5678": (Reason.LANDLINE, "+861012345678", None),
    "0755-82345678": (Reason.LANDLINE, "+8675582345678", None),
    "+86 10 1234 5678": (Reason.LANDLINE, "+861012345678", None),
    "861012345678": (Reason.LANDLINE, "+861012345678", None),
    "85223456789": (Reason.LANDLINE, "+85223456789", None),
    "+44 20 7946 0958": (Reason.LANDLINE, "+442079460958", None),
    "4008123456": (Reason.NOT_MOBILE, "+864008123456", None),
    "+1 800 555 1234": (Reason.NOT_MOBILE, "+18005551234", None),
}

ELSEWHERE = [
    ("GB", "07911 123456", "+447911123456"),
    ("GB", "7911123456", "+447911123456"),
    ("GB", "447911123456", "+447911123456"),
    ("GB", "+8613812345678", MOBILE),
    ("GB", "8613812345678", MOBILE),
    ("GB", "13812345678", MOBILE),
    ("HK", "13812345678", MOBILE),
    # Of a region whose own numbers are that long, it might be one of those.
    ("US", "13812345678", Reason.AMBIGUOUS_COUNTRY),
    ("DE", "15123456789", "+4915123456789"),
    ("HK", "12125551234", "+12125551234"),
    ("GB", "020 7946 0958", Reason.LANDLINE),
    ("US", "(212) 555-1234", "+12125551234"),
    ("US", "1-212-555-1234", "+12125551234"),
    ("US", "12125551234", "+12125551234"),
    ("US", "0012125551234", "+12125551234"),
    ("HK", "6123 4567", "+85261234567"),
    ("HK", "85261234567", "+85261234567"),
    ("HK", "6666 1234", Reason.UNASSIGNED),
    ("HK", "2345 6789", Reason.LANDLINE),
    ("ES", "612 34 56 78", "+34612345678"),
    ("ES", "34612345678", "+34612345678"),
    ("DE", "0151 23456789", "+4915123456789"),
    ("IT", "347 1234567", "+393471234567"),
    ("RU", "8 916 123-45-67", "+79161234567"),
    ("AR", "011 15 2345-6789", "+5491123456789"),
    ("cn", "13812345678", MOBILE),
    ("XX", "+8613812345678", MOBILE),
    ("XX", "8613812345678", MOBILE),
    ("", "13812345678", Reason.UNASSIGNED),
]


def cell_id(cell: object) -> str:
    text = str(cell)
    return text.encode("unicode_escape").decode() if len(text) < 60 else f"{text[:10]}…{len(text)}"


def both(cell: str, region: str = "CN") -> Verdict:
    """The verdict of the slow and of the fast way, which have to be the same, also when the fast one has learned."""
    verdict = check(cell, region)
    checker = NumberChecker(region)
    for _ in range(2):
        numbers, rest = checker.check_many([cell])
        assert numbers == [verdict.number or 0]
        plainly_taken = verdict.number is not None and not verdict.by_country_code
        assert rest == ([] if plainly_taken else [(0, verdict)])
    return verdict


@pytest.mark.parametrize(("cell", "number"), TAKEN_MAINLAND.items(), ids=map(cell_id, TAKEN_MAINLAND))
def test_a_number_is_taken_however_it_is_written(cell: str, number: str) -> None:
    assert both(cell) == Verdict(int(number))


@pytest.mark.parametrize(("cell", "number"), TAKEN_BY_COUNTRY_CODE.items(), ids=map(cell_id, TAKEN_BY_COUNTRY_CODE))
def test_a_number_is_taken_by_its_country_code(cell: str, number: str) -> None:
    assert both(cell) == Verdict(int(number), by_country_code=True)


@pytest.mark.parametrize(("cell", "expected"), REFUSED.items(), ids=map(cell_id, REFUSED))
def test_a_cell_is_refused_with_a_reason_and_perhaps_a_suggestion(
    cell: str, expected: tuple[Reason, str | None]
) -> None:
    reason, suggestion = expected
    assert both(cell) == Verdict(None, reason, suggestion=suggestion)


@pytest.mark.parametrize(("cell", "expected"), SET_ASIDE.items(), ids=map(cell_id, SET_ASIDE))
def test_a_cell_of_the_right_length_is_set_aside(cell: str, expected: tuple[Reason, str, str | None]) -> None:
    reason, candidate, suggestion = expected
    verdict = both(cell)
    assert (verdict.number, verdict.set_aside) == (None, True)
    assert (verdict.reason, verdict.candidate, verdict.suggestion) == (reason, int(candidate), suggestion)


@pytest.mark.parametrize(("region", "cell", "expected"), ELSEWHERE)
def test_another_default_region_reads_its_own_national_numbers(region: str, cell: str, expected: str | Reason) -> None:
    verdict = both(cell, region)
    assert expected in (verdict.reason, verdict.number and format_e164(verdict.number))


@pytest.mark.parametrize(
    ("cell", "number"),
    [(13812345678, MOBILE), (13812345678.0, MOBILE), (8613812345678.0, MOBILE), (85261234567, "+85261234567")],
)
def test_a_spreadsheets_number_is_its_digits(cell: float, number: str) -> None:
    assert check(cell).number == int(number)


@pytest.mark.parametrize("cell", [float("nan"), float("inf"), -13812345678, -1.5, 13812345678.5, True, 1e300])
def test_a_number_that_is_no_phone_number_is_refused(cell: float) -> None:
    assert check(cell).reason is Reason.NOT_A_NUMBER


def test_a_number_of_thousands_of_digits_is_refused() -> None:
    assert check(10**6000).reason is Reason.NOT_A_NUMBER


def test_an_empty_spreadsheet_cell_is_empty() -> None:
    assert check(None).reason is Reason.EMPTY


@pytest.mark.parametrize(
    ("region", "cell"),
    # A landline at home, a mobile in Myanmar, Denmark and Latvia.
    [("PL", "951718866"), ("DE", "4520384821"), ("IT", "37124949553")],
)
def test_a_number_with_two_readings_is_refused_with_one_as_suggestion(region: str, cell: str) -> None:
    assert both(cell, region) == Verdict(None, Reason.AMBIGUOUS_COUNTRY, suggestion=f"+{cell}")


SEPARATORS = [*" \t\r\n\u00a0\u3000\u2009\u200b\u200e\u202a\u202c\ufeff\u00ad-\u2011\u2013\u2014\u2212－()（）[]【】"]
SCRIPTS = ["0123456789", "０１２３４５６７８９", "٠١٢٣٤٥٦٧٨٩", "۰۱۲۳۴۵۶۷۸۹", "०१२३४५६७८९"]
WRAPPERS = [
    ("", ""),
    ("'", ""),
    ("’", ""),
    ('"', '"'),
    ('="', '"'),
    ("=", ""),
    ("tel:", ""),
    ("TEL：", ""),
    ("'tel: ", ""),
]
REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)

PLAIN_CELLS = st.from_regex(r"(\+|00)?(86|852|1|44)?1?[3-9][0-9]{4,10}", fullmatch=True) | st.sampled_from(
    [cell for cell in (*TAKEN_MAINLAND, *TAKEN_BY_COUNTRY_CODE) if cell.isascii() and cell.lstrip("+").isdecimal()]
)


@st.composite
def decorated(draw: st.DrawFn) -> tuple[str, str]:
    """A plain cell, and the same with anything around and between its digits that the rules strip."""
    plain = draw(PLAIN_CELLS)
    gaps = st.lists(st.sampled_from(SEPARATORS), max_size=3).map("".join)
    script = draw(st.sampled_from(SCRIPTS))
    spelled = (script[int(char)] if char.isdecimal() else draw(st.sampled_from("+＋")) for char in plain)
    before, after = draw(st.sampled_from(WRAPPERS))
    return plain, draw(gaps) + before + "".join(char + draw(gaps) for char in spelled) + after + draw(gaps)


@settings(deadline=None)
@given(decorated())
def test_what_the_rules_strip_never_changes_the_result(cells: tuple[str, str]) -> None:
    plain, written = cells
    expected, verdict = check(plain), both(written)
    assert (verdict.number, verdict.candidate) == (expected.number, expected.candidate)
    if expected.number is not None:
        assert verdict == expected


CELLISH = (
    st.text()
    | st.text(st.sampled_from("0123456789+86 .-()eE/;,x#'=*\n１٣转张"))
    | st.text(st.characters(categories=["Nd"]))
)


@settings(deadline=None)
@given(st.none() | st.booleans() | st.integers() | st.floats() | CELLISH, st.sampled_from([*REGIONS, "", "??", "001"]))
def test_no_input_whatever_raises(cell: str | float | None, region: str) -> None:
    verdict = both(cell, region) if isinstance(cell, str) else check(cell, region)
    assert (verdict.number is None) == (verdict.reason is not None)
    assert verdict.set_aside == (verdict.candidate is not None)
    assert verdict.number is None or verdict.suggestion is None


LONGEST = 32_000


@pytest.mark.parametrize("pieces", ["1 ", "1a", "1*", "+1", "1.", "1-", "(", "'", "１"])
def test_a_cell_as_long_as_a_spreadsheet_allows_is_refused_at_once(pieces: str) -> None:
    assert both(pieces * (LONGEST // len(pieces))).number is None
    assert both("1" + " " * LONGEST + "x").number is None


def random_cells(count: int, seed: int) -> list[tuple[str, str]]:
    """(cell, region): example numbers of every region with their last digits changed, in the ways people write them."""
    dice = random.Random(seed)
    cells = []
    for _ in range(count):
        region = dice.choice(REGIONS)
        kind = dice.choice((phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE))
        number = phonenumbers.example_number_for_type(region, kind) or phonenumbers.example_number(region)
        assert number is not None
        kept = dice.randrange(7)
        national = phonenumbers.national_significant_number(number)
        national = national[: len(national) - kept] + "".join(dice.choices("0123456789", k=kept))
        code = str(number.country_code)
        start = dice.choice(("", "0", code, code, "+" + code, "00" + code, code + "0"))
        cells.append((start + national, dice.choice(("CN", region))))
    return cells


def test_the_fast_path_agrees_with_phonenumbers_in_all_regions() -> None:
    checkers = {region: NumberChecker(region) for region in REGIONS}
    for cell, region in random_cells(2000, seed=20):
        verdict = check(cell, region)
        numbers, rest = checkers[region].check_many([cell])
        assert numbers == [verdict.number or 0], (cell, region)
        assert [found for _, found in rest] in ([verdict], []), (cell, region)


def test_a_number_that_was_taken_is_taken_again_as_it_is_written() -> None:
    for cell, region in random_cells(800, seed=21):
        verdict = check(cell, region)
        for number in (verdict.number, verdict.candidate):
            if number is not None:
                again = check(format_e164(number), region)
                assert number in (again.number, again.candidate), (cell, region)


def test_what_is_taken_is_valid_and_possibly_mobile() -> None:
    mobile = (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE)
    for cell, region in random_cells(600, seed=22):
        if number := check(cell, region).number:
            parsed = phonenumbers.parse(format_e164(number))
            assert phonenumbers.is_valid_number(parsed), cell
            assert phonenumbers.number_type(parsed) in mobile, cell


def test_many_cells_come_back_aligned() -> None:
    cells = ["13812345678", "x", "85261234567", "", "138 1234 5679", "010-12345678"]
    numbers, rest = NumberChecker().check_many(cells)
    assert numbers == [8613812345678, 0, 85261234567, 0, 8613812345679, 0]
    assert [index for index, _ in rest] == [1, 2, 3, 5]


def test_what_was_learned_of_one_number_holds_for_the_next() -> None:
    checker = NumberChecker()
    cells = [f"138{last:08}" for last in range(0, 100_000_000, 7_654_321)] + [
        "138１２３４５６７８",
        "138_2345678",
        "138 2345678",
    ]
    for _ in range(2):
        numbers, _ = checker.check_many(cells)
        assert numbers == [check(cell).number or 0 for cell in cells]


ODD_AMONG_THE_USUAL = [
    *("138１２３４５６７８", "138_2345678", "138 2345678", "1381234567 ", "138\t2345678", "138+2345678"),
    *("+8613812345678", "+861381234567", "+86138+2345678", "138-1234567", "85261234567", "8613812345678"),
    *("n/a", "", "13", "1" * 30, "11111111111", "010-12345678", "１３８12345678", "138\u06601234567"),
]


USUAL = [f"{prefix}{no * 7919:08}" for no in range(700) for prefix in (138, 139, 150)]


@settings(deadline=None, max_examples=40)
@given(odd=st.lists(st.sampled_from(ODD_AMONG_THE_USUAL), max_size=6), place=st.integers(0, len(USUAL)))
def test_odd_cells_among_many_usual_ones_are_judged_as_if_alone(odd: list[str], place: int) -> None:
    checker, verdicts = NumberChecker(), [check(cell) for cell in odd]
    for _ in range(2):
        numbers, rest = checker.check_many([*USUAL[:place], *odd, *USUAL[place:]])
        assert numbers[place : place + len(odd)] == [verdict.number or 0 for verdict in verdicts]
        assert numbers[:place] + numbers[place + len(odd) :] == [int(f"86{cell}") for cell in USUAL]
        told = [(place + no, each) for no, each in enumerate(verdicts) if not each.number or each.by_country_code]
        assert rest == told


@pytest.mark.parametrize(
    ("number", "masked"),
    [
        (8613800000001, "+86 138****0001"),
        (85261234567, "+852 ****4567"),
        (12125551234, "+1 21****1234"),
        (447911123456, "+44 79****3456"),
        (2901234, "+290 ****"),
        (29012345, "+290 ****5"),
        (999, "+****"),
        (0, "+****"),
    ],
)
def test_a_mask_hides_at_least_four_digits(number: int, masked: str) -> None:
    assert mask(number) == masked


@settings(deadline=None)
@given(st.integers(0, 10**18))
def test_a_mask_shows_seven_digits_at_most(number: int) -> None:
    shown = mask(number).split()[-1]
    assert "****" in shown
    assert sum(char.isdecimal() for char in shown) <= 7


@pytest.mark.parametrize(
    ("number", "region"),
    [
        (8613812345678, "CN"),
        (85261234567, "HK"),
        (12125551234, "US"),
        (14165551234, "CA"),
        (447400123456, "GB"),
        (79161234567, "RU"),
        (77012345678, "KZ"),
        (80012345678, "001"),
        (999123456, None),
        (13812345678, None),
        (1, None),
    ],
)
def test_a_number_knows_its_region(number: int, region: str | None) -> None:
    assert region_of(number) == region
