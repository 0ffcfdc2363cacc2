"""What people paste into their clients: whatever a foreign server is called, it says what it should and no more."""

import json
import re
import shlex
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp.endpoints import public_endpoint
from mcp.registry.connecting import list_clients, make_remote


def snippets(**fields) -> dict[str, str]:
    remote = make_remote(
        **{"name": "weather", "url": "https://a.example/mcp", "transport": "streamable-http", **fields}
    )
    return {snippet.key: snippet.text for client in list_clients(remote) for snippet in client.snippets}


def test_a_server_without_secrets_needs_no_header():
    texts = snippets()

    assert texts["claude-code-command"] == "claude mcp add --transport http weather https://a.example/mcp"
    assert json.loads(texts["claude-code-file"]) == {
        "mcpServers": {"weather": {"type": "http", "url": "https://a.example/mcp"}}
    }
    assert json.loads(texts["claude-desktop-file"])["mcpServers"]["weather"] == {
        "command": "npx",
        "args": ["-y", "mcp-remote", "https://a.example/mcp", "--transport", "http-only"],
    }
    assert json.loads(texts["cursor-file"]) == {"mcpServers": {"weather": {"url": "https://a.example/mcp"}}}
    assert json.loads(texts["vs-code-file"]) == {
        "servers": {"weather": {"type": "http", "url": "https://a.example/mcp"}}
    }
    assert texts["gemini-command"] == "gemini mcp add --scope user --transport http weather https://a.example/mcp"
    assert json.loads(texts["gemini-file"]) == {"mcpServers": {"weather": {"httpUrl": "https://a.example/mcp"}}}
    assert "header" not in "".join(texts.values()).casefold()


def test_headers_it_needs_stand_as_placeholders():
    texts = snippets(header_names=["Authorization", "X-Api-Key"])

    assert texts["claude-code-command"] == (
        'claude mcp add --header "Authorization: Bearer YOUR_TOKEN" --header "X-Api-Key: YOUR_X_API_KEY" '
        "--transport http weather https://a.example/mcp"
    )
    assert json.loads(texts["claude-code-file"])["mcpServers"]["weather"]["headers"] == {
        "Authorization": "Bearer ${WEATHER_TOKEN}",
        "X-Api-Key": "${WEATHER_X_API_KEY}",
    }
    bridge = json.loads(texts["claude-desktop-file"])["mcpServers"]["weather"]
    assert bridge["args"][-4:] == [
        "--header",
        "Authorization:${WEATHER_AUTHORIZATION}",
        "--header",
        "X-Api-Key:${WEATHER_X_API_KEY}",
    ]
    assert bridge["env"] == {"WEATHER_AUTHORIZATION": "Bearer YOUR_TOKEN", "WEATHER_X_API_KEY": "YOUR_X_API_KEY"}
    assert (
        json.loads(texts["cursor-file"])["mcpServers"]["weather"]["headers"]["X-Api-Key"] == "${env:WEATHER_X_API_KEY}"
    )
    code = json.loads(texts["vs-code-file"])
    assert [each["id"] for each in code["inputs"]] == ["weather_token", "weather_x_api_key"]
    assert code["servers"]["weather"]["headers"]["Authorization"] == "Bearer ${input:weather_token}"
    assert json.loads(texts["gemini-file"])["mcpServers"]["weather"]["headers"]["X-Api-Key"] == "YOUR_X_API_KEY"


def test_the_older_transport_is_named_where_clients_want_to_know():
    texts = snippets(transport="sse")

    assert "--transport sse " in texts["claude-code-command"]
    assert json.loads(texts["claude-desktop-file"])["mcpServers"]["weather"]["args"][-1] == "sse-only"
    assert json.loads(texts["gemini-file"]) == {"mcpServers": {"weather": {"url": "https://a.example/mcp"}}}


def test_links_that_install_are_offered_only_where_nothing_must_be_filled_in():
    def links(**fields):
        remote = make_remote(name="weather", url="https://a.example/mcp", transport="", **fields)
        return {client.key: client.install_url for client in list_clients(remote) if client.install_url}

    found = links()
    assert list(found) == ["cursor", "vs-code"]
    assert json.loads(unquote(found["vs-code"].partition("?")[2])) == {
        "name": "weather",
        "type": "http",
        "url": "https://a.example/mcp",
    }
    assert links(header_names=["Authorization"]) == {}


