"""What Tencent's codes mean: of a request, of one number in it, and of delivery reports.

From the error codes of the SDK tencentcloud-sdk-python-sms 3.1.153; the operators' codes in reports are the rows of
tencent_receipt_codes.csv.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from importlib import resources

from services.carriers.codes import Code
from services.carriers.ports import CodeClass

OK = "Ok"

_NOT_APPROVED = "the template is not approved, or does not exist"
_UNREADABLE = "the request could not be parsed"
_KEYS = "the credentials are wrong: check secret_id and secret_key"
_FREQUENCY = "the number has had too many messages for now; the account's frequency limits say how many it may have"
_DAILY = "the account's daily limit is reached"
_REGIONS = "the template is for another region than the number's"


def _family(prefix: str, names: str, kind: CodeClass, text: str) -> dict[str, Code]:
    return {f"{prefix}.{name}": Code(kind, text) for name in names.split()}


CODES: dict[str, Code] = {
    OK: Code("accepted", "accepted"),
    # For the whole request
    **_family(
        "AuthFailure",
        "InvalidAuthorization InvalidSecretId MFAFailure SecretIdNotFound SignatureFailure TokenFailure",
        "refused_account",
        _KEYS,
    ),
    "AuthFailure.SignatureExpire": Code(
        "refused_account", "the time of the request is out of range: check this machine's clock"
    ),
    "AuthFailure.UnauthorizedOperation": Code("refused_account", "the credentials may not send SMS"),
    "RequestLimitExceeded": Code("retryable", "too many requests"),
    **_family(
        "RequestLimitExceeded",
        "UinLimitExceeded IPLimitExceeded GlobalRegionUinLimitExceeded",
        "retryable",
        "too many requests",
    ),
    "InvalidAction": Code("refused_account", "the endpoint does not know what was asked of it"),
    "NoSuchVersion": Code("refused_account", "the endpoint does not know this version of the API"),
    "UnsupportedRegion": Code("refused_account", "the endpoint does not know this cloud_region"),
    "InvalidParameter": Code("refused_content", "a parameter is wrong"),
    "InvalidParameterValue": Code("refused_content", "a parameter's value is wrong"),
    "MissingParameter": Code("refused_content", "a parameter is missing"),
    "UnknownParameter": Code("refused_content", "a parameter is not known"),
    # For the request or for one number
    "FailedOperation.ContainSensitiveWord": Code("refused_content", "the text holds a word that is not let through"),
    "FailedOperation.FailResolvePacket": Code("refused_content", _UNREADABLE),
    "FailedOperation.JsonParseFail": Code("refused_content", _UNREADABLE),
    "FailedOperation.InsufficientBalanceInSmsPackage": Code("refused_account", "the account's SMS package is used up"),
    "FailedOperation.MarketingSendTimeConstraint": Code(
        "refused_hour", "promotional SMS may leave from 08:00 to 22:00 only"
    ),
    "FailedOperation.PhoneNumberInBlacklist": Code(
        "refused_number", "the number is on a block list; the person may have unsubscribed"
    ),
    "FailedOperation.PhoneNumberParseFail": Code("refused_number", "the number cannot be read"),
    "FailedOperation.SignatureIncorrectOrUnapproved": Code("refused_content", "the signature is not approved"),
    "FailedOperation.TemplateIncorrectOrUnapproved": Code("refused_content", _NOT_APPROVED),
    "FailedOperation.TemplateUnapprovedOrNotExist": Code("refused_content", _NOT_APPROVED),
    "FailedOperation.TemplateParamSetNotMatchApprovedTemplate": Code(
        "refused_content", "the template has another number of variables"
    ),
    **_family("FailedOperation", "OtherError ParametersOtherError", "refused_content", "the SMS could not be sent"),
    **_family(
        "InternalError",
        "JsonParseFail OtherError ParseBackendResponseFail SendAndRecvFail Timeout UnknownError",
        "unknown",
        "the platform had trouble of its own",
    ),
    "InternalError": Code("unknown", "the platform had trouble of its own"),
    "InternalError.RequestTimeException": Code(
        "refused_account", "the time of the request is out of range: check this machine's clock"
    ),
    **_family(
        "InternalError", "RestApiInterfaceNotExist SigFieldMissing SigVerificationFail", "refused_account", _KEYS
    ),
    "InvalidParameter.AppidAndBizId": Code("refused_account", "the account does not have this sdk_app_id"),
    "InvalidParameter.DirtyWordFound": Code("refused_content", "the text holds a word that is not let through"),
    "InvalidParameter.InvalidParameters": Code("refused_content", "a parameter is wrong"),
    "InvalidParameterValue.ContentLengthLimit": Code("refused_content", "the text is too long"),
    "InvalidParameterValue.IncorrectPhoneNumber": Code("refused_number", "the number is wrong"),
    "InvalidParameterValue.ProhibitedUseUrlInTemplateParameter": Code("refused_content", "a variable holds a link"),
    "InvalidParameterValue.MultiSmsInfoSetEmpty": Code("refused_content", "the request held no number"),
    "InvalidParameterValue.SdkAppIdNotExist": Code("refused_account", "there is no application with this sdk_app_id"),
    "InvalidParameterValue.TemplateParameterFormatError": Code("refused_content", "a variable has a wrong format"),
    "InvalidParameterValue.TemplateParameterLengthLimit": Code("refused_content", "a variable is too long"),
    "LimitExceeded.AppDailyLimit": Code("quota_account", _DAILY),
    "LimitExceeded.AppMainlandChinaDailyLimit": Code("quota_account", _DAILY),
    "LimitExceeded.AppGlobalDailyLimit": Code("quota_account", _DAILY),
    "LimitExceeded.DailyLimit": Code("quota_account", _DAILY),
    "LimitExceeded.AppCountryOrRegionDailyLimit": Code("quota", "the daily limit for this country is reached"),
    "LimitExceeded.AppCountryOrRegionInBlacklist": Code("refused_number", "the account may not send to this country"),
    "LimitExceeded.DeliveryFrequencyLimit": Code("quota", _FREQUENCY),
    "LimitExceeded.GlobalSmsSendingRateLimit": Code("retryable", "too many messages a second to other countries"),
    "LimitExceeded.PhoneNumberCountLimit": Code("refused_content", "the request held too many numbers"),
    **_family(
        "LimitExceeded",
        "PhoneNumberThirtySecondLimit PhoneNumberOneHourLimit PhoneNumberDailyLimit PhoneNumberSameContentDailyLimit",
        "quota",
        _FREQUENCY,
    ),
    "MissingParameter.EmptyPhoneNumberSet": Code("refused_content", "the request held no number"),
    "UnauthorizedOperation.IndividualUserMarketingSmsPermissionDeny": Code(
        "refused_account", "an individual's account may not send promotional SMS"
    ),
    "UnauthorizedOperation.RequestIpNotInWhitelist": Code(
        "refused_account", "the bot's IP address is not on the account's list"
    ),
    "UnauthorizedOperation.RequestPermissionDeny": Code("refused_account", "the account may not use this API"),
    "UnauthorizedOperation.SdkAppIdIsDisabled": Code("refused_account", "the application is disabled"),
    "UnauthorizedOperation.SmsSdkAppIdVerifyFail": Code("refused_account", "the account does not have this sdk_app_id"),
    "UnauthorizedOperation.ServiceSuspendDueToArrears": Code(
        "refused_account", "the account is suspended because of unpaid bills"
    ),
    "UnsupportedOperation.ContainDomesticAndInternationalPhoneNumber": Code(
        "refused_content", "the request held numbers of the mainland and others"
    ),
    "UnsupportedOperation.ChineseMainlandTemplateToGlobalPhone": Code("refused_content", _REGIONS),
    "UnsupportedOperation.GlobalTemplateToChineseMainlandPhone": Code("refused_content", _REGIONS),
    "UnsupportedOperation.ContainDomesticPhoneNumber": Code("refused_content", _REGIONS),
    "UnsupportedOperation.UnsupportedRegion": Code("refused_number", "the number's country is not served"),
    # For templates and signatures
    "InvalidParameterValue.MarketingTemplateWithoutUnsubscribe": Code(
        "refused_content", "a promotional text must end in 拒收请回复R"
    ),
    "InvalidParameterValue.UnsupportedTemplateVariable": Code(
        "refused_content", "new promotional and notification templates take no variables"
    ),
    "InvalidParameterValue.TemplateWithDirtyWords": Code(
        "refused_content", "the text holds a word that is not let through"
    ),
    **_family(
        "FailedOperation",
        "ForbidAddMarketingTemplates NotEnterpriseCertification ProhibitSubAccountUse QualificationIdNotApproved",
        "refused_account",
        "the account may not apply for this",
    ),
    **_family(
        "FailedOperation",
        "SignNumberLimit TemplateNumberLimit",
        "quota_account",
        "the account has as many as it may have",
    ),
    **_family(
        "FailedOperation",
        "MissingSignature MissingSignatureList MissingSignatureToModify MissingTemplateList MissingTemplateToModify "
        "SignIdNotExist TemplateIdNotExist",
        "refused_content",
        "it does not exist",
    ),
    "FailedOperation.TemplateAlreadyPassedCheck": Code("refused_content", "an approved template cannot be changed"),
    **_family(
        "InvalidParameterValue",
        "BeginTimeVerifyFail EndTimeVerifyFail ImageInvalid InvalidDocumentType InvalidInternational "
        "InvalidSignPurpose InvalidSmsType InvalidStartTime InvalidTemplateFormat InvalidUsedMethod LimitVerifyFail "
        "OffsetVerifyFail QualificationIdNotFound SignAlreadyPassedCheck SignExistAndUnapproved SignNameLengthTooLong",
        "refused_content",
        "a parameter's value is wrong",
    ),
}

# The categories of tencent_receipt_codes.csv.
_CATEGORY_WORDS = {
    "blocked": "blocked on its way",
    "blocklist": "the number is on a block list; the person may have unsubscribed or complained",
    "content_blocked": "the text is not let through",
    "delivered": "delivered",
    "gateway": "the operator's gateway had trouble",
    "handset": "the phone did not take it",
    "invalid_number": "the number does not exist or is suspended",
    "invalid_or_off": "the number does not exist, or the phone is off",
    "opted_out": "the person has unsubscribed",
    "other": "could not be delivered",
    "ported": "the number has moved to another operator",
    "quiet_hours": "not let through at this time of day",
    "rate_limited": "a limit on messages was reached",
    "signature": "the signature is not let through",
    "timeout": "not delivered in time",
    "unknown": "the operator does not know what became of it",
    "unreachable": "the phone is off or out of reach",
}


@cache
def _receipt_words() -> Mapping[str, str]:
    # From a published list of the operators' codes; the categories were derived from their descriptions by rule, so
    # they are good for words, and decide nothing.
    table = resources.files("services.carriers").joinpath("tencent_receipt_codes.csv").read_text("utf-8")
    return {row["code"]: _CATEGORY_WORDS[row["category"]] for row in csv.DictReader(table.splitlines())}


def describe(code: str) -> str:
    """A code of an answer or a receipt in plain words; the code itself where neither Tencent nor an operator has it."""
    if code in CODES:
        return CODES[code].text
    return _receipt_words().get(code, code)
