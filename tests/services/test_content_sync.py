"""What a carrier's API says of signatures and templates is taken over; what is added here is applied for there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from services.carriers.ports import CarrierSignature, CarrierTemplate
from services.content import TYPE_UNKNOWN, NotShown
from services.content_changes import ContentChanges, TemplateForm
from services.content_lists import Filter, ListedSignature, ListedTemplate
from services.content_sync import EVERY, ContentSync
from services.database import Database
from services.errors import NotAllowed, NotTaken, RequestRefused, Unanswered
from services.posts import PostKind
from services.states import ContentKind, SmsType
from tests.services.builders import ANA, BEN, CHANNEL, MAINLAND, SALE, SPRING, WORKSPACE, Marketing
from tests.services.fakes import FakeConsole

FALL = CarrierTemplate("900", "fall", "Leaves fall.", "notification", "approved", "Autumn")
AUTUMN = CarrierSignature("Autumn", "approved", "1069000009")
NEW = TemplateForm("winter", "Snow falls.", SmsType.NOTIFICATION)


@dataclass
class Desk:
    """A workspace whose application's carrier has such an API."""

    marketing: Marketing
    console: FakeConsole
    sync: ContentSync
    changes: ContentChanges

    async def ask(self) -> None:
        self.sync.wake()
        await self.sync.tick()

    def template(self, name: str) -> ListedTemplate:
        page = self.marketing.lists.templates(WORKSPACE, Filter(), 1, 100)
        return next(each for each in page.items if each.template.name == name)

    def signature(self, name: str) -> ListedSignature:
        page = self.marketing.lists.signatures(WORKSPACE, Filter(), 1, 100)
        return next(each for each in page.items if each.signature.name == name)

    def add(self, form: TemplateForm = NEW) -> ListedTemplate:
        return self.changes.add_template(WORKSPACE, self.marketing.application_id, form, CHANNEL, ANA)

    def names(self) -> list[str]:
        page = self.marketing.lists.templates(WORKSPACE, Filter(), 1, 100)
        return [each.template.name for each in page.items]


@pytest.fixture
def desk(marketing: Marketing) -> Desk:
    console = FakeConsole([AUTUMN], [FALL])
    carriers = {marketing.application_id: console}
    sync = ContentSync(marketing.database, marketing.clock, carriers)
    return Desk(marketing, console, sync, ContentChanges(marketing.database, carriers))


async def test_what_the_carrier_has_approved_can_be_chosen(desk: Desk) -> None:
    await desk.ask()
    fall = desk.marketing.content.find_template(WORKSPACE, "fall")
    assert (fall.code, fall.text, fall.signature) == ("900", "Leaves fall.", "Autumn")
    chosen = desk.marketing.content.choose_signature(WORKSPACE, fall, None)
    assert chosen is not None
    assert chosen.channel_number == "1069000009"


async def test_what_is_declared_in_the_settings_stays_as_it_is(desk: Desk) -> None:
    desk.console.templates = [replace(FALL, code=SPRING.code, name="frühling", text="Other.", status="rejected")]
    desk.console.signatures = [CarrierSignature("spring", "rejected", "0")]
    await desk.ask()
    assert desk.template("spring").template.text == SPRING.text
    assert desk.template("spring").standing.status == "approved"
    assert desk.signature("Spring").standing.origin == "settings"
    assert "frühling" not in desk.names()


async def test_what_has_left_the_settings_is_the_carriers(desk: Desk) -> None:
    desk.marketing.declare(replace(MAINLAND, templates=(SPRING,)))
    desk.console.templates = [replace(FALL, code=SALE.code, name="sale")]
    await desk.ask()
    assert desk.template("sale").standing.origin == "carrier"
    desk.marketing.declare(replace(MAINLAND, templates=(SPRING,)))
    assert desk.template("sale").standing.status == "approved", "a restart leaves it alone"


@pytest.mark.parametrize(
    ("change", "status", "reason"),
    [
        pytest.param({"status": "pending"}, "pending", None, id="under review"),
        pytest.param({"status": "rejected", "reason": "no opt-out"}, "rejected", "no opt-out", id="rejected"),
        pytest.param({"status": "disabled"}, "disabled", None, id="disabled"),
    ],
)
async def test_the_status_follows_the_carrier(desk: Desk, change: dict[str, Any], status: str, reason: str) -> None:
    await desk.ask()
    desk.console.templates = [replace(FALL, **change)]
    await desk.ask()
    standing = desk.template("fall").standing
    assert (standing.status, standing.reason) == (status, reason)
    with pytest.raises(NotAllowed, match="template_not_approved"):
        desk.marketing.content.find_template(WORKSPACE, "fall")
    desk.console.templates = [FALL]
    await desk.ask()
    assert desk.template("fall").standing.status == "approved"


