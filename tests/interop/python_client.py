"""A visit to the shop with the official Python SDK, of either line; runs in that SDK's environment, never in ours.

    python python_client.py MODE < errand.json > told.json

MODE: `legacy`, `auto` or a revision to insist on. The errand says where, with which token, what to get and what to
call; what the client made of each answer is told, errors as their text.
"""

import asyncio
import json
import sys
from contextlib import asynccontextmanager

try:
    import httpx2 as httpx

    from mcp import Client
    from mcp.client.streamable_http import streamable_http_client

    is_new = True
except ImportError:
    import httpx

    from mcp import ClientSession
    from mcp.client.streamable_http import streamable_http_client

    is_new = False

PATIENCE_S = 120


@asynccontextmanager
async def connect(url, token, mode):
    """The client and the revision that it agreed on."""
    http_client = httpx.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=PATIENCE_S, trust_env=False)
    async with http_client:
        if is_new:
            async with Client(streamable_http_client(url, http_client=http_client), mode=mode) as client:
                yield client, client.protocol_version
            return
        async with (
            streamable_http_client(url, http_client=http_client) as (read, write, _session),
            ClientSession(read, write) as session,
        ):
            agreed = await session.initialize()
            yield session, agreed.protocolVersion


async def read_all(list_page, member):
    found, cursor = [], None
    while True:
        page = await list_page(cursor=cursor) if cursor else await list_page()
        found += getattr(page, member)
        cursor = getattr(page, "next_cursor", None) or getattr(page, "nextCursor", None)
        if not cursor:
            return [plain(item) for item in found]


def plain(value):
    return value.model_dump(mode="json", by_alias=True, exclude_none=True)


async def attempt(call):
    try:
        return plain(await call)
    except Exception as error:
        return {"error": tell(error)}


def tell(error):
    """The innermost reasons: task groups wrap them."""
    inner = getattr(error, "exceptions", None)
    return " ".join(map(tell, inner)) if inner else f"{type(error).__name__}: {error}"


async def visit(errand, mode):
    async with connect(errand["url"], errand["token"], mode) as (client, version):
        return {
            "version": version,
            "prompts": await read_all(client.list_prompts, "prompts"),
            "tools": await read_all(client.list_tools, "tools"),
            "got": [await attempt(client.get_prompt(name, values)) for name, values in errand["get"]],
            "called": [await attempt(client.call_tool(name, values)) for name, values in errand["call"]],
        }


async def try_wrong_token(errand, mode):
    try:
        async with connect(errand["url"], errand["wrong_token"], mode) as (client, _version):
            await client.list_prompts()
    except Exception as error:
        return tell(error)
    return "taken"


async def run(mode):
    errand = json.load(sys.stdin)
    told = await visit(errand, mode)
    told["refused"] = await try_wrong_token(errand, mode)
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1]))
