"""`/sms-groups`: list and create."""

from __future__ import annotations

import pytest

from handlers import groups as handler
from handlers.arguments import BadArguments
from handlers.errors import explain
from handlers.replies import FieldErrors, OpenForm, Say
from services.errors import NotAllowed, ServiceError, UnknownThing
from tests.handlers.samples import ANA_HERE, clicked, sent, typed
from tests.services.builders import WORKSPACE, Marketing, numbers


def run(text: str, marketing: Marketing) -> Say:
    reply = handler.command(typed(text, "/sms-groups"), marketing.groups)
    assert isinstance(reply, Say)
    return reply


def test_groups_are_listed_with_size_and_type(marketing: Marketing) -> None:
    assert "No groups yet" in run("", marketing).text
    marketing.a_group("vip", numbers(3))
    assert "*vip* · notification\\n3 customers" in str(run("", marketing).blocks)


@pytest.mark.parametrize(
    "text",
    ["create name:vip type:promotional", "create type:PROMOTIONAL name:vip", "name:vip type:promotional"],
)
def test_a_group_is_made(text: str, marketing: Marketing) -> None:
    assert "Group *vip* is there, for promotional SMS." in run(text, marketing).text
    assert [group.name for group in marketing.groups.list(WORKSPACE)] == ["vip"]


@pytest.mark.parametrize(
    ("text", "error", "sentence"),
    [
        ("crate name:vip type:promotional", UnknownThing, "There is no action *crate*. Did you mean *create*?"),
        ("create name:vip", NotAllowed, "`type:` is missing. Write it like `/sms-groups create name:vip type:promo"),
        ("create", NotAllowed, "`name:` is missing. Write it like `/sms-groups create name:vip type:promotional`."),
        ("create name:vip type:promo", UnknownThing, "There is no SMS type *promo*. Did you mean *promotional*?"),
        ("create name:vip type:x", UnknownThing, "There is no SMS type *x*. Choose *promotional* or *notification*."),
        ("create name:vip type:verification", NotAllowed, "A group cannot be of type verification. Choose promotional"),
        ("create name:a,b type:promotional", BadArguments, "`name:` takes one value. A value that holds a comma needs"),
    ],
)
def test_what_is_mistyped_makes_no_group(
    text: str, error: type[ServiceError], sentence: str, marketing: Marketing
) -> None:
    with pytest.raises(error) as raised:
        run(text, marketing)
    assert explain(raised.value, ANA_HERE["zone"]).startswith(sentence)
    assert marketing.groups.list(WORKSPACE) == []


def test_the_form_makes_a_group_or_says_why_not(marketing: Marketing) -> None:
    assert isinstance(handler.new_group(clicked("new"), marketing.groups), OpenForm)
    fields = {"name": "<!channel> & co", "sms_type": "promotional"}
    said = handler.submit_new_group(sent(**fields), marketing.groups)
    assert isinstance(said, Say)
    assert "*&lt;!channel&gt; &amp; co*" in said.text
    again = handler.submit_new_group(sent(**fields), marketing.groups)
    assert again == FieldErrors(
        {"name": "A group <!channel> & co exists already. Choose another name, or import into that one."}
    )