async def test_what_the_carrier_lists_no_longer_cannot_be_chosen(desk: Desk) -> None:
    await desk.ask()
    desk.console.templates, desk.console.signatures = [], []
    await desk.ask()
    assert desk.template("fall").standing.status == "disabled"
    assert desk.signature("Autumn").standing.status == "disabled"


async def test_nothing_is_written_where_nothing_changed(desk: Desk) -> None:
    await desk.ask()
    before = desk.template("fall"), desk.signature("Autumn")
    await desk.ask()
    assert (desk.template("fall"), desk.signature("Autumn")) == before


async def test_nobody_changes_what_the_carrier_decides(desk: Desk) -> None:
    await desk.ask()
    fall, autumn = desk.template("fall"), desk.signature("Autumn")
    with pytest.raises(NotAllowed, match="carrier_decides"):
        desk.changes.edit_template(WORKSPACE, fall.template.id, 0, NEW, CHANNEL, ANA)
    for kind, key in ((ContentKind.TEMPLATE, fall.template.id), (ContentKind.SIGNATURE, autumn.signature.id)):
        with pytest.raises(NotAllowed, match="carrier_decides"):
            desk.changes.disable(WORKSPACE, kind, key, ANA)
        with pytest.raises(NotAllowed, match="carrier_decides"):
            desk.changes.decide(WORKSPACE, kind, key, 0, BEN, approve=True)


async def test_people_choose_by_name_so_no_name_comes_twice(desk: Desk) -> None:
    desk.console.templates = [replace(FALL, name="Spring"), replace(FALL, code="901"), replace(FALL, code="902")]
    for _ in range(2):
        await desk.ask()
        assert {"Spring (900)", "fall", "fall (902)"} <= set(desk.names())
        assert len(desk.names()) == 8
    desk.console.templates = [*reversed(desk.console.templates)]
    await desk.ask()
    assert {"Spring (900)", "fall", "fall (902)"} <= set(desk.names()), "whatever the order of the list"


async def test_a_new_template_is_applied_for_and_then_awaits_the_carriers_word(desk: Desk) -> None:
    await desk.ask()
    autumn = desk.signature("Autumn").signature.id
    desk.add(replace(NEW, signature_id=autumn))
    await desk.ask()
    assert desk.console.applied == [("winter", "Snow falls.", "notification", "Autumn")]
    added = desk.template("winter")
    assert (added.template.code, added.standing.status) == ("code-1", "pending")
    await desk.ask()
    assert len(desk.console.applied) == 1
    assert desk.template("winter").standing.status == "pending", "too new for the carrier's list"


async def test_the_post_of_an_applied_template_follows_the_carrier(desk: Desk) -> None:
    desk.add()
    await desk.ask()
    (post,) = desk.marketing.posts.due()
    desk.marketing.posts.shown(post.id, "171.01", post.version, closed=False)
    winter = CarrierTemplate("code-1", "winter", "Snow falls.", "notification", "approved")
    desk.console.templates = [FALL, winter]
    await desk.ask()
    (post,) = desk.marketing.posts.due()
    assert (post.kind, post.ts) == (PostKind.TEMPLATE, "171.01")
    assert desk.template("winter").standing.status == "approved"


async def test_what_reached_the_carrier_before_a_crash_is_not_applied_for_twice(desk: Desk) -> None:
    desk.add()
    arrived = CarrierTemplate("903", "Winter", "Snow falls.", "notification", "pending")
    desk.console.templates = [FALL, arrived]
    await desk.ask()
    assert desk.console.applied == []
    assert desk.template("Winter").template.code == "903"


async def test_what_the_carrier_refuses_to_take_is_told_and_can_be_mended(desk: Desk) -> None:
    desk.console.add_trouble = RequestRefused("InvalidParameterValue.TemplateWithDirtyWords", "dirty words")
    added = desk.add()
    await desk.ask()
    refused = desk.template("winter")
    assert refused.standing.status == "rejected"
    assert refused.standing.reason == "InvalidParameterValue.TemplateWithDirtyWords: dirty words"
    await desk.ask()
    assert desk.template("winter").standing.status == "rejected", "it is not tried again by itself"
    desk.console.add_trouble = None
    version = refused.standing.version
    desk.changes.edit_template(WORKSPACE, added.template.id, version, replace(NEW, text="Clean."), CHANNEL, ANA)
    await desk.ask()
    assert [text for _, text, *_ in desk.console.applied] == ["Clean."]


