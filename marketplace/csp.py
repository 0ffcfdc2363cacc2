"""Content-Security-Policy in the shape of Django 6 (`SECURE_CSP`, `csp_override`): the upgrade deletes this file."""

from functools import wraps

from django.conf import settings


def build_policy(directives: dict[str, list[str]]) -> str:
    """`{"img-src": ["'self'", "data:"]}` as a header value."""
    return "; ".join(f"{name} {' '.join(sources)}" for name, sources in directives.items())


def csp_override(directives: dict[str, list[str]]):
    """The decorated view answers with this policy in place of `SECURE_CSP`."""

    def decorate(view):
        @wraps(view)
        def wrapped(request, *args, **kwargs):
            response = view(request, *args, **kwargs)
            response._csp_config = directives
            return response

        return wrapped

    return decorate


class ContentSecurityPolicyMiddleware:
    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        response = self.get_response(request)
        if "Content-Security-Policy" not in response:
            directives = getattr(response, "_csp_config", settings.SECURE_CSP)
            response["Content-Security-Policy"] = build_policy(directives)
        return response
