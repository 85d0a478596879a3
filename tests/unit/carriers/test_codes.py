"""Every code the carriers document falls in one class; the tables here are written from their documents once more."""

from __future__ import annotations

from typing import get_args

import pytest

from services.carriers.codes import ACCOUNT_WIDE, HTTP_CODES, SAME_FOR_ALL, Code, e164, kind_of
from services.carriers.huawei_codes import CODES as HUAWEI
from services.carriers.kannel import CODES as KANNEL
from services.carriers.ports import CodeClass
from services.carriers.tencent_codes import CODES as TENCENT
from services.carriers.twilio_codes import CODES as TWILIO

TENCENTS = {
    "accepted": "Ok",
    "retryable": """RequestLimitExceeded RequestLimitExceeded.UinLimitExceeded RequestLimitExceeded.IPLimitExceeded
        RequestLimitExceeded.GlobalRegionUinLimitExceeded LimitExceeded.GlobalSmsSendingRateLimit""",
    "unknown": """InternalError InternalError.JsonParseFail InternalError.OtherError InternalError.SendAndRecvFail
        InternalError.ParseBackendResponseFail InternalError.Timeout InternalError.UnknownError""",
    "quota": """LimitExceeded.AppCountryOrRegionDailyLimit LimitExceeded.DeliveryFrequencyLimit
        LimitExceeded.PhoneNumberThirtySecondLimit LimitExceeded.PhoneNumberOneHourLimit
        LimitExceeded.PhoneNumberDailyLimit LimitExceeded.PhoneNumberSameContentDailyLimit""",
    "quota_account": """LimitExceeded.AppDailyLimit LimitExceeded.AppMainlandChinaDailyLimit
        LimitExceeded.AppGlobalDailyLimit LimitExceeded.DailyLimit
        FailedOperation.SignNumberLimit FailedOperation.TemplateNumberLimit""",
    "refused_hour": "FailedOperation.MarketingSendTimeConstraint",
    "refused_account": """AuthFailure.InvalidAuthorization AuthFailure.InvalidSecretId AuthFailure.MFAFailure
        AuthFailure.SecretIdNotFound AuthFailure.SignatureExpire AuthFailure.SignatureFailure AuthFailure.TokenFailure
        AuthFailure.UnauthorizedOperation InvalidAction NoSuchVersion UnsupportedRegion
        FailedOperation.InsufficientBalanceInSmsPackage InternalError.RequestTimeException
        InternalError.RestApiInterfaceNotExist InternalError.SigFieldMissing InternalError.SigVerificationFail
        InvalidParameter.AppidAndBizId InvalidParameterValue.SdkAppIdNotExist
        UnauthorizedOperation.IndividualUserMarketingSmsPermissionDeny UnauthorizedOperation.RequestIpNotInWhitelist
        UnauthorizedOperation.RequestPermissionDeny UnauthorizedOperation.SdkAppIdIsDisabled
        UnauthorizedOperation.SmsSdkAppIdVerifyFail UnauthorizedOperation.ServiceSuspendDueToArrears
        FailedOperation.ForbidAddMarketingTemplates FailedOperation.NotEnterpriseCertification
        FailedOperation.ProhibitSubAccountUse FailedOperation.QualificationIdNotApproved""",
    "refused_number": """FailedOperation.PhoneNumberInBlacklist FailedOperation.PhoneNumberParseFail
        InvalidParameterValue.IncorrectPhoneNumber LimitExceeded.AppCountryOrRegionInBlacklist
        UnsupportedOperation.UnsupportedRegion""",
}
# Everything else of the SDK's list is about the text or the request.
TENCENTS_CONTENT = """FailedOperation.ContainSensitiveWord FailedOperation.FailResolvePacket
    FailedOperation.JsonParseFail FailedOperation.SignatureIncorrectOrUnapproved
    FailedOperation.TemplateIncorrectOrUnapproved FailedOperation.TemplateUnapprovedOrNotExist
    FailedOperation.TemplateParamSetNotMatchApprovedTemplate FailedOperation.OtherError
    FailedOperation.ParametersOtherError InvalidParameter InvalidParameterValue MissingParameter UnknownParameter
    InvalidParameter.DirtyWordFound InvalidParameter.InvalidParameters InvalidParameterValue.ContentLengthLimit
    InvalidParameterValue.ProhibitedUseUrlInTemplateParameter InvalidParameterValue.TemplateParameterFormatError
    InvalidParameterValue.TemplateParameterLengthLimit InvalidParameterValue.MarketingTemplateWithoutUnsubscribe
    InvalidParameterValue.UnsupportedTemplateVariable InvalidParameterValue.MultiSmsInfoSetEmpty
    LimitExceeded.PhoneNumberCountLimit MissingParameter.EmptyPhoneNumberSet
    UnsupportedOperation.ContainDomesticAndInternationalPhoneNumber
    UnsupportedOperation.ChineseMainlandTemplateToGlobalPhone
    UnsupportedOperation.GlobalTemplateToChineseMainlandPhone UnsupportedOperation.ContainDomesticPhoneNumber
    FailedOperation.MissingSignature FailedOperation.MissingSignatureList FailedOperation.MissingSignatureToModify
    FailedOperation.MissingTemplateList FailedOperation.MissingTemplateToModify FailedOperation.SignIdNotExist
    FailedOperation.TemplateAlreadyPassedCheck FailedOperation.TemplateIdNotExist
    InvalidParameterValue.BeginTimeVerifyFail InvalidParameterValue.EndTimeVerifyFail
    InvalidParameterValue.ImageInvalid InvalidParameterValue.InvalidDocumentType
    InvalidParameterValue.InvalidInternational InvalidParameterValue.InvalidSignPurpose
    InvalidParameterValue.InvalidSmsType InvalidParameterValue.InvalidStartTime
    InvalidParameterValue.InvalidTemplateFormat InvalidParameterValue.InvalidUsedMethod
    InvalidParameterValue.LimitVerifyFail InvalidParameterValue.OffsetVerifyFail
    InvalidParameterValue.QualificationIdNotFound InvalidParameterValue.SignAlreadyPassedCheck
    InvalidParameterValue.SignExistAndUnapproved InvalidParameterValue.SignNameLengthTooLong
    InvalidParameterValue.TemplateWithDirtyWords"""

