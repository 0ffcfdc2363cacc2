import pytest
from django.http import HttpResponse
from django.test import Client, RequestFactory

from marketplace.csp import ContentSecurityPolicyMiddleware, build_policy, csp_override

STRICT = {
    "default-src": ["'self'"],
    "img-src": ["'self'", "data:"],
    "object-src": ["'none'"],
    "base-uri": ["'none'"],
    "frame-ancestors": ["'none'"],
    "form-action": ["'self'"],
}


def answer_with(view):
    return ContentSecurityPolicyMiddleware(view)(RequestFactory().get("/"))["Content-Security-Policy"]


def parse(policy: str) -> dict[str, list[str]]:
    return {name: sources for name, *sources in (directive.split() for directive in policy.split("; "))}


def test_directives_are_written_one_after_the_other():
    assert build_policy({"default-src": ["'self'"], "img-src": ["'self'", "data:"]}) == (
        "default-src 'self'; img-src 'self' data:"
    )


def test_every_answer_has_the_strict_policy():
    assert parse(answer_with(lambda request: HttpResponse())) == STRICT


def test_no_policy_lets_inline_code_run(settings):
    policy = build_policy(settings.SECURE_CSP)

    assert "unsafe" not in policy
    assert "*" not in policy
    assert "http:" not in policy


def test_a_view_may_answer_with_its_own():
    @csp_override({"default-src": ["'none'"]})
    def view(request):
        return HttpResponse()

    assert answer_with(view) == "default-src 'none'"


def test_an_override_touches_no_other_view():
    csp_override({"default-src": ["'none'"]})(lambda request: HttpResponse())(RequestFactory().get("/"))

    assert parse(answer_with(lambda request: HttpResponse())) == STRICT


def test_a_policy_that_stands_already_is_kept():
    def view(request):
        return HttpResponse(headers={"Content-Security-Policy": "sandbox"})

    assert answer_with(view) == "sandbox"


@pytest.mark.django_db
def test_a_page_that_breaks_carries_them_too(monkeypatch):
    monkeypatch.setattr("marketplace.views.render", lambda *args, **kwargs: 1 / 0)

    answer = Client(raise_request_exception=False).get("/terms/")

    assert answer.status_code == 500
    assert parse(answer["Content-Security-Policy"])["default-src"] == ["'self'"]


@pytest.mark.parametrize("is_redirected", [True, False])
def test_a_host_that_is_not_ours_gets_the_policy_with_its_400(settings, is_redirected):
    settings.SECURE_SSL_REDIRECT = is_redirected

    answer = Client().get("/", headers={"host": "evil.example"})

    assert answer.status_code == 400
    assert parse(answer["Content-Security-Policy"])["default-src"] == ["'self'"]


@pytest.mark.django_db
def test_a_form_without_its_token_is_refused_with_a_page_and_the_headers():
    answer = Client(enforce_csrf_checks=True).post("/accounts/login/", {"login": "a@example.com", "password": "x"})

    assert answer.status_code == 403
    assert parse(answer["Content-Security-Policy"])["default-src"] == ["'self'"]
    assert "<main" in answer.text


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "status"),
    [("/accounts/login/", 200), ("/healthz", 200), ("/nothing-here/", 404), ("/account/", 302), ("/admin/", 302)],
)
def test_pages_redirects_and_errors_carry_the_headers(path, status):
    answer = Client().get(path)

    assert answer.status_code == status
    policy = parse(answer["Content-Security-Policy"])
    assert policy["default-src"] == ["'self'"]
    assert policy["object-src"] == policy["base-uri"] == policy["frame-ancestors"] == ["'none'"]
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["Referrer-Policy"] == "same-origin"
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
