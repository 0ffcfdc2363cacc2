"""Asking the shop's own MCP address, as a program with a token does."""

import json
from typing import Any

from django.test import Client

from accounts.models import User
from accounts.tokens import make_token
from tests.factories import NOON


class Caller:
    """A handshake client with a token, without cookies. options: of Django's test client, such as SERVER_NAME."""

    def __init__(self, token: str = "", **options):
        self.token, self.client = token, Client(**options)

    @classmethod
    def of(cls, user: User, **options) -> "Caller":
        return cls(make_token(user=user, name="laptop", now=NOON)[1], **options)

    def post(self, method: str, *, headers: dict[str, str] | None = None, path: str = "/mcp", **params):
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return self.send(json.dumps(message), headers=headers, path=path)

    def send(self, body: bytes | str, *, headers: dict[str, str] | None = None, path: str = "/mcp", **options):
        sent = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        options.setdefault("content_type", "application/json")
        return self.client.post(path, body, headers={**sent, **(headers or {})}, **options)

    def ask(self, method: str, *, headers: dict[str, str] | None = None, **params) -> dict[str, Any]:
        """The result; an error of the protocol fails the test."""
        answer = self.post(method, headers=headers, **params).json()
        assert "result" in answer, answer
        return answer["result"]

    def fail(self, method: str, **params) -> dict[str, Any]:
        answer = self.post(method, **params).json()
        assert "error" in answer, answer
        return answer["error"]

    def list_prompts(self) -> list[dict[str, Any]]:
        """All pages, as a client reads them."""
        found, params = [], {}
        while True:
            page = self.ask("prompts/list", **params)
            found += page["prompts"]
            if "nextCursor" not in page:
                return found
            params = {"cursor": page["nextCursor"]}

    def get_text(self, name: str, **values: str) -> str:
        (message,) = self.ask("prompts/get", name=name, arguments=values)["messages"]
        assert message["role"] == "user"
        return message["content"]["text"]

    def call(self, tool: str, **arguments) -> dict[str, Any]:
        """What a tool answers in its structured form; a failure fails the test."""
        result = self.ask("tools/call", name=tool, arguments=arguments)
        assert "isError" not in result, result
        return result["structuredContent"]

    def call_in_vain(self, tool: str, **arguments) -> str:
        result = self.ask("tools/call", name=tool, arguments=arguments)
        assert result["isError"] is True
        return result["content"][0]["text"]
