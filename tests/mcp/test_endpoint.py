"""The shop's own MCP address: who may ask, what an owner gets, and what nobody else does."""

import json
from datetime import timedelta

import pytest
from django.core.cache import caches

from accounts.tokens import make_token, revoke_token
from checkout.library import revoke_entitlement
from checkout.models import AccessEvent, Entitlement
from tests.factories import NOON, make_prompt, make_purchase, make_refund, make_seller, make_server, make_user
from tests.mcp.shop_calls import Caller

pytestmark = pytest.mark.django_db

SECRET = "비밀 지시문: {{주제}}에 대해 {{어조}}로 쓰세요."
UNKNOWN = {"code": -32602, "message": "unknown prompt"}
TOOLS = ["list_my_prompts", "get_my_prompt", "search_catalog", "get_listing", "find_mcp_servers"]


@pytest.fixture
def owner():
    return make_user()


@pytest.fixture
def caller(owner) -> Caller:
    return Caller.of(owner)


def own(user, *, is_open: bool = True, **fields) -> Entitlement:
    prompt = make_prompt(**{"title": "주간 보고서", "slug": "weekly-report", "prompt_text": SECRET, **fields})
    return make_purchase(buyer=user, prompt=prompt, is_open=is_open)


def name_of(prompt, words: str = "weekly-report") -> str:
    return f"{words}-{prompt.pk.hex[:6]}{prompt.pk.hex[-6:]}"


# --- What an owner gets


def test_an_owner_lists_and_fills_a_prompt(caller, owner):
    right = own(owner)

    (listed,) = caller.ask("prompts/list")["prompts"]

    assert listed == {
        "name": name_of(right.prompt),
        "title": "주간 보고서",
        "arguments": [{"name": "주제", "required": True}, {"name": "어조", "required": True}],
    }
    text = caller.get_text(listed["name"], 주제="비용", 어조="정중하게")
    assert text == "비밀 지시문: 비용에 대해 정중하게로 쓰세요."


def test_reading_in_a_client_stands_in_the_access_log_of_the_library(caller, owner):
    right = own(owner)
    caller.get_text(name_of(right.prompt), 주제="비용", 어조="짧게")
    caller.get_text(name_of(right.prompt), 주제="비용", 어조="짧게")  # the same visit

    read = AccessEvent.objects.exclude(kind="opened").get()

    assert (read.kind, read.entitlement, read.version.number) == ("client_read", right, 1)


def test_a_call_that_gets_no_text_is_no_reading(caller, owner):
    right = own(owner)

    error = caller.fail("prompts/get", name=name_of(right.prompt), arguments={"주제": "비용"})

    assert error == {"code": -32602, "message": "missing arguments: 어조"}
    assert not AccessEvent.objects.filter(kind="client_read").exists()


def test_the_text_is_that_of_the_newest_version(caller, owner):
    right = own(owner)
    right.prompt.versions.create(number=2, title="x", prompt_text="새 글: {{독자}}")

    (listed,) = caller.list_prompts()

    assert listed["arguments"] == [{"name": "독자", "required": True}]
    assert caller.get_text(listed["name"], 독자="팀장") == "새 글: 팀장"


def test_a_prompt_that_another_program_wrote_needs_no_version(caller, owner):
    prompt = make_prompt(prompt_text=SECRET)
    prompt.versions.all().delete()
    make_purchase(buyer=owner, prompt=prompt, is_open=True)

    (listed,) = caller.list_prompts()

    assert [argument["name"] for argument in listed["arguments"]] == ["주제", "어조"]
    assert "비용에 대해 짧게" in caller.get_text(listed["name"], 주제="비용", 어조="짧게")


def test_titles_and_summaries_of_sellers_come_without_what_misleads(caller, owner):
    own(owner, title="주간\u202e\u0007 보고서", listing={"summary": "한 줄\u200b\u2066 요약"})

    (listed,) = caller.list_prompts()

    assert (listed["title"], listed["description"]) == ("주간 보고서", "한 줄 요약")


def test_values_are_known_by_any_spelling_of_their_variable(caller, owner):
    right = own(owner, prompt_text="{{Brand Name}} / ${brand_name} / {{어조|정중하게}}")
    name = name_of(right.prompt)

    (listed,) = caller.list_prompts()

    assert listed["arguments"] == [
        {"name": "Brand Name", "required": True},
        {"name": "어조", "description": "기본값: 정중하게"},
    ]
    assert caller.get_text(name, brand_name="봄날") == "봄날 / 봄날 / 정중하게"
    assert caller.get_text(name, **{"BRAND NAME": "봄날", "어조": ""}) == "봄날 / 봄날 / 정중하게"
    assert caller.get_text(name, **{"Brand Name": "", "어조": "짧게", "다른": "x"}) == " /  / 짧게"


