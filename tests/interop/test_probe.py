"""Our look at servers that nobody here wrote: each is found, with what it offers."""

import pytest

from mcp.client.probe import probe
from mcp.client.sightings import Sighting
from tests.interop.programs import HERE, running
from tests.mcp.zoo import LOOPBACK, PATIENT

pytestmark = pytest.mark.slow

EVERYTHING_TOOLS = [
    "echo",
    "get-annotated-message",
    "get-env",
    "get-resource-links",
    "get-resource-reference",
    "get-structured-content",
    "get-sum",
    "get-tiny-image",
    "gzip-file-as-resource",
    "simulate-research-query",
    "toggle-simulated-logging",
    "toggle-subscriber-updates",
    "trigger-long-running-operation",
]


def look_at(url: str, **options) -> Sighting:
    return probe(url, limits=PATIENT, allow_networks=LOOPBACK, **options)


@pytest.mark.parametrize(
    ("mode", "path", "transport", "version"),
    [("streamableHttp", "/mcp", "streamable-http", "2025-11-25"), ("sse", "/sse", "sse", "2024-11-05")],
)
def test_server_everything_is_found_with_its_tools(node_packages, mode, path, transport, version):
    program = node_packages / "node_modules/@modelcontextprotocol/server-everything/dist/index.js"

    with running("node", "--require", HERE / "loopback.cjs", program, mode) as port:
        sighting = look_at(f"http://127.0.0.1:{port}{path}")

    assert (sighting.verdict, sighting.reason, sighting.http_status) == ("ok", "", 200)
    assert (sighting.era, sighting.transport, sighting.protocol_version) == ("legacy", transport, version)
    assert sorted(tool.name for tool in sighting.tools) == EVERYTHING_TOOLS
    assert len(sighting.prompts) == 4
    [sum_tool] = [tool for tool in sighting.tools if tool.name == "get-sum"]
    assert list(sum_tool.input_schema["properties"]) == ["a", "b"]
    assert "everything" in sighting.server_name
    assert sighting.instructions


@pytest.mark.parametrize(
    ("package", "mode", "path", "era", "version"),
    [
        ("python-2", "http", "/mcp", "modern", "2026-07-28"),
        ("python-2", "json", "/mcp", "modern", "2026-07-28"),
        ("python-1", "http", "/mcp", "legacy", "2025-11-25"),
        ("python-1", "json", "/mcp", "legacy", "2025-11-25"),
        ("python-1", "sse", "/sse", "legacy", "2024-11-05"),
    ],
)
def test_a_server_of_the_official_python_sdk_is_found_with_its_tools(python_of, package, mode, path, era, version):
    with running(python_of(package), HERE / "python_server.py", mode) as port:
        sighting = look_at(f"http://127.0.0.1:{port}{path}")

    assert (sighting.verdict, sighting.reason, sighting.http_status) == ("ok", "", 200)
    assert (sighting.era, sighting.protocol_version) == (era, version)
    assert sighting.transport == ("sse" if mode == "sse" else "streamable-http")
    assert sighting.server_name == "weather"
    assert sighting.instructions == "Ask for the weather."
    forecast, korean = sighting.tools
    assert (forecast.name, forecast.title) == ("forecast", "Forecast")
    assert forecast.description == "The weather of the next days."
    assert forecast.input_schema["properties"]["days"] == {"default": 3, "title": "Days", "type": "integer"}
    assert forecast.input_schema["required"] == ["city"]
    assert (korean.name, korean.description) == ("날씨", "오늘의 날씨예요.\n둘째 줄이에요.")
    [prompt] = sighting.prompts
    assert (prompt.name, prompt.arguments) == ("ask_politely", ("topic", "tone"))


@pytest.mark.parametrize("package", ["python-1", "python-2"])
def test_a_server_of_the_official_python_sdk_that_asks_to_sign_in(python_of, package):
    with running(python_of(package), HERE / "python_server.py", "token") as port:
        url = f"http://127.0.0.1:{port}/mcp"
        stranger = look_at(url)
        refused = look_at(url, headers={"Authorization": "Bearer wrong-token"})
        guest = look_at(url, headers={"Authorization": "Bearer right-token"})

    assert (stranger.verdict, stranger.tools) == ("auth_required", None)
    assert stranger.resource_metadata == f"http://127.0.0.1:{port}/.well-known/oauth-protected-resource/mcp"
    assert (refused.verdict, refused.tools) == ("auth_rejected", None)
    assert guest.verdict == "ok"
    assert len(guest.tools) == 2
