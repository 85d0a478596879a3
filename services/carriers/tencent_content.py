"""Signatures and templates at Tencent: DescribeSmsSignList, DescribeSmsTemplateList and AddSmsTemplate.

From the SDK tencentcloud-sdk-python-sms 3.1.153. Lists come in pages of 100, 20 a second; an account has 200 templates.
A signature is applied for with scanned documents (AddSmsSign), which is left to the console.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from services.carriers.codes import word
from services.carriers.ports import CarrierSignature, CarrierTemplate
from services.carriers.tencent_api import Api
from services.errors import Unanswered
from services.states import ApprovalStatus, SmsType

PAGE, MAX_PAGES = 100, 20

# 2 is approved, but not in effect yet.
_STATUSES = {
    0: ApprovalStatus.APPROVED,
    1: ApprovalStatus.PENDING,
    2: ApprovalStatus.PENDING,
    -1: ApprovalStatus.REJECTED,
}
_SMS_TYPES = {SmsType.PROMOTIONAL: 1, SmsType.NOTIFICATION: 2, SmsType.VERIFICATION: 3}
_MAINLAND, _ABROAD, _BOTH = 0, 1, 3


class Content:
    """What one account has for the mainland, or for other countries."""

    def __init__(self, api: Api, *, abroad: bool) -> None:
        self._api = api
        self._international = _ABROAD if abroad else _MAINLAND

    async def list_signatures(self) -> Sequence[CarrierSignature]:
        """All of them; one that cannot be read is left out."""
        listed = await self._list("DescribeSmsSignList", "SignIdSet", "DescribeSignListStatusSet")
        return [
            CarrierSignature(name=name, status=_STATUSES[each["StatusCode"]].value, reason=_reason(each))
            for each in listed
            if (name := _text(each, "SignName")) and each.get("StatusCode") in _STATUSES
        ]

    async def list_templates(self) -> Sequence[CarrierTemplate]:
        """All of them; one that cannot be read is left out."""
        listed = await self._list("DescribeSmsTemplateList", "TemplateIdSet", "DescribeTemplateStatusSet")
        return [
            CarrierTemplate(
                code=code,
                name=_text(each, "TemplateName") or code,
                text=text,
                sms_type=None,
                status=_STATUSES[each["StatusCode"]].value,
                reason=_reason(each),
            )
            for each in listed
            if (code := _code(each))
            and (text := _text(each, "TemplateContent"))
            and each.get("StatusCode") in _STATUSES
        ]

    async def add_template(self, name: str, text: str, sms_type: str) -> str:
        """Its code; it is pending from then on."""
        fields = {
            "TemplateName": name,
            "TemplateContent": text,
            "SmsType": _SMS_TYPES[SmsType(sms_type)],
            "International": self._international,
            "Remark": name,
        }
        response = await self._api.ask("AddSmsTemplate", fields, "AddTemplateStatus")
        added = response["AddTemplateStatus"]
        code = _code(added) if isinstance(added, dict) else None
        if code is None:
            raise Unanswered("no_template_id", "the answer names no template")
        return code

    async def _list(self, action: str, ids: str, wanted: str) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        for page in range(MAX_PAGES):
            fields = {"International": self._international, ids: [], "Limit": PAGE, "Offset": page * PAGE}
            listed = (await self._api.ask(action, fields, wanted))[wanted]
            entries = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
            found += [each for each in entries if each.get("International") in (self._international, _BOTH)]
            if len(entries) < PAGE:
                break
        return found


def _code(entry: Mapping[str, Any]) -> str | None:
    code = entry.get("TemplateId")
    return str(code) if isinstance(code, int) and not isinstance(code, bool) else word(code)


def _text(entry: Mapping[str, Any], name: str) -> str:
    value = entry.get(name)
    return value.strip() if isinstance(value, str) else ""


def _reason(entry: Mapping[str, Any]) -> str | None:
    return _text(entry, "ReviewReply") or None
