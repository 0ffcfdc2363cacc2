import hashlib
import json
import sqlite3
import uuid
from datetime import UTC, datetime
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.models import Profile, User
from catalog.models import Listing, Prompt, PromptVersion, SearchDocument
from checkout.library import unlock
from checkout.models import AccessEvent, CartItem, Entitlement, Purchase
from mcp.models import McpServer
from sellers.models import SellerApplication
from tests.factories import NOON, make_prompt, make_user

pytestmark = pytest.mark.django_db

SCHEMA = """
CREATE TABLE profiles (id TEXT PRIMARY KEY, nickname TEXT, avatar_url TEXT, updated_at TEXT);
CREATE TABLE prompts (
    id TEXT PRIMARY KEY, created_at TEXT, title TEXT, description TEXT, price INTEGER, prompt_text TEXT,
    image_urls TEXT DEFAULT '[]', tags TEXT DEFAULT '[]', rating REAL DEFAULT 0, review_count INTEGER DEFAULT 0,
    download_count INTEGER DEFAULT 0, view_count INTEGER DEFAULT 0, file_url TEXT, is_published INTEGER DEFAULT 1
);
CREATE TABLE carts (
    id INTEGER PRIMARY KEY AUTOINCREMENT, created_at TEXT, user_id TEXT,
    prompt_id TEXT REFERENCES prompts(id) ON DELETE CASCADE, UNIQUE(user_id, prompt_id)
);
CREATE TABLE purchases (
    id TEXT PRIMARY KEY, created_at TEXT, buyer_id TEXT,
    prompt_id TEXT REFERENCES prompts(id) ON DELETE CASCADE, payment_order_id TEXT
);
CREATE TABLE seller_waitlist (
    id TEXT PRIMARY KEY, created_at TEXT, name TEXT, email TEXT, portfolio_url TEXT, categories TEXT DEFAULT '[]',
    message TEXT, processed INTEGER DEFAULT 0
);
CREATE TABLE mcp_servers (
    id TEXT PRIMARY KEY, created_at TEXT, updated_at TEXT, name TEXT, description TEXT, endpoint TEXT,
    status TEXT DEFAULT 'inactive', last_health_check TEXT, config TEXT, metadata TEXT
);
"""
TIME = "2025-03-01T09:30:00.000Z"
MOMENT = datetime(2025, 3, 1, 9, 30, tzinfo=UTC)
ANNA = "0a000000-0000-4000-8000-00000000000a"
BEN = "0b000000-0000-4000-8000-00000000000b"
PROMPT = "1c000000-0000-4000-8000-000000000001"
OTHER = "1d000000-0000-4000-8000-000000000002"
PURCHASE = "20000000-0000-4000-8000-000000000001"
APPLICATION = "30000000-0000-4000-8000-000000000001"
SERVER = "40000000-0000-4000-8000-000000000001"


class Source:
    """The other program's database."""

    def __init__(self, path, schema=SCHEMA):
        self.path = path
        self.connection = sqlite3.connect(path)
        self.connection.executescript(schema)

    def add(self, table, **values):
        columns, marks = ", ".join(values), ", ".join("?" * len(values))
        self.connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", list(values.values()))
        self.connection.commit()
        return self

    def add_prompt(self, **values):
        row = {
            "id": PROMPT,
            "created_at": TIME,
            "title": "번역기",
            "description": "D",
            "price": 5_000,
            "prompt_text": "P",
        }
        return self.add("prompts", **(row | values))

    def add_purchase(self, **values):
        row = {"id": PURCHASE, "created_at": TIME, "buyer_id": ANNA, "prompt_id": PROMPT, "payment_order_id": "ORDER_1"}
        return self.add("purchases", **(row | values))


@pytest.fixture
def source(tmp_path):
    return Source(tmp_path / "old.db")


def run(source, *options):
    """(report, exit status)."""
    out = StringIO()
    try:
        call_command(
            "import_database", getattr(source, "path", source), "--json", *options, stdout=out, stderr=StringIO()
        )
        status = 0
    except CommandError as error:
        status = error.returncode
        if status == 2:
            return str(error), status
    return json.loads(out.getvalue()), status


def users_csv(tmp_path, text):
    path = tmp_path / "users.csv"
    path.write_text(text, encoding="utf-8")
    return ("--users", path)


def refusals(report):
    return [(refusal["table"], refusal["id"], refusal["column"], refusal["is_row"]) for refusal in report["refused"]]


