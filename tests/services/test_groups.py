"""Groups and their names."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.errors import NotAllowed, UnknownThing
from services.groups import find_all
from services.states import SmsType
from tests.services.builders import ANA, Marketing, numbers


def test_a_new_group_is_empty_and_says_who_made_it(marketing: Marketing) -> None:
    group = marketing.a_group("vip")
    assert (group.name, group.sms_type, group.size, group.created_by) == ("vip", SmsType.NOTIFICATION, 0, ANA)
    assert group.created_at == marketing.clock.now()
    assert marketing.groups.by_id(marketing.workspace_id, group.id) == group


@pytest.mark.parametrize(
    ("given", "typed"),
    [
        pytest.param("VIP", "vip", id="case"),
        pytest.param("vip", "ＶＩＰ", id="full width"),
        pytest.param("gold  customers ", " Gold customers", id="spaces"),
        pytest.param("gold\u3000customers", "gold customers", id="ideographic space"),
        pytest.param("gold\u00a0customers", "gold customers", id="space that does not break"),
        pytest.param("Straße", "STRASSE", id="sharp s"),
        pytest.param("Café", "Cafe\u0301", id="composed and combining"),
        pytest.param("vip", "vip\u200b", id="zero-width space pasted along"),
        pytest.param("vip", "v\u200dip", id="joiner"),
        pytest.param("می\u200cخواهم", "میخواهم", id="Persian without its joiner"),
        pytest.param("vip", "vip\u3164", id="blank letter"),
        pytest.param("金卡会员", "金卡会员", id="Chinese"),
    ],
)
def test_a_name_is_one_name_however_it_is_typed(marketing: Marketing, given: str, typed: str) -> None:
    group = marketing.a_group(given)
    assert marketing.groups.find(marketing.workspace_id, typed) == group
    with pytest.raises(NotAllowed) as refused:
        marketing.a_group(typed)
    assert refused.value.rule == "group_exists"
    assert len(marketing.groups.list(marketing.workspace_id)) == 1


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        pytest.param("  gold   customers ", "gold customers", id="spaces"),
        pytest.param("می\u200cخواهم", "می\u200cخواهم", id="Persian"),
        pytest.param("क्\u200dष", "क्\u200dष", id="Hindi"),
        pytest.param("a\u200d\u200c\u200db", "a\u200db", id="joiners"),
        pytest.param("\u200da \u200c b\u200d", "a b", id="joiners at no letter"),
        pytest.param("gold\ncustomers\0", "gold customers", id="control characters"),
        pytest.param("x" * 60, "x" * 60, id="60 characters"),
        pytest.param("<!channel> & co", "<!channel> & co", id="what Slack would read"),
    ],
)
def test_a_name_is_kept_as_typed_but_tidy(marketing: Marketing, typed: str, kept: str) -> None:
    assert marketing.a_group(typed).name == kept


@pytest.mark.parametrize(
    "typed",
    [
        pytest.param("", id="empty"),
        pytest.param("  \t", id="only spaces"),
        pytest.param("\u200b", id="only what nobody sees"),
        pytest.param("\u200d", id="only a joiner"),
        pytest.param("\u3164", id="only a blank letter"),
        pytest.param("\u034f\ufe0f \u2800", id="only marks and blanks"),
        pytest.param("x" * 61, id="61 characters"),
    ],
)
def test_a_name_has_1_to_60_characters(marketing: Marketing, typed: str) -> None:
    with pytest.raises(NotAllowed) as refused:
        marketing.a_group(typed)
    assert (refused.value.rule, refused.value.facts["limit"]) == ("group_name", 60)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=70))
def test_whatever_is_typed_is_a_group_that_can_be_found_or_a_rule(marketing: Marketing, typed: str) -> None:
    try:
        made = marketing.a_group(typed)
    except NotAllowed as refused:
        if refused.rule not in {"group_name", "group_exists"}:
            raise
        return
    assert marketing.groups.find(marketing.workspace_id, typed) == made
    assert marketing.groups.find(marketing.workspace_id, made.name) == made


def test_no_group_is_for_verification(marketing: Marketing) -> None:
    with pytest.raises(NotAllowed) as refused:
        marketing.a_group("codes", sms_type=SmsType.VERIFICATION)
    assert refused.value.rule == "verification_group"


def test_an_unknown_group_is_answered_with_the_known_ones(marketing: Marketing) -> None:
    marketing.a_group("gold")
    marketing.a_group("vip")
    with pytest.raises(UnknownThing) as unknown:
        marketing.groups.find(marketing.workspace_id, "vpi")
    assert (unknown.value.kind, unknown.value.name, unknown.value.known) == ("group", "vpi", ("gold", "vip"))


def test_no_workspace_sees_anothers_groups(marketing: Marketing) -> None:
    other = Marketing(marketing.database, workspace_id="T0OTHER")
    mine = marketing.a_group("vip", numbers(2))
    theirs = other.a_group("VIP", numbers(5))
    assert marketing.groups.list(marketing.workspace_id) == [mine]
    assert other.groups.find(other.workspace_id, "vip") == theirs
    with pytest.raises(UnknownThing):
        other.groups.by_id(other.workspace_id, mine.id)


def test_groups_are_listed_by_name(marketing: Marketing) -> None:
    for name in ("vip", "Gold", "anna"):
        marketing.a_group(name)
    assert [group.name for group in marketing.groups.list(marketing.workspace_id)] == ["anna", "Gold", "vip"]


def test_a_group_named_twice_is_taken_once_in_the_order_named(marketing: Marketing) -> None:
    gold, vip = marketing.a_group("gold"), marketing.a_group("vip")
    assert find_all(marketing.groups, marketing.workspace_id, ["VIP", "gold", "vip"]) == [vip, gold]
