"""The file people fill in: text cells, so that no spreadsheet takes a number for an amount, and how to, above them.

Instructions and example stand above the header, where no import looks: an example left standing is never sent to.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from openpyxl import Workbook
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter

_WIDTHS = (24, 24, 24)
_GREY = "808080"
# Rows whose cells are formatted one by one, for programs that do not heed a column's own format.
_READY_ROWS = 500


@dataclass(frozen=True, slots=True)
class _Words:
    title: str
    how_to: tuple[str, ...]
    example: tuple[str, str, str]
    headers: tuple[str, str, str]


_ENGLISH = _Words(
    title="Numbers",
    how_to=(
        "Fill in one customer in each row under “Mobile”, then drop this file in a Slack channel.",
        "Mainland China: the 11 digits. Elsewhere: + and the country code, then the number.",
        "Other columns are kept with the number; add more, or delete these two.",
    ),
    example=("Example: 13812345678, or +85261234567", "Example: Wang Wei", "Example: Shanghai"),
    headers=("Mobile", "Name", "City"),
)
_CHINESE = _Words(
    title="号码",
    how_to=(
        "在“手机号”下每行填写一位客户，然后把这个文件拖到 Slack 频道里。",
        "中国大陆：填写 11 位手机号。其他国家和地区：填写 + 和国家码，再填号码。",
        "其他列会和号码一起保存；可以增加列，也可以删除这两列。",
    ),
    example=("示例：13812345678 或 +85261234567", "示例：王伟", "示例：上海"),
    headers=("手机号", "姓名", "城市"),
)


def write_template(path: Path, locale: str) -> None:
    """Write an empty xlsx to fill in, in Chinese for a locale such as zh-CN, else in English."""
    words = _CHINESE if locale.lower().startswith("zh") else _ENGLISH
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = words.title
    for row, line in enumerate(words.how_to, start=1):
        sheet.cell(row, 1, line)
        sheet.merge_cells(start_row=row, end_row=row, start_column=1, end_column=len(words.headers))
    example_row = len(words.how_to) + 1
    header_row = example_row + 1
    for column, (example, header) in enumerate(zip(words.example, words.headers, strict=True), start=1):
        shown = sheet.cell(example_row, column, example)
        shown.font = Font(italic=True, color=_GREY)
        shown.alignment = Alignment(wrap_text=True, vertical="top")
        head = sheet.cell(header_row, column, header)
        head.font = Font(bold=True)
        head.fill = PatternFill("solid", fgColor="E7EFEA")
        letter = get_column_letter(column)
        sheet.column_dimensions[letter].width = _WIDTHS[column - 1]
        sheet.column_dimensions[letter].number_format = "@"
        for row in range(header_row + 1, header_row + 1 + _READY_ROWS):
            sheet.cell(row, column).number_format = "@"
    sheet.freeze_panes = f"A{header_row + 1}"
    book.save(path)
