"""`docs/mcp.md` says what the address does: its examples are run, its tables and limits compared with the code."""

import json
import re
import shlex
from pathlib import Path
from uuid import UUID

import pytest
from django.conf import settings
from django.test import Client

from accounts.tokens import MAX_LIVE_TOKENS, make_token
from mcp.serving.endpoint import CALLS_OF_ADDRESS, CALLS_PER_MINUTE
from mcp.serving.methods import HANDSHAKE_VERSIONS, LEGACY, METHODS, MODERN, MODERN_VERSION
from mcp.serving.owned_prompts import PAGE_SIZE
from mcp.serving.protocol import MAX_BODY_BYTES
from mcp.serving.shop_clients import list_commands
from mcp.serving.shop_tools import MAX_HITS, make_tools
from mcp.serving.strict_json import MAX_DEPTH
from tests.factories import NOON, make_prompt, make_purchase, make_user

pytestmark = pytest.mark.django_db

PAPER = (Path(__file__).resolve().parents[2] / "docs" / "mcp.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```sh\n(curl .*?)\n```\n```json\n(.*?)\n```", PAPER, re.DOTALL)


@pytest.fixture
def token(settings) -> str:
    """Of somebody who owns the prompt of the examples."""
    settings.SITE_URL = "https://shop.example"
    owner = make_user()
    prompt = make_prompt(
        id=UUID("3f2b8c00-0000-4000-8000-0000005d6e7f"),
        title="주간 보고서",
        slug="weekly-report",
        prompt_text="지난주를 {{주제}} 중심으로, {{어조|정중하게}} 세 줄로 정리하세요.",
        listing={"summary": "한 주를 세 줄로."},
    )
    make_purchase(buyer=owner, prompt=prompt, is_open=True)
    return make_token(user=owner, name="paper", now=NOON)[1]


def run_curl(command: str, token: str):
    """The part of curl that the examples use: an address, -H and -d."""
    words = shlex.split(command.replace("\\\n", " ").replace("pm_…", token))
    assert words[:3] == ["curl", "-sS", "https://shop.example/mcp"]
    options = list(zip(words[3::2], words[4::2], strict=True))
    headers = dict(value.split(": ", 1) for option, value in options if option == "-H")
    (body,) = [value for option, value in options if option == "-d"]
    content_type = headers.pop("Content-Type")
    return Client().post("/mcp", body, content_type=content_type, headers={"accept-language": "en", **headers})


def test_the_examples_are_found():
    assert len(EXAMPLES) == PAPER.count("```sh") == 5


@pytest.mark.parametrize(("command", "answer"), EXAMPLES, ids=range(len(EXAMPLES)))
def test_an_example_answers_what_the_paper_says(token, command, answer):
    assert run_curl(command, token).json() == json.loads(answer)


def cells(heading: str, column: int) -> list[str]:
    """A column of the first table below the heading, without its head."""
    table = re.search(rf"^#+ {heading}$.*?\n\n(\|.*?)\n\n", PAPER + "\n\n", re.MULTILINE | re.DOTALL)[1]
    return [row.strip("|").split(" | ")[column].strip() for row in table.splitlines()[2:]]


def names_in(text: str) -> set[str]:
    return set(re.findall(r"`([a-z_]+)`", text))


def test_every_tool_stands_there_with_its_inputs_and_outputs():
    tools = {tool.name: tool for tool in make_tools(user=None, now=NOON)}
    inputs = dict(zip(cells("Tools", 0), cells("Tools", 1), strict=True))
    outputs = dict(zip(cells("Tools", 0), cells("Tools", 2), strict=True))

    assert [name.strip("`") for name in inputs] == list(tools)
    for name, tool in tools.items():
        assert names_in(inputs[f"`{name}`"]) == set(tool.input_schema["properties"])
        if name != "get_listing":  # told as the difference to a listing
            assert find_words(tool.output_schema) == names_in(outputs[f"`{name}`"])
    listing, one = (find_words(tools[name].output_schema) for name in ("search_catalog", "get_listing"))
    assert one - listing == names_in(outputs["`get_listing`"])


def find_words(schema: dict) -> set[str]:
    """Names of members, and the states of `get_my_prompt`."""
    found = set(schema.get("properties", {}))
    if set(schema.get("enum", [])) == {"ready", "sealed", "values_missing"}:
        found |= set(schema["enum"])
    for each in [*schema.get("properties", {}).values(), schema.get("items", {})]:
        found |= find_words(each) if each else set()
    return found


def test_every_method_and_revision_stands_there():
    rows = zip(*(cells("For authors of clients", column) for column in range(3)), strict=True)
    told = {
        (name, era) for names, *eras in rows for name in re.findall(r"`([a-z/]+)`", names) for era in zip_eras(eras)
    }

    assert told == {(name, era) for era in (MODERN, LEGACY) for name in METHODS[era]}
    assert all(version in PAPER for version in (MODERN_VERSION, *HANDSHAKE_VERSIONS))


def zip_eras(cells: list[str]) -> list[str]:
    return [era for era, cell in zip((MODERN, LEGACY), cells, strict=True) if cell == "yes"]


def test_the_limits_are_those_of_the_code():
    limits = dict(zip(cells("Limits", 0), cells("Limits", 1), strict=True))

    assert limits["body"] == f"{MAX_BODY_BYTES // 1024**2} MiB, nested {MAX_DEPTH} deep"
    assert limits["calls of one token"].startswith(f"{CALLS_PER_MINUTE} in a minute")
    assert limits["calls of one address"].startswith(f"{CALLS_OF_ADDRESS} in a minute")
    assert limits["prompts on a page"].startswith(f"{PAGE_SIZE};")
    assert f"{MAX_HITS} at most" in PAPER
    assert (settings.ACCOUNT_RATE_LIMITS["mcp_denied"], limits["refused tokens of one address"]) == (
        "60/m/ip",
        "60 in a minute",
    )
    assert (MAX_LIVE_TOKENS, settings.ACCOUNT_RATE_LIMITS["token_make"]) == (20, "20/h/user")
    assert limits["tokens"] == "20 in use by one person, 20 made in an hour"


def test_the_commands_are_those_of_the_page():
    told = dict(zip(cells("For buyers", 0), cells("For buyers", 1), strict=True))

    assert {each.client: f"`{each.text}`" for each in list_commands() if each.is_typed} == {
        client: command for client, command in told.items() if command.startswith("`")
    }
