"""What to paste into an AI client so that it uses a server. Source: reference/mcp.md, section 11.

Everything in it is written by `shlex`, `quote_words` and `json` from parts that hold no quote, no `$` and no brace,
because the name, the address and the headers of a server are somebody else's.
"""

import base64
import json
import re
import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from urllib.parse import quote

from django.utils.translation import gettext as _

_HEADER_NAME = re.compile(r"[A-Za-z0-9-]{1,64}")
_PLAIN_WORDS = re.compile(r"[A-Za-z0-9:_-]+( [A-Za-z0-9:_-]+)+")
MAX_HEADERS = 10
SSE = "sse"


@dataclass(frozen=True)
class Snippet:
    """key: unique on the page. language: `shell` or `json`. place: the file it goes into; empty for a command."""

    key: str
    language: str
    place: str
    text: str


@dataclass(frozen=True)
class Client:
    """One client. install_url: opens the client and adds the server; only where nothing must be filled in."""

    key: str
    name: str
    snippets: list[Snippet]
    hint: str = ""
    install_url: str = ""


@dataclass(frozen=True)
class Remote:
    """What a client must know. name, url and header names hold letters that need no quoting; see `make_remote`.

    token: for `Authorization`, of letters that need no quoting either; without one a placeholder stands there.
    """

    name: str
    url: str
    transport: str
    header_names: tuple[str, ...] = ()
    token: str = field(default="", repr=False)

    @property
    def kind(self) -> str:
        return SSE if self.transport == SSE else "http"

    @property
    def is_for_shells(self) -> bool:
        """`cmd` of Windows takes no quotes of ours for quotes, and what stands behind an `&` for a command."""
        return "&" not in self.url

    def variable(self, header: str) -> str:
        """Name of an environment variable for what a person must have: the token, or the header's whole value."""
        return _shout(f"{self.name}_{_noun(header)}")

    def headers(self, write: Callable[[str], str]) -> dict[str, str]:
        """The headers, each with the value that `write` makes of its name."""
        return {name: _with_scheme(name, write(name)) for name in self.header_names}

    def placeholders(self) -> dict[str, str]:
        return self.headers(lambda name: self.known(name) or f"YOUR_{_shout(_noun(name))}")

    def known(self, header: str) -> str:
        """What nobody has to fill in any more."""
        return self.token if _is_authorization(header) else ""

    @property
    def missing_names(self) -> list[str]:
        return [name for name in self.header_names if not self.known(name)]


def make_remote(*, name: str, url: str, transport: str, header_names: Iterable[str] = (), token: str = "") -> Remote:
    """name: anything; what is no ASCII letter, digit, `-` or `_` becomes `-`. url: of `endpoints.public_endpoint`.

    header_names: those that are no names of headers are left out.
    """
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-_")[:60].rstrip("-_")
    wanted = [each for each in header_names if isinstance(each, str) and _HEADER_NAME.fullmatch(each)]
    unique = {each.casefold(): each for each in reversed(wanted)}
    headers = [each for each in wanted if unique.get(each.casefold()) is each]
    return Remote(plain or "server", url, transport, tuple(dict.fromkeys(headers))[:MAX_HEADERS], token)


def list_clients(remote: Remote) -> list[Client]:
    """The clients in the order of the page."""
    return [_claude_code(remote), _claude_desktop(remote), _cursor(remote), _vs_code(remote), _gemini(remote)]


def _claude_code(remote: Remote) -> Client:
    entry = {"type": remote.kind, "url": remote.url}
    entry |= _headers(remote.headers(lambda name: f"${{{remote.variable(name)}}}"))
    in_file = Snippet("claude-code-file", "json", ".mcp.json", _dump({"mcpServers": {remote.name: entry}}))
    command = ["claude", "mcp", "add", *_header_options(remote), "--transport", remote.kind, remote.name, remote.url]
    return Client(
        "claude-code",
        "Claude Code",
        [*_list_commands(remote, "claude-code-command", command), in_file],
        hint=_join(_replace_hint(remote), _list_variables(remote, remote.header_names)),
    )


def _claude_desktop(remote: Remote) -> Client:
    """It takes no remote servers in its file, so a bridge in between does; it needs Node."""
    way = "sse-only" if remote.kind == SSE else "http-only"
    arguments = ["-y", "mcp-remote", remote.url, "--transport", way]
    environment = {}
    for name, value in remote.placeholders().items():  # no space after the colon: some versions split there
        variable = _shout(f"{remote.name}_{name}")  # holds all of it, so it is not what `variable` names
        arguments += ["--header", f"{name}:${{{variable}}}"]
        environment[variable] = value
    entry = {"command": "npx", "args": arguments} | ({"env": environment} if environment else {})
    place = "claude_desktop_config.json"
    return Client(
        "claude-desktop",
        "Claude Desktop",
        [Snippet("claude-desktop-file", "json", place, _dump({"mcpServers": {remote.name: entry}}))],
        hint=_join(_("It connects through a small program, mcp-remote, which needs Node."), _replace_hint(remote)),
    )


