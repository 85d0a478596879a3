"""`[[application]]` of `applications.toml`: what every carrier's has, and what each carrier's has of its own."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Literal

from pydantic import Field, field_validator, model_validator

from bot.bad_config import Strict, check_address
from services.carriers import huawei, huawei_management, kannel, tencent, twilio
from services.declarations import ApplicationDeclaration, SignatureDeclaration, TemplateDeclaration
from services.states import Region, SmsType


class SignatureSettings(Strict):
    """`[[application.signature]]`: the approved name, and the channel number the carrier gave it."""

    name: str = Field(min_length=1)
    channel: str = Field(min_length=1, max_length=21)

    @property
    def sender(self) -> str:
        """What a request for it carries as its sender; empty for the application's own."""
        return self.channel


class TencentSignatureSettings(Strict):
    """Tencent takes the approved name itself."""

    name: str = Field(min_length=1)

    @property
    def sender(self) -> str:
        """As above."""
        return self.name


class FreeSignatureSettings(Strict):
    """Nobody approves it; it may have a sender of its own."""

    name: str = Field(min_length=1)
    channel: str = Field(default="", max_length=21)

    @property
    def sender(self) -> str:
        """As above."""
        return self.channel


class TemplateSettings(Strict):
    """`[[application.template]]`: an approved text; `code` is the carrier's template id."""

    name: str = Field(min_length=1)
    code: str = Field(min_length=1, max_length=32)
    sms_type: SmsType
    text: str = Field(min_length=1, max_length=500)
    signature: str | None = None


class FreeTemplateSettings(TemplateSettings):
    """A text of our own, for carriers that take any: `code` means nothing to them."""

    code: str = Field(default="", max_length=32)


class CommonSettings(Strict):
    """`[[application]]`: an account at a carrier; what is the same for all of them."""

    name: str = Field(min_length=1)
    workspace: str | None = None
    carrier: str
    region: Region
    requests_per_second: float = Field(default=50, gt=0, le=1000)
    connections: int | None = Field(default=None, ge=1, le=100)
    price_per_segment: Decimal | None = Field(default=None, ge=0, max_digits=12)
    currency: str | None = Field(default=None, pattern=r"^[A-Z]{3}$")
    failover: str | None = Field(default=None, min_length=1)
    receipt_window_hours: int = Field(default=72, ge=1, le=240)
    signature: tuple[SignatureSettings | TencentSignatureSettings | FreeSignatureSettings, ...] = ()
    template: tuple[TemplateSettings, ...] = ()

    @field_validator("endpoint", "url", "management_endpoint", check_fields=False)
    @classmethod
    def _is_address(cls, value: str) -> str:
        return check_address(value)

    @model_validator(mode="after")
    def _signatures_exist(self) -> CommonSettings:
        known = {each.name for each in self.signature}
        for each in self.template:
            if each.signature is not None and each.signature not in known:
                raise ValueError(f"template {each.name} names the signature {each.signature}, which is not there")
        if self.region is Region.MAINLAND and self.template and not self.signature:
            raise ValueError("a mainland application needs an [[application.signature]]")
        return self

    @model_validator(mode="after")
    def _price_has_currency(self) -> CommonSettings:
        if (self.price_per_segment is None) != (self.currency is None):
            raise ValueError("price_per_segment and currency go together: give both or neither")
        return self

    @model_validator(mode="after")
    def _names_differ(self) -> CommonSettings:
        for what, named in (("signature", self.signature), ("template", self.template)):
            # People type them in any case.
            names = [each.name.casefold() for each in named]
            for each in named:
                if names.count(each.name.casefold()) > 1:
                    raise ValueError(f"it has two {what}s named {each.name}, and each needs its own name")
        return self


