"""The six tables as the schema document states them, read from the live database that the migrations made.

Each fact of the document stands here once more, so that a change of a model cannot pass unseen.
"""

import uuid

import pytest
from django.db import IntegrityError, connection, transaction

from checkout.models import CartItem, Purchase
from tests.factories import make_prompt, make_user

pytestmark = pytest.mark.django_db

sqlite_only = pytest.mark.skipif(connection.vendor != "sqlite", reason="the document describes SQLite")
postgres_only = pytest.mark.skipif(connection.vendor != "postgresql", reason="native types are PostgreSQL's")

# table: (column, declared type, default in the database), in order
COLUMNS = {
    "profiles": [
        ("id", "TEXT", None),
        ("nickname", "TEXT", None),
        ("avatar_url", "TEXT", None),
        ("updated_at", "TEXT", None),
    ],
    "prompts": [
        ("id", "TEXT", None),
        ("created_at", "TEXT", None),
        ("title", "TEXT", None),
        ("description", "TEXT", None),
        ("price", "INTEGER", None),
        ("prompt_text", "TEXT", None),
        ("image_urls", "TEXT", "'[]'"),
        ("tags", "TEXT", "'[]'"),
        ("rating", "REAL", "0"),
        ("review_count", "INTEGER", "0"),
        ("download_count", "INTEGER", "0"),
        ("view_count", "INTEGER", "0"),
        ("file_url", "TEXT", None),
        ("is_published", "INTEGER", "1"),
    ],
    "carts": [
        ("id", "INTEGER", None),
        ("created_at", "TEXT", None),
        ("user_id", "TEXT", None),
        ("prompt_id", "TEXT", None),
    ],
    "purchases": [
        ("id", "TEXT", None),
        ("created_at", "TEXT", None),
        ("buyer_id", "TEXT", None),
        ("prompt_id", "TEXT", None),
        ("payment_order_id", "TEXT", None),
    ],
    "seller_waitlist": [
        ("id", "TEXT", None),
        ("created_at", "TEXT", None),
        ("name", "TEXT", None),
        ("email", "TEXT", None),
        ("portfolio_url", "TEXT", None),
        ("categories", "TEXT", "'[]'"),
        ("message", "TEXT", None),
        ("processed", "INTEGER", "0"),
    ],
    "mcp_servers": [
        ("id", "TEXT", None),
        ("created_at", "TEXT", None),
        ("updated_at", "TEXT", None),
        ("name", "TEXT", None),
        ("description", "TEXT", None),
        ("endpoint", "TEXT", None),
        ("status", "TEXT", "'inactive'"),
        ("last_health_check", "TEXT", None),
        ("config", "TEXT", None),
        ("metadata", "TEXT", None),
    ],
}
INDEXES = {
    "profiles": {"idx_profiles_id": ["id"]},
    "prompts": {"idx_prompts_id": ["id"], "idx_prompts_is_published": ["is_published"]},
    "carts": {"idx_carts_user_id": ["user_id"], "idx_carts_prompt_id": ["prompt_id"]},
    "purchases": {
        "idx_purchases_buyer_id": ["buyer_id"],
        "idx_purchases_prompt_id": ["prompt_id"],
        "idx_purchases_payment_order_id": ["payment_order_id"],
    },
    "seller_waitlist": {"idx_seller_waitlist_processed": ["processed"]},
    "mcp_servers": {"idx_mcp_servers_status": ["status"]},
}
UNIQUE = {"carts": [["user_id", "prompt_id"]], "purchases": [["payment_order_id"]]}
FOREIGN_KEYS = {
    "carts": [("prompt_id", "prompts", "id", "CASCADE")],
    "purchases": [("prompt_id", "prompts", "id", "CASCADE")],
}
NATIVE_TYPES = {
    "profiles": {"id": "uuid", "updated_at": "timestamp with time zone"},
    "prompts": {
        "id": "uuid",
        "created_at": "timestamp with time zone",
        "price": "integer",
        "image_urls": "jsonb",
        "tags": "jsonb",
        "rating": "double precision",
        "is_published": "boolean",
    },
    "carts": {
        "id": "integer",
        "created_at": "timestamp with time zone",
        "user_id": "uuid",
        "prompt_id": "uuid",
    },
    "purchases": {"id": "uuid", "created_at": "timestamp with time zone", "buyer_id": "uuid", "prompt_id": "uuid"},
    "seller_waitlist": {"id": "uuid", "categories": "jsonb", "processed": "boolean"},
    "mcp_servers": {
        "id": "uuid",
        "last_health_check": "timestamp with time zone",
        "config": "jsonb",
        "metadata": "jsonb",
    },
}


def read(sql: str) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


@sqlite_only
@pytest.mark.parametrize("table", COLUMNS)
def test_columns_have_the_order_types_and_defaults_of_the_document_and_there_are_no_others(table):
    found = [(name, kind, default) for _, name, kind, _, default, _ in read(f"PRAGMA table_info({table})")]

    assert found == COLUMNS[table]