ODD = st.text(alphabet=st.sampled_from("ab-_ '\"`$(){};&|\\\n\r\t!<>*?~#%/:@.가\u202e\u2028"), max_size=40)
NAMES = st.one_of(ODD, st.text(max_size=40))


@given(name=NAMES, rest=NAMES, header=NAMES, transport=st.sampled_from(["streamable-http", "sse", ""]))
def test_nothing_foreign_says_more_than_a_name_and_an_address(name, rest, header, transport):
    url = public_endpoint(f"https://a.example/{rest}")
    if not url:
        return
    texts = snippets(name=name, url=url, transport=transport, header_names=["X-Key", header])

    for key, program in [("claude-code-command", "claude"), ("gemini-command", "gemini")]:
        line = texts[key]
        words = shlex.split(line)
        assert "\n" not in line
        assert words[:3] == [program, "mcp", "add"]
        assert words[-1] == url
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", words[-2])
        assert {word for word in words if word.startswith("-")} <= {"--header", "--transport", "--scope"}
        # What stands outside of quotes is plain: no shell makes a command, a variable or a file of it.
        bare = re.sub(r"""'[^']*'|"[A-Za-z0-9 :_-]*\"""", "", line)
        assert re.fullmatch(r"[A-Za-z0-9 /:@%+=,._-]*", bare), line
    for key in ("claude-code-file", "claude-desktop-file", "cursor-file", "gemini-file"):
        (only,) = json.loads(texts[key])["mcpServers"].values()
        assert url in (only.get("url"), only.get("httpUrl"), *only.get("args", []))
    (only,) = json.loads(texts["vs-code-file"])["servers"].values()
    assert only["url"] == url


@given(st.text(max_size=60) | ODD)
def test_an_address_that_is_shown_holds_nothing_that_is_filled_in_or_ends_a_quote(text):
    for endpoint in (text, f"https://a.example/{text}", f"https://{text}", f"https://a.example/?q={text}"):
        url = public_endpoint(endpoint)

        assert re.fullmatch(r"(https?://[A-Za-z0-9._:\[\]-]+([/?][A-Za-z0-9/:@%!*+,;=()~?&._-]*)?)?", url), url


@pytest.mark.parametrize(
    ("endpoint", "shown"),
    [
        ("https://A.example/mcp", "https://a.example/mcp"),
        ("http://127.0.0.1:8765/mcp", "http://127.0.0.1:8765/mcp"),
        ("https://[2001:db8::1]:8443/mcp", "https://[2001:db8::1]:8443/mcp"),
        ("https://날씨.example/길", "https://xn--i20bj30b.example/%EA%B8%B8"),
        ("https://a.example/${HOME}/`id`", "https://a.example/%24%7BHOME%7D/%60id%60"),
        ("https://a.example/%PATH%/%41", "https://a.example/%25PATH%25/%41"),
        ("https://a.example/mcp?mode=read&x='", "https://a.example/mcp?mode=read&x=%27"),
        ("https://a.example/mcp?api_key=1", ""),
        ("https://user:secret@a.example/mcp", ""),
        ("https://a.example:99999/", ""),
        ("javascript:alert(1)", ""),
        ("https://", ""),
        ("https://a.example/a b", ""),
        ("https://a.example/\u202e", ""),
        ("https://a.example/" + "a" * 500, ""),
        (None, ""),
    ],
)
def test_what_the_public_sees_of_an_address(endpoint, shown):
    assert public_endpoint(endpoint) == shown


def test_no_command_holds_what_the_shell_of_windows_takes_for_the_next_one():
    texts = snippets(url=public_endpoint("https://a.example/mcp?a=1&calc&b=2"))

    assert not {"claude-code-command", "gemini-command"} & set(texts)
    assert json.loads(texts["gemini-file"])["mcpServers"]["weather"]["httpUrl"] == "https://a.example/mcp?a=1&calc&b=2"
