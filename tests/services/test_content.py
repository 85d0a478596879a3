"""What the carriers have approved, as the settings say it."""

from dataclasses import replace

import pytest

from services.content import ApplicationDeclaration, SignatureDeclaration, TemplateDeclaration
from services.database import Database
from services.errors import NotAllowed, UnknownThing
from services.states import Region, SmsType
from tests.services.builders import MAINLAND, SALE, SIGNATURE, SPRING, UNIVERSAL, Marketing

OTHER_SIGNATURE = SignatureDeclaration("Winter", "1069000002")
ABROAD = ApplicationDeclaration(
    "promo-intl", "huawei", Region.INTERNATIONAL, (), (TemplateDeclaration("hello", "x", SmsType.NOTIFICATION, "Hi."),)
)


def names(marketing: Marketing) -> list[str]:
    return [each.name for each in marketing.content.templates(marketing.workspace_id)]


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
    with pytest.raises(UnknownThing) as unknown:
        marketing.content.find_template(marketing.workspace_id, "sale")
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
        chosen = marketing.content.choose_signature(spring, typed)
        assert chosen is not None
        assert (chosen.name, chosen.channel_number) == ("Spring", "1069000001")

    def test_another_than_the_templates_own_is_refused(self, marketing: Marketing) -> None:
        spring = marketing.content.find_template(marketing.workspace_id, "spring")
        with pytest.raises(NotAllowed) as refused:
            marketing.content.choose_signature(spring, "Winter")
        assert (refused.value.rule, refused.value.facts["signature"]) == ("other_signature", "Spring")

    def test_a_signature_no_longer_approved_is_refused(self, marketing: Marketing) -> None:
        spring = marketing.content.find_template(marketing.workspace_id, "spring")
        marketing.declare(replace(MAINLAND, signatures=(), templates=(UNIVERSAL,)))
        with pytest.raises(NotAllowed) as refused:
            marketing.content.choose_signature(spring, None)
        assert refused.value.rule == "no_signature"

    def test_a_universal_template_takes_the_only_one(self, marketing: Marketing) -> None:
        universal = marketing.content.find_template(marketing.workspace_id, "hello")
        chosen = marketing.content.choose_signature(universal, None)
        assert chosen is not None
        assert chosen.name == "Spring"

    def test_a_universal_template_asks_where_there_are_several(self, database: Database) -> None:
        marketing = Marketing(database, applications=(replace(MAINLAND, signatures=(SIGNATURE, OTHER_SIGNATURE)),))
        universal = marketing.content.find_template(marketing.workspace_id, "hello")
        with pytest.raises(NotAllowed) as refused:
            marketing.content.choose_signature(universal, None)
        assert (refused.value.rule, refused.value.facts["signatures"]) == ("signature_needed", ["Spring", "Winter"])
        chosen = marketing.content.choose_signature(universal, "Winter")
        assert chosen is not None
        assert chosen.channel_number == "1069000002"

    def test_an_unknown_one_is_answered_with_the_known_ones(self, marketing: Marketing) -> None:
        universal = marketing.content.find_template(marketing.workspace_id, "hello")
        with pytest.raises(UnknownThing) as unknown:
            marketing.content.choose_signature(universal, "Wintre")
        assert (unknown.value.kind, unknown.value.known) == ("signature", ("Spring",))

    def test_the_mainland_needs_one(self, database: Database) -> None:
        marketing = Marketing(database, applications=(replace(MAINLAND, signatures=(), templates=(UNIVERSAL,)),))
        universal = marketing.content.find_template(marketing.workspace_id, "hello")
        with pytest.raises(NotAllowed) as refused:
            marketing.content.choose_signature(universal, None)
        assert refused.value.rule == "no_signature"

    def test_elsewhere_none_is_needed(self, database: Database) -> None:
        marketing = Marketing(database, applications=(ABROAD,))
        universal = marketing.content.find_template(marketing.workspace_id, "hello")
        assert marketing.content.choose_signature(universal, None) is None
