"""The shop as an MCP server, as one owner of a token sees it: their prompts, and tools for clients that show none."""

from collections.abc import Mapping
from datetime import datetime

from django.conf import settings
from django.utils.translation import gettext as _

from accounts.models import User
from mcp.owned_prompts import get_text, list_page
from mcp.service import Caching, PromptPage, PromptText, ServerInfo, Service, Tool
from mcp.shop_tools import make_tools

VERSION = "1.0.0"  # of what this address offers


class ShopService(Service):
    tools_caching = Caching(ttl_ms=3_600_000, scope="private")  # their words follow the caller's language

    def __init__(self, *, user: User, now: datetime):
        self.user, self.now = user, now

    @property
    def info(self) -> ServerInfo:
        return ServerInfo(name="promptjang", version=VERSION, title=settings.SITE_NAME, website_url=settings.SITE_URL)

    @property
    def instructions(self) -> str:
        return _(
            "Prompts that the person owns in this shop. Without support for prompts, use list_my_prompts and "
            "get_my_prompt; buying always takes the person, on the page that a listing links to."
        )

    @property
    def tools(self) -> list[Tool]:
        return make_tools(user=self.user, now=self.now)

    def list_prompts(self, after: str | None) -> PromptPage:
        return list_page(user=self.user, after=after)

    def get_prompt(self, name: str, values: Mapping[str, str]) -> PromptText:
        return get_text(user=self.user, name=name, values=values, now=self.now)
