"""When people may be written to: what carriers refuse, and what the consoles advise against."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from services.states import Region, SmsType

MAINLAND_ZONE = ZoneInfo("Asia/Shanghai")
# At other times people complain, say the consoles' guides.
CIVIL_HOURS = (8, 21)
# At other times mainland carriers refuse promotional SMS.
PROMOTION_HOURS = (8, 22)


def is_outside_hours(moment: datetime, zone: ZoneInfo = MAINLAND_ZONE) -> bool:
    """Outside 08:00–21:00 on the recipients' clocks."""
    return not CIVIL_HOURS[0] <= moment.astimezone(zone).hour < CIVIL_HOURS[1]


def may_send(sms_type: SmsType, region: Region, moment: datetime) -> bool:
    """Whether carriers take a text of this type then."""
    if sms_type is not SmsType.PROMOTIONAL or region is not Region.MAINLAND:
        return True
    return PROMOTION_HOURS[0] <= moment.astimezone(MAINLAND_ZONE).hour < PROMOTION_HOURS[1]


def next_allowed(moment: datetime) -> datetime:
    """The first minute, from `moment` on, at which mainland carriers take promotional SMS."""
    local = moment.astimezone(MAINLAND_ZONE)
    if local.hour >= PROMOTION_HOURS[1]:
        local += timedelta(days=1)
    if not PROMOTION_HOURS[0] <= local.hour < PROMOTION_HOURS[1]:
        local = datetime.combine(local.date(), time(PROMOTION_HOURS[0]), MAINLAND_ZONE)
    return local.astimezone(moment.tzinfo)
