"""What the registry's API never tells, whatever stands in the rows: `config` above all.

Every value that must not leave holds a mark that stands nowhere else, so an answer without the mark, in any of its
spellings, holds none of them.
"""

import base64
import json
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from django.core.cache import caches
from django.test import Client
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp.models import McpServer
from tests.factories import NOON, make_server, make_user

pytestmark = pytest.mark.django_db

MARK = "zzqq뷁"
SPELLINGS = [MARK, "zzqq", "뷁", "\\ubdc1", quote("뷁"), "xn--", base64.b64encode(b"zzqq").decode()[:5]]
CLAIMED, NEXT = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC), datetime(2032, 5, 6, 7, 8, 9, tzinfo=UTC)

secrets = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20).map(lambda text: MARK + text)
configs = st.dictionaries(
    secrets,
    st.recursive(secrets, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(secrets, inner, max_size=3)),
    min_size=1,
    max_size=4,
)
endpoints = st.sampled_from(
    [
        "https://weather.example.com/mcp",
        f"https://{quote(MARK)}:{quote(MARK)}@weather.example.com/mcp",
        f"https://weather.example.com/mcp?key={quote(MARK)}",
        f"https://weather.example.com/mcp?x={quote(MARK)}",
        f"https://weather.example.com/mcp#{MARK}",
        f"http://weather.example.com/{MARK}",
    ]
)
ADDRESSES = [
    "/v0.1/servers",
    "/v0.1/servers?search=localhost&include_deleted=true",
    f"/v0.1/servers?search={quote(MARK)}&include_deleted=true",
    "/v0.1/servers?updated_since=2000-01-01T00:00:00Z&version=1.2.0",
    "/v0.1/servers/localhost%2Fweather/versions",
    "/v0.1/servers/localhost%2Fweather/versions/latest?include_deleted=true",
    "/v0.1/servers/localhost%2Fweather/versions/0.0.0",
    "/v0/servers/localhost%2Fweather",
]


def make_marked_server(*, config, endpoint: str, status: str, mode: str) -> None:
    McpServer.objects.all().delete()
    make_server(
        slug="weather",
        name="Weather",
        endpoint=endpoint,
        status=status,
        last_health_check=NOON,
        config=config,
        metadata={
            "version": "1.2.0",
            MARK: MARK,
            "contact": {"mail": MARK},
            "health": {"error": MARK, "instructions": MARK, "tools": [{"name": MARK, "description": MARK}]},
        },
        entry={
            "mode": mode,
            "health": "down" if status == "inactive" else "working",
            "verdict": "timeout" if status == "inactive" else "ok",
            "verdict_reason": MARK,
            "note": MARK,
            "decline_reason": MARK,
            "search_text": MARK,
            "submitted_by": make_user(email=f"zzqq{make_user().pk}@example.com", nickname=MARK),
            "decided_by": make_user(email=f"zzqq{make_user().pk}@staff.example", nickname=MARK),
            "required_settings": [{"name": "X-Key", "description": "Key", "value": MARK, "default": MARK, MARK: MARK}],
            "claimed_until": CLAIMED,
            "next_check_at": NEXT,
        },
    )


@settings(max_examples=25)
@given(
    config=configs,
    endpoint=endpoints,
    status=st.sampled_from(["active", "inactive", "error"]),
    mode=st.sampled_from(["checked", "paused", "off"]),
)
def test_no_answer_holds_what_must_not_leave(config, endpoint, status, mode):
    caches["pages"].clear()  # of the requests counted for earlier examples
    make_marked_server(config=config, endpoint=endpoint, status=status, mode=mode)

    answers = [Client().get(address) for address in ADDRESSES]

    assert json.loads(answers[1].content)["metadata"] == {"count": 1}
    for answer in answers:
        told = (answer.content.decode() + str(answer.headers)).casefold()
        assert [spelling for spelling in SPELLINGS if spelling.casefold() in told] == []
        assert [year for year in ("2031-05", "2032-05") if year in told] == []


def test_the_mark_is_found_where_it_is_told():
    make_server(slug="weather", name=MARK, status="active")

    told = Client().get("/v0.1/servers").content.decode()

    assert [spelling for spelling in SPELLINGS if spelling in told] == [MARK, "zzqq", "뷁"]


def test_config_is_not_even_read(django_assert_num_queries):
    make_server(slug="weather", status="active", config={"token": MARK})

    for address in ADDRESSES[:7]:
        with django_assert_num_queries(1) as queries:
            Client().get(address)
        assert '"config"' not in queries[0]["sql"]
