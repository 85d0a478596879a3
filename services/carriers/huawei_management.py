"""Signatures and templates at Huawei, by its management API v2: lists, and applying for a template.

From the SDK huaweicloudsdkmsgsms 3.1.219 and pages sms_05_0028 (signatures) and 0038 (templates) of the API reference.
The account's own access key signs the requests, with SDK-HMAC-SHA256 and the project in a header, as that SDK does.

Lists come in pages, by the application where the API can; it has at most 200 signatures and 2,000 templates.
A signature is applied for with scanned documents, which is left to the console; so are templates with variables, whose
types nobody but the applicant knows, and templates for other countries, which name them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from yarl import URL

from services import text
from services.carriers.codes import unread, word
from services.carriers.http import Http, HttpAnswer, retry_after_seconds
from services.carriers.huawei import Huawei
from services.carriers.huawei_auth import signed_headers
from services.carriers.ports import CarrierSignature, CarrierTemplate
from services.clock import Clock
from services.errors import NotTaken, RequestRefused, Unanswered
from services.states import ApprovalStatus, SmsType

ENDPOINT = "https://msgsms.cn-north-4.myhuaweicloud.com"
JSON = "application/json"
PAGE, MAX_PAGES = 100, 30

_SMS_TYPES = {
    "PROMOTION_TYPE": SmsType.PROMOTIONAL,
    "NOTIFY_TYPE": SmsType.NOTIFICATION,
    "VERIFY_CODE_TYPE": SmsType.VERIFICATION,
}
_TYPE_NAMES = {sms_type: name for name, sms_type in _SMS_TYPES.items()}
# Signatures that are approved may be sent with, also while papers for the operators are being looked at.
_SIGNATURES = {
    **dict.fromkeys(
        (
            "REVIEW_PASSED",
            "REVIEW_PROCESSING_COMPLETED",
            "REVIEW_PASSED_QUALIFICATION_PROCESSING",
            "REVIEW_PASSED_REAL_NAME_REGISTRATING",
            "REVIEW_PASSED_REAL_NAME_REGISTRATE_FAIL",
        ),
        ApprovalStatus.APPROVED,
    ),
    "REVIEW_NOT_PASS": ApprovalStatus.REJECTED,
    **dict.fromkeys(("TO_BE_ACTIVATED", "PENDING_ACTIVATE"), ApprovalStatus.DISABLED),
}
_TEMPLATES = {
    "Adopted": ApprovalStatus.APPROVED,
    "Reject": ApprovalStatus.REJECTED,
    "Disable": ApprovalStatus.DISABLED,
}


class Management:
    """One project's management API, for one application. `http` is shared."""

    def __init__(
        self,
        *,
        endpoint: str,
        project_id: str,
        access_key: str,
        secret_key: str,
        app_key: str,
        http: Http,
        clock: Clock,
    ) -> None:
        """Raises ValueError for an endpoint that is no http(s) address."""
        base = URL(endpoint)
        if base.scheme not in {"http", "https"} or not base.host:
            raise ValueError(f"not an http(s) address: {endpoint!r}")
        self._base = f"{endpoint.rstrip('/')}/v2/{quote(project_id, safe='')}/msgsms"
        self._project_id, self._access_key, self._secret_key = project_id, access_key, secret_key
        self._app_key = app_key
        self._http, self._clock = http, clock

    async def list_signatures(self) -> Sequence[CarrierSignature]:
        """The application's; one that cannot be read is left out."""
        return [
            CarrierSignature(
                name=name,
                status=_SIGNATURES.get(each.get("status", ""), ApprovalStatus.PENDING).value,
                channel_number=word(each.get("channel_num")) or "",
                sms_type=_sms_type(each.get("signature_type")),
                reason=_text(each, "review_desc") or None,
            )
            for each in await self._signatures()
            if (name := _signature_name(each))
        ]

    async def list_templates(self) -> Sequence[CarrierTemplate]:
        """The application's; one that cannot be read is left out."""
        names = {each.get("id"): _signature_name(each) for each in await self._signatures()}
        return [
            CarrierTemplate(
                code=code,
                name=_text(each, "template_name") or code,
                text=content,
                sms_type=_sms_type(each.get("template_type")),
                status=_TEMPLATES.get(each.get("flow_status", ""), ApprovalStatus.PENDING).value,
                signature=None if each.get("universal_template") == 1 else names.get(each.get("sign_id")),
                reason=_text(each, "review_desc") or None,
            )
            for each in await self._list("templates", f"app_key={quote(self._app_key, safe='')}&")
            if (code := _code(each)) and (content := _text(each, "template_content"))
        ]

    async def add_template(self, name: str, content: str, sms_type: str, signature: str | None, region: str) -> str:
        """Its template ID; it is under review from then on."""
        if region != "cn" or text.variables(content):
            raise RequestRefused("use_the_console", "templates with variables or for other countries need more")
        fields: dict[str, object] = {
            "app_id": await self._app_id(),
            "brackets": "CN",
            "region": region,
            "template_content": content,
            "template_desc": name,
            "template_name": name,
            "template_type": _TYPE_NAMES[SmsType(sms_type)],
            "universal_template": int(signature is None),
            "flow_status": "Reviewing",
        }
        if signature is not None:
            fields["sign_id"] = await self._sign_id(signature)
        added = await self._ask("POST", "templates", "", json.dumps(fields, ensure_ascii=False).encode())
        if (own_id := word(added.get("id"))) is None:
            raise Unanswered("no_template_id", "the answer names no template")
        # It is sent by another id than it is looked after by.
        return _code(await self._ask("GET", f"templates/{quote(own_id, safe='')}", "")) or own_id

    async def _app_id(self) -> str:
        for each in await self._list("apps", ""):
            if each.get("app_key") == self._app_key and (found := word(each.get("id"))):
                return found
        raise RequestRefused("no_application", "the project has no application with this app_key")

    async def _sign_id(self, signature: str) -> str:
        for each in await self._signatures():
            if _signature_name(each) == signature and (found := word(each.get("id"))):
                return found
        raise RequestRefused("no_signature", "the application has no such signature")

    async def _signatures(self) -> list[Mapping[str, Any]]:
        listed = await self._list("signatures", "")
        return [each for each in listed if each.get("app_key") in (self._app_key, None)]

    async def _list(self, what: str, query: str) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        for _ in range(MAX_PAGES):
            answer = await self._ask("GET", what, f"{query}limit={PAGE}&offset={len(found)}")
            results, total = answer.get("results"), answer.get("total")
            if not isinstance(results, list):
                raise Unanswered("no_results", "the answer holds no list")
            found += [each for each in results if isinstance(each, dict)]
            if not results or not isinstance(total, int) or len(found) >= total:
                break
        return found

    async def _ask(self, method: str, path: str, query: str, body: bytes = b"") -> Mapping[str, Any]:
        url = URL(f"{self._base}/{path}{'?' if query else ''}{query}", encoded=True)
        headers = {"Content-Type": JSON, "X-Project-Id": self._project_id}
        signed = signed_headers(self._access_key, self._secret_key, method, url, headers, body, self._clock.now())
        return self._read(await self._http.request(method, str(url), headers=signed, body=body))

    def _read(self, answer: HttpAnswer) -> Mapping[str, Any]:
        status = answer.status
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            raise NotTaken("http_429", "too many requests", retry_after_seconds(answer, self._clock.now()))
        try:
            said = json.loads(answer.body)
        except (ValueError, RecursionError):
            said = None
        fields: Mapping[str, Any] = said if isinstance(said, dict) else {}
        if 200 <= status < 300 and fields:
            return fields
        code = word(fields.get("error_code"))
        if code is not None and 400 <= status < 500:
            raise RequestRefused(code, _text(fields, "error_msg")[:200] or code)
        raise unread(status)