def test_values_that_would_make_a_text_endless_are_refused(caller, owner):
    right = own(owner, prompt_text="{{글}} " * 900)
    name, values = name_of(right.prompt), {"글": "가" * 1_200}

    assert "longer than 1000000" in caller.fail("prompts/get", name=name, arguments=values)["message"]
    assert caller.call_in_vain("get_my_prompt", name=name, values=values)
    assert len(caller.get_text(name, 글="가" * 1_000)) == 900 * 1_001


def test_a_sealed_prompt_is_explained_and_stays_sealed(caller, owner):
    right = own(owner, is_open=False)

    (listed,) = caller.list_prompts()
    text = caller.get_text(listed["name"], 주제="비용")
    told = caller.call("get_my_prompt", name=listed["name"])
    (mine,) = caller.call("list_my_prompts")["prompts"]

    address = "http://localhost:8000/library/weekly-report/"
    assert "arguments" not in listed
    assert address in text
    assert address in listed["description"]
    assert (told["state"], told["text"], told["url"]) == ("sealed", "", address)
    assert (mine["is_opened"], mine["arguments"]) == (False, [])
    assert "비밀" not in text + json.dumps([listed, told, mine], ensure_ascii=False)
    right.refresh_from_db()
    assert right.is_sealed
    assert not AccessEvent.objects.exists()


def test_a_refunded_prompt_is_gone_at_the_next_call(caller, owner):
    right = own(owner, is_open=False)
    name = name_of(right.prompt)
    assert len(caller.list_prompts()) == 1

    make_refund(order=right.order_line.order, status="done")

    assert caller.list_prompts() == []
    assert caller.fail("prompts/get", name=name) == UNKNOWN
    assert caller.call_in_vain("get_my_prompt", name=name) == caller.call_in_vain("get_my_prompt", name="x")
    assert caller.call("list_my_prompts") == {"prompts": []}


def test_a_prompt_that_staff_took_back_is_gone(caller, owner):
    right = own(owner)

    revoke_entitlement(entitlement_id=right.pk, reason="staff", now=NOON)

    assert caller.list_prompts() == []
    assert caller.fail("prompts/get", name=name_of(right.prompt)) == UNKNOWN


def test_what_is_bought_again_after_a_refund_is_there_under_the_same_name(caller, owner):
    first = own(owner)
    revoke_entitlement(entitlement_id=first.pk, reason="refunded", now=NOON)
    second = make_purchase(buyer=owner, prompt=first.prompt, is_open=True, now=NOON + timedelta(days=1))

    (listed,) = caller.list_prompts()
    caller.get_text(listed["name"], 주제="비용", 어조="짧게")

    assert listed["name"] == name_of(first.prompt)
    assert AccessEvent.objects.get(kind="client_read").entitlement == second


def test_what_is_no_longer_sold_stays_with_its_buyers(caller, owner):
    right = own(owner, seller=make_seller())
    right.prompt.listing.state = "removed"
    right.prompt.listing.save(update_fields=["state"])
    right.prompt.listing.seller.status = "suspended"
    right.prompt.listing.seller.save(update_fields=["status"])

    assert "비용" in caller.get_text(name_of(right.prompt), 주제="비용", 어조="짧게")


def test_a_free_prompt_is_open_at_once(caller, owner):
    right = own(owner, price=0, is_open=False)

    assert "비용" in caller.get_text(name_of(right.prompt), 주제="비용", 어조="짧게")


def test_a_seller_has_what_they_wrote_after_what_they_bought(caller, owner):
    seller = make_seller(user=owner)
    written = make_prompt(seller=seller, slug="draft", title="초안", state="draft", prompt_text="초안: {{주제}}")
    make_prompt(seller=seller, slug="gone", state="removed")
    make_prompt(seller=make_seller(), slug="other", state="draft")
    own(owner)

    bought, own_one = caller.list_prompts()

    assert (bought["title"], own_one["title"]) == ("주간 보고서", "초안")
    assert caller.get_text(own_one["name"], 주제="비용") == "초안: 비용"
    told = caller.call("get_my_prompt", name=own_one["name"], values={"주제": "비용"})
    assert told["url"] == f"http://localhost:8000/studio/listings/{written.pk}/"
    assert not AccessEvent.objects.filter(kind="client_read").exists()


# --- What nobody else gets


def test_the_prompt_of_another_is_as_unknown_as_none(caller):
    right = own(make_user())
    name = name_of(right.prompt)

    asked = [name, name_of(right.prompt, "x"), "weekly-report-000000000000", "", name.upper(), f"{name}\n", "x" * 9_000]

    assert [caller.fail("prompts/get", name=each) for each in asked] == [UNKNOWN] * len(asked)
    assert len({caller.call_in_vain("get_my_prompt", name=each) for each in asked[:-1]}) == 1


@pytest.mark.parametrize("token", ["", "pm_wrong", "pm_" + "a" * 43])
def test_without_a_token_that_works_there_is_nothing(token):
    response = Caller(token).post("prompts/list")

    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith('Bearer realm="promptjang"')
    assert ("invalid_token" in response["WWW-Authenticate"]) == bool(token)


