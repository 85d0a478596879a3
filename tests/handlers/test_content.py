"""`/sms-templates`, `/sms-signatures` and `/sms-apps` over real services: lists, forms, approvals."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from handlers import content
from handlers.content import PAGE_SIZE, Contents
from handlers.posts import Message, approval
from handlers.replies import Block, FieldErrors, Nothing, OpenForm, Replace, Reply, Say
from handlers.requests import Command
from handlers.views import content as views
from handlers.views import content_forms as forms
from sandbox.slack.blocks import check_view
from sandbox.slack.posting import UPDATE_TEXT, read_content
from services.carriers.ports import CarrierTemplate
from services.content import ApplicationDeclaration
from services.content_lists import Filter, ListedTemplate
from services.errors import NotAllowed, RequestRefused, UnknownThing
from services.posts import Post, PostKind
from services.states import ContentKind, Region, SmsType
from tests.handlers.samples import EVIL, LONGEST, clicked, contents_of, sent, typed
from tests.services.builders import ANA, BEN, MAINLAND, WORKSPACE, Marketing, identified
from tests.services.fakes import FakeConsole

FREE = ApplicationDeclaration(
    "intl", "twilio", Region.INTERNATIONAL, price_per_segment=Decimal("0.045"), currency="USD"
)


def line(text: str = "", name: str = "/sms-templates") -> Command:
    return typed(text, name)


def shown(reply: Reply) -> str:
    """All that a private answer says; it is within Slack's limits."""
    assert isinstance(reply, Say | Replace), reply
    read_content({"text": reply.text, "blocks": reply.blocks}, longest_text=UPDATE_TEXT)
    text = f"{reply.text}\n{reply.blocks}"
    assert "<!channel" not in text
    return text


def opened(reply: Reply) -> OpenForm:
    assert isinstance(reply, OpenForm), reply
    assert check_view({**reply.view, "private_metadata": "x" * 3000}) == []
    return reply


def refused(reply: Reply) -> dict[str, str]:
    assert isinstance(reply, FieldErrors), reply
    return dict(reply.errors)


def elements(reply: Reply, action_id: str) -> list[Block]:
    """Every button and menu of this kind, in rows and beside paragraphs."""
    assert isinstance(reply, Say | Replace)
    beside = [[*block.get("elements", ()), block.get("accessory", {})] for block in reply.blocks]
    return [each for row in beside for each in row if each.get("action_id") == action_id]


def fields(form: OpenForm) -> dict[str, Any]:
    return {block["block_id"]: block for block in form.view["blocks"] if block["type"] == "input"}


def post_of(marketing: Marketing, contents: Contents) -> Message:
    """The only post that is due, as the channel would see it."""
    (due,) = marketing.posts.due()
    message = approval(due, contents)
    read_content({"text": message.text, "blocks": message.blocks}, longest_text=UPDATE_TEXT)
    assert "<!channel" not in f"{message.text}{[b for b in message.blocks if b['type'] != 'rich_text']}"
    return message


def button(message: Message, action_id: str) -> str:
    """The value of the button on a post."""
    (found,) = [e for block in message.blocks for e in block.get("elements", ()) if e.get("action_id") == action_id]
    return str(found["value"])


def listed(marketing: Marketing, name: str) -> ListedTemplate:
    (found,) = marketing.lists.templates(WORKSPACE, Filter(name=name), 1, 10).items
    return found


NEW = {"name": "autumn", "text": "Leaves fall.", "sms_type": "notification", "code": "tpl-9", "signature": ""}


