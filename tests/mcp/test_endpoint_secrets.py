"""Values are texts and nothing more; and no value, token or text of a prompt is ever written into a log or an error."""

import logging

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.tokens import find_token
from mcp.serving import prompt_texts
from tests.factories import make_prompt, make_purchase, make_user
from tests.mcp.shop_calls import Caller

pytestmark = pytest.mark.django_db

PIECES = [
    "{{주제}}",
    "{{어조}}",
    "${주제}",
    "[주제]",
    "{주제}",
    "#{어조}",
    "\\{{주제}}",
    "{{",
    "}}",
    "%s",
    "%(a)s",
    "\\1",
    "\\g<0>",
]
VALUES = st.lists(st.sampled_from(PIECES) | st.text(st.characters(codec="utf-8", exclude_characters="\0")), max_size=4)
TEXT = "앞 {{주제}} 가운데 ${어조} 다시 {{주제}} 뒤"
VALUE, LATER = "값-zzqq-8127", "글-yyww-3391"


@pytest.fixture
def owner():
    return make_user()


@pytest.fixture
def caller(owner) -> Caller:
    return Caller.of(owner)


def own(user, text: str) -> str:
    """The name of a prompt with this text."""
    right = make_purchase(buyer=user, prompt=make_prompt(slug="letters", prompt_text=text), is_open=True)
    return f"letters-{right.prompt_id.hex[:6]}{right.prompt_id.hex[-6:]}"


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(topic=VALUES.map("".join).filter(bool), tone=VALUES.map("".join).filter(bool))
def test_a_value_is_never_expanded_again(caller, owner, topic, tone):
    if not hasattr(caller, "name"):
        caller.name = own(owner, TEXT)
    values = {"주제": topic, "어조": tone}
    expected = f"앞 {topic} 가운데 {tone} 다시 {topic} 뒤"
    find_token(caller.token).__class__.objects.update(call_count=0)  # examples are no calls of one minute

    assert caller.get_text(caller.name, **values) == expected
    assert caller.call("get_my_prompt", name=caller.name, values=values)["text"] == expected


def calls_with_secrets(caller: Caller, name: str) -> None:
    """Whatever a client may do right or wrong with a value, a name or a token in it."""
    values = {"주제": VALUE, "어조": VALUE}
    caller.post("prompts/get", name=name, arguments=values)
    caller.post("prompts/get", name=name, arguments={"주제": VALUE})
    caller.post("prompts/get", name=VALUE, arguments=values)
    caller.post("prompts/get", name=name, arguments={"주제": {"a": VALUE}})
    caller.post("prompts/list", cursor=VALUE)
    caller.post(VALUE)
    caller.post("tools/call", name="get_my_prompt", arguments={"name": name, "values": values})
    caller.post("tools/call", name="get_my_prompt", arguments={"name": VALUE, VALUE: VALUE})
    caller.post("tools/call", name="search_catalog", arguments={"query": VALUE})
    caller.post("tools/call", name=VALUE, arguments=values)
    caller.send(f'{{"jsonrpc":"2.0","id":"{VALUE}","method":')
    caller.send(VALUE, content_type=f"text/{VALUE}")
    caller.send(VALUE, headers={"Origin": f"https://{VALUE.encode().hex()}.example"})
    caller.send(VALUE, path="/mcp/")
    Caller(caller.token + "x").post("ping")
    Caller("pm_" + caller.token[:2:-1]).post("ping")


def test_no_log_holds_a_value_a_token_or_a_text(caller, owner, caplog):
    name = own(owner, f"{LATER} {TEXT}")

    with caplog.at_level(logging.DEBUG):
        for logger in list(logging.root.manager.loggerDict):
            caplog.set_level(logging.DEBUG, logger=logger)
        calls_with_secrets(caller, name)

    told = " ".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    assert f"mcp call token={find_token(caller.token).pk} asked=prompts/get status=200" in told
    assert "asked=tools/call get_my_prompt" in told
    for secret in (VALUE, LATER, caller.token, caller.token[3:], caller.token[:2:-1]):
        assert secret not in told


@pytest.mark.parametrize("where", ["split_filled", "hand_out", "find_owned"])
def test_no_error_holds_a_value_a_token_or_a_text(caller, owner, caplog, monkeypatch, where):
    name = own(owner, f"{LATER} {TEXT}")

    def break_down(*arguments, **named):
        raise RuntimeError(f"{VALUE} {LATER} {arguments} {named}")

    monkeypatch.setattr(prompt_texts, where, break_down)
    with caplog.at_level(logging.DEBUG):
        response = caller.post("prompts/get", name=name, arguments={"주제": VALUE, "어조": VALUE})

    assert response.json()["error"] == {"code": -32603, "message": "internal error"}
    assert "RuntimeError" in caplog.text
    for secret in (VALUE, LATER, caller.token):
        assert secret not in caplog.text
        assert secret not in response.content.decode()
