"""What every answer to a program has in common, whoever gave it: the views or what stands before them."""

import re
from http import HTTPStatus

from mcp.messages import refuse
from mcp.registry_api import answer_error

MCP_PATH = "/mcp"
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
    """The shop's own MCP address neither sets cookies nor varies with them, and answers in JSON whatever fails.

    A page of errors, or one that asks to sign in, is what makes clients give up.
    """

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        response = self.get_response(request)
        if request.path_info != MCP_PATH:
            return response
        if response.status_code >= 400 and response.headers.get("Content-Type") != "application/json":
            answer = refuse(response.status_code, HTTPStatus(response.status_code).phrase)
            response.content = answer.body
            for header, value in answer.headers.items():
                response[header] = value
        response.cookies.clear()
        response.headers.pop("Vary", None)
        return response
