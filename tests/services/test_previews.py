"""What a send would be, before anything is sendable."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.content import ApplicationDeclaration, SignatureDeclaration, TemplateDeclaration
from services.database import Database
from services.errors import NotAllowed, UnknownThing
from services.hours import is_outside_hours
from services.previews import SendRequest
from services.states import Region, SmsType
from services.task_reports import Task
from tests.services.builders import ANA, CHANNEL, FIRST_NUMBER, MAINLAND, SIGNATURE, Marketing, numbers

ABROAD = ApplicationDeclaration(
    "promo-intl", "huawei", Region.INTERNATIONAL, (), (TemplateDeclaration("hi", "x", SmsType.NOTIFICATION, "Hi."),)
)
LONDON = 44_7700_900_001
HONG_KONG = 852_6412_3456


def test_a_preview_shows_what_would_arrive(marketing: Marketing) -> None:
    marketing.a_group("vip", numbers(3))
    shown = marketing.a_draft()
    assert (shown.groups, shown.excluded, shown.template) == (["vip"], [], "spring")
    assert (shown.application, shown.region, shown.sms_type) == ("promo-cn", Region.MAINLAND, SmsType.NOTIFICATION)
    assert (shown.signature, shown.text) == ("Spring", "【Spring】We open at nine.")
    assert (shown.recipients, shown.outside_region) == (3, 0)
    assert (shown.segments_each, shown.segments) == (1, 3)
    assert (shown.at, shown.changed) == (None, ())


def test_segments_are_counted_with_the_signature(database: Database) -> None:
    long = TemplateDeclaration("long", "t", SmsType.NOTIFICATION, "x" * 63, "Spring")
    marketing = Marketing(database, applications=(replace(MAINLAND, templates=(long,)),))
    marketing.a_group("vip", numbers(3))
    shown = marketing.a_draft(template="long")
    assert (len(shown.text), shown.segments_each, shown.segments) == (71, 2, 6)


def test_groups_are_united_and_the_excluded_left_out(marketing: Marketing) -> None:
    marketing.a_group("vip", numbers(10))
    marketing.a_group("gold", numbers(10, FIRST_NUMBER + 5))
    marketing.a_group("staff", numbers(2, FIRST_NUMBER + 4))
    assert marketing.a_draft(["vip", "gold"]).recipients == 15
    shown = marketing.a_draft(["vip", "gold"], exclude=["staff"])
    assert (shown.recipients, shown.groups, shown.excluded) == (13, ["vip", "gold"], ["staff"])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    chosen=st.lists(st.sets(st.integers(0, 12)), min_size=1, max_size=3),
    excluded=st.lists(st.sets(st.integers(0, 12)), max_size=2),
    abroad=st.sets(st.integers(0, 12)),
)
def test_each_number_is_counted_once_whatever_the_groups(
    database: Database, chosen: list[set[int]], excluded: list[set[int]], abroad: set[int]
) -> None:
    def number(index: int) -> int:
        return (LONDON if index in abroad else FIRST_NUMBER) + index

    _made.append(None)
    marketing = Marketing(database, workspace_id=f"T{len(_made)}")
    named = {f"g{no}": {number(index) for index in each} for no, each in enumerate(chosen)}
    left_out = {f"x{no}": {number(index) for index in each} for no, each in enumerate(excluded)}
    for name, members in (named | left_out).items():
        marketing.a_group(name, members)
    wanted = set().union(*named.values()).difference(*left_out.values())
    inside = {each for each in wanted if str(each).startswith("86")}
    if not inside:
        with pytest.raises(NotAllowed):
            marketing.a_draft(list(named), exclude=list(left_out))
        return
    shown = marketing.a_draft(list(named), exclude=list(left_out))
    assert (shown.recipients, shown.outside_region) == (len(inside), len(wanted) - len(inside))
    assert marketing.confirmed(shown).recipients == len(inside)


_made: list[None] = []


def test_numbers_an_application_may_not_send_to_are_left_out_and_counted(database: Database) -> None:
    marketing = Marketing(database, applications=(MAINLAND, ABROAD))
    marketing.a_group("vip", [*numbers(3), LONDON, HONG_KONG])
    at_home, abroad = marketing.a_draft(), marketing.a_draft(template="hi")
    assert (at_home.recipients, at_home.outside_region) == (3, 2)
    assert (abroad.recipients, abroad.outside_region, abroad.text, abroad.signature) == (2, 3, "Hi.", None)


@pytest.mark.parametrize(
    ("members", "outside"), [([], 0), ([LONDON], 1)], ids=["empty group", "only numbers of elsewhere"]
)
def test_nobody_to_send_to_is_refused(marketing: Marketing, members: list[int], outside: int) -> None:
    marketing.a_group("vip", members)
    with pytest.raises(NotAllowed) as refused:
        marketing.a_draft()
    assert (refused.value.rule, refused.value.facts["outside_region"]) == ("no_recipients", outside)


def test_excluding_everybody_is_refused(marketing: Marketing) -> None:
    marketing.a_group("vip", numbers(3))
    with pytest.raises(NotAllowed) as refused:
        marketing.a_draft(exclude=["vip"])
    assert refused.value.rule == "no_recipients"


class TestTypes:
    """Group and template are of one type, and no text of type verification is sent to a group."""

    def test_another_type_than_the_groups_is_refused(self, marketing: Marketing) -> None:
        marketing.a_group("vip", numbers(3))
        with pytest.raises(NotAllowed) as refused:
            marketing.a_draft(template="sale")
        assert refused.value.rule == "sms_type_differs"
        assert refused.value.facts == {
            "group": "vip",
            "group_type": "notification",
            "template": "sale",
            "template_type": "promotional",
        }

    def test_every_group_must_be_of_the_type(self, marketing: Marketing) -> None:
        marketing.a_group("vip", numbers(3))
        marketing.a_group("shoppers", numbers(3), SmsType.PROMOTIONAL)
        with pytest.raises(NotAllowed) as refused:
            marketing.a_draft(["vip", "shoppers"])
        assert refused.value.facts["group"] == "shoppers"

    def test_an_excluded_group_may_be_of_any_type(self, marketing: Marketing) -> None:
        marketing.a_group("vip", numbers(3))
        marketing.a_group("shoppers", numbers(1), SmsType.PROMOTIONAL)
        assert marketing.a_draft(exclude=["shoppers"]).recipients == 2

    def test_a_verification_text_is_refused(self, marketing: Marketing) -> None:
        marketing.a_group("vip", numbers(3))
        with pytest.raises(NotAllowed) as refused:
            marketing.a_draft(template="code")
        assert refused.value.rule == "verification_template"

    def test_a_text_with_variables_that_nothing_fills_is_refused(self, marketing: Marketing) -> None:
        marketing.a_group("vip", numbers(3))
        with pytest.raises(NotAllowed) as refused:
            marketing.a_draft(template="personal")
        assert (refused.value.rule, refused.value.facts["variables"]) == ("no_column", ["name", "1"])


class TestNames:
    """A mistyped name is answered with the known ones."""

    @pytest.mark.parametrize(
        ("wanted", "kind", "name", "known"),
        [
            pytest.param(SendRequest(["vpi"], "spring"), "group", "vpi", ("staff", "vip"), id="group"),
            pytest.param(
                SendRequest(["vip"], "spring", ["stuff"]), "group", "stuff", ("staff", "vip"), id="excluded group"
            ),
            pytest.param(
                SendRequest(["vip"], "sprnig"),
                "template",
                "sprnig",
                ("code", "hello", "personal", "sale", "spring"),
                id="template",
            ),
            pytest.param(
                SendRequest(["vip"], "hello", signature="Sprong"), "signature", "Sprong", ("Spring",), id="signature"
            ),
            pytest.param(
                SendRequest(["vip"], "spring", application="promo"),
                "application",
                "promo",
                ("promo-cn",),
                id="application",
            ),
        ],
    )
    def test_an_unknown_name(
        self, marketing: Marketing, wanted: SendRequest, kind: str, name: str, known: tuple[str, ...]
    ) -> None:
        marketing.a_group("vip", numbers(3))
        marketing.a_group("staff")
        with pytest.raises(UnknownThing) as unknown:
            marketing.previews.draft(marketing.workspace_id, CHANNEL, ANA, wanted)
        assert (unknown.value.kind, unknown.value.name, unknown.value.known) == (kind, name, known)

    def test_another_workspaces_group_is_unknown(self, marketing: Marketing) -> None:
        Marketing(marketing.database, workspace_id="T0OTHER").a_group("theirs", numbers(3))
        with pytest.raises(UnknownThing):
            marketing.a_draft(["theirs"])


class TestSignatures:
    """A universal template is sent under the one named, which then goes into the request."""

    def test_a_universal_template_shows_the_chosen_signature(self, database: Database) -> None:
        winter = SignatureDeclaration("Winter", "1069000002")
        marketing = Marketing(database, applications=(replace(MAINLAND, signatures=(SIGNATURE, winter)),))
        marketing.a_group("vip", numbers(3))
        with pytest.raises(NotAllowed) as refused:
            marketing.a_draft(template="hello")
        assert refused.value.rule == "signature_needed"
        assert marketing.a_draft(template="hello", signature="Winter").text == "【Winter】Hello."


@pytest.mark.parametrize(
    ("hour", "minute", "outside"),
    [(0, 0, False), (12, 59, False), (13, 0, True), (23, 59, True)],
    ids=["08:00", "20:59", "21:00", "07:59"],
)
def test_hours_are_those_of_mainland_china(hour: int, minute: int, outside: bool) -> None:
    assert is_outside_hours(datetime(2026, 3, 4, hour, minute, tzinfo=UTC)) is outside


def test_the_hour_that_counts_is_the_one_it_goes_out_at(database: Database) -> None:
    marketing = Marketing(database, applications=(MAINLAND, ABROAD))
    marketing.a_group("vip", [*numbers(3), LONDON])
    night = marketing.in_(timedelta(hours=14))
    assert not marketing.a_draft().outside_hours
    assert marketing.a_draft(at=night).outside_hours
    assert not marketing.a_draft(template="hi", at=night).outside_hours


class TestDrafts:
    """A draft is no task: nobody sees it, and it is forgotten."""

    def test_a_draft_is_in_no_list_and_nothing_of_it_is_sent(self, marketing: Marketing) -> None:
        marketing.a_group("vip", numbers(3))
        marketing.a_draft()
        assert marketing.reports.list(marketing.workspace_id) == []
        assert marketing.a_dispatch().claim(marketing.sender) is None
        assert marketing.posts.due() == []

    def test_a_draft_made_again_keeps_every_wish(self, database: Database) -> None:
        winter = SignatureDeclaration("Winter", "1069000002")
        marketing = Marketing(database, applications=(replace(MAINLAND, signatures=(SIGNATURE, winter)),))
        marketing.a_group("vip", numbers(10))
        marketing.a_group("gold", numbers(3, FIRST_NUMBER + 20))
        marketing.a_group("staff", numbers(1))
        at = marketing.in_(timedelta(hours=1))
        first = marketing.a_draft(["vip", "gold"], "hello", exclude=["staff"], signature="Winter", at=at)
        again = marketing.previews.draft_again(marketing.workspace_id, first.draft_id, ANA)
        assert again.draft_id != first.draft_id
        assert replace(again, draft_id=first.draft_id) == first

    def test_another_workspaces_draft_is_unknown(self, marketing: Marketing) -> None:
        marketing.a_group("vip", numbers(3))
        draft = marketing.a_draft()
        with pytest.raises(UnknownThing):
            marketing.previews.draft_again("T0OTHER", draft.draft_id, ANA)

    def test_previews_nobody_confirmed_are_forgotten_after_two_days(self, marketing: Marketing) -> None:
        task = marketing.a_confirmed_task(3)
        old = marketing.a_draft()
        marketing.clock.move(timedelta(hours=47))
        young = marketing.a_draft()
        assert marketing.tasks.forget_drafts() == 0
        marketing.clock.move(timedelta(hours=2))
        assert marketing.tasks.forget_drafts() == 1
        with pytest.raises(NotAllowed) as refused:
            marketing.confirmations.confirm(marketing.workspace_id, old.draft_id, ANA)
        assert refused.value.rule == "draft_gone"
        assert isinstance(marketing.confirmations.confirm(marketing.workspace_id, young.draft_id, ANA), Task)
        assert marketing.task(task) == task
