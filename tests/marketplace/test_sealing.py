"""Secrets in the database: only who has the key, and asks for the same purpose, reads them."""

import pytest

from marketplace.sealing import seal, unseal

PURPOSE = "test"


def test_what_was_sealed_opens_again():
    assert unseal(seal("열쇠 🔑", purpose=PURPOSE), purpose=PURPOSE) == "열쇠 🔑"


def test_the_sealed_form_tells_nothing_and_never_comes_twice():
    first, second = seal("open sesame", purpose=PURPOSE), seal("open sesame", purpose=PURPOSE)

    assert first != second
    assert "sesame" not in first
    assert first.isascii()


def test_another_purpose_does_not_open_it():
    assert unseal(seal("x", purpose="one"), purpose="two") is None


def test_a_new_key_reads_what_the_old_one_sealed_while_that_is_kept(settings):
    settings.SECRET_KEY = "old"
    token = seal("x", purpose=PURPOSE)

    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", ["older", "old"]
    assert unseal(token, purpose=PURPOSE) == "x"

    settings.SECRET_KEY_FALLBACKS = []
    assert unseal(token, purpose=PURPOSE) is None


def test_only_the_newest_key_seals(settings):
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", ["old"]
    token = seal("x", purpose=PURPOSE)

    settings.SECRET_KEY_FALLBACKS = []
    assert unseal(token, purpose=PURPOSE) == "x"


@pytest.mark.parametrize("token", ["", "no token", "gAAAAA", "열쇠", "\0", "a" * 10_000])
def test_what_we_never_sealed_is_none(token):
    assert unseal(token, purpose=PURPOSE) is None


def test_a_changed_character_is_noticed():
    token = seal("x", purpose=PURPOSE)
    swapped = token[:20] + ("A" if token[20] != "A" else "B") + token[21:]

    assert unseal(swapped, purpose=PURPOSE) is None
