"""What every answer to a program has in common, whoever gave it: the views or what stands before them."""

import re
from http import HTTPStatus

from django.conf import settings
from django.http import HttpResponse

from mcp.registry.registry_api import answer_error
from mcp.serving.messages import refuse

MCP_PATH = "/mcp"
MCP_PATHS = {MCP_PATH, f"{MCP_PATH}/"}  # a slash pasted along is forgiven, never redirected
API_PATH = re.compile(r"/v0(\.1)?(/|$)")
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Content-Type",
}


class RegistryApiMiddleware:
    """CORS headers on every answer, errors of the site as JSON, no cookies, and no word of languages: there is one."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        response = self.get_response(request)
        if not API_PATH.match(request.path_info):
            return response
        if response.status_code >= 400 and response.headers.get("Content-Type") != "application/json":
            error = answer_error(response.status_code)
            response.content = error.content
            for header in ("Content-Type", "Cache-Control"):
                response[header] = error[header]
            response["Content-Length"] = str(len(error.content))
        response.cookies.clear()
        for header in ("Vary", "Content-Language"):
            response.headers.pop(header, None)
        for header, value in CORS.items():
            response[header] = value
        return response


class ShopMcpMiddleware:
    """The shop's own MCP address knows no cookies, leads nowhere else, and answers in JSON whatever fails.

    A page of errors, one that asks to sign in, or a redirect is what makes clients give up.
    """

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        if request.path_info not in MCP_PATHS:
            return self.get_response(request)
        request.META.pop("HTTP_COOKIE", None)  # neither a session nor a language comes from one
        response = self.get_response(request)
        if 300 <= response.status_code < 400:  # a client that followed would send its token again, or give up
            return self._refuse(403, f"this address is {settings.SITE_URL}{MCP_PATH}")
        if response.status_code >= 400 and response.headers.get("Content-Type") != "application/json":
            return self._refuse(response.status_code, HTTPStatus(response.status_code).phrase)
        response.cookies.clear()
        for header in ("Vary", "Content-Language"):
            response.headers.pop(header, None)
        return response

    def _refuse(self, status: int, message: str) -> HttpResponse:
        answer = refuse(status, message)
        headers = {**answer.headers, "Content-Length": str(len(answer.body))}
        return HttpResponse(answer.body, status=answer.status, headers=headers)
