"""The shop's own MCP address: who may ask, what an owner gets, and what nobody else does."""

import json

import pytest
from django.test import Client

from accounts.tokens import make_token, revoke_token
from checkout.library import revoke_entitlement
from checkout.models import AccessEvent, Entitlement
from tests.factories import NOON, make_prompt, make_purchase, make_user

pytestmark = pytest.mark.django_db

SECRET = "비밀 지시문: {{주제}}에 대해 {{어조}}로 쓰세요."


class Caller:
    """A handshake client with a token, without cookies."""

    def __init__(self, token: str):
        self.token, self.client = token, Client()

    def post(self, method: str, **params):
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return self.client.post("/mcp", json.dumps(message), content_type="application/json", headers=headers)

    def ask(self, method: str, **params) -> dict:
        return self.post(method, **params).json()


@pytest.fixture
def owner():
    return make_user()


@pytest.fixture
def caller(owner) -> Caller:
    return Caller(make_token(user=owner, name="laptop", now=NOON)[1])


def own(user, *, is_open: bool = True) -> Entitlement:
    prompt = make_prompt(title="주간 보고서", slug="weekly-report", prompt_text=SECRET)
    return make_purchase(buyer=user, prompt=prompt, is_open=is_open)


def test_an_owner_lists_and_fills_a_prompt(caller, owner):
    right = own(owner)

    (listed,) = caller.ask("prompts/list")["result"]["prompts"]
    got = caller.ask("prompts/get", name=listed["name"], arguments={"주제": "비용", "어조": "정중하게"})["result"]

    assert listed["name"] == f"weekly-report-{right.prompt_id.hex[:10]}"
    assert (listed["title"], [argument["name"] for argument in listed["arguments"]]) == (
        "주간 보고서",
        ["주제", "어조"],
    )
    assert got["messages"][0]["content"]["text"] == "비밀 지시문: 비용에 대해 정중하게로 쓰세요."
    assert AccessEvent.objects.get(kind="read").entitlement == right


def test_a_refunded_prompt_is_gone_at_the_next_call(caller, owner):
    right = own(owner)
    (listed,) = caller.ask("prompts/list")["result"]["prompts"]

    revoke_entitlement(entitlement_id=right.pk, reason="refunded", now=NOON)

    assert caller.ask("prompts/list")["result"]["prompts"] == []
    assert caller.ask("prompts/get", name=listed["name"])["error"] == {"code": -32602, "message": "unknown prompt"}


def test_a_sealed_prompt_is_explained_and_stays_sealed(caller, owner):
    right = own(owner, is_open=False)

    (listed,) = caller.ask("prompts/list")["result"]["prompts"]
    answer = caller.post("prompts/get", name=listed["name"])

    assert "/library/weekly-report/" in answer.json()["result"]["messages"][0]["content"]["text"]
    assert "비밀" not in answer.content.decode()
    right.refresh_from_db()
    assert right.is_sealed


def test_the_prompt_of_another_is_as_unknown_as_none(caller):
    right = own(make_user())

    asked = [f"weekly-report-{right.prompt_id.hex[:10]}", "weekly-report-0000000000", "", "x" * 9_000]

    assert {json.dumps(caller.ask("prompts/get", name=name)["error"]) for name in asked} == {
        '{"code": -32602, "message": "unknown prompt"}'
    }


@pytest.mark.parametrize("token", ["", "pm_wrong", "pm_" + "a" * 43])
def test_without_a_token_that_works_there_is_nothing(token):
    response = Caller(token).post("prompts/list")

    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith('Bearer realm="promptjang"')
    assert ("invalid_token" in response["WWW-Authenticate"]) == bool(token)
    assert "resource_metadata" not in response["WWW-Authenticate"]
    assert not response.cookies


def test_a_revoked_token_stops_at_once(owner):
    row, token = make_token(user=owner, name="laptop", now=NOON)
    caller = Caller(token)
    assert caller.post("ping").status_code == 200

    revoke_token(user=owner, token_id=row.pk, now=NOON)

    assert caller.post("ping").status_code == 401