def test_everything_arrives_under_its_id(source, tmp_path):
    source.add("profiles", id=ANNA, nickname="안나", avatar_url="https://a.example/1.png", updated_at=TIME)
    source.add_prompt(
        image_urls='["https://a.example/2.png"]',
        tags='["번역", "영어"]',
        rating=4.5,
        review_count=7,
        download_count=3,
        view_count=99,
        file_url="https://a.example/3.zip",
    )
    source.add("carts", id=41, created_at=TIME, user_id=BEN, prompt_id=PROMPT)
    source.add_purchase()
    source.add(
        "seller_waitlist",
        id=APPLICATION,
        created_at=TIME,
        name="N",
        email="n@example.com",
        portfolio_url="https://n.example",
        categories='["번역"]',
        message="M",
        processed=1,
    )
    source.add(
        "mcp_servers",
        id=SERVER,
        created_at=TIME,
        updated_at=TIME,
        name="S",
        description="D",
        endpoint="https://s.example/mcp",
        status="active",
        last_health_check=TIME,
        config='{"token": "t"}',
        metadata='{"a": [1]}',
    )

    report, status = run(source, *users_csv(tmp_path, f"id,email\n{ANNA},Anna@Example.com\n{BEN},ben@example.com\n"))

    assert status == 0
    assert report["refused"] == report["notes"] == []
    assert report["taken"] == {
        "users": 2, "profiles": 1, "prompts": 1, "carts": 1, "purchases": 1, "seller_waitlist": 1, "mcp_servers": 1,
    }  # fmt: skip
    profile = Profile.objects.get(pk=ANNA)
    assert (profile.nickname, profile.avatar_url, profile.updated_at) == ("안나", "https://a.example/1.png", MOMENT)
    prompt = Prompt.objects.get(pk=PROMPT)
    assert (prompt.created_at, prompt.title, prompt.price, prompt.prompt_text) == (MOMENT, "번역기", 5_000, "P")
    assert (prompt.image_urls, prompt.tags) == (["https://a.example/2.png"], ["번역", "영어"])
    assert (prompt.rating, prompt.review_count, prompt.download_count, prompt.view_count) == (4.5, 7, 3, 99)
    assert (prompt.file_url, prompt.is_published) == ("https://a.example/3.zip", True)
    item = CartItem.objects.get(pk=41)
    assert (item.created_at, str(item.user_id), str(item.prompt_id)) == (MOMENT, BEN, PROMPT)
    purchase = Purchase.objects.get(pk=PURCHASE)
    assert (purchase.created_at, str(purchase.buyer_id), purchase.payment_order_id) == (MOMENT, ANNA, "ORDER_1")
    application = SellerApplication.objects.get(pk=APPLICATION)
    assert (application.created_at, application.email, application.categories) == (MOMENT, "n@example.com", ["번역"])
    assert application.processed
    server = McpServer.objects.get(pk=SERVER)
    assert (server.status, server.last_health_check, server.updated_at) == ("active", MOMENT, MOMENT)
    assert (server.config, server.metadata) == ({"token": "t"}, {"a": [1]})


def test_a_buyer_opens_in_the_library_what_was_bought_before(source, tmp_path):
    run(source.add_prompt().add_purchase(), *users_csv(tmp_path, f"id,email\n{ANNA},anna@example.com\n"))

    entitlement = Entitlement.objects.get()
    assert entitlement.opened_at == MOMENT
    slug = Listing.objects.get().slug
    unlocked = unlock(user=User.objects.get(pk=ANNA), slug=slug, kind=AccessEvent.Kind.READ, now=NOON)
    assert unlocked.text == "P"


def test_prompts_are_listed_found_and_counted(source):
    source.add_prompt().add_prompt(id=OTHER, title="초안", is_published=0).add_purchase()

    run(source)

    listing = Listing.objects.get(prompt=PROMPT)
    assert (listing.slug, listing.state, listing.sales_count) == ("번역기", Listing.State.PUBLISHED, 1)
    assert PromptVersion.objects.get(prompt=PROMPT).number == 1
    assert SearchDocument.objects.get().listing == listing
    assert Listing.objects.get(prompt=OTHER).state == Listing.State.WITHDRAWN


