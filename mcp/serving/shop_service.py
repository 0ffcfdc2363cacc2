"""The shop as an MCP server, as one owner of a token sees it: their prompts, and tools for clients that show none."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from django.conf import settings

from accounts.models import User
from mcp.serving.owned_prompts import list_owned
from mcp.serving.prompt_texts import get_text
from mcp.serving.service import Caching, PromptPage, PromptText, ServerInfo, Service, Tool
from mcp.serving.shop_tools import make_tools

VERSION = "1.0.0"  # of what this address offers


class ShopService(Service):
    """asked: what was asked for, as far as it is known here, for the log; never a value or a text."""

    tools_caching = Caching(ttl_ms=3_600_000, scope="private")  # their words follow the caller's language
    # For models, not for people, and the same for everybody: clients may share what `server/discover` answers.
    instructions = (
        "Prompts that the person owns in this shop. Without support for prompts, use list_my_prompts and "
        "get_my_prompt. Buying always takes the person, on the page that a listing links to."
    )

    def __init__(self, *, user: User, now: datetime):
        self.user, self.now = user, now
        self.asked = "-"

    @property
    def info(self) -> ServerInfo:
        title = settings.SITE_NAME or "프롬프트장"
        return ServerInfo(name="promptjang", version=VERSION, title=title, website_url=settings.SITE_URL)

    @property
    def tools(self) -> list[Tool]:
        self.asked = "tools/list"
        return [self._watch(tool) for tool in make_tools(user=self.user, now=self.now)]

    def list_prompts(self, after: str | None) -> PromptPage:
        self.asked = "prompts/list"
        prompts, next_place = list_owned(user=self.user, now=self.now, after=after)
        return PromptPage([owned.describe() for owned in prompts], next_place)

    def get_prompt(self, name: str, values: Mapping[str, str]) -> PromptText:
        self.asked = "prompts/get"
        return get_text(user=self.user, name=name, values=values, now=self.now)

    def _watch(self, tool: Tool) -> Tool:
        def call(arguments):
            self.asked = f"tools/call {tool.name}"
            return tool.call(arguments)

        return replace(tool, call=call)
