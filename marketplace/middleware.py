"""Middleware: the address of the client behind proxies, broken requests, redirects to sign-in under htmx, our `site` in
templates."""

from urllib.parse import unquote, urlsplit, urlunsplit

from django.conf import settings
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.contrib.auth.views import redirect_to_login
from django.contrib.sites.requests import RequestSite
from django.core.exceptions import BadRequest
from django.db import DataError
from django.http import HttpResponse
from django.shortcuts import resolve_url
from django.utils.http import urlencode
from django_htmx.middleware import HtmxDetails


class TrustedProxyMiddleware:
    """Believes `X-Forwarded-For` and `X-Forwarded-Proto` of exactly `TRUSTED_PROXY_COUNT` proxies.

    Each proxy appends the address it was called from, so with n proxies of ours the n-th entry from the right is the
    client; what stands left of it, anybody could have written.
    """

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        count = settings.TRUSTED_PROXY_COUNT
        forwarded = [part.strip() for part in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if part.strip()]
        if count and len(forwarded) >= count:
            request.META["REMOTE_ADDR"] = forwarded[-count]
        scheme = request.META.pop("HTTP_X_FORWARDED_PROTO", "").rpartition(",")[2].strip()
        if count and scheme in ("http", "https"):
            request.META["wsgi.url_scheme"] = request.environ["wsgi.url_scheme"] = scheme
        return self.get_response(request)


class SignInMiddleware(LoginRequiredMiddleware):
    """Django's own asks who is there before it looks whether the view wants to know; then every cover and feed costs a
    session and a user, and no cache may share it."""

    def process_view(self, request, view_func, view_args, view_kwargs):
        if not getattr(view_func, "login_required", True):
            return None
        return super().process_view(request, view_func, view_args, view_kwargs)

    def handle_no_permission(self, request, view):
        """After a form, the way back is the page the form stood on: its own address often takes nothing but forms."""
        page = urlsplit(request.headers.get("referer", ""))
        if request.method in ("GET", "HEAD") or page.netloc != request.get_host():
            return super().handle_no_permission(request, view)
        seen = urlunsplit(("", "", page.path, page.query, ""))
        return redirect_to_login(seen, self.get_login_url(view), self.get_redirect_field_name(view))


class BrokenRequestMiddleware:
    """400 for what no browser sends and what would end as an error further in: a NUL character in the address or a
    cookie, which PostgreSQL refuses, a page that htmx claims to come from and that is no address, and a number in the
    address of an admin list that no date or column can hold."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        if self.is_broken(request):
            raise BadRequest("a NUL character, or a broken HX-Current-URL")
        return self.get_response(request)

    def process_exception(self, request, exception):
        match = request.resolver_match
        is_admin_list = match and match.app_name == "admin" and (match.url_name or "").endswith("_changelist")
        if is_admin_list and request.GET and isinstance(exception, OverflowError | ValueError | DataError):
            raise BadRequest("an admin list filtered by what cannot be") from exception

    def is_broken(self, request) -> bool:
        texts = (request.path_info, unquote(request.META.get("QUERY_STRING", "")), *request.COOKIES.values())
        try:
            HtmxDetails(request).current_url_abs_path  # noqa: B018 (parses the address)
        except ValueError:
            return True
        return any("\0" in text for text in texts)


class HtmxRedirectMiddleware:
    """A redirect to sign-in would be swapped into the page by htmx; the whole window must go there.

    The way back (`next`) is the page the person sees, not the fragment's address.
    """

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        response = self.get_response(request)
        login_url = resolve_url(settings.LOGIN_URL)
        if not request.htmx or response.status_code != 302 or not response["Location"].startswith(login_url):
            return response
        seen = request.htmx.current_url_abs_path or "/"
        redirect = HttpResponse(status=200)
        redirect["HX-Redirect"] = f"{login_url}?{urlencode({'next': seen})}"
        return redirect


class OwnSiteMiddleware:
    """`site` in templates is ours (`context_processors.site`); allauth's views put Django's `RequestSite` over it."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        return self.get_response(request)

    def process_template_response(self, request, response):
        if isinstance((response.context_data or {}).get("site"), RequestSite):
            del response.context_data["site"]
        return response
