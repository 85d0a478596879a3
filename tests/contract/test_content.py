"""Carriers whose API lists signatures and templates, and takes new ones."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sandbox.carriers.huawei_management import ACCESS_KEY, PROJECT, SECRET_KEY
from services.carriers.http import Http
from services.carriers.huawei_management import ManagedHuawei, Management
from services.carriers.ports import CarrierSignature, CarrierTemplate, SyncsContent
from services.carriers.tencent import Tencent
from services.errors import CarrierError, NotTaken, RequestRefused, Unanswered
from tests.contract.stands import HuaweiStand, KannelStand, Noon, TencentAbroadStand, TencentStand, TwilioStand, at_once


def a_template(code: int, status: int = 0, **more: object) -> dict[str, Any]:
    """As Tencent lists it."""
    return {
        "TemplateId": code,
        "International": 0,
        "StatusCode": status,
        "ReviewReply": "",
        "TemplateName": f"t{code}",
        "TemplateContent": "明天见。",
    } | more


def a_signature(name: str, status: int = 0, **more: object) -> dict[str, Any]:
    return {"SignId": 1, "SignName": name, "International": 0, "StatusCode": status, "ReviewReply": ""} | more


class TestTencent:
    @pytest.fixture
    async def stand(self) -> AsyncIterator[TencentStand]:
        stand = TencentStand()
        await stand.start("http://127.0.0.1:9")
        yield stand
        await stand.sandbox.stop()

    async def test_templates_are_listed_with_their_status_over_all_pages(self, stand: TencentStand, http: Http) -> None:
        stand.sandbox.asked.templates += [a_template(code) for code in range(1, 151)]
        stand.sandbox.asked.templates += [
            a_template(201, 1),
            a_template(202, 2),
            a_template(203, -1, ReviewReply="请补充场景"),
            a_template(204, International=1),
            a_template(205, International=3),
        ]
        carrier = stand.carrier(http)
        assert isinstance(carrier, SyncsContent)
        listed = {each.code: each for each in await carrier.list_templates()}
        assert listed.keys() == {str(code) for code in (*range(1, 151), 201, 202, 203, 205)}
        assert listed["1"] == CarrierTemplate("1", "t1", "明天见。", None, "approved")
        assert [(listed[code].status, listed[code].reason) for code in ("201", "202", "203")] == [
            ("pending", None),
            ("pending", None),
            ("rejected", "请补充场景"),
        ]

    async def test_signatures_are_listed(self, stand: TencentStand, http: Http) -> None:
        stand.sandbox.asked.signatures += [a_signature("腾讯云"), a_signature("别的", -1, ReviewReply="资质不符")]
        carrier = stand.carrier(http)
        assert isinstance(carrier, SyncsContent)
        assert await carrier.list_signatures() == [
            CarrierSignature("腾讯云", "approved"),
            CarrierSignature("别的", "rejected", reason="资质不符"),
        ]

    async def test_a_template_is_applied_for_and_then_pending(self, stand: TencentStand, http: Http) -> None:
        carrier = stand.carrier(http)
        assert isinstance(carrier, SyncsContent)
        code = await carrier.add_template("sale", "周末半价。拒收请回复R", "promotional", None)
        assert [(each.code, each.name, each.status) for each in await carrier.list_templates()] == [
            (code, "sale", "pending")
        ]
        add, listing = stand.sandbox.requests
        assert add.body.decode() == (
            '{"TemplateName":"sale","TemplateContent":"周末半价。拒收请回复R","SmsType":1,"International":0,"Remark":"sale"}'
        )
        stand.assert_signed(add, "AddSmsTemplate")
        assert listing.body.decode() == '{"International":0,"TemplateIdSet":[],"Limit":100,"Offset":0}'
        stand.assert_signed(listing, "DescribeSmsTemplateList")

    async def test_a_refusal_says_why(self, stand: TencentStand, http: Http) -> None:
        carrier = stand.carrier(http)
        assert isinstance(carrier, SyncsContent)
        with pytest.raises(RequestRefused, match="拒收请回复R"):
            await carrier.add_template("sale", "周末半价。", "promotional", None)

    async def test_an_entry_that_cannot_be_read_is_left_out(self, stand: TencentStand, http: Http) -> None:
        stand.sandbox.asked.templates += [a_template(1, 9), a_template(2, TemplateContent=7), a_template(3)]
        stand.sandbox.asked.signatures += [a_signature("", 0), a_signature("好", 7), a_signature("云帆咖啡")]
        carrier = stand.carrier(http)
        assert isinstance(carrier, SyncsContent)
        assert [each.code for each in await carrier.list_templates()] == ["3"]
        assert [each.name for each in await carrier.list_signatures()] == ["云帆咖啡"]

    async def test_an_application_for_other_countries_sees_their_content(self, http: Http) -> None:
        stand = TencentAbroadStand()
        await stand.start("http://127.0.0.1:9")
        stand.sandbox.asked.templates += [a_template(1), a_template(2, International=1)]
        carrier = stand.carrier(http)
        assert isinstance(carrier, Tencent)
        assert [each.code for each in await carrier.list_templates()] == ["2"]
        await stand.sandbox.stop()


APP = {"id": "app-1", "app_key": "key-1", "app_name": "shop"}


def huaweis(stand: HuaweiStand, http: Http, secret: str = SECRET_KEY) -> ManagedHuawei:
    management = Management(
        endpoint=stand.sandbox.url,
        project_id=PROJECT,
        access_key=ACCESS_KEY,
        secret_key=secret,
        app_key="key-1",
        http=http,
        clock=Noon(),
    )
    return ManagedHuawei(
        management=management,
        app_key="key-1",
        app_secret="secret-1",
        http=http,
        clock=Noon(),
        pace=at_once,
        endpoint=stand.sandbox.url,
    )


def huawei_template(own_id: str, **more: object) -> dict[str, Any]:
    return {
        "id": own_id,
        "template_id": f"tpl-{own_id}",
        "app_key": "key-1",
        "template_name": f"t{own_id}",
        "template_type": "NOTIFY_TYPE",
        "template_content": "明天见。",
        "sign_id": "s-1",
        "universal_template": 0,
        "flow_status": "Adopted",
        "review_desc": None,
    } | more


def huawei_signature(own_id: str, name: str, **more: object) -> dict[str, Any]:
    return {
        "id": own_id,
        "signature_name": name,
        "signature_type": "NOTIFY_TYPE",
        "app_key": "key-1",
        "status": "REVIEW_PROCESSING_COMPLETED",
        "channel_num": "csms100000001",
        "review_desc": "",
    } | more


class TestHuawei:
    @pytest.fixture
    async def stand(self) -> AsyncIterator[HuaweiStand]:
        stand = HuaweiStand()
        stand.sandbox.management.lists["apps"].append(APP)
        stand.sandbox.management.lists["signatures"] += [
            huawei_signature("s-1", "【云帆咖啡】"),
            huawei_signature("s-2", "别家", app_key="key-2"),
        ]
        await stand.start("http://127.0.0.1:9")
        yield stand
        await stand.sandbox.stop()

    async def test_signatures_of_the_application_are_listed(self, stand: HuaweiStand, http: Http) -> None:
        more = [
            ("REVIEW_PASSED_REAL_NAME_REGISTRATING", "approved"),
            ("PENDING_REVIEW", "pending"),
            ("SOMETHING_NEW", "pending"),
            ("REVIEW_NOT_PASS", "rejected"),
            ("TO_BE_ACTIVATED", "disabled"),
        ]
        stand.sandbox.management.lists["signatures"] += [
            huawei_signature(f"x-{place}", f"名{place}", status=status, channel_num=None, review_desc="why")
            for place, (status, _) in enumerate(more)
        ]
        assert await huaweis(stand, http).list_signatures() == [
            CarrierSignature("云帆咖啡", "approved", "csms100000001", "notification"),
            *[
                CarrierSignature(f"名{place}", status, "", "notification", "why")
                for place, (_, status) in enumerate(more)
            ],
        ]

    async def test_templates_are_listed_over_all_pages(self, stand: HuaweiStand, http: Http) -> None:
        stand.sandbox.management.lists["templates"] += [
            *[huawei_template(str(number)) for number in range(150)],
            huawei_template("u", universal_template=1, template_type="PROMOTION_TYPE", flow_status="Reviewing"),
            huawei_template("r", flow_status="Reject", review_desc="缺少退订"),
            huawei_template("d", flow_status="Disable", template_id=None),
            huawei_template("other", app_key="key-2"),
            huawei_template("empty", template_content=""),
        ]
        listed = {each.code: each for each in await huaweis(stand, http).list_templates()}
        assert listed.keys() == {*(f"tpl-{number}" for number in range(150)), "tpl-u", "tpl-r", "d"}
        assert listed["tpl-7"] == CarrierTemplate("tpl-7", "t7", "明天见。", "notification", "approved", "云帆咖啡")
        assert (listed["tpl-u"].signature, listed["tpl-u"].sms_type, listed["tpl-u"].status) == (
            None,
            "promotional",
            "pending",
        )
        assert (listed["tpl-r"].status, listed["tpl-r"].reason) == ("rejected", "缺少退订")
        assert listed["d"].status == "disabled"

    async def test_a_template_is_applied_for_and_then_pending(self, stand: HuaweiStand, http: Http) -> None:
        carrier = huaweis(stand, http)
        code = await carrier.add_template("spring", "明天见。", "notification", "云帆咖啡")
        (added,) = await carrier.list_templates()
        assert (added.code, added.status, added.signature) == (code, "pending", "云帆咖啡")
        applied = next(request for request in stand.sandbox.requests if request.body)
        assert applied.body.decode() == (
            '{"app_id": "app-1", "brackets": "CN", "region": "cn", "template_content": "明天见。", '
            '"template_desc": "spring", "template_name": "spring", "template_type": "NOTIFY_TYPE", '
            '"universal_template": 0, "flow_status": "Reviewing", "sign_id": "s-1"}'
        )

    async def test_the_bytes_of_a_list_are_the_ones_documented(self, stand: HuaweiStand, http: Http) -> None:
        await huaweis(stand, http).list_templates()
        request = stand.sandbox.requests[-1]
        assert request.target == f"/v2/{PROJECT}/msgsms/templates?app_key=key-1&limit=100&offset=0"
        host = stand.sandbox.url.removeprefix("http://")
        names = "content-type;host;x-project-id;x-sdk-date"
        canonical = (
            f"GET\n/v2/{PROJECT}/msgsms/templates/\napp_key=key-1&limit=100&offset=0\ncontent-type:application/json\n"
            f"host:{host}\nx-project-id:{PROJECT}\nx-sdk-date:20261121T120000Z\n\n{names}\n"
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        )
        to_sign = f"SDK-HMAC-SHA256\n20261121T120000Z\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        signature = hmac.new(SECRET_KEY.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
        assert request.headers["authorization"] == (
            f"SDK-HMAC-SHA256 Access={ACCESS_KEY}, SignedHeaders={names}, Signature={signature}"
        )

    @pytest.mark.parametrize(
        ("text", "signature", "why"),
        [
            ("${1}，明天见。", "云帆咖啡", "use_the_console"),
            ("明天见。", "没有的", "no_signature"),
        ],
    )
    async def test_what_cannot_be_applied_for_here_is_refused_before_it_leaves(
        self, stand: HuaweiStand, http: Http, text: str, signature: str, why: str
    ) -> None:
        with pytest.raises(RequestRefused, match=why):
            await huaweis(stand, http).add_template("x", text, "notification", signature)
        assert stand.sandbox.management.lists["templates"] == []

    async def test_a_refusal_says_why(self, stand: HuaweiStand, http: Http) -> None:
        stand.sandbox.management.lists["templates"].append(huawei_template("1"))
        with pytest.raises(RequestRefused, match=r"^MSGSMS\.0008: there is a template of that name"):
            await huaweis(stand, http).add_template("t1", "明天见。", "notification", None)

    async def test_wrong_keys_are_refused(self, stand: HuaweiStand, http: Http) -> None:
        with pytest.raises(RequestRefused, match=r"^APIGW\.0301"):
            await huaweis(stand, http, "wrong").list_templates()

    @pytest.mark.parametrize(
        ("kind", "error"),
        [
            ("http_429", NotTaken),
            ("garbage", Unanswered),
            ("http_403", Unanswered),
            ("http_500", Unanswered),
            ("half", Unanswered),
        ],
    )
    async def test_it_fails_as_any_request_does(
        self, stand: HuaweiStand, http: Http, kind: str, error: type[CarrierError]
    ) -> None:
        stand.sandbox.inject(kind)
        with pytest.raises(error):
            await huaweis(stand, http).list_signatures()


async def test_only_those_say_that_they_can_be_asked_for_content(http: Http) -> None:
    can = []
    for stand in (HuaweiStand(), TencentStand(), TwilioStand(), KannelStand()):
        await stand.start("http://127.0.0.1:9")
        can.append(isinstance(stand.carrier(http), SyncsContent))
        await stand.sandbox.stop()
    assert can == [False, True, False, False], "Huawei only with the account's own key"
    stand = HuaweiStand()
    await stand.start("http://127.0.0.1:9")
    assert isinstance(huaweis(stand, http), SyncsContent)
    await stand.sandbox.stop()