HUAWEIS = {
    "accepted": "000000",
    "retryable": "E200015",
    "quota_account": "E000623",
    "refused_account": """E000001 E000002 E000003 E000004 E000005 E000006 E000007 E000008 E000020 E000021 E000022
        E000023 E000024 E000025 E000026 E000027 E000040 E000045 E000101 E000102 E000103 E000104 E000105 E000106 E000109
        E000110 E000111 E000112 E000620 E000628 E000629 E000630 E000632 E200024 E200036""",
    "refused_number": "E200025 E200034 E200038 E200041",
    "refused_content": """E000000 E000503 E000510 E200018 E200019 E200020 E200021 E200022 E200023
        E200026 E200027 E200028 E200029 E200030 E200031 E200032 E200033 E200035 E200037
        E200051""",
}
TWILIOS = {
    "retryable": "20429",
    "refused_account": "20003 20404 30001 30002",
    "refused_number": "21211 21408 21606 21608 21610 21612 21614 30003 30004 30005 30006 30008",
    "refused_content": "21617 30007 35114 35115",
}
KANNELS = {
    "accepted": ["0", "3"],
    "retryable": ["Temporal failure, try again later."],
    "refused_account": [
        "Authorization failed for sendsms",
        "DLR-Mask field misformed, rejected",
        "Invalid content-type",
    ],
    "refused_number": [
        "Missing receiver number, rejected",
        "Number(s) has/have been denied by white- and/or black-lists.",
    ],
    "refused_content": ["Charset or body misformed, rejected", "text_too_long"],
}
TABLES: list[tuple[str, dict[str, Code], dict[str, list[str]]]] = [
    (
        "tencent",
        TENCENT,
        {kind: codes.split() for kind, codes in (TENCENTS | {"refused_content": TENCENTS_CONTENT}).items()},
    ),
    ("huawei", HUAWEI, {kind: codes.split() for kind, codes in HUAWEIS.items()}),
    ("twilio", TWILIO, {kind: codes.split() for kind, codes in TWILIOS.items()}),
    ("kannel", KANNEL, KANNELS),
]


@pytest.mark.parametrize(("codes", "wanted"), [table[1:] for table in TABLES], ids=[table[0] for table in TABLES])
def test_each_code_is_in_the_one_class_its_document_gives_it(
    codes: dict[str, Code], wanted: dict[str, list[str]]
) -> None:
    listed = [code for those in wanted.values() for code in those]
    assert len(listed) == len(set(listed))
    assert codes.keys() == set(listed)
    assert {code: codes[code].kind for code in listed} == {
        code: kind for kind, those in wanted.items() for code in those
    }


@pytest.mark.parametrize("codes", [table[1] for table in TABLES], ids=[table[0] for table in TABLES])
def test_every_class_is_one_of_the_ports(codes: dict[str, Code]) -> None:
    assert {code.kind for code in codes.values()} <= set(get_args(CodeClass))


def test_the_whole_account_is_meant_by_two_classes_only() -> None:
    assert {"refused_account", "quota_account"} == ACCOUNT_WIDE
    assert {"refused_hour", "unread"} == SAME_FOR_ALL - ACCOUNT_WIDE
    assert set(get_args(CodeClass)) >= SAME_FOR_ALL


def test_an_http_status_by_itself_refuses_nothing() -> None:
    assert set(HTTP_CODES.values()) == {"unread"}
    assert kind_of({}, "http_404") == "unread"
    assert [kind_of({}, f"http_{status}") for status in (200, 408, 429, 500, 503)] == [None] * 5


def test_nothing_is_known_of_a_code_that_no_table_lists() -> None:
    assert kind_of(HUAWEI, "E999999") is None
    assert kind_of(HUAWEI, "http_500") is None


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("+8613811112222", 8613811112222),
        ("8613811112222", 8613811112222),
        (" 8613811112222 ", 8613811112222),
        ("", None),
        ("+", None),
        ("++86", None),
        ("1" * 16, None),
        ("１２３", None),
        ("sender", None),
        (8613811112222, None),
        (None, None),
    ],
)
def test_a_number_is_read_or_is_none(value: object, number: int | None) -> None:
    assert e164(value) == number