@pytest.mark.parametrize("trouble", [NotTaken("slow_down", "later"), Unanswered("timeout", "no answer")])
async def test_without_an_answer_it_is_tried_at_the_next_round(desk: Desk, trouble: Exception) -> None:
    desk.console.add_trouble = trouble
    desk.add()
    await desk.ask()
    assert desk.template("winter").standing.status == "pending"
    last = desk.sync.last_round(desk.marketing.application_id)
    assert last is not None
    assert last.trouble in ("slow_down", "timeout")
    desk.console.add_trouble = None
    await desk.ask()
    assert desk.template("winter").template.code == "code-1"


@pytest.mark.parametrize("trouble", [RequestRefused("AuthFailure", "wrong key"), ZeroDivisionError("a defect")])
async def test_a_carrier_that_does_not_answer_takes_nothing_away(desk: Desk, trouble: Exception) -> None:
    await desk.ask()
    desk.console.trouble = trouble
    await desk.ask()
    assert desk.template("fall").standing.status == "approved"
    last = desk.sync.last_round(desk.marketing.application_id)
    assert last is not None
    assert last.trouble in ("AuthFailure", "unexpected")


async def test_a_carrier_that_hangs_is_given_up_for_this_round(desk: Desk) -> None:
    desk.console.answers_after = 30.0
    application_id = desk.marketing.application_id
    carriers = {application_id: desk.console}
    sync = ContentSync(desk.marketing.database, desk.marketing.clock, carriers, round_seconds=0.05)
    await sync.tick()
    last = sync.last_round(application_id)
    assert last is not None
    assert last.trouble == "timeout"


async def test_no_transaction_is_open_while_the_carrier_is_asked(desk: Desk) -> None:
    desk.add()

    def write_something() -> None:
        # SQLite has one writer, who would have to wait for ever.
        desk.marketing.declare(MAINLAND)

    desk.console.before_each = write_something
    await desk.ask()
    assert len(desk.console.applied) == 1


@pytest.fixture
def untyped(database: Database) -> Desk:
    """A workspace at Tencent, whose API says neither channel numbers nor SMS types."""
    marketing = Marketing(database, applications=(replace(MAINLAND, carrier="tencent", signatures=(), templates=()),))
    console = FakeConsole([CarrierSignature("Autumn", "approved")], [replace(FALL, sms_type=None, signature=None)])
    carriers = {marketing.application_id: console}
    sync = ContentSync(marketing.database, marketing.clock, carriers)
    return Desk(marketing, console, sync, ContentChanges(marketing.database, carriers))


async def test_a_template_of_unknown_type_is_sent_to_nobody_until_somebody_says_its_type(untyped: Desk) -> None:
    await untyped.ask()
    content = untyped.marketing.content
    with pytest.raises(NotAllowed, match="template_type_unknown"):
        content.find_template(WORKSPACE, "fall")
    assert content.choices(WORKSPACE).not_shown == [NotShown("fall", TYPE_UNKNOWN)]
    fall = untyped.template("fall")
    assert (fall.is_untyped, fall.is_typed_here, fall.template.sms_type) == (True, True, "verification")
    untyped.changes.say_type(WORKSPACE, fall.template.id, SmsType.NOTIFICATION, BEN)
    await untyped.ask()
    found = content.find_template(WORKSPACE, "fall")
    assert found.sms_type is SmsType.NOTIFICATION
    signature = content.choose_signature(WORKSPACE, found, None)
    assert signature is not None
    assert signature.channel_number == "Autumn", "its requests name the signature itself"
    untyped.changes.say_type(WORKSPACE, fall.template.id, SmsType.PROMOTIONAL, BEN)
    assert content.find_template(WORKSPACE, "fall").sms_type is SmsType.PROMOTIONAL


async def test_the_type_of_a_template_that_was_applied_for_here_is_known(untyped: Desk) -> None:
    untyped.add()
    await untyped.ask()
    untyped.console.templates = [CarrierTemplate("code-1", "winter", "Snow falls.", None, "approved")]
    await untyped.ask()
    assert untyped.marketing.content.find_template(WORKSPACE, "winter").sms_type is SmsType.NOTIFICATION


async def test_a_type_that_the_carrier_says_is_its_word(desk: Desk) -> None:
    await desk.ask()
    with pytest.raises(NotAllowed, match="type_is_known"):
        desk.changes.say_type(WORKSPACE, desk.template("fall").template.id, SmsType.PROMOTIONAL, BEN)


async def test_it_is_asked_at_the_start_every_ten_minutes_and_when_told_to(desk: Desk) -> None:
    await desk.sync.tick()
    await desk.sync.tick()
    assert desk.console.asked == 1
    desk.marketing.clock.move(EVERY - timedelta(seconds=1))
    await desk.sync.tick()
    assert desk.console.asked == 1
    desk.marketing.clock.move(timedelta(seconds=1))
    await desk.sync.tick()
    assert desk.console.asked == 2
    desk.sync.wake()
    await desk.sync.tick()
    assert desk.console.asked == 3