def _cursor(remote: Remote) -> Client:
    """Its file is the person's own, so a token that is known stands in it; else it names variables."""
    headers = remote.headers(lambda name: remote.known(name) or f"${{env:{remote.variable(name)}}}")
    entry = {"url": remote.url} | _headers(headers)
    packed = base64.b64encode(json.dumps(entry).encode()).decode()
    link = f"cursor://anysphere.cursor-deeplink/mcp/install?name={quote(remote.name)}&config={quote(packed, safe='')}"
    return Client(
        "cursor",
        "Cursor",
        [Snippet("cursor-file", "json", "~/.cursor/mcp.json", _dump({"mcpServers": {remote.name: entry}}))],
        hint=_list_variables(remote, remote.missing_names),
        install_url="" if remote.header_names else link,
    )


def _vs_code(remote: Remote) -> Client:
    inputs = [
        {
            "type": "promptString",
            "id": remote.variable(name).lower(),
            "description": f"{remote.name}: {_noun(name)}",
            "password": True,
        }
        for name in remote.header_names
    ]
    entry = {"type": remote.kind, "url": remote.url}
    entry |= _headers(remote.headers(lambda name: f"${{input:{remote.variable(name).lower()}}}"))
    settings = ({"inputs": inputs} if inputs else {}) | {"servers": {remote.name: entry}}
    link = f"vscode:mcp/install?{quote(json.dumps({'name': remote.name, **entry}), safe='')}"
    return Client(
        "vs-code",
        "VS Code",
        [Snippet("vs-code-file", "json", ".vscode/mcp.json", _dump(settings))],
        hint=_("It asks for what is secret once and keeps it.") if inputs else "",
        install_url="" if inputs else link,
    )


def _gemini(remote: Remote) -> Client:
    address = "url" if remote.kind == SSE else "httpUrl"
    entry = {address: remote.url} | _headers(remote.placeholders())
    place = "~/.gemini/settings.json"
    in_file = Snippet("gemini-file", "json", place, _dump({"mcpServers": {remote.name: entry}}))
    command = ["gemini", "mcp", "add", *_header_options(remote), "--scope", "user", "--transport", remote.kind]
    command += [remote.name, remote.url]
    return Client(
        "gemini-cli",
        "Gemini CLI",
        [*_list_commands(remote, "gemini-command", command), in_file],
        hint=_replace_hint(remote),
    )


def quote_words(words: Iterable[str]) -> str:
    """A command line. Plain words with spaces get the quotes that the command line of Windows understands as well."""
    return " ".join(f'"{word}"' if _PLAIN_WORDS.fullmatch(word) else shlex.quote(word) for word in words)


def _list_commands(remote: Remote, key: str, command: list[str]) -> list[Snippet]:
    return [Snippet(key, "shell", "", quote_words(command))] if remote.is_for_shells else []


def _header_options(remote: Remote) -> list[str]:
    """They come first, so that another option follows: a header option may take all words up to the next one."""
    return [word for name, value in remote.placeholders().items() for word in ("--header", f"{name}: {value}")]


def _headers(headers: dict[str, str]) -> dict:
    return {"headers": headers} if headers else {}


def _list_variables(remote: Remote, header_names: Iterable[str]) -> str:
    names = ", ".join(remote.variable(name) for name in header_names)
    if not names:
        return ""
    return _("The file takes your own values from environment variables: %(names)s.") % {"names": names}


def _replace_hint(remote: Remote) -> str:
    return _("Put your own values where it says YOUR.") if remote.missing_names else ""


def _join(*hints: str) -> str:
    return " ".join(filter(None, hints))


def _is_authorization(name: str) -> bool:
    return name.casefold() == "authorization"


def _noun(header: str) -> str:
    """What the person has in hand for it."""
    return "token" if _is_authorization(header) else header


def _with_scheme(name: str, value: str) -> str:
    return f"Bearer {value}" if _is_authorization(name) else value


def _shout(name: str) -> str:
    return re.sub(r"[^A-Z0-9]+", "_", name.upper()).strip("_") or "VALUE"


def _dump(value: dict) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)
