"""What a reply asks for: the words that end promotional SMS to a number, and those that allow them again; pure.

Sources: what mainland texts tell people to answer ("拒收请回复R", "回T退订"), Tencent's words, and Twilio's keywords.
A word counts only as the whole message, or "N" in a sentence would end what nobody meant to end.
"""

from __future__ import annotations

OUT_WORDS = frozenset("T TD N R QX 0000 退订 STOP STOPALL UNSUBSCRIBE END QUIT CANCEL REVOKE OPTOUT".lower().split())
IN_WORDS = frozenset("START UNSTOP YES".lower().split())

# Phones with a Chinese keyboard type these forms of ASCII, and this space.
_FULL_WIDTH = {code + 0xFEE0: code for code in range(0x21, 0x7F)} | {0x3000: 0x20}
_QUOTES_AND_STOPS = "\"'`´“”„‟‘’‚‛«»‹›「」『』.。｡"


def opts_out(text: str) -> bool | None:
    """True where the message asks to end them, False where it allows them again, None where it says something else."""
    word = _bare(text).lower()
    if word in OUT_WORDS:
        return True
    return False if word in IN_WORDS else None


def _bare(text: str) -> str:
    """Without the spaces, quotes and full stops around it, in any order: `“TD”.` and `"TD." ` alike."""
    plain = text.translate(_FULL_WIDTH)
    while True:
        stripped = plain.strip().strip(_QUOTES_AND_STOPS)
        if stripped == plain:
            return plain
        plain = stripped
