"""What every answer of the registry's API has in common, whoever gave it: the views or what stands before them."""

import re

from mcp.registry_api import answer_error

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