class ManagedHuawei(Huawei):
    """One application whose signatures and templates can be asked for as well."""

    def __init__(self, *, management: Management, **settings: Any) -> None:
        """`settings` are those of Huawei."""
        super().__init__(**settings)
        self._management = management

    async def list_signatures(self) -> Sequence[CarrierSignature]:
        """From the management API."""
        return await self._management.list_signatures()

    async def list_templates(self) -> Sequence[CarrierTemplate]:
        """From the management API."""
        return await self._management.list_templates()

    async def add_template(self, name: str, text: str, sms_type: str, signature: str | None) -> str:
        """By the management API; without variables, and for the mainland, only."""
        region = "cn" if self._mainland else "intl"
        return await self._management.add_template(name, text, sms_type, signature, region)


def _sms_type(value: object) -> str | None:
    return _SMS_TYPES[value].value if isinstance(value, str) and value in _SMS_TYPES else None


def _code(entry: Mapping[str, Any]) -> str | None:
    return word(entry.get("template_id")) or word(entry.get("id"))


def _signature_name(entry: Mapping[str, Any]) -> str:
    return _text(entry, "signature_name").strip("【】[]")


def _text(entry: Mapping[str, Any], name: str) -> str:
    value = entry.get(name)
    return value.strip() if isinstance(value, str) else ""
