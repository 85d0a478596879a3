"""What the carriers have approved, as the settings say it."""

import threading
from dataclasses import replace
from decimal import Decimal

import pytest

from services.content import (
    SIGNATURE_UNUSABLE,
    ApplicationDeclaration,
    Content,
    NotShown,
    SignatureDeclaration,
    TemplateDeclaration,
)
from services.content_lists import Filter, ListedSignature
from services.database import Database
from services.errors import NotAllowed, UnknownThing
from services.states import ApprovalStatus, ContentKind, ContentOrigin, Region, SmsType
from tests.services.builders import (
    ANA,
    BEN,
    CODE,
    MAINLAND,
    SALE,
    SIGNATURE,
    SPRING,
    UNIVERSAL,
    WORKSPACE,
    Marketing,
    identified,
    numbers,
)

OTHER_SIGNATURE = SignatureDeclaration("Winter", "1069000002")
ABROAD = ApplicationDeclaration(
    "promo-intl", "huawei", Region.INTERNATIONAL, (), (TemplateDeclaration("hello", "x", SmsType.NOTIFICATION, "Hi."),)
)


def names(marketing: Marketing) -> list[str]:
    return [each.name for each in marketing.content.templates(marketing.workspace_id)]


def refused(marketing: Marketing, name: str, application: str | None = None) -> tuple[str, dict[str, object]]:
    """The rule, and of its facts those that say why."""
    with pytest.raises(NotAllowed) as raised:
        marketing.content.find_template(marketing.workspace_id, name, application)
    facts = raised.value.facts
    return raised.value.rule, {key: facts[key] for key in ("status", "origin", "applications") if key in facts}


def test_declaring_twice_keeps_ids_and_the_address_of_receipts(marketing: Marketing) -> None:
    before = marketing.applications, marketing.content.templates(marketing.workspace_id)
    marketing.declare(MAINLAND)
    assert (marketing.applications, marketing.content.templates(marketing.workspace_id)) == before


def test_each_application_has_an_address_no_stranger_can_guess(database: Database) -> None:
    one, two = Marketing(database, applications=(MAINLAND, ABROAD)).applications.values()
    assert one.receipts_token != two.receipts_token
    assert len(one.receipts_token) >= 32


def test_a_template_taken_out_can_no_longer_be_chosen(marketing: Marketing) -> None:
    marketing.declare(replace(MAINLAND, templates=(SPRING,)))
    assert names(marketing) == ["spring"]
    assert refused(marketing, "sale") == ("template_not_approved", {"status": "disabled", "origin": "settings"})
    with pytest.raises(UnknownThing) as unknown:
        marketing.content.find_template(marketing.workspace_id, "sail")
    assert (unknown.value.kind, unknown.value.known) == ("template", ("spring",))


def test_a_template_put_back_is_the_one_it_was(marketing: Marketing) -> None:
    before = marketing.content.find_template(marketing.workspace_id, "sale")
    marketing.declare(replace(MAINLAND, templates=(SPRING,)))
    marketing.declare(replace(MAINLAND, templates=(SPRING, replace(SALE, text="Nothing goes."))))
    after = marketing.content.find_template(marketing.workspace_id, "sale")
    assert after == replace(before, text="Nothing goes.")


def test_renaming_an_application_makes_another_one(marketing: Marketing) -> None:
    before = marketing.application_id
    marketing.declare(replace(MAINLAND, name="promo"))
    assert marketing.application_id != before
    assert {each.application for each in marketing.content.templates(marketing.workspace_id)} == {"promo"}


def test_an_application_taken_out_takes_its_templates_with_it(marketing: Marketing) -> None:
    marketing.declare(ABROAD)
    assert names(marketing) == ["hello"]


def test_a_template_moves_to_another_signature(marketing: Marketing) -> None:
    marketing.declare(
        replace(
            MAINLAND,
            signatures=(SIGNATURE, OTHER_SIGNATURE),
            templates=(replace(SPRING, signature=OTHER_SIGNATURE.name),),
        )
    )
    spring = marketing.content.find_template(marketing.workspace_id, "spring")
    assert spring.signature == "Winter"