class TestLists:
    """Where everything stands, and what can be done with it."""

    def test_templates(self, marketing: Marketing, contents: Contents) -> None:
        marketing.approve(marketing.a_template())
        text = shown(content.templates(line(), contents))
        assert "*autumn* · notification · promo-cn · *approved*\\nuniversal Leaves fall." in text
        assert f"by <@{ANA}> · approved by <@{BEN}>" in text
        assert "*spring* · notification · promo-cn · *approved*\\n【Spring】 We open at nine." in text
        assert "from the settings, and changed there" in text
        assert "verification templates are not sent to groups" in text
        assert "needs a file that fills `name` and `1`" in text

    def test_a_template_says_why_it_cannot_be_chosen(self, marketing: Marketing, contents: Contents) -> None:
        winter = marketing.a_signature("Winter")
        marketing.approve(marketing.a_template("snow", signature_id=winter.signature.id))
        rejected = marketing.a_template("rain")
        marketing.content_changes.decide(
            WORKSPACE, *identified(rejected), version=0, by=BEN, approve=False, reason="Too <!channel> sad."
        )
        text = shown(content.templates(line(), contents))
        assert "cannot be chosen: its signature is pending" in text
        assert f"rejected by <@{BEN}> · “Too &lt;!channel&gt; sad”" in text
        marketing.a_template("wind")
        assert "waits for the approval of somebody else" in shown(content.templates(line("name:wind"), contents))

    def test_only_what_was_added_here_has_a_menu(self, marketing: Marketing, contents: Contents) -> None:
        added = marketing.a_template()
        (menu,) = elements(content.templates(line(), contents), views.MORE)
        assert [option["value"] for option in menu["options"]] == [
            f"{what}:template:{added.template.id}" for what in ("edit", "associate", "disable")
        ]
        signed = marketing.a_signature()
        (menu,) = elements(content.signatures(line(name="/sms-signatures"), contents), views.MORE)
        assert [option["value"] for option in menu["options"]] == [
            f"{what}:signature:{signed.signature.id}" for what in ("edit", "disable")
        ]

    def test_signatures(self, marketing: Marketing, contents: Contents) -> None:
        marketing.a_signature(sms_type=SmsType.PROMOTIONAL)
        text = shown(content.signatures(line(name="/sms-signatures"), contents))
        assert "*【Autumn】* · promotional · promo-cn · *pending*\\nchannel number `1069000009`" in text
        assert "*【Spring】* · every type · promo-cn · *approved*" in text
        assert "4 approved templates" in text

    def test_applications_and_their_secret_only_for_admins(self, marketing: Marketing, contents: Contents) -> None:
        marketing.declare(MAINLAND, FREE)
        reply = content.applications(line(name="/sms-apps"), contents)
        text = shown(reply)
        assert "*promo-cn* · Huawei · mainland China\\nup to 50 requests a second · 1 approved signature" in text
        assert "*intl* · Twilio · numbers outside mainland China" in text
        assert "0.045 USD a segment" in text
        token = marketing.applications["promo-cn"].receipts_token
        assert token not in text
        (asked, _) = sorted(elements(reply, views.RECEIPTS_ADDRESS), key=lambda each: int(each["value"]))
        assert f"https://sms/{asked['value']}/{token}" in shown(
            content.receipts_address(clicked(asked["value"]), contents)
        )
        assert "*promo-cn*" not in shown(content.applications(line("name:int", "/sms-apps"), contents))

    def test_an_application_names_who_takes_over_and_what_it_cannot(
        self, marketing: Marketing, contents: Contents
    ) -> None:
        marketing.declare(MAINLAND, replace(MAINLAND, name="second", templates=MAINLAND.templates[1:]))
        listing = replace(contents, lists=marketing.lists_with({"promo-cn": "second", "second": "promo-cn"}))
        text = shown(content.applications(line("name:promo", "/sms-apps"), listing))
        assert "*second* takes over where this one cannot send" in text
        assert ":warning: but not *spring* (it has no approved template of that name)" in text
        text = shown(content.applications(line("name:second", "/sms-apps"), listing))
        assert "*promo-cn* takes over where this one cannot send" in text
        assert ":warning:" not in text

    def test_pages_are_turned_in_place_and_keep_the_filter(self, marketing: Marketing, contents: Contents) -> None:
        for n in range(PAGE_SIZE + 2):
            marketing.a_template(f"group: {n:02}")
        first = content.templates(line('name:"group:" status:pending'), contents)
        assert "page 1 of 2, 10 in all" in shown(first)
        (following,) = elements(first, views.NEXT_PAGE)
        second = content.turn_page(clicked(following["value"]), contents)
        assert isinstance(second, Replace)
        assert "group: 09" in shown(second)
        (back,) = elements(second, views.PREVIOUS_PAGE)
        assert "group: 00" in shown(content.turn_page(clicked(back["value"]), contents))

    @pytest.mark.parametrize("text", ["name:zzz", "status:rejected", "app:zzz"])
    def test_what_matches_nothing_says_so(self, contents: Contents, text: str) -> None:
        assert f"None matches `{text}`" in shown(content.templates(line(text), contents))

    def test_a_mistyped_status_is_named(self, contents: Contents) -> None:
        with pytest.raises(UnknownThing) as unknown:
            content.templates(line("status:waiting"), contents)
        assert "pending" in unknown.value.known

    def test_the_longest_names_fit(self, marketing: Marketing, contents: Contents) -> None:
        # One of them is only invisible characters.
        for n, name in enumerate(LONGEST):
            marketing.a_template(f"{n}{name}"[:60], text="&" * 500, code="&" * 32)
            marketing.a_signature(f"{n}{name}"[:60], channel_number="&" * 21)
        for command in (content.templates, content.signatures):
            shown(command(line(), contents))
        assert len(elements(content.templates(line("status:pending"), contents), views.MORE)) == len(LONGEST)

    def test_an_empty_workspace_is_told_how_to_begin(self, marketing: Marketing, contents: Contents) -> None:
        marketing.declare(FREE)
        assert "takes one" in shown(content.templates(line(), contents))
        assert "takes one" in shown(content.signatures(line(), contents))
        marketing.declare()
        assert "no application" in shown(content.applications(line(), contents))


