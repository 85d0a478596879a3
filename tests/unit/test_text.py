"""The text as it arrives and its segments, held against every vendor's published counts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services import text
from services.states import Region

MAINLAND, INTERNATIONAL = Region.MAINLAND, Region.INTERNATIONAL

# What each vendor's own documents say a text is billed as.
VENDOR_COUNTS = [
    ("tencent mainland, 70 with the signature", "【腾讯云】" + "字" * 65, MAINLAND, [70]),
    ("tencent mainland, 71 with the signature", "【腾讯云】" + "字" * 66, MAINLAND, [67, 4]),
    ("tencent mainland, ASCII counts like any character", "a" * 71, MAINLAND, [67, 4]),
    ("tencent mainland, 150 characters", "字" * 150, MAINLAND, [67, 67, 16]),
    ("tencent mainland, 500 characters, its maximum", "字" * 500, MAINLAND, [67] * 7 + [31]),
    ("tencent mainland, an emoji is two", "字" * 68 + "😀", MAINLAND, [70]),
    ("tencent mainland, an emoji too many", "字" * 69 + "😀", MAINLAND, [67, 4]),
    ("tencent international, 160 plain characters", "a" * 160, INTERNATIONAL, [160]),
    ("tencent international, 161 plain characters", "a" * 161, INTERNATIONAL, [153, 8]),
    ("tencent international, 320 plain characters", "a" * 320, INTERNATIONAL, [153, 153, 14]),
    ("tencent international, extended characters are two", "|^€{}[]~\\" + "a" * 142, INTERNATIONAL, [160]),
    ("tencent international, one extended character too many", "|^€{}[]~\\" + "a" * 143, INTERNATIONAL, [153, 8]),
    ("tencent international, a character outside GSM, 70", "a" * 69 + "ç", INTERNATIONAL, [70]),
    ("tencent international, a character outside GSM, 71", "a" * 70 + "ç", INTERNATIONAL, [67, 4]),
    ("tencent international, signature counted where used", "[Acme]" + "a" * 153, INTERNATIONAL, [153, 8]),
    ("huawei mainland, the signature is 5", "【华为云】", MAINLAND, [5]),
    ("huawei mainland, 68 is one", "【华为云】" + "字" * 63, MAINLAND, [68]),
    ("huawei mainland, 134 is two", "【华为云】" + "字" * 129, MAINLAND, [67, 67]),
    ("huawei mainland, 135 is three", "【华为云】" + "字" * 130, MAINLAND, [67, 67, 1]),
    ("huawei mainland, 500 with the signature", "【华为云】" + "字" * 495, MAINLAND, [67] * 7 + [31]),
    ("huawei international, 164 is two", "a" * 164, INTERNATIONAL, [153, 11]),
    ("huawei international, 320 is three", "a" * 320, INTERNATIONAL, [153, 153, 14]),
    ("huawei international, Chinese, 70", "字" * 70, INTERNATIONAL, [70]),
    ("huawei international, Chinese, 71", "字" * 71, INTERNATIONAL, [67, 4]),
    ("aliyun mainland, 160 characters", "【阿里云】" + "字" * 155, MAINLAND, [67, 67, 26]),
    ("aliyun mainland, 70 with the brackets", "【阿里云】" + "字" * 65, MAINLAND, [70]),
    ("aliyun mainland, 71 with the brackets", "【阿里云】" + "字" * 66, MAINLAND, [67, 4]),
    ("aliyun mainland, 500, its maximum", "【阿里云】" + "字" * 495, MAINLAND, [67] * 7 + [31]),
    ("twilio, GSM-7, 160", "a" * 160, INTERNATIONAL, [160]),
    ("twilio, GSM-7, its maximum of 1600", "a" * 1600, INTERNATIONAL, [153] * 10 + [70]),
    ("twilio, UCS-2, 70", "я" * 70, INTERNATIONAL, [70]),
    ("twilio, UCS-2, 135", "я" * 135, INTERNATIONAL, [67, 67, 1]),
    ("kannel, 161 A", "A" * 161, INTERNATIONAL, [153, 8]),
    ("kannel, 159 A and a euro sign", "A" * 159 + "€", INTERNATIONAL, [153, 8]),
    ("kannel, 71 Chinese characters", "中" * 71, INTERNATIONAL, [67, 4]),
    ("an escape pair moves whole to the next part", "a" * 152 + "€" + "a" * 10, INTERNATIONAL, [152, 12]),
    ("a surrogate pair moves whole to the next part", "中" * 66 + "😀" + "中" * 10, INTERNATIONAL, [66, 12]),
    ("a surrogate pair moves whole in the mainland too", "中" * 66 + "😀" + "中" * 10, MAINLAND, [66, 12]),
    ("nothing", "", MAINLAND, []),
]


def size(part: str, region: Region, whole: str) -> int:
    """A part's length in septets or UTF-16 units, counted with the codecs of the standard library."""
    if region is INTERNATIONAL and set(whole) <= GSM_CHARACTERS:
        return len(part) + sum(char in GSM_EXTENSION for char in part)
    return len(part.encode("utf-16-le", "surrogatepass")) // 2


