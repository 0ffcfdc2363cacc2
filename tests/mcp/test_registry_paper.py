"""`docs/mcp-registry.md` says what the API does. Its table of verdicts is held to the code in `test_judging.py`."""

import json
import re
from pathlib import Path

from django.conf import settings

from mcp.registry import registry_api
from mcp.registry.registry_queries import DEFAULT_LIMIT, MAX_LIMIT
from tests.mcp.registry_schema import ERROR, SERVER_RESPONSE, validate

PAPER = (Path(__file__).resolve().parents[2] / "docs" / "mcp-registry.md").read_text(encoding="utf-8")


def test_the_examples_are_answers_of_the_api():
    blocks = [json.loads(block) for block in re.findall(r"^```json\n(.*?)^```", PAPER, re.MULTILINE | re.DOTALL)]
    _written, server, error = blocks
    server["_meta"]["localhost/health"] = server["_meta"].pop("example.shop/health")

    validate(server, SERVER_RESPONSE)
    validate(error, ERROR)


def test_limits_are_those_of_the_code():
    assert f"`limit` ({DEFAULT_LIMIT}; 1 to {MAX_LIMIT})" in PAPER
    assert f"{registry_api.READS_PER_MINUTE} requests a\nminute" in PAPER
    assert f"kept for {registry_api.MAX_AGE_S} s" in PAPER


def test_settings_that_it_names_exist():
    assert [name for name in re.findall(r"`(MCP_[A-Z_]+)`", PAPER) if not hasattr(settings, name)] == []