class TestAddingAndApproving:
    """From the form to the post with its two buttons, and what becomes of it."""

    def test_a_template_is_added_approved_and_can_be_chosen(self, marketing: Marketing, contents: Contents) -> None:
        form = opened(content.new_template(clicked("new"), contents))
        assert list(fields(form)) == ["name", "sms_type", "text", "signature", "code"]
        said = content.submit_template(sent(form.context, **NEW), contents)
        assert said == Say(
            "The template *autumn* waits for approval. Somebody other than you can give it in the channel."
        )
        message = post_of(marketing, contents)
        assert f"<@{ANA}> asks for the approval of the template *autumn*." in message.text
        assert not message.is_last
        assert content.approve(clicked(button(message, views.APPROVE), person=BEN), contents) == Nothing()
        decided = post_of(marketing, contents)
        assert f"The template *autumn* of <@{ANA}> is approved by <@{BEN}>." in decided.text
        assert decided.is_last
        assert not [block for block in decided.blocks if block["type"] == "actions"]
        assert marketing.content.find_template(WORKSPACE, "autumn").text == "Leaves fall."

    def test_the_post_shows_the_text_as_it_would_arrive(self, marketing: Marketing, contents: Contents) -> None:
        (spring,) = marketing.content.signatures(WORKSPACE, marketing.application_id)
        form = opened(content.new_template(clicked("new"), contents))
        content.submit_template(sent(form.context, **{**NEW, "signature": spring.id}), contents)
        message = post_of(marketing, contents)
        (box,) = [block for block in message.blocks if block["type"] == "rich_text"]
        assert box["elements"][0]["elements"][0]["text"] == "【Spring】Leaves fall."
        assert "*Segments*\\n1 each" in str(message.blocks)
        assert "*Template ID*\\n`tpl-9`" in str(message.blocks)

    def test_a_rejection_tells_why(self, marketing: Marketing, contents: Contents) -> None:
        marketing.a_template()
        value = button(post_of(marketing, contents), views.REJECT)
        form = opened(content.reject(clicked(value, person=BEN), contents))
        said = content.submit_reject(replace(sent(form.context, reason=" "), person=BEN), contents)
        assert "Write why" in refused(said)["reason"]
        said = content.submit_reject(replace(sent(form.context, reason="<!channel> is rude."), person=BEN), contents)
        assert said == Nothing()
        text = post_of(marketing, contents).text
        assert f"is rejected by <@{BEN}>: “&lt;!channel&gt; is rude”" in text

    def test_its_author_is_told_to_ask_a_colleague(self, marketing: Marketing, contents: Contents) -> None:
        marketing.a_template()
        with pytest.raises(NotAllowed, match="own_content"):
            content.approve(clicked(button(post_of(marketing, contents), views.APPROVE)), contents)

    def test_a_button_from_before_an_edit_decides_nothing(self, marketing: Marketing, contents: Contents) -> None:
        added = marketing.a_template()
        old = button(post_of(marketing, contents), views.APPROVE)
        form = opened(content.more(clicked(f"edit:template:{added.template.id}"), contents))
        content.submit_template(sent(form.context, **{**NEW, "text": "Sold!"}), contents)
        with pytest.raises(NotAllowed, match="content_changed"):
            content.approve(clicked(old, person=BEN), contents)
        content.approve(clicked(button(post_of(marketing, contents), views.APPROVE), person=BEN), contents)

    def test_a_signature_is_added_and_approved(self, marketing: Marketing, contents: Contents) -> None:
        form = opened(content.new_signature(clicked("new"), contents))
        assert list(fields(form)) == ["name", "sms_type", "channel"]
        given = {"name": "【Autumn】", "sms_type": forms.EVERY_TYPE, "channel": "1069000009"}
        shown(content.submit_signature(sent(form.context, **given), contents))
        message = post_of(marketing, contents)
        assert "asks for the approval of the signature *【Autumn】*." in message.text
        content.approve(clicked(button(message, views.APPROVE), person=BEN), contents)
        assert [each.name for each in marketing.content.signatures(WORKSPACE, marketing.application_id)] == [
            "Autumn",
            "Spring",
        ]

    @pytest.mark.parametrize(
        ("change", "field", "sentence"),
        [
            ({"name": "Spring"}, "name", "Application promo-cn has a template Spring already."),
            ({"text": " "}, "text", "A text has 1 to 500 characters, and this one has 0."),
            ({"code": " "}, "code", "Huawei knows a template by its ID."),
            ({"signature": 999_999}, "signature", "This signature is no longer there."),
        ],
    )
    def test_a_wrong_field_is_told_where_it_can_be_mended(
        self, marketing: Marketing, contents: Contents, change: dict[str, object], field: str, sentence: str
    ) -> None:
        form = opened(content.new_template(clicked("new"), contents))
        errors = refused(content.submit_template(sent(form.context, **{**NEW, **change}), contents))
        assert list(errors) == [field]
        assert errors[field].startswith(sentence)
        assert marketing.posts.due() == []

    def test_a_wrong_signature_too(self, contents: Contents) -> None:
        form = opened(content.new_signature(clicked("new"), contents))
        given = {"name": "Autumn", "sms_type": forms.EVERY_TYPE, "channel": ""}
        assert "channel number" in refused(content.submit_signature(sent(form.context, **given), contents))["channel"]

    def test_which_application_is_asked_where_there_are_several(self, marketing: Marketing, contents: Contents) -> None:
        marketing.declare(MAINLAND, FREE)
        for new in (content.new_template, content.new_signature):
            asked = opened(new(clicked("new"), contents))
            intl = str(marketing.applications["intl"].id)
            assert intl in [option["value"] for option in fields(asked)["application"]["element"]["options"]]
            form = opened(content.choose_application(sent(asked.context, application=intl), contents))
            assert "For *intl*: Twilio" in str(form.view)
        assert list(fields(opened(content.new_template(clicked(intl), contents)))) == ["name", "sms_type", "text"]

    def test_those_who_approve_must_have_a_place_to_see_it(self, marketing: Marketing, contents: Contents) -> None:
        added = marketing.a_template()
        edit = f"edit:template:{added.template.id}"
        for press, value in ((content.new_template, "new"), (content.new_signature, "new"), (content.more, edit)):
            with pytest.raises(NotAllowed, match="bot_not_in_channel"):
                press(clicked(value, bot_in_channel=False), contents)


