import json
import uuid
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from catalog.models import Listing, Prompt, PromptVersion, SearchDocument
from tests.factories import make_prompt, make_seller

pytestmark = pytest.mark.django_db

PUBLIC_PROMPTS = Path(__file__).resolve().parents[3] / "shared" / "data" / "prompts.csv"
ID = "0f6c2d4a-1b2c-4d3e-8f90-aabbccddeeff"


@pytest.fixture
def write(tmp_path):
    def write(content, name="prompts.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return path

    return write


def run(*arguments):
    """(standard output, standard error, exit status)."""
    out, err = StringIO(), StringIO()
    try:
        call_command("import_prompts", *map(str, arguments), stdout=out, stderr=err)
        status = 0
    except CommandError as error:
        err.write(str(error))
        status = error.returncode
    return out.getvalue(), err.getvalue(), status


def test_a_prompt_arrives_with_all_its_columns(write):
    path = write(
        "id,created_at,title,description,price,prompt_text,image_urls,tags,rating,review_count,download_count,view_count,"
        "file_url,is_published,model,output_kind,language\n"
        f'{ID},2025-03-01 09:30,번역기,**설명**,"9,900",Translate {{{{text}}}},'
        '"[""https://images.example/a.png""]","번역, 이메일",4.5,2,3,40,'
        "https://files.example/a.zip,1,Claude,code,en\n"
    )

    assert run(path) == ("1 prompts added, 0 there already, 0 not taken\n", "", 0)

    prompt = Prompt.objects.select_related("listing").get(pk=ID)
    assert prompt.created_at.isoformat() == "2025-03-01T09:30:00+00:00"
    assert (prompt.title, prompt.description, prompt.price) == ("번역기", "**설명**", 9_900)
    assert prompt.prompt_text == "Translate {{text}}"
    assert prompt.image_urls == ["https://images.example/a.png"]
    assert prompt.tags == ["번역", "이메일"]
    assert (prompt.rating, prompt.review_count, prompt.download_count, prompt.view_count) == (4.5, 2, 3, 40)
    assert prompt.file_url == "https://files.example/a.zip"
    assert prompt.is_published
    assert (prompt.listing.model, prompt.listing.output_kind, prompt.listing.language) == ("Claude", "code", "en")
    assert prompt.listing.state == Listing.State.PUBLISHED


def test_it_is_listed_with_a_version_and_can_be_found(write):
    run(write("title,prompt_text,price\n회의록 정리,정리해 주세요,0\n"))

    prompt = Prompt.objects.select_related("listing").get()
    assert prompt.listing.slug == "회의록-정리"
    assert prompt.listing.language == "ko"
    assert PromptVersion.objects.get(prompt=prompt, number=1).prompt_text == "정리해 주세요"
    assert SearchDocument.objects.filter(listing=prompt.listing).exists()


def test_an_unpublished_one_becomes_a_draft_that_nobody_finds(write):
    run(write("title,prompt_text,price,is_published\nT,P,0,FALSE\n"))

    assert Prompt.objects.get().listing.state == Listing.State.DRAFT
    assert not Prompt.objects.get().is_published
    assert not SearchDocument.objects.exists()


def test_a_second_run_adds_none_and_changes_none(write):
    path = write("title,prompt_text,price\nA,P,1000\nA,P,1000\nB,P,1000\n")
    run(path)
    Prompt.objects.filter(title="B").update(price=500)

    assert run(path)[0] == "0 prompts added, 3 there already, 0 not taken\n"
    assert Prompt.objects.get(title="B").price == 500


def test_equal_prompts_are_kept_apart(write):
    run(write("title,prompt_text,price\nA,P,0\nA,P,0\n"))

    assert Prompt.objects.filter(title="A").count() == 2
    assert len(set(Listing.objects.values_list("slug", flat=True))) == 2


def test_an_id_that_is_there_is_left_alone(write):
    make_prompt(id=uuid.UUID(ID), title="Ours")

    out, _, status = run(write(f"id,title,prompt_text,price\n{ID.upper()},Theirs,P,0\n"))

    assert (out, status) == ("0 prompts added, 1 there already, 0 not taken\n", 0)
    assert Prompt.objects.get().title == "Ours"


@pytest.mark.parametrize(
    ("row", "column", "reason"),
    [
        (",P,0,,", "title", "is blank"),
        ("T,,0,,", "prompt_text", "is blank"),
        ("T,P,,,", "price", "is blank"),
        ("T,P,-1,,", "price", "“-1” is below 0"),
        ("T,P,1.5,,", "price", "“1.5” is no price in whole won"),
        ("T,P,10000001,,", "price", "“10000001” is above 10,000,000 won"),
        ("T,P,0,yesterday,", "created_at", "“yesterday” is no ISO 8601 time"),
        ('T,P,0,,"[""a"""', "tags", "is not a JSON array"),
        ("T,P\0,0,,", "prompt_text", "holds a NUL character"),
    ],
)
def test_a_row_that_cannot_be_taken_is_named_with_its_line_and_the_rest_arrives(write, row, column, reason):
    path = write(f"title,prompt_text,price,created_at,tags\n{row}\nGood,P,0,,\n")

    out, err, status = run(path)

    assert out == "1 prompts added, 0 there already, 1 not taken\n"
    assert f"line 2, {column}: " in err
    assert reason in err
    assert status == 1
    assert Prompt.objects.get().title == "Good"


def test_the_line_is_where_the_record_begins(write):
    _, err, _ = run(write('title,prompt_text,price\nA,"one\ntwo\nthree",0\nB,P,none\n'))

    assert "line 5, price" in err


def test_too_many_cells_and_broken_quotes_are_named(write):
    _, err, status = run(write('title,prompt_text,price\nA,P,0,extra\n"B"x,P,0\nC,P,0\n'))

    assert "line 2: has 4 cells, the header has 3" in err
    assert "line 3: is no CSV" in err
    assert status == 1
    assert Prompt.objects.get().title == "C"


def test_the_same_id_twice_in_a_file_is_named(write):
    _, err, status = run(write(f"id,title,prompt_text,price\n{ID},A,P,0\n{ID},B,P,0\n"))

    assert f"line 3, id: {ID} was there before, at 2" in err
    assert status == 1


def test_columns_are_mapped_and_defaults_fill_in(write):
    path = write("act,prompt,cost\nA,P,\nB,P,700\n")

    out, _, status = run(
        path, "--map", "title=act", "--map", "prompt_text=prompt", "--map", "price=cost", "--default", "price=300"
    )

    assert (out, status) == ("2 prompts added, 0 there already, 0 not taken\n", 0)
    assert dict(Prompt.objects.values_list("title", "price")) == {"A": 300, "B": 700}


def test_without_any_price_they_are_free_and_it_says_so(write):
    _, err, status = run(write("title,prompt_text\nA,P\n"))

    assert Prompt.objects.get().price == 0
    assert "no column gives a price" in err
    assert status == 0


def test_columns_that_are_not_used_are_named(write):
    assert "not used: mood, weather" in run(write("title,prompt_text,price,mood,weather\nA,P,0,,\n"))[1]


def test_a_dry_run_tells_the_same_and_keeps_nothing(write):
    path = write("title,prompt_text,price\nA,P,0\nB,P,-1\n")

    out, err, status = run(path, "--dry-run")

    assert out == "1 prompts would be added, 0 there already, 1 not taken\n"
    assert "line 3, price" in err
    assert status == 1
    assert not Prompt.objects.exists()
    assert not SearchDocument.objects.exists()


def test_json_output_holds_the_whole_result(write):
    out, _, status = run(write("title,prompt_text,price,x\nA,P,0,\nB,P,-1,\n"), "--json")

    assert json.loads(out) == {
        "added": 1,
        "there_already": 0,
        "refused": [{"line": 3, "column": "price", "reason": "“-1” is below 0"}],
        "ignored_columns": ["x"],
        "notes": [],
        "dry_run": False,
    }
    assert status == 1


def test_a_seller_can_be_named(write):
    seller = make_seller(slug="studio")

    run(write("title,prompt_text,price\nA,P,0\n"), "--seller", "studio")

    assert Listing.objects.get().seller == seller


@pytest.mark.parametrize(
    "arguments",
    [
        ["--map", "titel=act"],
        ["--map", "title=nothing"],
        ["--map", "title"],
        ["--default", "cost=1"],
        ["--default", "price"],
        ["--seller", "nobody"],
    ],
)
def test_wrong_use_ends_with_2_and_adds_nothing(write, arguments):
    _, err, status = run(write("title,prompt_text,price,act\nA,P,0,\n"), *arguments)

    assert status == 2
    assert err
    assert not Prompt.objects.exists()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "\n",
        "a,b\n1,2\n",
        "title,title,prompt_text\n",
        '{"a": ',
        "[1",
        '{"prompts": 3}',
        b"\x81\xff\xfe\xff",
        b"\xef\xbb\xbf",
    ],
)
def test_a_file_that_is_no_list_of_prompts_is_wrong_use(write, content):
    assert run(write(content))[2] == 2