def test_older_prompts_come_first_whatever_their_ids(source):
    source.add_prompt(id=PROMPT, created_at="2025-02-01T00:00:00.000Z")
    source.add_prompt(id=OTHER, created_at="2025-01-01T00:00:00.000Z")

    run(source)

    assert [str(pk) for pk in Listing.objects.order_by("pk").values_list("prompt", flat=True)] == [OTHER, PROMPT]


def test_a_second_run_finds_everything_there(source):
    source.add("profiles", id=ANNA, nickname="안나").add_prompt().add_purchase()
    source.add("carts", id=1, created_at=TIME, user_id=BEN, prompt_id=PROMPT)
    run(source)
    Prompt.objects.update(title="Changed since")

    report, status = run(source)

    assert status == 0
    assert sum(report["taken"].values()) == 0
    assert report["there_already"] == {"profiles": 1, "prompts": 1, "carts": 1, "purchases": 1}
    assert Prompt.objects.get().title == "Changed since"
    assert Listing.objects.get().sales_count == 1
    assert Entitlement.objects.count() == 1


def test_what_comes_later_is_taken_by_a_later_run(source):
    run(source.add_prompt())

    report, _ = run(source.add_purchase())

    assert report["taken"]["purchases"] == 1
    assert Listing.objects.get().sales_count == 1


def test_a_dry_run_tells_the_same_and_keeps_nothing(source):
    source.add("profiles", id=ANNA).add_prompt().add_purchase().add_prompt(id=OTHER, price=-5)

    planned, status = run(source, "--dry-run")

    assert status == 1
    tables = (User, Profile, Prompt, Listing, SearchDocument, Purchase, Entitlement)
    assert [table.objects.count() for table in tables] == [0] * len(tables)
    done, _ = run(source)
    for key in ("taken", "there_already", "refused", "notes"):
        assert planned[key] == done[key]


def test_the_old_file_is_not_changed_and_nothing_is_left_beside_it(tmp_path):
    folder = tmp_path / "old"
    folder.mkdir()
    source = Source(folder / "old.db").add_prompt()
    source.connection.execute("PRAGMA journal_mode=WAL")
    source.connection.close()
    before = hashlib.sha256(source.path.read_bytes()).digest()

    assert run(source)[1] == 0

    assert hashlib.sha256(source.path.read_bytes()).digest() == before
    assert [path.name for path in folder.iterdir()] == ["old.db"]


def test_what_another_process_has_written_but_not_merged_is_read_too(source):
    source.connection.execute("PRAGMA journal_mode=WAL")
    source.add_prompt()

    assert run(source)[0]["taken"]["prompts"] == 1


# --- People


def test_without_an_address_an_account_is_inactive_and_keeps_what_it_bought(source):
    report, status = run(source.add_prompt().add_purchase())

    user = User.objects.get(pk=ANNA)
    assert (user.email, user.is_active, user.has_usable_password()) == (f"{ANNA}@imported.invalid", False, False)
    assert Entitlement.objects.get().user == user
    assert report["notes"][0]["text"] == "no address known, so the account is inactive"
    assert report["notes"][0]["examples"] == [ANNA]
    assert status == 0


def test_an_address_makes_an_account_that_can_set_a_password(source, tmp_path):
    run(source, *users_csv(tmp_path, f"ID,Email\n{ANNA.upper()},  Anna@Example.com\n"))

    user = User.objects.get(pk=ANNA)
    assert (user.email, user.is_active, user.has_usable_password()) == ("anna@example.com", True, False)
    assert user.emailaddress_set.get().verified


def test_an_address_that_is_known_later_wakes_the_account(source, tmp_path):
    run(source.add_prompt().add_purchase())

    _report, status = run(source, *users_csv(tmp_path, f"id,email\n{ANNA},anna@example.com\n"))

    user = User.objects.get(pk=ANNA)
    assert (user.email, user.is_active) == ("anna@example.com", True)
    assert user.emailaddress_set.get().email == "anna@example.com"
    assert status == 0


def test_an_account_that_is_there_keeps_its_address(source, tmp_path):
    person = make_user(id=uuid.UUID(ANNA), email="mine@example.com")

    run(source, *users_csv(tmp_path, f"id,email\n{ANNA},other@example.com\n"))

    person.refresh_from_db()
    assert person.email == "mine@example.com"


