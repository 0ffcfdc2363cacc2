"""Tokens of programs: shown once, found by hash, gone when revoked."""

from datetime import timedelta

import pytest

from accounts.deletion import erase_account
from accounts.exports import export_account
from accounts.models import ApiToken
from accounts.tokens import MAX_LIVE_TOKENS, TooManyTokens, count_call, find_token, make_token, revoke_token
from tests.factories import NOON, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return make_user()


def test_a_token_is_found_by_what_was_shown_once_and_is_stored_nowhere(owner):
    row, token = make_token(user=owner, name="Claude Code", now=NOON)

    assert find_token(token) == row
    assert (token[:3], row.ending) == ("pm_", token[-4:])
    stored = ApiToken.objects.values().get()
    assert token not in str(stored)


SPOILED = {
    "in capitals": str.upper,
    "a character short": lambda token: token[:-1],
    "a character long": lambda token: token + "a",
    "without its prefix": lambda token: token[3:],
    "with a space": lambda token: f" {token}",
    "with a line break": lambda token: f"{token}\n",
    "nothing": lambda token: "",
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
def test_anything_else_finds_nobody(owner, spoil):
    _row, token = make_token(user=owner, name="laptop", now=NOON)

    assert find_token(spoil(token)) is None


def test_a_revoked_token_finds_nobody_and_is_revoked_once(owner):
    row, token = make_token(user=owner, name="laptop", now=NOON)

    assert revoke_token(user=owner, token_id=row.pk, now=NOON) is True
    assert revoke_token(user=owner, token_id=row.pk, now=NOON) is False
    assert find_token(token) is None


def test_nobody_revokes_the_token_of_another(owner):
    row, token = make_token(user=owner, name="laptop", now=NOON)

    assert revoke_token(user=make_user(), token_id=row.pk, now=NOON) is False
    assert find_token(token) == row


def test_a_closed_account_has_no_tokens(owner):
    _row, token = make_token(user=owner, name="laptop", now=NOON)
    owner.is_active = False
    owner.save()
    assert find_token(token) is None

    owner.is_active = True
    owner.save()
    assert find_token(token) is not None
    erase_account(user=owner, now=NOON)
    assert ApiToken.objects.count() == 0


def test_a_minute_has_room_for_so_many_calls(owner, django_assert_num_queries):
    row, _token = make_token(user=owner, name="laptop", now=NOON)

    with django_assert_num_queries(1):
        assert count_call(row, now=NOON, per_minute=2) == 0
    assert count_call(row, now=NOON + timedelta(seconds=10), per_minute=2) == 0
    assert count_call(row, now=NOON + timedelta(seconds=20), per_minute=2) == 40
    assert count_call(row, now=NOON + timedelta(seconds=60), per_minute=2) == 0

    row.refresh_from_db()
    assert (row.last_used_at, row.call_count) == (NOON + timedelta(seconds=60), 1)


def test_there_are_only_so_many_live_ones(owner):
    rows = [make_token(user=owner, name=str(number), now=NOON)[0] for number in range(MAX_LIVE_TOKENS)]

    with pytest.raises(TooManyTokens):
        make_token(user=owner, name="one more", now=NOON)
    revoke_token(user=owner, token_id=rows[0].pk, now=NOON)
    make_token(user=owner, name="one more", now=NOON)


def test_the_export_tells_of_tokens_and_shows_none(owner):
    row, token = make_token(user=owner, name="laptop", now=NOON)

    told = export_account(owner)["access_tokens"]

    assert [(entry["name"], entry["ends_with"]) for entry in told] == [("laptop", row.ending)]
    assert token not in str(told)
    assert row.digest not in str(told)
