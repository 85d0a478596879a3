"""What people add themselves: pending until somebody else approves it, and again after every change."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from services.content import ApplicationDeclaration
from services.content_changes import CHANNEL_LIMIT, CODE_LIMIT, TEXT_LIMIT, ContentChanges, SignatureForm, TemplateForm
from services.content_lists import Filter, ListedTemplate, Page
from services.database import Database
from services.errors import NotAllowed, UnknownThing
from services.posts import Post, PostKind
from services.states import ApprovalStatus, ContentKind, ContentOrigin, Region, SmsType
from tests.services.builders import ANA, BEN, CHANNEL, MAINLAND, SIGNATURE, SPRING, WORKSPACE, Marketing, identified

MEI = "U0MEI"
KINDS = [ContentKind.TEMPLATE, ContentKind.SIGNATURE]
FREE = ApplicationDeclaration("intl", "twilio", Region.INTERNATIONAL)
BY_NAME = ApplicationDeclaration("tx", "tencent", Region.MAINLAND, (replace(SIGNATURE, channel_number="Spring"),))
FORM = TemplateForm("autumn", "Leaves fall.", SmsType.NOTIFICATION, "tpl-9")


def status_of(marketing: Marketing, kind: ContentKind, key: int) -> tuple[ApprovalStatus, str | None]:
    lists = marketing.lists
    found = lists.template(WORKSPACE, key) if kind is ContentKind.TEMPLATE else lists.signature(WORKSPACE, key)
    return found.standing.status, found.standing.reason


def due(marketing: Marketing) -> list[Post]:
    return marketing.posts.due()


def show(marketing: Marketing, *, closed: bool = False) -> Post:
    """Slack shows the only post that is due."""
    (post,) = due(marketing)
    marketing.posts.shown(post.id, "171.01", post.version, closed=closed)
    return post


def refusal(raised: pytest.ExceptionInfo[NotAllowed]) -> str:
    return raised.value.rule


@pytest.fixture(params=KINDS, ids=lambda kind: kind.value)
def waiting(request: pytest.FixtureRequest, marketing: Marketing) -> tuple[Marketing, ContentKind, int]:
    """Ana has added one of each kind."""
    added = marketing.a_template() if request.param is ContentKind.TEMPLATE else marketing.a_signature()
    return marketing, *identified(added)


Waiting = tuple[Marketing, ContentKind, int]


class TestTheSecondPerson:
    """Nobody approves their own, and nobody approves what they have not seen."""

    def test_what_is_added_waits_and_the_channel_is_told(self, waiting: Waiting) -> None:
        marketing, kind, key = waiting
        assert status_of(marketing, kind, key) == ("pending", None)
        (post,) = due(marketing)
        assert (post.kind.value, post.subject_id, post.channel) == (kind.value, key, CHANNEL)

    def test_somebody_else_approves_it_and_the_post_says_so(self, waiting: Waiting) -> None:
        marketing, kind, key = waiting
        show(marketing)
        marketing.content_changes.decide(WORKSPACE, kind, key, 0, BEN, approve=True)
        assert status_of(marketing, kind, key) == ("approved", None)
        (post,) = due(marketing)
        assert (post.ts, post.version) == ("171.01", 1)

    def test_its_author_neither_approves_nor_rejects_it(self, waiting: Waiting) -> None:
        marketing, kind, key = waiting
        for approve in (True, False):
            with pytest.raises(NotAllowed) as raised:
                marketing.content_changes.decide(WORKSPACE, kind, key, 0, ANA, approve=approve, reason="no")
            assert refusal(raised) == "own_content"

    def test_it_is_rejected_for_a_reason_only(self, waiting: Waiting) -> None:
        marketing, kind, key = waiting
        with pytest.raises(NotAllowed, match="reason_missing"):
            marketing.content_changes.decide(WORKSPACE, kind, key, 0, BEN, approve=False, reason="  ")
        marketing.content_changes.decide(WORKSPACE, kind, key, 0, BEN, approve=False, reason=" Too short. ")
        assert status_of(marketing, kind, key) == ("rejected", "Too short.")

    def test_it_is_decided_once(self, waiting: Waiting) -> None:
        marketing, kind, key = waiting
        marketing.content_changes.decide(WORKSPACE, kind, key, 0, BEN, approve=True)
        with pytest.raises(NotAllowed, match="already_decided"):
            marketing.content_changes.decide(WORKSPACE, kind, key, 1, MEI, approve=False, reason="no")

    def test_what_changed_since_it_was_shown_is_not_approved(self, marketing: Marketing) -> None:
        added = marketing.a_template()
        marketing.content_changes.edit_template(
            WORKSPACE, added.template.id, 0, replace(FORM, text="Sold!"), CHANNEL, ANA
        )
        with pytest.raises(NotAllowed, match="content_changed"):
            marketing.approve(added)

    def test_whoever_edits_it_is_its_author(self, marketing: Marketing) -> None:
        added = marketing.a_template()
        edited = marketing.content_changes.edit_template(
            WORKSPACE, added.template.id, 0, replace(FORM, text="Sold!"), CHANNEL, BEN
        )
        with pytest.raises(NotAllowed, match="own_content"):
            marketing.approve(edited, by=BEN)
        marketing.approve(edited, by=ANA)

    def test_another_workspaces_does_not_exist(self, waiting: Waiting) -> None:
        marketing, kind, key = waiting
        with pytest.raises(UnknownThing):
            marketing.content_changes.decide("T0OTHER", kind, key, 0, BEN, approve=True)
        with pytest.raises(UnknownThing):
            marketing.content_changes.disable("T0OTHER", kind, key, BEN)


class TestEditing:
    """Whatever a person reads in it makes it pending again."""

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param({"text": "Leaves fell."}, id="text"),
            pytest.param({"name": "fall"}, id="name"),
            pytest.param({"sms_type": SmsType.PROMOTIONAL}, id="type"),
            pytest.param({"code": "tpl-10"}, id="code"),
        ],
    )
    def test_a_changed_template_waits_again_with_a_post_of_its_own(
        self, marketing: Marketing, change: dict[str, Any]
    ) -> None:
        added = marketing.a_template()
        marketing.approve(added)
        show(marketing, closed=True)
        marketing.content_changes.edit_template(
            WORKSPACE, added.template.id, 1, replace(FORM, **change), "C0OTHER", ANA
        )
        assert status_of(marketing, ContentKind.TEMPLATE, added.template.id) == ("pending", None)
        (post,) = due(marketing)
        assert (post.ts, post.channel, post.version) == (None, "C0OTHER", 2)

    def test_another_signature_waits_again(self, marketing: Marketing) -> None:
        added = marketing.a_template()
        marketing.approve(added)
        (spring,) = marketing.content.signatures(marketing.application_id)
        tied = marketing.content_changes.associate(WORKSPACE, added.template.id, 1, spring.id, CHANNEL, ANA)
        assert (tied.template.signature, tied.standing.status) == ("Spring", "pending")
        marketing.approve(tied)
        untied = marketing.content_changes.associate(WORKSPACE, added.template.id, 3, None, CHANNEL, ANA)
        assert (untied.template.is_universal, untied.standing.status) == (True, "pending")

    def test_a_changed_signature_waits_again(self, marketing: Marketing) -> None:
        added = marketing.a_signature()
        marketing.approve(added)
        form = SignatureForm("Autumn", "1069000010", SmsType.NOTIFICATION)
        edited = marketing.content_changes.edit_signature(WORKSPACE, added.signature.id, 1, form, CHANNEL, ANA)
        assert (edited.standing.status, edited.signature.sms_type) == ("pending", "notification")

    def test_one_that_waits_already_keeps_its_post(self, marketing: Marketing) -> None:
        added = marketing.a_template()
        before = show(marketing)
        marketing.content_changes.edit_template(
            WORKSPACE, added.template.id, 0, replace(FORM, text="Sold!"), "C0OTHER", ANA
        )
        (post,) = due(marketing)
        assert (post.id, post.ts, post.channel) == (before.id, "171.01", CHANNEL)

    def test_what_is_sent_as_it_was_opened_stays_approved(self, marketing: Marketing) -> None:
        added = marketing.a_template()
        marketing.approve(added)
        same = marketing.content_changes.edit_template(WORKSPACE, added.template.id, 1, FORM, CHANNEL, ANA)
        assert (same.standing.status, same.standing.version) == ("approved", 1)

    def test_of_two_who_edit_the_second_is_told(self, marketing: Marketing) -> None:
        added = marketing.a_template()
        edit = marketing.content_changes.edit_template
        edit(WORKSPACE, added.template.id, 0, replace(FORM, text="One."), CHANNEL, ANA)
        with pytest.raises(NotAllowed, match="content_changed"):
            edit(WORKSPACE, added.template.id, 0, replace(FORM, text="Two."), CHANNEL, BEN)

    def test_a_rejected_one_is_mended(self, marketing: Marketing) -> None:
        added = marketing.a_template()
        kind, key = identified(added)
        marketing.content_changes.decide(WORKSPACE, kind, key, 0, BEN, approve=False, reason="Too short.")
        marketing.content_changes.edit_template(WORKSPACE, key, 1, replace(FORM, text="Longer."), CHANNEL, ANA)
        assert status_of(marketing, kind, key) == ("pending", None)


class TestDisabling:
    """It can no longer be chosen; to choose it again somebody else looks at it again."""

    def test_it_is_disabled_and_enabled_only_with_an_approval(self, waiting: Waiting) -> None:
        marketing, kind, key = waiting
        marketing.content_changes.decide(WORKSPACE, kind, key, 0, BEN, approve=True)
        show(marketing, closed=True)
        marketing.content_changes.disable(WORKSPACE, kind, key, ANA, " out of season ")
        assert status_of(marketing, kind, key) == ("disabled", "out of season")
        with pytest.raises(NotAllowed, match="already_decided"):
            marketing.content_changes.disable(WORKSPACE, kind, key, ANA)
        assert due(marketing) == []
        marketing.content_changes.enable(WORKSPACE, kind, key, CHANNEL, BEN)
        assert status_of(marketing, kind, key) == ("pending", None)
        assert [post.ts for post in due(marketing)] == [None]
        with pytest.raises(NotAllowed, match="own_content"):
            marketing.content_changes.decide(WORKSPACE, kind, key, 3, BEN, approve=True)
        with pytest.raises(NotAllowed, match="already_decided"):
            marketing.content_changes.enable(WORKSPACE, kind, key, CHANNEL, BEN)

    def test_one_that_is_disabled_while_it_waits_can_no_longer_be_approved(self, waiting: Waiting) -> None:
        marketing, kind, key = waiting
        marketing.content_changes.disable(WORKSPACE, kind, key, ANA)
        with pytest.raises(NotAllowed, match="already_decided"):
            marketing.content_changes.decide(WORKSPACE, kind, key, 1, BEN, approve=True)

    def test_what_the_settings_say_is_changed_there(self, marketing: Marketing) -> None:
        spring = marketing.content.find_template(WORKSPACE, "spring")
        (signature,) = marketing.content.signatures(marketing.application_id)
        changes = marketing.content_changes
        for kind, key in ((ContentKind.TEMPLATE, spring.id), (ContentKind.SIGNATURE, signature.id)):
            with pytest.raises(NotAllowed, match="in_settings"):
                changes.disable(WORKSPACE, kind, key, ANA)
            with pytest.raises(NotAllowed, match="in_settings"):
                changes.decide(WORKSPACE, kind, key, 0, BEN, approve=False, reason="no")
        with pytest.raises(NotAllowed, match="in_settings"):
            changes.edit_template(WORKSPACE, spring.id, 0, FORM, CHANNEL, ANA)
        with pytest.raises(NotAllowed, match="in_settings"):
            changes.edit_signature(WORKSPACE, signature.id, 0, SignatureForm("x", "1"), CHANNEL, ANA)


class TestWhatIsAccepted:
    """A wrong field is named by its rule."""

    @pytest.mark.parametrize(
        ("change", "rule"),
        [
            pytest.param({"name": "  "}, "content_name", id="no name"),
            pytest.param({"name": "x" * 61}, "content_name", id="a long name"),
            pytest.param({"name": " SPRING "}, "template_exists", id="a name there is, in another case"),
            pytest.param({"text": " "}, "template_text", id="no text"),
            pytest.param({"text": "x" * (TEXT_LIMIT + 1)}, "template_text", id="a long text"),
            pytest.param({"code": ""}, "code_missing", id="no code"),
            pytest.param({"code": "x" * (CODE_LIMIT + 1)}, "code_too_long", id="a long code"),
        ],
    )
    def test_of_a_template(self, marketing: Marketing, change: dict[str, Any], rule: str) -> None:
        with pytest.raises(NotAllowed) as raised:
            marketing.content_changes.add_template(
                WORKSPACE, marketing.application_id, replace(FORM, **change), CHANNEL, ANA
            )
        assert refusal(raised) == rule
        assert due(marketing) == []

    @pytest.mark.parametrize(
        ("form", "rule"),
        [
            pytest.param(SignatureForm("【】", "1"), "content_name", id="no name"),
            pytest.param(SignatureForm("【spring】", "1"), "signature_exists", id="a name there is"),
            pytest.param(SignatureForm("Autumn", " "), "channel_missing", id="no channel number"),
            pytest.param(SignatureForm("Autumn", "1" * (CHANNEL_LIMIT + 1)), "channel_too_long", id="a long one"),
        ],
    )
    def test_of_a_signature(self, marketing: Marketing, form: SignatureForm, rule: str) -> None:
        with pytest.raises(NotAllowed) as raised:
            marketing.content_changes.add_signature(WORKSPACE, marketing.application_id, form, CHANNEL, ANA)
        assert refusal(raised) == rule

    def test_a_template_and_its_signature_are_of_one_type(self, marketing: Marketing) -> None:
        offers = marketing.a_signature("Offers", sms_type=SmsType.PROMOTIONAL)
        with pytest.raises(NotAllowed, match="signature_type_differs"):
            marketing.a_template(signature_id=offers.signature.id)
        assert (
            marketing.a_template(signature_id=offers.signature.id, sms_type=SmsType.PROMOTIONAL).template.signature
            == "Offers"
        )

    def test_a_signature_of_another_application_is_not_there(self, database: Database) -> None:
        marketing = Marketing(database, applications=(MAINLAND, FREE))
        (spring,) = marketing.content.signatures(marketing.application_id)
        other = marketing.applications["intl"].id
        with pytest.raises(UnknownThing) as raised:
            marketing.content_changes.add_template(
                WORKSPACE, other, replace(FORM, signature_id=spring.id), CHANNEL, ANA
            )
        assert raised.value.kind == "chosen signature"

    def test_free_text_needs_neither_code_nor_channel_number(self, database: Database) -> None:
        marketing = Marketing(database, applications=(FREE,))
        assert marketing.a_template(code="").template.code == ""
        assert marketing.a_signature(channel_number="").signature.channel_number == ""

    def test_where_a_signature_is_asked_for_by_its_name_that_is_its_channel_number(self, database: Database) -> None:
        marketing = Marketing(database, applications=(BY_NAME,))
        assert marketing.a_signature("【云帆】", channel_number="").signature.channel_number == "云帆"

    def test_an_application_of_another_workspace_is_not_there(self, marketing: Marketing) -> None:
        with pytest.raises(UnknownThing):
            marketing.content_changes.add_template("T0OTHER", marketing.application_id, FORM, CHANNEL, ANA)


class TestWhereTheCarrierDecides:
    """Where its API lists templates and takes new ones."""

    def test_a_new_template_is_the_carriers_to_judge(self, marketing: Marketing) -> None:
        changes = ContentChanges(marketing.database, {marketing.application_id})
        form = replace(FORM, code="")
        added = changes.add_template(WORKSPACE, marketing.application_id, form, CHANNEL, ANA)
        assert (added.standing.origin, added.standing.status, added.template.code) == ("carrier", "pending", "")
        with pytest.raises(NotAllowed, match="carrier_decides"):
            changes.decide(WORKSPACE, ContentKind.TEMPLATE, added.template.id, 0, BEN, approve=True)
        with pytest.raises(NotAllowed, match="carrier_decides"):
            changes.disable(WORKSPACE, ContentKind.TEMPLATE, added.template.id, BEN)
        assert [post.kind for post in due(marketing)] == [PostKind.TEMPLATE]

    def test_a_new_signature_is_applied_for_in_its_console(self, marketing: Marketing) -> None:
        changes = ContentChanges(marketing.database, {marketing.application_id})
        with pytest.raises(NotAllowed, match="signature_at_carrier"):
            changes.add_signature(WORKSPACE, marketing.application_id, SignatureForm("A", "1"), CHANNEL, ANA)


def names(page: Page[ListedTemplate]) -> list[str]:
    return [each.template.name for each in page.items]


class TestListing:
    """By name, in pages, with the filters of the other lists."""

    @pytest.mark.parametrize(
        ("wanted", "found"),
        [
            pytest.param(Filter(name="ALE"), ["Late Sale", "sale"], id="name, in any case"),
            pytest.param(Filter(name="ｓａｌｅ"), ["Late Sale", "sale"], id="name, in any width"),
            pytest.param(Filter(status=ApprovalStatus.PENDING), ["Late Sale"], id="status"),
            pytest.param(Filter(application="intl"), [], id="application"),
            pytest.param(Filter(status=ApprovalStatus.DISABLED), ["old"], id="those that have left the settings"),
        ],
    )
    def test_filters(self, marketing: Marketing, wanted: Filter, found: list[str]) -> None:
        marketing.declare(replace(MAINLAND, templates=(replace(SPRING, name="old"),)))
        marketing.declare(MAINLAND)
        marketing.a_template("Late Sale")
        assert names(marketing.lists.templates(WORKSPACE, wanted, 1, 10)) == found

    def test_pages(self, marketing: Marketing) -> None:
        for n in range(7):
            marketing.a_template(f"t{n}")
        page = marketing.lists.templates(WORKSPACE, Filter(name="t"), 9, 3)
        assert (page.page, page.pages, page.total, names(page)) == (3, 3, 7, ["t6"])

    def test_what_was_in_the_settings_once_is_not_listed(self, marketing: Marketing) -> None:
        marketing.declare(replace(MAINLAND, templates=(SPRING,)))
        assert names(marketing.lists.templates(WORKSPACE, Filter(), 1, 10)) == ["spring"]

    def test_applications_count_what_is_approved(self, marketing: Marketing) -> None:
        marketing.a_template()
        marketing.approve(marketing.a_signature())
        (known,) = marketing.lists.applications(WORKSPACE).items
        assert (known.name, known.signatures, known.templates) == ("promo-cn", 2, 5)
        assert marketing.lists.applications(WORKSPACE, "zzz").items == []

    def test_no_workspace_sees_anothers(self, marketing: Marketing) -> None:
        marketing.a_template()
        lists = marketing.lists
        assert lists.templates("T0OTHER", Filter(), 1, 10).items == []
        assert lists.applications("T0OTHER").items == []
        for look in (lists.template, lists.signature, lists.application, lists.receipts_token):
            with pytest.raises(UnknownThing):
                look("T0OTHER", 1)

    def test_a_templates_own_signature_stands_beside_it(self, marketing: Marketing) -> None:
        autumn = marketing.a_signature()
        added = marketing.a_template(signature_id=autumn.signature.id)
        assert (added.signature_status, added.standing.origin) == ("pending", ContentOrigin.CHANNEL)
        assert [each.name for each in marketing.lists.signatures_of(WORKSPACE, marketing.application_id)] == [
            "Autumn",
            "Spring",
        ]