def test_a_revoked_token_stops_at_once(owner):
    row, token = make_token(user=owner, name="laptop", now=NOON)
    caller = Caller(token)
    assert caller.post("ping").status_code == 200

    revoke_token(user=owner, token_id=row.pk, now=NOON)

    assert caller.post("ping").status_code == 401


def test_the_token_of_a_suspended_account_stops_at_once(owner, caller):
    own(owner)
    assert caller.post("prompts/list").status_code == 200

    owner.is_active = False
    owner.save(update_fields=["is_active"])

    assert caller.post("prompts/list").status_code == 401


def test_wrong_tokens_are_counted_by_address_and_right_ones_go_on(caller):
    answers = [Caller("pm_wrong").post("ping") for _ in range(61)]

    assert [answer.status_code for answer in answers] == [401] * 60 + [429]
    assert int(answers[-1]["Retry-After"]) > 0
    assert caller.post("ping").status_code == 200


def test_a_token_may_ask_so_often_in_a_minute_and_then_waits(caller, monkeypatch):
    monkeypatch.setattr("mcp.serving.endpoint.CALLS_PER_MINUTE", 3)
    monkeypatch.setattr("mcp.serving.endpoint.timezone.now", lambda: NOON + timedelta(seconds=18))

    answers = [caller.post("ping") for _ in range(4)]
    monkeypatch.setattr("mcp.serving.endpoint.timezone.now", lambda: NOON + timedelta(seconds=60))

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[-1]["Retry-After"] == "42"
    assert caller.post("ping").status_code == 200


def test_an_address_may_ask_so_often_in_a_minute_whatever_its_tokens(owner, monkeypatch):
    monkeypatch.setattr("mcp.serving.endpoint.CALLS_OF_ADDRESS", 2)
    monkeypatch.setattr("marketplace.rate_limits.time.time", lambda: 1_000_000_020.0)  # seconds: the minute has 20 left
    callers = [Caller.of(owner), Caller.of(make_user()), Caller.of(owner)]

    answers = [caller.post("ping") for caller in callers]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 0 < int(answers[-1]["Retry-After"]) <= 60
    assert Caller(callers[0].token, REMOTE_ADDR="192.0.2.7").post("ping").status_code == 200


# --- Languages and queries


def test_words_are_in_the_language_that_the_client_asks_for(caller):
    def titles(**headers) -> list[str]:
        return [tool["title"] for tool in caller.ask("tools/list", headers=headers)["tools"]]

    assert titles(**{"Accept-Language": "en"})[0] == "My prompts"
    assert titles(**{"Accept-Language": "*"}) == titles()
    assert [tool["name"] for tool in caller.ask("tools/list")["tools"]] == TOOLS


def test_what_clients_may_share_is_in_one_language(caller):
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    headers = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "server/discover"}
    answers = [
        caller.ask("server/discover", headers={**headers, "Accept-Language": language}, _meta=meta)
        for language in ("ko", "en")
    ]

    assert answers[0] == answers[1]
    assert answers[0]["cacheScope"] == "public"


@pytest.mark.parametrize("count", [1, 50])
def test_a_list_takes_the_same_queries_however_long(caller, owner, count, django_assert_num_queries):
    for number in range(count):
        own(owner, slug=f"report-{number}")

    with django_assert_num_queries(4):  # token, its count, what was bought, what was written
        assert len(caller.ask("prompts/list")["prompts"]) == count
    with django_assert_num_queries(4):
        assert len(caller.call("list_my_prompts")["prompts"]) == count


@pytest.mark.parametrize("way", ["prompts/get", "get_my_prompt"])
def test_a_text_takes_as_many_queries_as_it_must(caller, owner, way, django_assert_num_queries):
    name, values = name_of(own(owner).prompt), {"주제": "비용", "어조": "짧게"}
    caller.get_text(name, **values)

    with django_assert_num_queries(3):  # token, its count, the right with its text and last visit
        if way == "prompts/get":
            caller.get_text(name, **values)
        else:
            caller.call(way, name=name, values=values)


def test_an_answer_needs_no_session_and_no_shared_cache(caller, owner, monkeypatch):
    name = name_of(own(owner).prompt)
    monkeypatch.setattr(type(caches["default"]), "get", None)

    assert caller.get_text(name, 주제="비용", 어조="짧게")


def test_servers_of_others_are_labelled_by_what_was_measured(caller):
    make_server(slug="weather", name="날씨\u202e", entry={"health": "working", "tool_count": 3})

    (server,) = caller.call("find_mcp_servers", query="날씨")["servers"]

    assert (server["title"], server["tool_count"]) == ("날씨", 3)
    assert server["name"].endswith("/weather")
    assert caller.call("find_mcp_servers", query=server["name"])["servers"] == [server]
