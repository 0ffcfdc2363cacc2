"""What belongs to no app: health, language, media, legal texts, error pages."""

from datetime import UTC, datetime

import pytest
from django.core.cache import caches
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import DatabaseError
from django.db.migrations.executor import MigrationExecutor
from django.test import Client
from django.utils import formats, translation

from tests.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    return Client(headers={"accept-language": "en"})


# --- Health


def test_healthz_asks_nothing_of_anybody(client, django_assert_num_queries):
    with django_assert_num_queries(0):
        answer = client.get("/healthz")

    assert (answer.status_code, answer.content) == (200, b"ok\n")
    assert "no-store" in answer["Cache-Control"]


def test_readyz_names_what_it_looked_at(client):
    answer = client.get("/readyz")

    assert (answer.status_code, answer.json()) == (200, {"database": "ok", "migrations": "ok", "cache": "ok"})


def test_readyz_is_503_while_migrations_are_missing(client, monkeypatch):
    monkeypatch.setattr(MigrationExecutor, "migration_plan", lambda self, targets: [("accounts", False)])

    answer = client.get("/readyz")

    assert (answer.status_code, answer.json()["migrations"]) == (503, "pending")


def test_readyz_is_503_when_the_database_does_not_answer_and_tells_no_secret(client, monkeypatch):
    def fail(self, targets):
        raise DatabaseError("password=hunter2")

    monkeypatch.setattr(MigrationExecutor, "migration_plan", fail)

    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert answer.json() == {"database": "no answer", "migrations": "unknown", "cache": "ok"}


def test_readyz_is_503_when_the_cache_does_not_answer(client, monkeypatch):
    def fail(*args, **kwargs):
        raise ConnectionError("redis://:hunter2@cache")

    monkeypatch.setattr(type(caches["default"]), "get", fail)

    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert answer.json()["cache"] == "no answer"
    assert "hunter2" not in answer.text


# --- Language


def test_the_browsers_language_decides_and_korean_is_what_others_get():
    pages = {
        language: Client(headers={"accept-language": language}).get("/accounts/login/").text
        for language in ["ko-KR,ko", "en-GB,en", "fr"]
    }

    assert '<html lang="ko"' in pages["ko-KR,ko"]
    assert '<html lang="en"' in pages["en-GB,en"]
    assert '<html lang="ko"' in pages["fr"]


def test_a_chosen_language_is_remembered_and_leads_back_to_the_page(client):
    answer = client.post("/language/", {"language": "ko", "next": "/accounts/login/?next=/x/"})

    assert (answer.status_code, answer["Location"]) == (302, "/accounts/login/?next=/x/")
    assert '<html lang="ko"' in client.get("/accounts/login/").text
    cookie = client.cookies["django_language"]
    assert (cookie.value, cookie["samesite"], cookie["max-age"]) == ("ko", "Lax", 31_536_000)


@pytest.mark.parametrize("language", ["xx", "", "../etc", "de"])
def test_an_unknown_language_changes_nothing(client, language):
    answer = client.post("/language/", {"language": language, "next": "/terms/"})

    assert answer["Location"] == "/terms/"
    assert "django_language" not in client.cookies


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "terms", ""]
)
def test_the_way_back_stays_on_the_site(client, target):
    assert client.post("/language/", {"language": "ko", "next": target})["Location"] == "/"


def test_a_language_is_chosen_by_post(client):
    assert client.get("/language/").status_code == 405


# --- Media


def test_media_is_served_with_its_type_and_for_a_month(client):
    name = default_storage.save("avatars/test.webp", ContentFile(b"RIFF"))

    answer = client.get(default_storage.url(name))
    answer.getvalue()  # read to its end, the file is closed

    assert (answer.status_code, answer["Content-Type"]) == (200, "image/webp")
    assert answer["Cache-Control"] == "public, max-age=2592000"
    default_storage.delete(name)


@pytest.mark.parametrize(
    ("name", "status"),
    [
        *(("nothing.webp", 404), ("avatars/", 404), ("../settings.py", 400), ("%2e%2e/manage.py", 400)),
        *(("a" * 300, 404), (f"avatars/{'a/' * 3_000}", 404)),
    ],
)
def test_what_is_no_media_is_not_served(client, name, status):
    assert client.get(f"/media/{name}").status_code == status


# --- Legal texts and errors


@pytest.mark.parametrize("path", ["/terms/", "/privacy/", "/refund-policy/"])
@pytest.mark.parametrize("language", ["ko", "en"])
def test_legal_texts_stand_in_both_languages(path, language):
    page = Client(headers={"accept-language": language}).get(path)

    assert page.status_code == 200
    assert f'<html lang="{language}"' in page.text


@pytest.mark.parametrize("language", ["ko", "en"])
def test_a_missing_page_says_so_in_the_readers_language_with_a_way_on(language):
    page = Client(headers={"accept-language": language}).get("/nothing-here/")

    assert page.status_code == 404
    assert f'<html lang="{language}"' in page.text
    assert 'href="/"' in page.text


def test_a_page_that_breaks_says_so_without_asking_the_database(monkeypatch, django_assert_num_queries):
    monkeypatch.setattr("marketplace.views.render", lambda *args, **kwargs: 1 / 0)
    client = Client(raise_request_exception=False)

    with django_assert_num_queries(0):
        page = client.get("/terms/")

    assert page.status_code == 500
    assert 'href="/"' in page.text


def test_an_unknown_host_is_refused():
    assert Client(SERVER_NAME="evil.example").get("/healthz").status_code == 400


def test_the_styleguide_is_not_there_outside_debug(client):
    client.force_login(make_user(is_staff=True, is_superuser=True))

    assert client.get("/styleguide/").status_code == 404


# --- Formats


@pytest.mark.parametrize(
    ("language", "written"), [("ko", "2026년 3월 2일 오후 3:04"), ("en", "March 2, 2026, 3:04 p.m.")]
)
def test_a_time_of_day_is_written_as_its_language_writes_it(language, written):
    with translation.override(language):
        assert formats.date_format(datetime(2026, 3, 2, 15, 4, tzinfo=UTC), "DATETIME_FORMAT") == written