def test_a_missing_file_is_wrong_use(tmp_path):
    _, err, status = run(tmp_path / "none.csv")

    assert status == 2
    assert "none.csv" in err


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        ("﻿title,prompt_text,price\r\n번역,본문,0\r\n", "utf-8"),
        ("title,prompt_text,price\n번역,본문,0\n", "cp949"),
        ("title\tprompt_text\tprice\n번역\t본문\t0\n", "utf-16"),
        ("title;prompt_text;price\n번역;본문;0\n", "utf-8"),
        ("title,prompt_text,price\r번역,본문,0\r", "utf-8"),
        ("TITLE, Prompt_Text ,price\n번역,본문,0", "utf-8"),
    ],
    ids=["mark and CRLF", "CP949", "UTF-16 and tabs", "semicolons", "CR alone", "header in capitals, no end"],
)
def test_files_as_spreadsheets_write_them(write, content, encoding):
    assert run(write(content, encoding=encoding))[2] == 0
    assert list(Prompt.objects.values_list("title", "prompt_text")) == [("번역", "본문")]


def test_a_text_far_longer_than_a_csv_field_usually_is(write):
    text = "가나다라마\u2028" * 100_000

    assert run(write(f'title,prompt_text,price\nA,"{text}",0\n'))[2] == 0
    assert Prompt.objects.get().prompt_text == text


