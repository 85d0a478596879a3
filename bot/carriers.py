"""An application's settings → its carrier."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from bot.application_settings import (
    ApplicationSettings,
    HuaweiSettings,
    KannelSettings,
    TencentSettings,
    TwilioSettings,
)
from services.carriers.http import Http
from services.carriers.huawei import Huawei
from services.carriers.huawei_management import ManagedHuawei, Management
from services.carriers.in_parts import Pace
from services.carriers.kannel import Kannel
from services.carriers.ports import Carrier, Limits
from services.carriers.tencent import Tencent
from services.carriers.twilio import Twilio
from services.clock import Clock
from services.states import Region


def _huawei(settings: HuaweiSettings, http: Http, clock: Clock, pace: Pace) -> Carrier:
    management = None
    if settings.project_id and settings.access_key and settings.secret_key:
        management = Management(
            endpoint=settings.management_endpoint,
            project_id=settings.project_id,
            access_key=settings.access_key,
            secret_key=settings.secret_key,
            app_key=settings.app_key,
            http=http,
            clock=clock,
        )
    made = Huawei if management is None else partial(ManagedHuawei, management=management)
    return made(
        app_key=settings.app_key,
        app_secret=settings.app_secret,
        http=http,
        clock=clock,
        pace=pace,
        endpoint=settings.endpoint,
        region=settings.region.value,
        auth=settings.auth,
        wsse_digest=settings.wsse_digest,
        callback_signed=settings.callback_signed,
    )


def _tencent(settings: TencentSettings, http: Http, clock: Clock, pace: Pace) -> Carrier:
    return Tencent(
        secret_id=settings.secret_id,
        secret_key=settings.secret_key,
        sdk_app_id=settings.sdk_app_id,
        http=http,
        clock=clock,
        pace=pace,
        endpoint=settings.endpoint,
        cloud_region=settings.cloud_region,
        region=settings.region.value,
        sender_id=settings.sender_id,
        pull_receipts=settings.pull_receipts,
    )


def _twilio(settings: TwilioSettings, http: Http, clock: Clock, pace: Pace) -> Carrier:
    return Twilio(
        account_sid=settings.account_sid,
        auth_token=settings.auth_token,
        http=http,
        clock=clock,
        pace=pace,
        sender=settings.from_,
        messaging_service_sid=settings.messaging_service_sid,
        endpoint=settings.endpoint,
    )


def _kannel(settings: KannelSettings, http: Http, clock: Clock, pace: Pace) -> Carrier:
    return Kannel(
        url=settings.url,
        username=settings.username,
        password=settings.password,
        http=http,
        clock=clock,
        pace=pace,
        sender=settings.from_,
        smsc=settings.smsc,
        max_messages=settings.max_messages,
    )


CARRIERS: Mapping[str, Callable[[Any, Http, Clock, Pace], Carrier]] = {
    "huawei": _huawei,
    "tencent": _tencent,
    "twilio": _twilio,
    "kannel": _kannel,
}

_ONE_BY_ONE = {"twilio", "kannel"}


def make_carrier(settings: ApplicationSettings, http: Http, clock: Clock, pace: Pace) -> Carrier:
    """`pace` waits for the application's next turn; a batch of several requests takes one for each."""
    return CARRIERS[settings.carrier](settings, http, clock, pace)


def numbers_per_request(settings: ApplicationSettings, batch: Limits) -> Limits:
    """How many numbers one request of the application takes, where its batches are as large as this: a batch that does
    not fit in one is several requests, each with a turn of its own.

    Tencent has no call for the mainland in which values differ; equal ones share a request, but seldom are any.
    """
    if settings.carrier in _ONE_BY_ONE:
        return Limits(1, 1)
    if settings.carrier == "tencent" and settings.region is Region.MAINLAND:
        return Limits(batch.plain, 1)
    return batch
