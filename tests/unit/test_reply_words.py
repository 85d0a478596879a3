"""Which words of a reply count, and that nothing else does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.reply_words import IN_WORDS, OUT_WORDS, opts_out

MAINLAND = ["T", "TD", "N", "R", "QX", "0000", "退订"]
OUT = [*MAINLAND, "STOP", "STOPALL", "UNSUBSCRIBE", "END", "QUIT", "CANCEL", "REVOKE", "OPTOUT"]
IN = ["START", "UNSTOP", "YES"]


@pytest.mark.parametrize("word", OUT)
def test_a_word_that_ends_promotional_sms(word: str) -> None:
    assert opts_out(word) is True


@pytest.mark.parametrize("word", IN)
def test_a_word_that_allows_them_again(word: str) -> None:
    assert opts_out(word) is False


@pytest.mark.parametrize("word", [*OUT, *IN])
@pytest.mark.parametrize(
    "written",
    [
        "{}.",
        "{}。",
        " {} ",
        "\n{}\r\n",
        "　{}　",
        "“{}”",
        "‘{}’",
        '"{}"',
        "'{}'",
        "「{}」",
        "『{}』",
        "«{}»",
        "＂{}．＂",
        " “ {}. ”. ",
    ],
)
def test_what_stands_around_a_word_does_not_matter(word: str, written: str) -> None:
    wanted = word in OUT
    for cased in (word, word.lower(), word.capitalize()):
        assert opts_out(written.format(cased)) is wanted, (written, cased)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("ＴＤ", True),
        ("ｔｄ", True),
        ("００００", True),
        ("ＳＴＯＰ", True),
        ("　Ｔ　", True),
        ("ＳＴＡＲＴ", False),
        ("ｙｅｓ．", False),
    ],
)
def test_full_width_forms_are_the_same_words(text: str, wanted: bool) -> None:
    assert opts_out(text) is wanted


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        ".",
        "“”",
        "T T",
        "TT",
        "T D",
        "TD退订",
        "退订吧",
        "请退订",
        "退 订",
        "000",
        "00000",
        "0 000",
        "0.000",
        "STOP IT",
        "please stop",
        "STOP!",
        "STOP?",
        "(STOP)",
        "-T-",
        "ST.OP",
        "No",
        "Not now",
        "NN",
        "END OF SALE?",
        "YES please",
        "YES!",
        "START now",
        "Ⓣ",
        "ᵀ",
        "Т",  # Cyrillic
        "\u017ftop",  # a long s, whose capital is S
        "T\0",
        "HELP",
        "谢谢",
    ],
)
def test_everything_else_is_a_message_to_people(text: str) -> None:
    assert opts_out(text) is None


@given(st.text(max_size=40), st.sampled_from(OUT + IN))
def test_a_word_among_other_letters_never_counts(other: str, word: str) -> None:
    for text in (f"{word} {other}x", f"x{other} {word}", f"{word}{other}x"):
        if text.lower() not in OUT_WORDS | IN_WORDS:
            assert opts_out(text) is None, text


@given(st.text())
def test_any_text_has_an_answer(text: str) -> None:
    assert opts_out(text) in (True, False, None)