# Code points of GSM 03.38 by number, so that the list is not the one under test: the default table in its own order.
GSM_DEFAULT = [
    *(0x40, 0xA3, 0x24, 0xA5, 0xE8, 0xE9, 0xF9, 0xEC, 0xF2, 0xC7, 0x0A, 0xD8, 0xF8, 0x0D, 0xC5, 0xE5),
    *(0x394, 0x5F, 0x3A6, 0x393, 0x39B, 0x3A9, 0x3A0, 0x3A8, 0x3A3, 0x398, 0x39E, 0xC6, 0xE6, 0xDF, 0xC9),
    *(0x20, 0x21, 0x22, 0x23, 0xA4, *range(0x25, 0x40)),
    *(0xA1, *range(0x41, 0x5B), 0xC4, 0xD6, 0xD1, 0xDC, 0xA7),
    *(0xBF, *range(0x61, 0x7B), 0xE4, 0xF6, 0xF1, 0xFC, 0xE0),
]
GSM_EXTENSION = {chr(code) for code in (0x0C, 0x5E, 0x7B, 0x7D, 0x5C, 0x5B, 0x7E, 0x5D, 0x7C, 0x20AC)}
GSM_CHARACTERS = {chr(code) for code in GSM_DEFAULT} | GSM_EXTENSION


@pytest.mark.parametrize(
    ("body", "region", "sizes"), [row[1:] for row in VENDOR_COUNTS], ids=[r[0] for r in VENDOR_COUNTS]
)
def test_segments_are_what_the_vendor_bills(body: str, region: Region, sizes: list[int]) -> None:
    assert [size(part, region, body) for part in text.split(body, region)] == sizes
    assert text.segments(body, region) == len(sizes)


def test_the_gsm_alphabet_has_127_characters_besides_the_escape() -> None:
    assert len(GSM_DEFAULT) == 127


@pytest.mark.parametrize("char", sorted(GSM_CHARACTERS))
def test_a_gsm_character_keeps_160_septets(char: str) -> None:
    septets = 2 if char in GSM_EXTENSION else 1
    assert text.segments("a" * (160 - septets) + char, INTERNATIONAL) == 1
    assert text.segments("a" * (161 - septets) + char, INTERNATIONAL) == 2


@pytest.mark.parametrize("char", ["`", "ç", "\t", "Á", "’", "“", "–", "…", "\x1b", "中", "\u00a0"])
def test_any_other_character_leaves_70_units(char: str) -> None:
    assert text.segments("a" * 69 + char, INTERNATIONAL) == 1
    assert text.segments("a" * 70 + char, INTERNATIONAL) == 2


BODIES = st.text(max_size=400) | st.text(st.sampled_from("aZ€[中😀\n"), min_size=60, max_size=700)


@settings(deadline=None)
@given(BODIES, st.sampled_from(Region))
def test_parts_join_back_and_none_exceeds_its_limit(body: str, region: Region) -> None:
    parts = text.split(body, region)
    assert "".join(parts) == body
    assert text.segments(body, region) == len(parts)
    gsm = region is INTERNATIONAL and set(body) <= GSM_CHARACTERS
    alone, each = (160, 153) if gsm else (70, 67)
    sizes = [size(part, region, body) for part in parts]
    assert all(0 < length <= (alone if len(parts) == 1 else each) for length in sizes)
    assert (len(parts) <= 1) == (sum(sizes) <= alone)
    assert all(length >= each - 1 for length in sizes[:-1]), "a part is only cut short to keep a pair together"


@pytest.mark.parametrize(
    ("signature", "region", "expected"),
    [
        ("华为云", MAINLAND, "【华为云】春季特惠"),
        ("【华为云】", MAINLAND, "【华为云】春季特惠"),
        (" 华为云 ", MAINLAND, "【华为云】春季特惠"),
        ("Acme", INTERNATIONAL, "[Acme]春季特惠"),
        (None, INTERNATIONAL, "春季特惠"),
        ("", INTERNATIONAL, "春季特惠"),
    ],
)
def test_a_text_arrives_with_its_signature(signature: str | None, region: Region, expected: str) -> None:
    assert text.render("春季特惠", signature, region) == expected


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("Dear {1}, your code is {2}", ["1", "2"]),
        ("{name}，您的订单{order_no}已发货", ["name", "order_no"]),
        ("Huawei's ${1} and ${NUM_6}", ["1", "NUM_6"]),
        ("{1} and again {1}", ["1"]),
        ("{客户姓名}您好", ["客户姓名"]),
        ("no {} variable { here }", []),
        ("", []),
    ],
)
def test_variables_are_found_once_each_in_order(body: str, names: list[str]) -> None:
    assert text.variables(body) == names


@pytest.mark.parametrize(
    ("body", "names", "values", "filled"),
    [
        ("Dear {1}, your code is {2}", ["1", "2"], ["Ana", "1234"], "Dear Ana, your code is 1234"),
        ("Huawei's ${1} and ${NUM_6}", ["1", "NUM_6"], ["a", "b"], "Huawei's a and b"),
        ("{1} and again {1}", ["1"], ["x"], "x and again x"),
        ("{a}{b}", ["a", "b"], ["{b}", "{a}"], "{b}{a}"),
        ("{a} {c}", ["a"], ["x"], "x {c}"),
        ("no variable", [], [], "no variable"),
        ("{1}", ["1"], ["\\1 \\g<0>"], "\\1 \\g<0>"),
    ],
)
def test_values_stand_where_the_variables_were(body: str, names: list[str], values: list[str], filled: str) -> None:
    assert text.fill(body, names, values) == filled


PIECES = st.lists(st.sampled_from(["{a}", "{b}", "${a}", "x" * 30, "中" * 30, "€[", "😀", "【Spring】"]), max_size=8)
VALUES = st.text(st.sampled_from("aZ€[中😀\n{}"), max_size=60)


@settings(deadline=None)
@given(PIECES.map("".join), VALUES, VALUES, st.sampled_from(Region))
def test_segments_counted_from_the_values_are_those_of_the_text(body: str, a: str, b: str, region: Region) -> None:
    counter = text.SegmentCounter(body, ["a", "b"], region)
    assert counter.count([a, b]) == text.segments(text.fill(body, ["a", "b"], [a, b]), region)
