"""Writes customers.xlsx and messy.xlsx beside this file; run by hand with `python -m sandbox.samples.make`.

Every run writes the same cells. The numbers are made up within assigned mainland ranges, and China has no range set
apart for fiction: some belong to somebody, so these files are for the sandbox only. A few end in the sandbox carrier's
magic digits (`sandbox/carriers/huawei.py`), so that a result shows more than "delivered".

What an import finds, by the rules for numbers:

    customers.xlsx  12,480 imported
    messy.xlsx      470 imported (10 of them read as country code + number), 60 duplicates, 48 invalid,
                    14 set aside; besides, 6 rows hold a name and no number, and 18 hold nothing
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path

from openpyxl import Workbook
from openpyxl.cell import Cell as SheetCell
from openpyxl.styles import Font

HERE = Path(__file__).parent
CUSTOMERS = 12_480
PREFIXES = "135 136 137 138 139 150 151 152 157 158 159 182 183 186 187 188 189 130 131 132 155 156 133 153 180 181"
SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾"
GIVEN = "伟 芳 娜 敏 静 丽 强 磊 军 洋 勇 艳 杰 娟 涛 明 超 秀英 霞 平 刚 桂英 子轩 雨桐 浩然 欣怡 梓涵 建国 晓东"
CITIES = "上海 北京 深圳 广州 杭州 成都 南京 武汉 苏州 西安 重庆 天津 长沙 青岛 厦门 宁波"
# endings the sandbox carrier treats as special, and how many of each file's numbers get one
CUSTOMERS_MAGIC = {"001": 24, "002": 9, "003": 5, "004": 6, "005": 4, "006": 3}
MESSY_MAGIC = {"001": 5, "002": 2, "003": 1, "004": 2, "005": 1, "006": 1}
FULL_WIDTH = str.maketrans("0123456789+", "０１２３４５６７８９＋")

Cell = str | int | float | None
Spelling = Callable[[str], Cell]

# How a good number is written, and how many are: one new customer each.
TAKEN: tuple[tuple[int, Spelling], ...] = (
    (142, lambda n: n),
    (60, int),
    (30, lambda n: f"{n}.0"),
    (40, lambda n: f"{n[:3]} {n[3:7]} {n[7:]}"),
    (40, lambda n: f"{n[:3]}-{n[3:7]}-{n[7:]}"),
    (20, lambda n: n.translate(FULL_WIDTH)),
    (20, lambda n: "'" + n),
    (30, lambda n: f"+86 {n[:3]} {n[3:7]} {n[7:]}"),
    (20, lambda n: "0086" + n),
    (20, lambda n: "86" + n),
    (10, lambda n: "tel:+86" + n),
    (8, lambda n: f"{n[0]}.{n[1:]}E+10"),
    (6, lambda n: f"\u202a{n}\u202c"),
    (6, lambda n: f"\u00a0{n}\u3000"),
    (6, lambda n: f"（+86）{n}"),
)
# 852 and a Hong Kong mobile, without the plus and with it.
HONG_KONG: tuple[Cell, ...] = (
    "85261234567", "85262345678", "85263456789", "85264567890", "85291234567", "85292345678", "85293456789",
    "85294567890", "852 6876 5432", "852-6512-3456", "+852 6987 6543", "+852 9876 5432",
)  # fmt: skip
# Right length, but no mobile: a person may keep them anyway.
SET_ASIDE: tuple[Cell, ...] = (
    "010-62345678", "010 8765 4321", "021-54321098", "021-62881234", "0755-86543210", "0571-87654321",
    "02883456789", "(020)83456789", "+86 25 8456 7890", "0512-65432109", "4008123123", "400-820-8820",
    "14912345678", "14955551234",
)  # fmt: skip
INVALID: tuple[Cell, ...] = (
    "1381234567", "1391234567", "138123456", "15012345", "1861234567", "1371234567", "13512345", "1581234567",
    "139 1234 567", "186-1234-56",
    "138123456789", "1391234567890", "150123456781", "18612345678901", "159123456785", "188123456783",
    "1.38E+10", "1.39E+10", "1.86E+10", "1.5E+10", "1.3812E+10", "1.3912E+10", "1.58E+10", "1.88E+10",
    "13811223344(王先生)", "13922334455（李女士）", "张经理 15033445566", "18644556677 下午联系", "13755667788(家里)",
    "15866778899 (妻)", "赵总:18877889900", "13988990011 微信同号",
    "13812340987/13912340987", "13612345098、13712345098", "15012350987;15112350987", "18612360987 18712360987",
    "13512370987,13412370987", "13112380987 或 13212380987",
    "无", "拒绝提供", "N/A", "暂无", "待补", "见备注", "138O0138123", "l3900139123", "#N/A", "12345",
)  # fmt: skip
# Another spelling of a customer who is in the file already.
DUPLICATES: tuple[tuple[int, Spelling], ...] = (
    (20, lambda n: n),
    (14, lambda n: "+86" + n),
    (12, lambda n: f"{n[:3]} {n[3:7]} {n[7:]}"),
    (8, int),
    (6, lambda n: "0086-" + n),
)
NO_NUMBER = 6  # rows with a name and an empty number cell
EMPTY = 18  # rows with nothing at all


def numbers(count: int, magic: dict[str, int], chance: random.Random) -> list[str]:
    """`count` different 11-digit mainland mobiles in random order, of which `magic` says how many end how."""
    prefixes, found = PREFIXES.split(), dict[str, None]()
    wanted = [ending for ending, times in magic.items() for _ in range(times)]
    while len(found) < count:
        number = f"{chance.choice(prefixes)}{chance.randrange(10**8):08}"
        if len(found) < len(wanted):
            number = number[:-3] + wanted[len(found)]
        elif number[-3:] in magic:
            continue
        found[number] = None
    made = list(found)
    chance.shuffle(made)
    return made


def name(chance: random.Random) -> str:
    return chance.choice(SURNAMES) + chance.choice(GIVEN.split())


def customers(path: Path) -> None:
    """One header row, text cells, no mistakes."""
    chance = random.Random(12_480)
    rows = ((n, name(chance), chance.choice(CITIES.split())) for n in numbers(CUSTOMERS, CUSTOMERS_MAGIC, chance))
    save(path, "Customers", [], ("手机号/Mobile", "Name", "City"), rows, widths=(18, 12, 12))


def messy(path: Path) -> None:
    """A title above the header, the numbers in the third column, every spelling and mistake mixed."""
    chance = random.Random(600)
    good = numbers(sum(count for count, _ in TAKEN), MESSY_MAGIC, chance)
    cells: list[Cell] = []
    left = iter(good)
    for count, spell in TAKEN:
        cells += [spell(next(left)) for _ in range(count)]
    repeated = iter(chance.sample(good, sum(count for count, _ in DUPLICATES)))
    for count, spell in DUPLICATES:
        cells += [spell(next(repeated)) for _ in range(count)]
    cells += [*HONG_KONG, *SET_ASIDE, *INVALID, *[None] * NO_NUMBER]
    chance.shuffle(cells)
    rows: list[Sequence[Cell]] = [
        (no, name(chance), cell, chance.choice(("", "", "VIP", "会员", "门店登记")), chance.choice(CITIES.split()))
        for no, cell in enumerate(cells, 1)
    ]
    for _ in range(EMPTY):
        rows.insert(chance.randrange(20, len(rows)), ())
    title: list[Sequence[Cell]] = [
        ("2026 春季客户名单（门店导出，请勿外传）",),
        ("制表：市场部", None, None, "2026-03-02"),
    ]
    save(path, "客户", title, ("序号", "姓名", "手机号码", "备注", "城市"), rows, widths=(6, 10, 26, 12, 10))


def save(
    path: Path,
    sheet_name: str,
    title: Iterable[Sequence[Cell]],
    header: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    widths: Sequence[int],
) -> None:
    """Text stays text: a string cell gets Excel's text format, so that it keeps what it holds when it is edited."""
    book = Workbook()
    book.properties.creator = "slack-bulk-sms"
    # openpyxl wants these without a zone
    book.properties.created = book.properties.modified = datetime(2026, 3, 2, 9, 0)  # noqa: DTZ001
    sheet = book.worksheets[0]
    sheet.title = sheet_name
    for letter, width in zip("ABCDE", widths, strict=False):
        sheet.column_dimensions[letter].width = width
    for row in title:
        sheet.append(list(row))
    sheet.append(list(header))
    for named in sheet[sheet.max_row]:
        named.font = Font(bold=True)
    first = sheet.max_row + 1
    for number, row in enumerate(rows, first):
        for column, value in enumerate(row, 1):
            cell = sheet.cell(number, column)
            assert isinstance(cell, SheetCell)
            cell.value = value
            if isinstance(value, str):
                cell.data_type, cell.number_format = "s", "@"
    book.save(path)


if __name__ == "__main__":
    customers(HERE / "customers.xlsx")
    messy(HERE / "messy.xlsx")
