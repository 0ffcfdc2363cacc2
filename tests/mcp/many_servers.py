"""Many small MCP servers in one process of their own, each on a port of its own; some accept and never say a word.

python -m tests.mcp.many_servers COUNT HANGING

It prints the ports as JSON, those that hang first, and ends when its standard input does.
"""

import asyncio
import json
import sys

INFO = {"io.modelcontextprotocol/serverInfo": {"name": "one-of-many", "version": "1.0.0"}}
RESULTS = {
    "server/discover": {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}, "_meta": INFO},
    "tools/list": {"tools": [{"name": "echo", "inputSchema": {"type": "object"}}]},
}


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(head.partition("content-length:")[2].split("\r\n")[0] or 0)
            message = json.loads(await reader.readexactly(length))
            result = {"resultType": "complete", "ttlMs": 0, "cacheScope": "public"} | RESULTS[message["method"]]
            body = json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
            writer.write(f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


async def serve(count: int, hanging: int) -> None:
    handlers = [hang] * hanging + [answer] * (count - hanging)
    servers = [await asyncio.start_server(handler, "127.0.0.1", 0) for handler in handlers]
    print(json.dumps([server.sockets[0].getsockname()[1] for server in servers]), flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve(*map(int, sys.argv[1:])))
