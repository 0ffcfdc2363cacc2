"""The shop's own MCP address in the hands of clients that nobody here wrote, each in a process of its own.

What they do with an answer that they take for broken is up to them, so each is asked for everything and tells what came
out.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from accounts.tokens import make_token
from checkout.library import revoke_entitlement
from checkout.models import AccessEvent, Entitlement
from tests.factories import NOON, make_prompt, make_purchase, make_server, make_user
from tests.interop.programs import HERE, find_node, run_client, talking

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

WRONG_TOKEN = "pm_" + "x" * 43
TOOLS = ["list_my_prompts", "get_my_prompt", "search_catalog", "get_listing", "find_mcp_servers"]
TEXT = "{{회사 이름}}의 {{제품}}을 {{제품}}답게 소개하세요. {{맺음말}}"
VALUES = {"회사 이름": "“봄날” {{제품}}", "제품": "차 한 잔", "맺음말": "감사합니다 😀"}
FILLED = "“봄날” {{제품}}의 차 한 잔을 차 한 잔답게 소개하세요. 감사합니다 😀"


@dataclass(frozen=True)
class Shop:
    url: str
    token: str
    right: Entitlement
    opened: str
    sealed: str
    refunded: str

    def make_errand(self) -> dict:
        return {
            "url": self.url,
            "token": self.token,
            "wrong_token": WRONG_TOKEN,
            "get": [
                [self.opened, VALUES],
                [self.sealed, {}],
                [self.refunded, VALUES],
                [self.opened, {"제품": "차"}],
            ],
            "call": [
                ["list_my_prompts", {}],
                ["get_my_prompt", {"name": self.opened, "values": VALUES}],
                ["get_my_prompt", {"name": self.opened}],
                ["get_my_prompt", {"name": self.sealed}],
                ["get_my_prompt", {"name": self.refunded}],
                ["search_catalog", {"query": "소개글"}],
                ["get_listing", {"listing": "소개글-쓰기"}],
                ["find_mcp_servers", {"query": "날씨"}],
                ["made_up", {}],
            ],
        }


@pytest.fixture
def shop(live_server) -> Shop:
    owner = make_user()

    def own(title: str, **options) -> Entitlement:
        prompt = make_prompt(title=title, slug=title.replace(" ", "-"), prompt_text=TEXT, price=4_900)
        return make_purchase(buyer=owner, prompt=prompt, **options)

    opened, sealed, refunded = own("소개글 쓰기", is_open=True), own("봉인된 글"), own("환불한 글", is_open=True)
    revoke_entitlement(entitlement_id=refunded.pk, reason="refunded", now=NOON)
    make_server(name="날씨", slug="weather", entry={"health": "working"})
    sounds = ["sogaegeul-sseugi", "bongindoen-geul", "hwanbulhan-geul"]
    names = [
        f"{sound}-{right.prompt_id.hex[:6]}{right.prompt_id.hex[-6:]}"
        for sound, right in zip(sounds, [opened, sealed, refunded], strict=True)
    ]
    token = make_token(user=owner, name="laptop", now=NOON)[1]
    return Shop(f"{live_server.url}/mcp", token, opened, *names)


CLIENTS = {
    "python 1": ("python-1", "legacy", "2025-11-25"),
    "python 2, handshake": ("python-2", "legacy", "2025-11-25"),
    "python 2, auto": ("python-2", "auto", "2026-07-28"),
    "python 2, pinned": ("python-2", "2026-07-28", "2026-07-28"),
    "typescript 1": ("v1", "legacy", "2025-11-25"),
    "typescript 2, handshake": ("v2", "legacy", "2025-11-25"),
    "typescript 2, auto": ("v2", "auto", "2026-07-28"),
    "typescript 2, pinned": ("v2", "2026-07-28", "2026-07-28"),
}


@pytest.mark.parametrize("client", CLIENTS)
def test_an_official_client_gets_all_that_its_owner_has(client, shop, request, tmp_path):
    line, mode, version = CLIENTS[client]
    if line.startswith("python"):
        command = [request.getfixturevalue("python_of")(line), HERE / "python_client.py", mode]
    else:
        packages = request.getfixturevalue("node_packages")
        command = [find_node(packages), HERE / "typescript_client.mjs", packages, line, mode]

    done = run_client(*command, home=tmp_path, said=json.dumps(shop.make_errand()))

    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout)
    assert told["version"] == version
    check_lists(shop, told["prompts"], told["tools"])
    check_got(shop, told["got"])
    check_called(shop, told["called"])
    assert told["refused"] != "taken"
    assert "access token" in told["refused"] or "401" in told["refused"] or "Unauthorized" in told["refused"]
    assert AccessEvent.objects.get(kind="client_read").entitlement == shop.right


def check_lists(shop: Shop, prompts: list[dict], tools: list[dict]) -> None:
    sealed, opened = prompts if prompts[0]["name"] == shop.sealed else reversed(prompts)
    assert (opened["name"], opened["title"]) == (shop.opened, "소개글 쓰기")
    assert [argument["name"] for argument in opened["arguments"]] == ["회사 이름", "제품", "맺음말"]
    assert all(argument["required"] for argument in opened["arguments"])
    assert (sealed["name"], sealed.get("arguments", [])) == (shop.sealed, [])
    assert [tool["name"] for tool in tools] == TOOLS
    assert all(tool["annotations"]["readOnlyHint"] and tool["outputSchema"] for tool in tools)


def check_got(shop: Shop, got: list[dict]) -> None:
    filled, sealed, refunded, half = got
    assert filled["messages"] == [{"role": "user", "content": {"type": "text", "text": FILLED}}]
    assert "/library/" in sealed["messages"][0]["content"]["text"]
    assert "소개하세요" not in json.dumps(sealed, ensure_ascii=False)
    assert "unknown prompt" in refunded["error"]
    assert "missing arguments: 회사 이름, 맺음말" in half["error"]


def check_called(shop: Shop, called: list[dict]) -> None:
    listed, ready, missing, sealed, refunded, hits, listing, servers, made_up = called
    found = {prompt["name"]: prompt["is_opened"] for prompt in listed["structuredContent"]["prompts"]}
    assert found == {shop.opened: True, shop.sealed: False}
    assert (ready["structuredContent"]["state"], ready["content"][0]["text"]) == ("ready", FILLED)
    assert missing["structuredContent"]["missing"] == ["회사 이름", "제품", "맺음말"]
    assert sealed["structuredContent"]["state"] == "sealed"
    assert refunded["isError"] is True
    assert "소개글-쓰기" in [hit["listing"] for hit in hits["structuredContent"]["listings"]]
    assert (listing["structuredContent"]["price_krw"], listing["structuredContent"]["is_owned"]) == (4_900, True)
    assert [server["title"] for server in servers["structuredContent"]["servers"]] == ["날씨"]
    assert "unknown tool" in made_up["error"]


# --- The Inspector's command line, as people type it


@dataclass(frozen=True)
class Inspector:
    command: list
    home: Path
    token: str

    def run(self, *options: str, token: str = "") -> tuple[int, dict]:
        """Its exit code, and what it told as JSON: a result, or an error."""
        header = f"Authorization: Bearer {token or self.token}"
        done = run_client(*self.command, "--header", header, *options, home=self.home)
        try:
            return done.returncode, json.loads(done.stdout or done.stderr)
        except ValueError:
            raise AssertionError(f"{done.returncode} {done.stdout[-2000:]} {done.stderr[-2000:]}") from None


@pytest.mark.parametrize("era", ["legacy", "auto", "modern"])
def test_the_inspector_shows_and_gets_everything(era, shop, node_packages, tmp_path):
    program = [find_node(node_packages), node_packages / "node_modules/.bin/mcp-inspector", "--cli", shop.url]
    options = [
        "--transport",
        "http",
        "--connect-timeout",
        "120000",
        "--stored-auth-only",
        "--quiet",
        "--format",
        "json",
    ]
    inspector = Inspector([*program, *options, "--protocol-era", era], tmp_path, shop.token)
    values = [f"{name}={value}" for name, value in VALUES.items()]
    call = json.dumps({"name": shop.opened, "values": VALUES})

    listed = inspector.run("--method", "prompts/list")
    tools = inspector.run("--method", "tools/list", "--strict")
    got = inspector.run("--method", "prompts/get", "--prompt-name", shop.opened, "--prompt-args", *values)
    gone = inspector.run("--method", "prompts/get", "--prompt-name", shop.refunded)
    called = inspector.run("--method", "tools/call", "--tool-name", "get_my_prompt", "--tool-args-json", call)
    failed = inspector.run("--method", "tools/call", "--tool-name", "get_my_prompt", "--tool-arg", "name=x")
    refused = inspector.run("--method", "prompts/list", token=WRONG_TOKEN)

    assert [code for code, _told in (listed, tools, got, gone, called, failed, refused)] == [0, 0, 0, 1, 0, 5, 3]
    check_lists(shop, listed[1]["result"]["prompts"], tools[1]["result"]["tools"])
    assert got[1]["result"]["messages"][0]["content"]["text"] == FILLED
    assert "unknown prompt" in gone[1]["error"]["message"]
    assert called[1]["result"]["structuredContent"]["text"] == FILLED
    assert failed[1]["result"]["isError"] is True
    assert refused[1]["error"]["code"] == "auth_required"


# --- The bridge for clients that start programs and know no addresses


def test_the_bridge_carries_a_prompt_to_a_client_without_http(shop, node_packages, tmp_path):
    program = node_packages / "node_modules/mcp-remote/dist/proxy.js"
    options = ["--transport", "http-only", "--header", f"Authorization:Bearer {shop.token}"]
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "visitor", "version": "1"}}

    with talking(find_node(node_packages), program, shop.url, *options, home=tmp_path) as ask:
        agreed = ask("initialize", hello)
        listed = ask("prompts/list", {})
        got = ask("prompts/get", {"name": shop.opened, "arguments": VALUES})

    assert agreed["result"]["serverInfo"]["name"] == "promptjang"
    assert {prompt["name"] for prompt in listed["result"]["prompts"]} == {shop.opened, shop.sealed}
    assert got["result"]["messages"][0]["content"]["text"] == FILLED
