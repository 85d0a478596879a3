"""What Huawei's codes mean: of an answer as such, of one number in it, and of status reports.

From pages sms_05_0050 (API codes) and 0051 (status codes) of the API reference, as of August 2024; the details of
E0000nn and E0001nn from the table of 2018.
"""

from __future__ import annotations

from services.carriers.codes import Code

ACCEPTED = "000000"

_HEADER = "the Authorization or X-WSSE header is incomplete or malformed"
_CHANNEL = "a channel check of the sender, the signature or the recipient failed"
_STOPPED = "stopped by the platform: the country is not allowed, the package is used up, or alike"

CODES: dict[str, Code] = {
    ACCEPTED: Code("accepted", "accepted"),
    # For the whole request
    "E000000": Code("refused_content", "the request could not be parsed, often because of its template variables"),
    **{f"E0000{n:02}": Code("refused_account", _HEADER) for n in (*range(1, 9), *range(20, 27))},
    "E000027": Code("refused_account", "illegal request"),
    "E000040": Code("refused_account", "the content type of the request is wrong"),
    "E000045": Code("refused_account", "the signature of the request is wrong: check the application's key and secret"),
    "E000101": Code("refused_account", "authentication failed: check the application's key and secret"),
    "E000102": Code("refused_account", "the application key is not valid"),
    "E000103": Code("refused_account", "the application key cannot be used"),
    "E000104": Code("refused_account", "the application secret is not valid"),
    "E000105": Code("refused_account", "the password digest is not valid"),
    "E000106": Code("refused_account", "the application may not call this API"),
    "E000109": Code("refused_account", "the user is not active"),
    "E000110": Code("refused_account", "the time of the request is out of range: check this machine's clock"),
    "E000111": Code("refused_account", "the user name or password is wrong"),
    "E000112": Code("refused_account", "the account is frozen"),
    "E000503": Code("refused_content", "a parameter has a wrong format"),
    "E000510": Code("refused_content", "the SMS could not be sent"),
    "E000620": Code("refused_account", "the bot's IP address is not on the account's list"),
    "E000623": Code("quota_account", "the account's daily limit is reached"),
    **{f"E000{n}": Code("refused_account", _STOPPED) for n in (628, 629, 630, 632)},
    # For one number; some come in receipts too
    "E200015": Code("retryable", "too many messages are waiting at the platform"),
    **{f"E2000{n}": Code("refused_content", _CHANNEL) for n in range(18, 24)},
    "E200024": Code("refused_account", "sending abroad is not enabled for the account"),
    "E200025": Code("refused_number", "no channel of the account reaches this number"),
    "E200026": Code("refused_content", "no channel of the account matches this number"),
    "E200027": Code("refused_content", "the account has no route for this number"),
    "E200028": Code("refused_content", "the template's variables failed the check"),
    "E200029": Code("refused_content", "the template's type failed the check"),
    "E200030": Code("refused_content", "the template is not active"),
    "E200031": Code("refused_content", "the protocol failed the check"),
    "E200032": Code("refused_content", "a template is required"),
    "E200033": Code("refused_content", "the template is of the wrong type"),
    "E200034": Code("refused_number", "the platform gave up sending it again"),
    "E200035": Code("refused_content", "a field of the text could not be replaced"),
    "E200036": Code("refused_account", "the account's sending rate is set to zero"),
    "E200037": Code("refused_content", "the SMS could not be sent"),
    "E200038": Code("refused_number", "the parts of a long SMS did not arrive within 3 minutes"),
    "E200041": Code("refused_number", "the number stood twice in the request"),
    "E200051": Code("refused_content", "the text breaks the rules for verification codes abroad"),
}

DELIVERED = "DELIVRD"
PENDING = frozenset({"ACCEPTD"})

_LIMIT = "a limit on messages was reached"
_BLOCKED = "the number is on a block list; the person may have unsubscribed or complained"

RECEIPT_WORDS: dict[str, str] = {
    DELIVERED: "delivered",
    "ACCEPTD": "on its way",
    "EXPIRED": "not delivered in time; the phone may have been off",
    "DELETED": "deleted before it was delivered",
    "UNDELIV": "could not be delivered",
    "UNKNOWN": "the operator does not know what became of it",
    "REJECTD": "rejected by the operator",
    "KEYWORD": "the text holds a word that is not let through",
    **dict.fromkeys(("LIMIT", "MILIMIT", "CTLIMIT", "BEYONDN"), _LIMIT),
    **dict.fromkeys(("BLACK", "MBBLACK", "TSBLACK", "TDBLACK"), _BLOCKED),
}


def describe(code: str) -> str:
    """A code of an answer or a receipt in plain words; the code itself where Huawei does not document it."""
    if code in CODES:
        return CODES[code].text
    return RECEIPT_WORDS.get(code, code)
