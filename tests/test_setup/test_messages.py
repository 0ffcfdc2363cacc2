"""`scripts/messages.py --check`: the translations are complete, and the compiled file is the one of the source."""

import importlib.util
from pathlib import Path

import polib
import pytest

ROOT = Path(__file__).resolve().parents[2]

spec = importlib.util.spec_from_file_location("messages", ROOT / "scripts" / "messages.py")
messages = importlib.util.module_from_spec(spec)
spec.loader.exec_module(messages)


@pytest.fixture
def catalogue(tmp_path):
    """`catalogue(entry, ...)`: the path of a .po with these entries, compiled, in a project of its own."""

    def write(*entries: polib.POEntry) -> Path:
        path = messages.po_path("ko", tmp_path)
        path.parent.mkdir(parents=True)
        po = polib.POFile()
        po.metadata = {"Language": "ko"} | messages.METADATA
        po.extend(entries)
        po.save(str(path))
        path.with_suffix(".mo").write_bytes(polib.pofile(str(path)).to_binary())
        return path

    return write


def test_a_complete_catalogue_has_no_fault(catalogue):
    path = catalogue(
        polib.POEntry(msgid="Cart", msgstr="장바구니"),
        polib.POEntry(msgid="%(n)s item", msgid_plural="%(n)s items", msgstr_plural={0: "%(n)s개"}),
        polib.POEntry(msgid="Write {{variable}}.", msgstr="{{변수}}처럼 써 주세요."),
    )

    assert messages.find_faults(path) == []


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        (polib.POEntry(msgid="Cart", msgstr=""), "without a translation: 'Cart'"),
        (polib.POEntry(msgid="a", msgid_plural="b", msgstr_plural={0: ""}), "without a translation: 'a'"),
        (polib.POEntry(msgid="Cart", msgstr="카드", flags=["fuzzy"]), "fuzzy: 'Cart'"),
        (polib.POEntry(msgid="%(n)s left", msgstr="남음"), "other placeholders than the source: '%(n)s left'"),
        (polib.POEntry(msgid="{name} left", msgstr="{이름}"), "other placeholders than the source: '{name} left'"),
        (
            polib.POEntry(msgid="one left", msgid_plural="%(n)s left", msgstr_plural={0: "{{ n }}개 남음"}),
            "other placeholders than the source: 'one left'",
        ),
    ],
)
def test_each_fault_is_named(catalogue, entry, fault):
    assert messages.find_faults(catalogue(entry)) == [fault]


def test_a_compiled_file_that_is_behind_its_source_is_named(catalogue):
    path = catalogue(polib.POEntry(msgid="Cart", msgstr="장바구니"))
    path.write_text(path.read_text(encoding="utf-8").replace("장바구니", "수레"), encoding="utf-8")

    assert messages.find_faults(path) == [
        "locale/ko/LC_MESSAGES/django.mo is not what the .po says; run: make messages"
    ]


def test_a_missing_compiled_file_is_named(catalogue):
    path = catalogue(polib.POEntry(msgid="Cart", msgstr="장바구니"))
    path.with_suffix(".mo").unlink()

    assert messages.find_faults(path) == [
        "locale/ko/LC_MESSAGES/django.mo is not what the .po says; run: make messages"
    ]


def test_guesses_are_dropped_and_the_order_is_fixed(catalogue):
    path = catalogue(
        polib.POEntry(msgid="Pay", msgstr="결제"),
        polib.POEntry(msgid="Cart", msgstr="카드", flags=["fuzzy"], previous_msgid="Card"),
    )

    po = messages.normalise(path, "ko")

    assert [(entry.msgid, entry.msgstr, entry.flags) for entry in po] == [("Cart", "", []), ("Pay", "결제", [])]


@pytest.mark.slow
def test_a_new_text_in_code_is_found(tmp_path, monkeypatch):
    if not messages.has_gettext():
        pytest.skip(messages.INSTALL)
    (tmp_path / "accounts").mkdir()
    (tmp_path / "accounts" / "a.py").write_text('from django.utils.translation import gettext as _\n_("Brand new")\n')
    po = messages.po_path("ko", tmp_path)
    po.parent.mkdir(parents=True)
    po.write_text('msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n\nmsgid "Gone"\nmsgstr "없음"\n')
    monkeypatch.setattr(messages, "ROOT", tmp_path)
    monkeypatch.setattr(messages, "po_path", lambda language, root=tmp_path: root / po.relative_to(tmp_path))

    assert messages.find_uncollected("ko") == [
        "not collected yet; run make messages: 'Brand new'",
        "in no source file; run make messages: 'Gone'",
    ]


def test_the_translations_of_this_project_are_complete():
    assert messages.find_faults(messages.po_path("ko")) == []
