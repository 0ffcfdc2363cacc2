"""A consumer of the registry's API as its documents describe one: it knows addresses, parameters and answers, and
nothing of how they come about."""

import json
from collections.abc import Iterator
from urllib.parse import quote, urlencode

from tests.mcp.registry_schema import ERROR, SERVER_LIST, SERVER_RESPONSE, validate

OFFICIAL = "io.modelcontextprotocol.registry/official"


class Consumer:
    """client: Django's. Each answer is validated before it is used."""

    def __init__(self, client, base: str = "/v0.1"):
        self.client, self.base = client, base

    def list_page(self, **params) -> dict:
        return validate(self._get("/servers", params, status=200), SERVER_LIST)

    def list_pages(self, **params) -> Iterator[list[dict]]:
        """Page after page until there is no cursor; between two of them the caller may change whatever it likes."""
        while True:
            page = self.list_page(**params)
            assert page["metadata"]["count"] == len(page["servers"])
            yield page["servers"]
            cursor = page["metadata"].get("nextCursor")
            if cursor is None:
                return
            params["cursor"] = cursor

    def list_names(self, **params) -> list[str]:
        """Names without the domain of the registry."""
        return [name_of(server) for page in self.list_pages(**params) for server in page]

    def get_version(self, name: str, version: str = "latest", **params) -> dict:
        path = f"/servers/{quote(name, safe='')}/versions/{quote(version, safe='')}"
        return validate(self._get(path, params, status=200), SERVER_RESPONSE)

    def list_versions(self, name: str, **params) -> dict:
        return validate(self._get(f"/servers/{quote(name, safe='')}/versions", params, status=200), SERVER_LIST)

    def get_error(self, path: str, *, status: int, **params) -> dict:
        error = validate(self._get(path, params, status=status), ERROR)
        assert error["status"] == status
        return error

    def _get(self, path: str, params: dict, *, status: int) -> dict:
        answer = self.client.get(f"{self.base}{path}?{urlencode(params)}" if params else f"{self.base}{path}")
        assert answer.status_code == status, answer.content
        assert answer["Content-Type"] == "application/json"
        return json.loads(answer.content.decode("utf-8"))


def name_of(response: dict) -> str:
    return response["server"]["name"].partition("/")[2]


def status_of(response: dict) -> str:
    return response["_meta"][OFFICIAL]["status"]


def health_of(response: dict) -> dict:
    return response["_meta"]["localhost/health"]
