"""The registry as other registries and clients read it, over HTTP: `/v0.1/` and, from the same code, `/v0/`.

Source: the registry's OpenAPI of 2025-12-01, its reading half. Without sign-in, session, cookie and language: the same
answer for everybody, so that any cache may keep it. What fails outside of these views is put in form by
`RegistryApiMiddleware`.
"""

import json
from functools import wraps
from hashlib import blake2b
from http import HTTPStatus

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.cache import get_conditional_response
from django.views.decorators.csrf import csrf_exempt

from marketplace.rate_limits import count_read
from mcp.registry.registry_documents import SCHEMA, choose_version, make_document
from mcp.registry.registry_queries import (
    LATEST,
    BadQuery,
    find_server,
    list_page,
    parse_include_deleted,
    parse_list_query,
)

READS_PER_MINUTE = 300  # of one address: 30,000 servers, or many consumers behind the proxy of one company
MAX_AGE_S = 60
METHODS = "GET, HEAD, OPTIONS"
SERVER_NOT_FOUND = "Server not found"


class ApiError(Exception):
    """error: one short line, as the OpenAPI file has it. detail: what to do about it."""

    def __init__(self, status: int, error: str, detail: str):
        super().__init__(error)
        self.status, self.error, self.detail = status, error, detail


def answer_json(data: dict, *, status: int = 200) -> HttpResponse:
    body = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
    return HttpResponse(body, status=status, content_type="application/json")


def answer_error(status: int, *, error: str = "", detail: str = "") -> HttpResponse:
    """`error` is what the OpenAPI file documents; the rest is problem JSON, which the official registry sends."""
    title = HTTPStatus(status).phrase
    error = error or title
    response = answer_json({"error": error, "title": title, "status": status, "detail": detail or error}, status=status)
    response["Cache-Control"] = "no-store"
    return response


def answers_json(*, max_age_s: int):
    """The decorated view returns a dict, or raises ApiError or BadQuery. Whoever has that very answer gets 304."""

    def decorate(view):
        @login_not_required
        @csrf_exempt
        @wraps(view)
        def wrapped(request: HttpRequest, **kwargs) -> HttpResponse:
            refusal = _refuse(request)
            if refusal:
                return refusal
            try:
                response = answer_json(view(request, **kwargs))
            except BadQuery as error:
                return answer_error(400, detail=str(error))
            except ApiError as error:
                return answer_error(error.status, error=error.error, detail=error.detail)
            response["Cache-Control"] = f"public, max-age={max_age_s}" if max_age_s else "no-store"
            etag = f'"{blake2b(response.content, digest_size=16).hexdigest()}"'
            response["ETag"] = etag
            return get_conditional_response(request, etag=etag, response=response)

        return wrapped

    return decorate


@answers_json(max_age_s=MAX_AGE_S)
def registry_server_list(request) -> dict:
    page, next_cursor = list_page(parse_list_query(request.GET))
    return _make_list(page, next_cursor)


@answers_json(max_age_s=MAX_AGE_S)
def registry_version_list(request, *, name: str) -> dict:
    """There is one version of each server: the one that runs at its address."""
    return _make_list([_get_server(request, name)])


@answers_json(max_age_s=MAX_AGE_S)
def registry_version(request, *, name: str, version: str) -> dict:
    entry = _get_server(request, name)
    if version not in (LATEST, choose_version(entry.server)):
        raise ApiError(404, SERVER_NOT_FOUND, "It is listed in another version; ask for latest.")
    return make_document(entry, now=timezone.now())


@answers_json(max_age_s=0)
def registry_health(request) -> dict:
    return {"status": "ok"}


@answers_json(max_age_s=0)
def registry_ping(request) -> dict:
    return {"pong": True}


@answers_json(max_age_s=0)
def registry_about(request) -> dict:
    return {"version": "v0.1", "schema": SCHEMA}


@answers_json(max_age_s=0)
def registry_nothing(request, *, rest: str = "") -> dict:
    raise ApiError(404, "Not found", "There is no such address in this API. Addresses have no slash at their end.")


def _refuse(request) -> HttpResponse | None:
    if request.method == "OPTIONS":
        response = HttpResponse(status=204)
        del response["Content-Type"]
        return response
    if request.method not in ("GET", "HEAD"):
        response = answer_error(405, detail="This registry is read-only.")
        response["Allow"] = METHODS
        return response
    wait_s = count_read(request, "registry", per_minute=READS_PER_MINUTE)
    if not wait_s:
        return None
    response = answer_error(429, detail=f"More than {READS_PER_MINUTE} requests a minute. Wait {wait_s} seconds.")
    response["Retry-After"] = str(wait_s)
    return response


def _get_server(request, name: str):
    entry = find_server(name, include_deleted=bool(parse_include_deleted(request.GET)))
    if entry is None:
        raise ApiError(404, SERVER_NOT_FOUND, "No server of this name is listed here.")
    return entry


def _make_list(entries: list, next_cursor: str = "") -> dict:
    now = timezone.now()
    metadata = {"count": len(entries)} | ({"nextCursor": next_cursor} if next_cursor else {})
    return {"servers": [make_document(entry, now=now) for entry in entries], "metadata": metadata}