class TestChanging:
    """The menu beside what was added here."""

    def test_an_edit_asks_again_and_one_that_changes_nothing_does_not(
        self, marketing: Marketing, contents: Contents
    ) -> None:
        added = marketing.a_template()
        marketing.approve(added)
        form = opened(content.more(clicked(f"edit:template:{added.template.id}"), contents))
        assert fields(form)["text"]["element"]["initial_value"] == "Leaves fall."
        assert "is as it was" in shown(content.submit_template(sent(form.context, **NEW), contents))
        assert listed(marketing, "autumn").standing.status == "approved"
        shown(content.submit_template(sent(form.context, **{**NEW, "text": "Leaves fell."}), contents))
        assert listed(marketing, "autumn").standing.status == "pending"
        again = content.submit_template(sent(form.context, **{**NEW, "text": "Leaves?"}), contents)
        assert "has changed since this was shown" in refused(again)["name"]

    def test_a_signature_is_edited(self, marketing: Marketing, contents: Contents) -> None:
        added = marketing.a_signature(sms_type=SmsType.PROMOTIONAL)
        form = opened(content.more(clicked(f"edit:signature:{added.signature.id}"), contents))
        assert fields(form)["sms_type"]["element"]["initial_option"]["value"] == "promotional"
        given = {"name": "Autumn", "sms_type": "promotional", "channel": "1069000009"}
        assert "is as it was" in shown(content.submit_signature(sent(form.context, **given), contents))
        given["sms_type"] = forms.EVERY_TYPE
        assert "waits for approval" in shown(content.submit_signature(sent(form.context, **given), contents))

    def test_a_template_is_tied_to_a_signature_and_made_universal_again(
        self, marketing: Marketing, contents: Contents
    ) -> None:
        key = marketing.a_template().template.id
        (spring,) = marketing.content.signatures(WORKSPACE, marketing.application_id)
        form = opened(content.more(clicked(f"associate:template:{key}"), contents))
        shown(content.submit_associate(sent(form.context, signature=spring.id), contents))
        assert listed(marketing, "autumn").template.signature == "Spring"
        form = opened(content.more(clicked(f"associate:template:{key}"), contents))
        assert fields(form)["signature"]["element"]["initial_option"]["value"] == str(spring.id)
        shown(content.submit_associate(sent(form.context, signature=""), contents))
        assert listed(marketing, "autumn").template.is_universal
        gone = content.submit_associate(sent(form.context, signature=spring.id), contents)
        assert "has changed since" in refused(gone)["signature"]
        form = opened(content.more(clicked(f"associate:template:{key}"), contents))
        assert "is as it was" in shown(content.submit_associate(sent(form.context, signature=""), contents))

    @pytest.mark.parametrize("kind", [*ContentKind])
    def test_it_is_disabled_and_enabled(self, marketing: Marketing, contents: Contents, kind: ContentKind) -> None:
        added = marketing.a_template() if kind is ContentKind.TEMPLATE else marketing.a_signature()
        marketing.approve(added)
        key = identified(added)[1]
        form = opened(content.more(clicked(f"disable:{kind}:{key}"), contents))
        assert "can no longer be chosen" in shown(content.submit_disable(sent(form.context, reason="stale"), contents))
        command = content.templates if kind is ContentKind.TEMPLATE else content.signatures
        reply = command(line("status:disabled"), contents)
        assert f"disabled by <@{ANA}> · “stale”" in shown(reply)
        (menu,) = elements(reply, views.MORE)
        enable = next(option["value"] for option in menu["options"] if option["text"]["text"] == "Enable")
        assert "waits for approval" in shown(content.more(clicked(enable), contents))

    def test_what_the_settings_say_is_read_only(self, marketing: Marketing, contents: Contents) -> None:
        spring = marketing.content.find_template(WORKSPACE, "spring")
        form = opened(content.more(clicked(f"edit:template:{spring.id}"), contents))
        errors = refused(content.submit_template(sent(form.context, **NEW), contents))
        assert errors["name"].startswith("spring comes from the settings.")