@sqlite_only
@pytest.mark.parametrize("table", COLUMNS)
def test_the_primary_key_is_id_alone(table):
    keys = [(name, position) for _, name, _, _, _, position in read(f"PRAGMA table_info({table})") if position]

    assert keys == [("id", 1)]


@sqlite_only
def test_cart_ids_count_up_and_are_never_used_twice():
    [(sql,)] = read("SELECT sql FROM sqlite_master WHERE name = 'carts'")

    assert '"id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT' in sql


@sqlite_only
@pytest.mark.parametrize("table", COLUMNS)
def test_the_named_indexes_are_those_of_the_document_on_their_columns_and_no_others(table):
    created = [row for row in read(f"PRAGMA index_list({table})") if row[3] == "c"]  # made by CREATE INDEX
    found = {name: [column for _, _, column in read(f"PRAGMA index_info({name})")] for _, name, *_ in created}

    assert found == INDEXES[table]


@sqlite_only
@pytest.mark.parametrize("table", COLUMNS)
def test_what_must_be_unique_is_unique_and_nothing_else(table):
    constraints = [row for row in read(f"PRAGMA index_list({table})") if row[2] and row[3] == "u"]
    found = [[column for _, _, column in read(f"PRAGMA index_info({name})")] for _, name, *_ in constraints]

    assert found == UNIQUE.get(table, [])


@sqlite_only
@pytest.mark.parametrize("table", COLUMNS)
def test_foreign_keys_are_those_of_the_document_and_cascade_in_the_database(table):
    found = [(row[3], row[2], row[4], row[6]) for row in read(f"PRAGMA foreign_key_list({table})")]

    assert found == FOREIGN_KEYS.get(table, [])


@sqlite_only
def test_there_are_ten_named_indexes_in_all():
    assert sum(len(indexes) for indexes in INDEXES.values()) == 10


@sqlite_only
def test_foreign_keys_are_enforced():
    assert read("PRAGMA foreign_keys") == [(1,)]


@sqlite_only
def test_values_are_stored_as_the_document_writes_them():
    user, prompt = make_user(), make_prompt(tags=["번역"], image_urls=[], is_published=True, rating=4.5)

    [stored] = read("SELECT id, created_at, tags, rating, is_published, typeof(is_published) FROM prompts")

    key, created_at, tags, rating, is_published, kind = stored
    assert key == str(prompt.pk)
    assert len(key) == 36
    assert (len(created_at), created_at[10], created_at[-1]) == (24, "T", "Z")
    assert tags == '["\\ubc88\\uc5ed"]'
    assert (rating, is_published, kind) == (4.5, 1, "integer")
    assert read("SELECT id FROM profiles") == [(str(user.pk),)]


@sqlite_only
def test_another_program_may_leave_out_what_has_a_default():
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO prompts (id, created_at, title, price, prompt_text) VALUES (%s, %s, 'T', 0, 'P')",
            [str(uuid.uuid4()), "2026-11-22T12:00:00Z"],
        )

    [row] = read("SELECT image_urls, tags, rating, review_count, download_count, view_count, is_published FROM prompts")
    assert row == ("[]", "[]", 0, 0, 0, 0, 1)


def test_deleting_a_prompt_in_sql_takes_its_cart_rows_and_purchases_along():
    user, prompt = make_user(), make_prompt()
    CartItem.objects.create(user=user, prompt=prompt)
    Purchase.objects.create(buyer=user, prompt=prompt, payment_order_id="order-1")

    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM prompts")

    assert (CartItem.objects.count(), Purchase.objects.count()) == (0, 0)


def test_a_prompt_is_in_a_cart_once():
    user, prompt = make_user(), make_prompt()
    CartItem.objects.create(user=user, prompt=prompt)

    with pytest.raises(IntegrityError), transaction.atomic():
        CartItem.objects.create(user=user, prompt=prompt)


def test_a_payment_order_is_bought_once():
    Purchase.objects.create(buyer=make_user(), prompt=make_prompt(), payment_order_id="order-1")

    with pytest.raises(IntegrityError), transaction.atomic():
        Purchase.objects.create(buyer=make_user(), prompt=make_prompt(), payment_order_id="order-1")


@postgres_only
@pytest.mark.parametrize("table", COLUMNS)
def test_postgres_has_the_same_columns_with_native_types(table):
    rows = read(
        "SELECT column_name, data_type FROM information_schema.columns "
        f"WHERE table_schema = current_schema() AND table_name = '{table}' ORDER BY ordinal_position"
    )

    assert [name for name, _ in rows] == [name for name, *_ in COLUMNS[table]]
    assert {name: kind for name, kind in rows if name in NATIVE_TYPES[table]} == NATIVE_TYPES[table]


@postgres_only
@pytest.mark.parametrize("table", COLUMNS)
def test_postgres_has_the_indexes_by_name(table):
    found = {name for (name,) in read(f"SELECT indexname FROM pg_indexes WHERE tablename = '{table}'")}

    assert found >= set(INDEXES[table])