@pytest.mark.parametrize(
    "content",
    [
        '[{"title": "A", "prompt_text": "P", "price": 0, "tags": ["x"]}]',
        '{"prompts": [{"title": "A", "prompt_text": "P", "price": 0, "tags": ["x"]}]}',
        '{"title": "A", "prompt_text": "P", "price": 0, "tags": ["x"]}\n',
        '{"title": "A", "prompt_text": "P", "price": "0", "tags": "x"}\n\n'
        '{"title": "A", "prompt_text": "Q", "price": 0}',
    ],
    ids=["array", "object", "one object", "lines"],
)
def test_json_in_its_usual_shapes(write, content):
    assert run(write(content, name="prompts.json"))[2] == 0
    assert Prompt.objects.get(prompt_text="P").tags == ["x"]


def test_items_of_json_that_are_no_prompts_are_named_by_number(write):
    _, err, status = run(write('[{"title": "A", "prompt_text": "P", "price": 0}, 3, {"title": "B"}]', name="a.json"))

    assert "prompt 2: is no object" in err
    assert "prompt 3, price" in err or "prompt 3, prompt_text" in err
    assert status == 1
    assert Prompt.objects.count() == 1


@pytest.mark.slow
@pytest.mark.skipif(not PUBLIC_PROMPTS.exists(), reason="the public prompt collection is not beside this checkout")
def test_the_public_collection_arrives_whole_and_once():
    options = (PUBLIC_PROMPTS, "--map", "title=act", "--map", "prompt_text=prompt", "--default", "price=0")

    assert run(*options)[::2] == ("897 prompts added, 0 there already, 0 not taken\n", 0)
    assert run(*options)[::2] == ("0 prompts added, 897 there already, 0 not taken\n", 0)
    assert Prompt.objects.on_sale().count() == SearchDocument.objects.count() == 897
