"""Huawei's management API as the stand-in has it: applications, signatures and templates, in lists and one by one.

It checks the account's own key (not the application's) with SDK-HMAC-SHA256.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

from aiohttp import web

from sandbox.carriers.huawei_checks import Refused, check_signature
from sandbox.carriers.server import Reply, json_reply

PROJECT, ACCESS_KEY, SECRET_KEY = "demo-project", "demo-access", "demo-secret-access"
NEEDED = {
    "app_id",
    "brackets",
    "region",
    "template_content",
    "template_desc",
    "template_name",
    "template_type",
    "universal_template",
}


@dataclass
class Management:
    """`lists` holds what each kind has; a template that is applied for is added as being under review."""

    project: str = PROJECT
    access_key: str = ACCESS_KEY
    secret_key: str = SECRET_KEY
    lists: dict[str, list[dict[str, Any]]] = field(
        default_factory=lambda: {"apps": [], "signatures": [], "templates": []}
    )

    def take(self, request: web.Request, headers: Mapping[str, str], body: bytes, now: datetime) -> Reply:
        """Answer one request to /v2/{project}/msgsms/…"""
        try:
            check_signature(
                request.method,
                request.path,
                headers,
                body,
                key=self.access_key,
                secret=self.secret_key,
                now=now,
                query=request.query_string,
            )
        except Refused as refused:
            return _refusal(401, "APIGW.0301", refused.description)
        if request.match_info["project"] != self.project or headers.get("x-project-id") != self.project:
            return _refusal(403, "MSGSMS.0003", "the project is wrong")
        entries = self.lists[request.match_info["kind"]]
        if request.method == "POST":
            return self._add(body)
        if "id" in request.match_info:
            found = next((each for each in entries if each["id"] == request.match_info["id"]), None)
            return json_reply("", found) if found else _refusal(404, "MSGSMS.0009", "it does not exist")
        return _page(entries, request.query)

    def _add(self, body: bytes) -> Reply:
        wanted = json.loads(body)
        if missing := NEEDED - wanted.keys():
            return _refusal(400, "MSGSMS.0002", f"{min(missing)} is missing")
        app = next((each for each in self.lists["apps"] if each["id"] == wanted["app_id"]), None)
        if app is None:
            return _refusal(404, "MSGSMS.0076", "there is no such application")
        if any(each["template_name"] == wanted["template_name"] for each in self.lists["templates"]):
            return _refusal(400, "MSGSMS.0008", "there is a template of that name")
        made = {**wanted, "id": str(uuid4()), "template_id": uuid4().hex, "app_key": app["app_key"]}
        self.lists["templates"].append(made | {"flow_status": "Reviewing", "review_desc": ""})
        return json_reply("", {"id": made["id"], "template_name": wanted["template_name"]}, 201)


def _page(entries: Sequence[Mapping[str, Any]], query: Mapping[str, str]) -> Reply:
    chosen = [each for each in entries if query.get("app_key") in (None, each.get("app_key"))]
    offset, limit = int(query.get("offset", "0")), int(query.get("limit", "10"))
    return json_reply("", {"results": chosen[offset : offset + limit], "total": len(chosen)})


def _refusal(status: int, code: str, message: str) -> Reply:
    return json_reply(code, {"error_code": code, "error_msg": message}, status)