class TestWhereTheCarrierDecides:
    """An application whose carrier lists templates and takes new ones."""

    @pytest.fixture
    def console(self) -> FakeConsole:
        return FakeConsole()

    @pytest.fixture
    def contents(self, marketing: Marketing, console: FakeConsole) -> Contents:
        return contents_of(marketing, {marketing.application_id: console})

    async def test_a_new_template_is_applied_for(
        self, marketing: Marketing, contents: Contents, console: FakeConsole
    ) -> None:
        form = opened(content.new_template(clicked("new"), contents))
        assert "code" not in fields(form)
        given = {name: value for name, value in NEW.items() if name != "code"}
        assert "is being applied for at the carrier" in shown(
            content.submit_template(sent(form.context, **given), contents)
        )
        message = post_of(marketing, contents)
        assert "asks the carrier to approve the template *autumn*." in message.text
        assert not [block for block in message.blocks if block["type"] == "actions"]
        assert not message.is_last
        await contents.sync.tick()
        assert [name for name, *_ in console.applied] == ["autumn"]
        assert "as the carrier says" in shown(content.templates(line("name:autumn"), contents))

    async def test_what_it_refuses_to_take_is_mended_here(
        self, marketing: Marketing, contents: Contents, console: FakeConsole
    ) -> None:
        console.add_trouble = RequestRefused("dirty", "words")
        form = opened(content.new_template(clicked("new"), contents))
        content.submit_template(sent(form.context, **NEW), contents)
        await contents.sync.tick()
        (menu,) = elements(content.templates(line("name:autumn"), contents), views.MORE)
        edit = opened(content.more(clicked(menu["options"][0]["value"]), contents))
        shown(content.submit_template(sent(edit.context, **{**NEW, "text": "Clean."}), contents))
        assert "asks the carrier" in post_of(marketing, contents).text

    async def test_refresh_asks_at_once(self, marketing: Marketing, contents: Contents, console: FakeConsole) -> None:
        await contents.sync.tick()
        (button_,) = elements(content.templates(line(), contents), views.REFRESH)
        assert "I am asking *promo-cn*" in shown(content.refresh(clicked(button_["value"]), contents))
        await contents.sync.tick()
        assert console.asked == 2
        assert "Huawei was asked for signatures and templates" in shown(
            content.applications(line(name="/sms-apps"), contents)
        )

    def test_signatures_are_applied_for_in_its_console(self, contents: Contents) -> None:
        with pytest.raises(NotAllowed, match="signature_at_carrier"):
            content.new_signature(clicked("new"), contents)