def test_no_workspace_sees_anothers_templates(marketing: Marketing) -> None:
    other = Marketing(marketing.database, workspace_id="T0OTHER", applications=(replace(MAINLAND, templates=(SALE,)),))
    assert names(other) == ["sale"]
    assert "spring" in names(marketing)
    assert other.application_id != marketing.application_id


@pytest.mark.parametrize("typed", ["spring", "Spring", " SPRING "], ids=["as it is", "capital", "shouted"])
def test_a_template_is_found_whatever_its_case(marketing: Marketing, typed: str) -> None:
    assert marketing.content.find_template(marketing.workspace_id, typed).name == "spring"


def test_one_name_in_two_applications_must_be_told_apart(database: Database) -> None:
    marketing = Marketing(database, applications=(MAINLAND, ABROAD))
    with pytest.raises(NotAllowed) as refused:
        marketing.content.find_template(marketing.workspace_id, "hello")
    assert refused.value.rule == "several_applications"
    assert refused.value.facts["applications"] == ["promo-cn", "promo-intl"]
    chosen = marketing.content.find_template(marketing.workspace_id, "hello", "promo-intl")
    assert (chosen.application, chosen.region) == ("promo-intl", Region.INTERNATIONAL)


def test_an_unknown_application_is_answered_with_the_known_ones(marketing: Marketing) -> None:
    with pytest.raises(UnknownThing) as unknown:
        marketing.content.find_template(marketing.workspace_id, "spring", "promo")
    assert (unknown.value.kind, unknown.value.name, unknown.value.known) == ("application", "promo", ("promo-cn",))