def test_an_address_of_another_account_is_reported_and_the_purchase_kept(source, tmp_path):
    make_user(email="anna@example.com")

    report, status = run(
        source.add_prompt().add_purchase(), *users_csv(tmp_path, f"id,email\n{ANNA},ANNA@example.com\n")
    )

    assert refusals(report) == [("users", ANNA, "email", False)]
    assert status == 1
    assert not User.objects.get(pk=ANNA).is_active
    assert Purchase.objects.count() == 1


def test_lines_of_the_list_that_make_no_sense_are_named(source, tmp_path):
    text = f"id,email\n42,a@example.com\n{ANNA},nobody\n{BEN},b@example.com\n{ANNA},b@example.com\n"

    report, status = run(source, *users_csv(tmp_path, text))

    assert refusals(report) == [
        ("users", "line 2", "id", True),
        ("users", "line 3", "email", True),
        ("users", "line 5", "email", True),
    ]
    assert status == 1
    assert str(User.objects.get().pk) == BEN


@pytest.mark.parametrize("text", ["", "id\n", "name,email\n"])
def test_a_list_without_its_columns_is_wrong_use(source, tmp_path, text):
    assert run(source, *users_csv(tmp_path, text))[1] == 2


def test_a_missing_list_is_wrong_use(source, tmp_path):
    assert run(source, "--users", tmp_path / "none.csv")[1] == 2


# --- Values in other forms


@pytest.mark.parametrize(
    "text",
    [
        "2025-03-01 09:30:00",
        "2025-03-01T18:30:00+09:00",
        "2025-03-01T09:30:00",
        "2025-03-01T09:30:00.000000Z",
        "2025-03-01 09:30:00.000000+00:00",
        "1740821400",
        1740821400000,
    ],
)
def test_other_forms_of_time_are_taken_stored_as_ours_and_named(source, text):
    report, status = run(source.add_prompt(created_at=text))

    assert Prompt.objects.get().created_at == MOMENT
    [note] = report["notes"]
    assert (note["table"], note["column"], note["count"]) == ("prompts", "created_at", 1)
    assert PROMPT in note["examples"][0]
    assert status == 0


def test_a_date_alone_is_midnight_utc(source):
    run(source.add_prompt(created_at="2025-03-01"))

    assert Prompt.objects.get().created_at == MOMENT.replace(hour=0, minute=0)


def test_a_null_description_stays_null_and_is_named(source):
    report, status = run(source.add_prompt(description=None))

    assert Prompt.objects.get().description is None
    assert [(note["column"], note["text"], note["examples"]) for note in report["notes"]] == [
        ("description", "NULL, kept", [PROMPT])
    ]
    assert status == 0


@pytest.mark.parametrize("column", ["tags", "image_urls"])
@pytest.mark.parametrize("text", ["[a, b", "a,b", '{"a": 1}', "", "[NaN]"])
def test_malformed_json_costs_only_its_column_and_is_named(source, column, text):
    report, status = run(source.add_prompt(**{column: text}).add_prompt(id=OTHER, tags='["x"]').add_purchase())

    assert refusals(report) == [("prompts", PROMPT, column, False)]
    assert status == 1
    assert getattr(Prompt.objects.get(pk=PROMPT), column) == []
    assert Prompt.objects.get(pk=OTHER).tags == ["x"]
    assert Purchase.objects.count() == 1


def test_nulls_where_there_is_a_default_are_taken_as_it_and_named(source):
    report, status = run(
        source.add_prompt(
            tags=None, image_urls=None, rating=None, review_count=None, is_published=None, view_count=None
        )
    )

    prompt = Prompt.objects.get()
    assert (prompt.tags, prompt.image_urls, prompt.rating, prompt.review_count) == ([], [], 0, 0)
    assert prompt.is_published
    assert {note["column"] for note in report["notes"]} == {
        "tags", "image_urls", "rating", "review_count", "is_published", "view_count",
    }  # fmt: skip
    assert status == 0


@pytest.mark.parametrize(("text", "expected"), [("true", True), ("FALSE", False), ("0", False), (1, True)])
def test_booleans_as_text(source, text, expected):
    assert run(source.add_prompt(is_published=text))[1] == 0
    assert Prompt.objects.get().is_published is expected


def test_a_boolean_that_is_none_is_named_and_taken_as_the_default(source):
    report, _ = run(source.add_prompt(is_published="maybe"))

    assert refusals(report) == [("prompts", PROMPT, "is_published", False)]
    assert Prompt.objects.get().is_published