async def test_a_type_that_the_carrier_does_not_say_is_said_here(marketing: Marketing) -> None:
    marketing.declare(replace(MAINLAND, carrier="tencent", templates=()))
    console = FakeConsole(templates=[CarrierTemplate("900", "fall", "Leaves fall.", None, "approved")])
    contents = contents_of(marketing, {marketing.application_id: console})
    await contents.sync.tick()
    reply = content.templates(line(), contents)
    assert "*fall* · SMS type not known · promo-cn · *approved*" in shown(reply)
    assert "cannot be chosen until somebody says its SMS type" in shown(reply)
    (menu,) = elements(reply, views.MORE)
    form = opened(content.more(clicked(menu["options"][0]["value"]), contents))
    said = content.submit_type(sent(form.context, sms_type="promotional"), contents)
    assert said == Say("Template *fall* is of type promotional now.")
    assert f"SMS type by <@{ANA}>" in shown(content.templates(line("name:fall"), contents))


def test_without_such_a_carrier_there_is_nothing_to_refresh(contents: Contents) -> None:
    assert not elements(content.templates(line(), contents), views.REFRESH)


def test_a_hostile_name_stays_a_name(marketing: Marketing, contents: Contents) -> None:
    added = marketing.a_template(EVIL, text=EVIL)
    post_of(marketing, contents)
    for what in ("edit", "associate", "disable"):
        opened(content.more(clicked(f"{what}:template:{added.template.id}"), contents))
    assert "&lt;!channel&gt;" in shown(content.templates(line("status:pending"), contents))


def test_the_settings_may_decide_while_a_post_asks(marketing: Marketing, contents: Contents) -> None:
    added = marketing.a_template("sale of the year")
    post_of(marketing, contents)
    sale = replace(MAINLAND.templates[1], name="Sale of the year")
    marketing.declare(replace(MAINLAND, templates=(sale,)))
    message = post_of(marketing, contents)
    assert "is approved in the settings." in message.text
    assert message.is_last
    post = Post(1, WORKSPACE, "C0", PostKind.TEMPLATE, added.template.id, "1.1", None, 1)
    assert approval(post, contents).text == message.text
