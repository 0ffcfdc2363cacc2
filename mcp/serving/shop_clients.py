"""How AI clients connect to the shop itself: what to paste, and how a prompt is called there afterwards.

Source: reference/mcp.md, section 11.
"""

import json
from dataclasses import dataclass
from urllib.parse import urljoin

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _

from mcp.registry.connecting import Client, Remote, Snippet, list_clients, make_remote, quote_words

SERVER_NAME = "promptjang"  # under which clients keep the shop
SAMPLE_NAME = "NAME"  # stands for the name of a prompt


@dataclass(frozen=True)
class Command:
    """What to type in one client. Not typed: it is chosen from a menu, and the text says where."""

    client: str
    text: str
    is_typed: bool = True


def endpoint_url() -> str:
    return urljoin(settings.SITE_URL, reverse("mcp:endpoint"))


def list_shop_clients(*, token: str = "") -> list[Client]:
    """With the token where a person would otherwise put it, in the one answer that has it."""
    remote = make_remote(
        name=SERVER_NAME, url=endpoint_url(), transport="streamable-http", header_names=["Authorization"], token=token
    )
    return [*list_clients(remote), _other(remote)]


def list_commands() -> list[Command]:
    """How a prompt is called, by client."""
    menu = _("Type / in the message field, or open its + menu, and look for the name of the prompt.")
    return [
        Command("Claude Code", f"/mcp__{SERVER_NAME}__{SAMPLE_NAME}"),
        Command("VS Code", f"/mcp.{SERVER_NAME}.{SAMPLE_NAME}"),
        Command("Gemini CLI", f'/{SAMPLE_NAME} --value="…"'),
        Command("Claude Desktop, Cursor", menu, is_typed=False),
    ]


def _other(remote: Remote) -> Client:
    """For a client that is not listed: what all of them ask for, and a line that tries it without any."""
    ((header, value),) = remote.placeholders().items()
    entry = {"type": remote.kind, "url": remote.url, "headers": {header: value}}
    message = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "prompts/list"})
    command = ["curl", "-sS", remote.url, "-H", f"{header}: {value}", "-H", "Content-Type: application/json"]
    return Client(
        "other",
        _("Another one"),
        [
            Snippet("other-file", "json", "mcp.json", json.dumps({"mcpServers": {remote.name: entry}}, indent=2)),
            Snippet("other-command", "shell", "", quote_words([*command, "-d", message])),
        ],
        hint=_(
            "Any client works that takes the address of a Streamable HTTP server and a header of your own. One that "
            "only offers to sign in (OAuth), as claude.ai in the browser does, cannot connect."
        ),
    )