class TestChoosingASignature:
    """A template's own goes without saying; a universal one takes what is named, or the only one."""

    @pytest.mark.parametrize("typed", [None, "Spring", "【Spring】", " [Spring] "])
    def test_the_templates_own(self, marketing: Marketing, typed: str | None) -> None:
        spring = marketing.content.find_template(marketing.workspace_id, "spring")
        chosen = marketing.content.choose_signature(WORKSPACE, spring, typed)
        assert chosen is not None
        assert (chosen.name, chosen.channel_number) == ("Spring", "1069000001")

    def test_another_than_the_templates_own_is_refused(self, marketing: Marketing) -> None:
        spring = marketing.content.find_template(marketing.workspace_id, "spring")
        with pytest.raises(NotAllowed) as refused:
            marketing.content.choose_signature(WORKSPACE, spring, "Winter")
        assert (refused.value.rule, refused.value.facts["signature"]) == ("other_signature", "Spring")

    def test_a_signature_no_longer_approved_is_refused(self, marketing: Marketing) -> None:
        spring = marketing.content.find_template(marketing.workspace_id, "spring")
        marketing.declare(replace(MAINLAND, signatures=(), templates=(UNIVERSAL,)))
        with pytest.raises(NotAllowed) as refused:
            marketing.content.choose_signature(WORKSPACE, spring, None)
        assert refused.value.rule == "signature_not_approved"
        assert refused.value.facts["signature"] == "Spring"

    def test_a_universal_template_takes_the_only_one(self, marketing: Marketing) -> None:
        universal = marketing.content.find_template(marketing.workspace_id, "hello")
        chosen = marketing.content.choose_signature(WORKSPACE, universal, None)
        assert chosen is not None
        assert chosen.name == "Spring"

    def test_a_universal_template_asks_where_there_are_several(self, database: Database) -> None:
        marketing = Marketing(database, applications=(replace(MAINLAND, signatures=(SIGNATURE, OTHER_SIGNATURE)),))
        universal = marketing.content.find_template(marketing.workspace_id, "hello")
        with pytest.raises(NotAllowed) as refused:
            marketing.content.choose_signature(WORKSPACE, universal, None)
        assert (refused.value.rule, refused.value.facts["signatures"]) == ("signature_needed", ["Spring", "Winter"])
        chosen = marketing.content.choose_signature(WORKSPACE, universal, "Winter")
        assert chosen is not None
        assert chosen.channel_number == "1069000002"

    def test_an_unknown_one_is_answered_with_the_known_ones(self, marketing: Marketing) -> None:
        universal = marketing.content.find_template(marketing.workspace_id, "hello")
        with pytest.raises(UnknownThing) as unknown:
            marketing.content.choose_signature(WORKSPACE, universal, "Wintre")
        assert (unknown.value.kind, unknown.value.known) == ("signature", ("Spring",))

    def test_the_mainland_needs_one(self, database: Database) -> None:
        marketing = Marketing(database, applications=(replace(MAINLAND, signatures=(), templates=(UNIVERSAL,)),))
        universal = marketing.content.find_template(marketing.workspace_id, "hello")
        with pytest.raises(NotAllowed) as refused:
            marketing.content.choose_signature(WORKSPACE, universal, None)
        assert refused.value.rule == "no_signature"

    def test_elsewhere_none_is_needed(self, database: Database) -> None:
        marketing = Marketing(database, applications=(ABROAD,))
        universal = marketing.content.find_template(marketing.workspace_id, "hello")
        assert marketing.content.choose_signature(WORKSPACE, universal, None) is None

    def test_one_that_is_for_another_type_is_refused_and_not_taken_for_the_only_one(self, marketing: Marketing) -> None:
        offers = marketing.a_signature("Offers", sms_type=SmsType.PROMOTIONAL)
        marketing.approve(offers)
        universal = marketing.content.find_template(marketing.workspace_id, "hello")
        assert marketing.content.choose_signature(WORKSPACE, universal, None) is not None
        with pytest.raises(NotAllowed) as refused:
            marketing.content.choose_signature(WORKSPACE, universal, "Offers")
        assert refused.value.rule == "signature_type_differs"
        assert refused.value.facts["signature_type"] == "promotional"

    def test_one_that_waits_says_so_and_is_not_the_only_one(self, database: Database) -> None:
        marketing = Marketing(database, applications=(replace(MAINLAND, signatures=(), templates=(UNIVERSAL,)),))
        waiting = marketing.a_signature()
        universal = marketing.content.find_template(marketing.workspace_id, "hello")
        with pytest.raises(NotAllowed) as refused:
            marketing.content.choose_signature(WORKSPACE, universal, "Autumn")
        assert (refused.value.rule, refused.value.facts["status"]) == ("signature_not_approved", "pending")
        with pytest.raises(NotAllowed) as refused:
            marketing.content.choose_signature(WORKSPACE, universal, None)
        assert refused.value.facts["not_shown"] == [NotShown("Autumn", "pending")]
        marketing.approve(waiting)
        chosen = marketing.content.choose_signature(WORKSPACE, universal, None)
        assert chosen is not None
        assert chosen.channel_number == "1069000009"

    def test_one_of_another_application_is_known_and_refused(self, database: Database) -> None:
        marketing = Marketing(database, applications=(MAINLAND, ABROAD))
        universal = marketing.content.find_template(marketing.workspace_id, "hello", "promo-intl")
        with pytest.raises(NotAllowed) as refused:
            marketing.content.choose_signature(WORKSPACE, universal, "spring")
        assert refused.value.rule == "signature_other_application"
        assert refused.value.facts["applications"] == ["promo-cn"]


