"""The carriers the demo can show. Each stand-in knows the demo's own senders and templates, and nothing else."""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.carriers import huawei, kannel, tencent, twilio
from sandbox.carriers.server import CarrierSandbox

HERE = Path(__file__).parent
Delay = tuple[float, float]


@dataclass(frozen=True)
class DemoCarrier:
    """`make` takes the declared application and a receipt's delay; `secrets` are what its toml reads as `env:…`."""

    toml: str
    make: Callable[[Mapping[str, Any], Delay], CarrierSandbox]
    secrets: Mapping[str, str]


def applications(carrier_url: str, carrier: str = "huawei") -> str:
    """The carrier's demo application, with the stand-in's address in it."""
    return (HERE / CARRIERS[carrier].toml).read_text("utf-8").replace("http://127.0.0.1:0", carrier_url)


def make_carrier(carrier: str, receipt_delay: Delay) -> CarrierSandbox:
    """The stand-in, not started yet."""
    declared = tomllib.loads(applications("", carrier))["application"][0]
    return CARRIERS[carrier].make(declared, receipt_delay)


def _texts(declared: Mapping[str, Any]) -> dict[str, str]:
    """Each template's full text by its id, as the carrier approved it."""
    signature = declared["signature"][0]["name"]
    return {template["code"]: f"【{signature}】{template['text']}" for template in declared["template"]}


def _huawei(declared: Mapping[str, Any], receipt_delay: Delay) -> CarrierSandbox:
    senders = [declared["signature"][0]["channel"]]
    return huawei.HuaweiSandbox(senders=senders, templates=_texts(declared), receipt_delay=receipt_delay)


def _tencent(declared: Mapping[str, Any], receipt_delay: Delay) -> CarrierSandbox:
    signatures = [declared["signature"][0]["name"]]
    return tencent.TencentSandbox(signatures=signatures, templates=_texts(declared), receipt_delay=receipt_delay)


def _twilio(declared: Mapping[str, Any], receipt_delay: Delay) -> CarrierSandbox:
    return twilio.TwilioSandbox(senders=[declared["from"]], receipt_delay=receipt_delay)


def _kannel(declared: Mapping[str, Any], receipt_delay: Delay) -> CarrierSandbox:
    return kannel.KannelSandbox(max_messages=declared["max_messages"], receipt_delay=receipt_delay)


CARRIERS: Mapping[str, DemoCarrier] = {
    "huawei": DemoCarrier(
        "demo.toml", _huawei, {"HUAWEI_APP_KEY": huawei.APP_KEY, "HUAWEI_APP_SECRET": huawei.APP_SECRET}
    ),
    "tencent": DemoCarrier(
        "demo.tencent.toml",
        _tencent,
        {"TENCENT_SECRET_ID": tencent.SECRET_ID, "TENCENT_SECRET_KEY": tencent.SECRET_KEY},
    ),
    "twilio": DemoCarrier("demo.twilio.toml", _twilio, {"TWILIO_AUTH_TOKEN": twilio.AUTH_TOKEN}),
    "kannel": DemoCarrier("demo.kannel.toml", _kannel, {"KANNEL_PASSWORD": kannel.PASSWORD}),
}