class HuaweiSettings(CommonSettings):
    """An application at Huawei Cloud Message & SMS."""

    carrier: Literal["huawei"]
    endpoint: str = huawei.ENDPOINT
    app_key: str = Field(min_length=1)
    app_secret: str = Field(min_length=1)
    auth: Literal["aksk", "wsse"] = "aksk"
    wsse_digest: Literal["hex", "raw"] = "hex"
    callback_signed: bool = False
    management_endpoint: str = huawei_management.ENDPOINT
    project_id: str | None = Field(default=None, min_length=1)
    access_key: str | None = Field(default=None, min_length=1)
    secret_key: str | None = Field(default=None, min_length=1)
    signature: tuple[SignatureSettings, ...] = ()

    @model_validator(mode="after")
    def _manages_wholly(self) -> HuaweiSettings:
        given = [self.project_id, self.access_key, self.secret_key]
        if any(given) and not all(given):
            raise ValueError("project_id, access_key and secret_key go together")
        return self


class TencentSettings(CommonSettings):
    """An application at Tencent Cloud SMS. `cloud_region` is X-TC-Region, which has nothing to do with recipients."""

    carrier: Literal["tencent"]
    endpoint: str = tencent.ENDPOINT
    cloud_region: str = Field(default="ap-guangzhou", min_length=1)
    secret_id: str = Field(min_length=1)
    secret_key: str = Field(min_length=1)
    sdk_app_id: str = Field(min_length=1)
    sender_id: str | None = None
    pull_receipts: bool = False
    signature: tuple[TencentSignatureSettings, ...] = ()


class TwilioSettings(CommonSettings):
    """An account at Twilio."""

    carrier: Literal["twilio"]
    endpoint: str = twilio.ENDPOINT
    account_sid: str
    auth_token: str = Field(min_length=1)
    from_: str | None = Field(default=None, alias="from", min_length=1)
    messaging_service_sid: str | None = Field(default=None, min_length=1)
    signature: tuple[FreeSignatureSettings, ...] = ()
    template: tuple[FreeTemplateSettings, ...] = ()

    @field_validator("account_sid")
    @classmethod
    def _is_sid(cls, value: str) -> str:
        if re.fullmatch(r"AC[0-9a-fA-F]{32}", value) is None:
            raise ValueError("must be AC and 32 hexadecimal digits, as Twilio's console shows it")
        return value

    @model_validator(mode="after")
    def _one_sender(self) -> TwilioSettings:
        if (self.from_ is None) == (self.messaging_service_sid is None):
            raise ValueError("it needs one of from and messaging_service_sid")
        return self


class KannelSettings(CommonSettings):
    """A sendsms-user of a Kannel; `max_messages` is what Kannel's configuration says."""

    carrier: Literal["kannel"]
    url: str = kannel.ENDPOINT
    username: str = Field(min_length=1)
    password: str = Field(min_length=1)
    from_: str = Field(default="", alias="from", max_length=21)
    smsc: str | None = Field(default=None, min_length=1)
    max_messages: int = Field(default=kannel.MAX_MESSAGES, ge=1, le=255)
    signature: tuple[FreeSignatureSettings, ...] = ()
    template: tuple[FreeTemplateSettings, ...] = ()

    @property
    def endpoint(self) -> str:
        """What answers where the address is right."""
        return self.url


ApplicationSettings = HuaweiSettings | TencentSettings | TwilioSettings | KannelSettings


def declaration(settings: ApplicationSettings) -> ApplicationDeclaration:
    """As the services take it."""
    return ApplicationDeclaration(
        name=settings.name,
        carrier=settings.carrier,
        region=settings.region,
        requests_per_second=settings.requests_per_second,
        price_per_segment=settings.price_per_segment,
        currency=settings.currency,
        signatures=[SignatureDeclaration(each.name, each.sender) for each in settings.signature],
        templates=[
            TemplateDeclaration(each.name, each.code, each.sms_type, each.text, each.signature)
            for each in settings.template
        ],
        receipt_window_hours=settings.receipt_window_hours,
    )