@pytest.mark.parametrize("form", [PROMPT.upper(), PROMPT.replace("-", ""), uuid.UUID(PROMPT).bytes])
def test_ids_in_other_forms_are_the_same_ids(source, form):
    report, status = run(source.add_prompt(id=form).add_purchase(prompt_id=PROMPT.upper()))

    assert status == 0
    assert str(Prompt.objects.get().pk) == PROMPT
    assert str(Purchase.objects.get().prompt_id) == PROMPT
    assert ("prompts", "id") in {(note["table"], note["column"]) for note in report["notes"]}


# --- Rows that cannot be taken


@pytest.mark.parametrize(
    ("values", "column"),
    [
        ({"id": "42"}, "id"),
        ({"id": None}, "id"),
        ({"price": -500}, "price"),
        ({"price": "free"}, "price"),
        ({"price": None}, "price"),
        ({"price": 10.5}, "price"),
        ({"price": 2**40}, "price"),
        ({"title": None}, "title"),
        ({"prompt_text": None}, "prompt_text"),
        ({"prompt_text": "a\0b"}, "prompt_text"),
        ({"title": b"\xff\xfe"}, "title"),
    ],
)
def test_a_prompt_that_cannot_be_sold_is_named_and_the_rest_arrives(source, values, column):
    source.add_prompt(id=OTHER)

    report, status = run(source.add_prompt(**values))

    assert [(r["table"], r["column"], r["is_row"]) for r in report["refused"]] == [("prompts", column, True)]
    assert status == 1
    assert str(Prompt.objects.get().pk) == OTHER


def test_carts_and_purchases_without_their_prompt_are_named(source):
    source.add_prompt().add_purchase()
    source.add_purchase(id="20000000-0000-4000-8000-000000000002", prompt_id=OTHER, payment_order_id="ORDER_2")
    source.add("carts", id=7, created_at=TIME, user_id=ANNA, prompt_id=OTHER)

    report, status = run(source)

    assert refusals(report) == [
        ("carts", "7", "prompt_id", True),
        ("purchases", "20000000-0000-4000-8000-000000000002", "prompt_id", True),
    ]
    assert OTHER in report["refused"][0]["reason"]
    assert status == 1
    assert Purchase.objects.count() == 1


@pytest.mark.parametrize("buyer", [None, "somebody", 7])
def test_a_purchase_whose_buyer_is_no_id_is_named(source, buyer):
    report, _ = run(source.add_prompt().add_purchase(buyer_id=buyer))

    assert refusals(report) == [("purchases", PURCHASE, "buyer_id", True)]


def test_the_second_purchase_of_one_payment_is_named_with_the_first(source):
    second = "20000000-0000-4000-8000-000000000002"

    report, status = run(source.add_prompt().add_purchase().add_purchase(id=second, buyer_id=BEN))

    assert refusals(report) == [("purchases", second, "payment_order_id", True)]
    assert PURCHASE in report["refused"][0]["reason"]
    assert status == 1
    assert str(Purchase.objects.get().pk) == PURCHASE


def test_a_payment_that_is_known_here_is_named_too(source):
    prompt, buyer = make_prompt(), make_user()
    Purchase.objects.create(buyer=buyer, prompt=prompt, payment_order_id="ORDER_1")

    report, _ = run(source.add_prompt().add_purchase())

    assert refusals(report) == [("purchases", PURCHASE, "payment_order_id", True)]


def test_a_purchase_without_a_payment_gets_a_name_of_its_own(source):
    _report, status = run(source.add_prompt().add_purchase(payment_order_id=None))

    assert Purchase.objects.get().payment_order_id == f"imported-{PURCHASE}"
    assert status == 0


def test_a_prompt_bought_twice_keeps_both_purchases_and_gives_one_right(source):
    second = "20000000-0000-4000-8000-000000000002"

    run(source.add_prompt().add_purchase().add_purchase(id=second, payment_order_id="ORDER_2"))

    assert Purchase.objects.count() == 2
    assert Entitlement.objects.count() == 1


def test_one_id_twice_in_the_source_is_named(source):
    report, _ = run(source.add_prompt().add_prompt(id=PROMPT.upper(), title="Other"))

    assert refusals(report) == [("prompts", PROMPT.upper(), "id", True)]
    assert Prompt.objects.get().title == "번역기"