class TestWhyNot:
    """A template that is there is never called unknown."""

    def test_it_waits(self, marketing: Marketing) -> None:
        marketing.a_template()
        assert refused(marketing, "AUTUMN") == ("template_not_approved", {"status": "pending", "origin": "channel"})

    def test_it_was_rejected_for_a_reason(self, marketing: Marketing) -> None:
        waiting = marketing.a_template()
        kind, key = identified(waiting)
        marketing.content_changes.decide(WORKSPACE, kind, key, 0, BEN, approve=False, reason="Too short.")
        with pytest.raises(NotAllowed) as raised:
            marketing.content.find_template(WORKSPACE, "autumn")
        assert (raised.value.facts["status"], raised.value.facts["reason"]) == ("rejected", "Too short.")

    def test_it_is_another_applications(self, database: Database) -> None:
        marketing = Marketing(database, applications=(MAINLAND, ABROAD))
        assert refused(marketing, "spring", "promo-intl") == (
            "template_other_application",
            {"applications": ["promo-cn"]},
        )

    def test_its_application_left_the_settings(self, marketing: Marketing) -> None:
        marketing.declare(ABROAD)
        assert refused(marketing, "spring")[0] == "application_gone"

    def test_one_that_may_be_used_is_found_beside_one_that_may_not(self, database: Database) -> None:
        marketing = Marketing(database, applications=(replace(MAINLAND, templates=()), ABROAD))
        marketing.a_template("hello")
        assert marketing.content.find_template(WORKSPACE, "hello").application == "promo-intl"

    def test_a_form_does_not_offer_it_and_says_why(self, marketing: Marketing) -> None:
        winter = marketing.a_signature("Winter")
        marketing.approve(marketing.a_template("of winter", signature_id=winter.signature.id))
        marketing.a_template()
        marketing.declare(replace(MAINLAND, templates=(SPRING, CODE)))
        choices = marketing.content.choices(WORKSPACE)
        assert [each.name for each in choices.templates] == ["spring"]
        assert choices.not_shown == [
            NotShown("autumn", "pending"),
            NotShown("code", "verification"),
            NotShown("of winter", SIGNATURE_UNUSABLE),
        ]

    def test_a_preview_of_it_is_sent_no_more(self, marketing: Marketing) -> None:
        waiting = marketing.a_template(
            signature_id=marketing.content.signatures(WORKSPACE, marketing.application_id)[0].id
        )
        marketing.approve(waiting)
        marketing.a_group("vip", numbers(3))
        draft = marketing.a_draft(template="autumn")
        marketing.content_changes.disable(WORKSPACE, ContentKind.TEMPLATE, waiting.template.id, BEN)
        with pytest.raises(NotAllowed, match="template_gone"):
            marketing.confirmations.confirm(WORKSPACE, draft.draft_id, ANA)


class TestDeclaring:
    """The settings rule what they name, and leave alone what was added elsewhere."""

    def test_what_was_added_in_slack_outlives_a_restart(self, marketing: Marketing) -> None:
        marketing.approve(marketing.a_template())
        marketing.a_signature()
        marketing.declare(MAINLAND)
        assert "autumn" in names(marketing)
        assert [each.standing.status for each in signatures(marketing)] == ["pending", "approved"]

    def test_the_settings_take_over_a_name_in_any_case(self, marketing: Marketing) -> None:
        added = marketing.a_template("Late Sale")
        marketing.declare(replace(MAINLAND, templates=(replace(SALE, name="late sale"),)))
        found = marketing.content.find_template(WORKSPACE, "late sale")
        assert (found.id, found.name, found.text) == (added.template.id, "late sale", SALE.text)
        standing = marketing.lists.template(WORKSPACE, found.id).standing
        assert (standing.origin, standing.status) == (ContentOrigin.SETTINGS, ApprovalStatus.APPROVED)
        assert standing.version > added.standing.version, "its post in the channel is brought up to date"

    def test_several_that_start_at_once_for_the_first_time_declare_the_same(self, database: Database) -> None:
        together = threading.Barrier(4)
        declared: list[object] = []

        def start() -> None:
            together.wait()
            declared.append(Content(database).declare("T0NEW", [MAINLAND, ABROAD]))

        threads = [threading.Thread(target=start) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert declared == declared[:1] * 4, "all have the same ids and addresses"
        assert len(Content(database).templates("T0NEW")) == len(MAINLAND.templates) + len(ABROAD.templates)

    def test_rate_and_price_are_known(self, marketing: Marketing) -> None:
        marketing.declare(replace(MAINLAND, requests_per_second=20, price_per_segment=Decimal("0.045"), currency="CNY"))
        (known,) = marketing.lists.applications(WORKSPACE).items
        assert (known.requests_per_second, known.price_per_segment, known.currency) == (20, "0.045", "CNY")
        marketing.declare(MAINLAND)
        (known,) = marketing.lists.applications(WORKSPACE).items
        assert (known.requests_per_second, known.price_per_segment, known.currency) == (50, None, None)


def signatures(marketing: Marketing) -> list[ListedSignature]:
    return [*marketing.lists.signatures(WORKSPACE, Filter(), 1, 10).items]
