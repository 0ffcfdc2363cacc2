"""A server made with the official Python SDK, of either line; runs in that SDK's environment, never in ours.

    python python_server.py http|json|sse|token

http: sessions and event streams; json: neither; sse: the old transport; token: http, for those who sign in.
"""

import socket
import sys

import uvicorn

try:
    from mcp.server import MCPServer

    is_new = True
except ImportError:
    from mcp.server.fastmcp import FastMCP as MCPServer

    is_new = False


class Verifier:
    async def verify_token(self, token):
        from mcp.server.auth.provider import AccessToken

        return AccessToken(token=token, client_id="zoo", scopes=[]) if token == "right-token" else None


def make_server(mode, address):
    options = {"instructions": "Ask for the weather."}
    if mode == "token":
        from mcp.server.auth.settings import AuthSettings

        options["auth"] = AuthSettings(issuer_url="https://issuer.example", resource_server_url=f"{address}/mcp")
        options["token_verifier"] = Verifier()
    server = MCPServer("weather", **options)

    @server.tool(title="Forecast")
    def forecast(city: str, days: int = 3) -> str:
        """The weather of the next days."""
        return f"{city}: {days} days of sun"

    @server.tool()
    def 날씨(도시: str) -> str:
        """오늘의 날씨예요.\u2028둘째 줄이에요."""
        return 도시

    @server.prompt()
    def ask_politely(topic: str, tone: str = "warm") -> str:
        """A polite question."""
        return f"{tone}: {topic}"

    return server


def make_app(server, mode):
    if mode == "sse":
        return server.sse_app()
    is_plain = mode == "json"
    if is_new:
        return server.streamable_http_app(json_response=is_plain, stateless_http=is_plain)
    server.settings.json_response = server.settings.stateless_http = is_plain
    return server.streamable_http_app()


if __name__ == "__main__":
    mode = sys.argv[1]
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    app = make_app(make_server(mode, f"http://127.0.0.1:{port}"), mode)
    print(f"port {port}", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="error")).run(sockets=[listener])