def test_a_cart_number_that_is_taken_gives_way(source):
    ours = CartItem.objects.create(user=make_user(), prompt=make_prompt())

    report, status = run(source.add_prompt().add("carts", id=ours.pk, created_at=TIME, user_id=ANNA, prompt_id=PROMPT))

    assert str(CartItem.objects.exclude(pk=ours.pk).get().user_id) == ANNA
    assert report["notes"][-1]["text"] == "the number was taken, so the item got a new one"
    assert status == 0
    again, _ = run(source)
    assert again["there_already"]["carts"] == 1


def test_new_cart_items_get_numbers_after_the_imported_ones(source):
    run(source.add_prompt().add("carts", id=500, created_at=TIME, user_id=ANNA, prompt_id=PROMPT))

    assert CartItem.objects.create(user=make_user(), prompt=make_prompt()).pk > 500


def test_an_unknown_server_status_and_broken_settings_are_named_without_their_secrets(source):
    source.add(
        "mcp_servers", id=SERVER, created_at=TIME, name="S", endpoint="E", status="odd", config='{"key": "s3cret"'
    )

    report, status = run(source)

    assert refusals(report) == [("mcp_servers", SERVER, "status", False), ("mcp_servers", SERVER, "config", False)]
    assert "s3cret" not in json.dumps(report)
    server = McpServer.objects.get()
    assert (server.status, server.config, server.updated_at) == ("inactive", None, MOMENT)
    assert status == 1


# --- Sources of another shape


def test_a_source_without_some_tables_and_columns_is_taken_as_far_as_it_goes(tmp_path):
    source = Source(tmp_path / "old.db", "CREATE TABLE Prompts (ID TEXT, Title TEXT, Price INTEGER, Prompt_Text TEXT)")
    source.add("prompts", id=PROMPT, title="T", price=0, prompt_text="P")

    report, status = run(source)

    assert status == 0
    assert Prompt.objects.get().tags == []
    shapes = {(note["table"], note["column"]) for note in report["notes"]}
    assert {("profiles", ""), ("purchases", ""), ("prompts", "created_at"), ("prompts", "tags")} <= shapes


def test_a_column_that_a_prompt_cannot_stand_without(tmp_path):
    source = Source(tmp_path / "old.db", "CREATE TABLE prompts (id TEXT, title TEXT, price INTEGER)")

    report, _ = run(source.add("prompts", id=PROMPT, title="T", price=0))

    assert report["refused"][0]["reason"] == "the column is missing"


def test_tables_and_columns_that_the_document_does_not_know_are_named(source):
    source.connection.executescript("CREATE TABLE coupons (id TEXT); ALTER TABLE prompts ADD COLUMN mood TEXT")

    report, _ = run(source)

    assert {("coupons", ""), ("prompts", "mood")} <= {(note["table"], note["column"]) for note in report["notes"]}


@pytest.mark.parametrize("content", [b"", b"not a database", b"SQLite format 3\0" + b"\0" * 500])
def test_a_file_that_is_no_database_is_wrong_use(tmp_path, content):
    path = tmp_path / "old.db"
    path.write_bytes(content)

    assert run(path)[1] == 2


def test_a_missing_file_and_a_folder_are_wrong_use(tmp_path):
    assert run(tmp_path / "none.db")[1] == 2
    assert run(tmp_path)[1] == 2


def test_many_rows_need_a_bounded_number_of_queries(source, django_assert_max_num_queries):
    rows = [(str(uuid.UUID(int=n)), TIME, f"T{n}", 0, "P") for n in range(1, 1_201)]
    source.connection.executemany(
        "INSERT INTO profiles (id, updated_at) VALUES (?, ?)", [(key, at) for key, at, *_ in rows]
    )
    source.connection.commit()

    with django_assert_max_num_queries(60):
        report, _ = run(source)

    assert report["taken"]["profiles"] == 1_200


def test_the_report_in_words(source):
    out, err = StringIO(), StringIO()
    source.add_prompt(price=-1).add_prompt(id=OTHER, tags="x", description=None)

    with pytest.raises(CommandError) as stopped:
        call_command("import_database", source.path, stdout=out, stderr=err)

    assert stopped.value.returncode == 1
    assert f"prompts {PROMPT} price: “-1” is below 0 (row not taken)" in err.getvalue()
    assert f"prompts {OTHER} tags: “x” is not a JSON array (row taken without it)" in err.getvalue()
    assert f"note: prompts.description: NULL, kept (1: {OTHER})" in err.getvalue()
    assert out.getvalue().count("\n") == 1
    assert "1 prompts" in out.getvalue()
