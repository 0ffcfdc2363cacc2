"""Style sheets, scripts, templates and vendored files keep what the Content-Security-Policy and the design promise."""

import hashlib
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.template.loader import get_template

ROOT = Path(settings.BASE_DIR)
STATIC = ROOT / "static"
VENDOR = STATIC / "vendor"
TEMPLATES = sorted(path for path in (ROOT / "templates").rglob("*") if path.suffix in {".html", ".xml"})
PAGES = [path for path in TEMPLATES if not {"email", "mail"} & set(path.parts)]  # mail needs style attributes
CSS = sorted(STATIC.rglob("*.css"))
SCRIPTS = sorted((STATIC / "js").glob("*.js"))


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def icons_used(text: str) -> set[str]:
    """Names that a template draws, also where they are chosen by an `if` with literal names."""
    return set(re.findall(r"{%-? *icon +[\"']([a-z0-9-]+)[\"']", text))


def icons_in_sprite() -> set[str]:
    return set(re.findall(r'<symbol id="([a-z0-9-]+)"', (VENDOR / "lucide/icons.svg").read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", CSS, ids=name)
def test_style_sheets_fetch_nothing_from_other_hosts(path):
    text = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)

    assert re.findall(r"url\(\s*['\"]?(?:https?:)?//[^)]*\)|@import[^;]*", text) == []


@pytest.mark.parametrize("path", CSS, ids=name)
def test_files_that_style_sheets_name_exist(path):
    text = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    named = {address.split("#")[0] for address in re.findall(r"url\(['\"]?([^)'\"]+)['\"]?\)", text)}

    assert {address for address in named if not (path.parent / address).is_file()} == set()


@pytest.mark.parametrize("path", sorted((STATIC / "css").glob("*.css")), ids=name)
def test_our_style_sheets_need_no_ids_and_no_force(path):
    text = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    selectors = re.findall(r"([^{};]+){", text)
    ids = [selector.strip() for selector in selectors if re.search(r"#[a-z]", selector)]

    assert "!important" not in text
    assert ids == (["#site-name a"] if path.name == "admin.css" else [])  # the admin marks its title by an id


@pytest.mark.parametrize("path", SCRIPTS, ids=name)
def test_scripts_build_no_code_and_no_markup_from_text(path):
    text = path.read_text(encoding="utf-8")

    assert re.findall(r"\beval\(|new Function|innerHTML|insertAdjacentHTML|document\.write|https?://", text) == []


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_pages_carry_no_inline_code_or_style(path):
    text = re.sub(
        r"{#.*?#}|{% comment.*?endcomment %}|<!--.*?-->", "", path.read_text(encoding="utf-8"), flags=re.DOTALL
    )
    inline = re.findall(r"<style\b|\sstyle=|\son[a-z]+=[\"']|\shx-on|href=[\"']javascript:", text)
    scripts = [
        tag
        for tag in re.findall(r"<script\b[^>]*>", text)
        if "src=" not in tag and not re.search(r"type=[\"']application/(ld\+)?json[\"']", tag)
    ]

    assert inline + scripts == []


@pytest.mark.parametrize("path", TEMPLATES, ids=name)
def test_every_icon_of_a_template_is_in_the_sprite(path):
    assert icons_used(path.read_text(encoding="utf-8")) - icons_in_sprite() == set()


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_every_template_compiles(path):
    get_template(str(path.relative_to(ROOT / "templates")))


@pytest.mark.parametrize(
    "folder", sorted(path.parent for path in VENDOR.glob("*/SHA256SUMS")), ids=lambda path: path.name
)
def test_vendored_files_are_the_published_ones(folder):
    sums = folder / "SHA256SUMS"
    listed = dict(reversed(line.split("  ", 1)) for line in sums.read_text(encoding="utf-8").splitlines())
    found = {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path != sums
    }

    assert found == listed
    assert hashlib.sha256(sums.read_bytes()).hexdigest() in (VENDOR / "README.md").read_text(encoding="utf-8")


def test_every_vendored_folder_has_digests_and_a_licence():
    folders = [path for path in VENDOR.iterdir() if path.is_dir()]

    assert len(folders) >= 3
    assert [path.name for path in folders if not (path / "SHA256SUMS").is_file()] == []
    assert [path.name for path in folders if not list(path.glob("LICENSE*"))] == []


def test_every_style_sheet_of_ours_is_linked_after_the_tokens():
    linked = (ROOT / "templates/_styles.html").read_text(encoding="utf-8")
    ours = {path.name for path in (STATIC / "css").glob("*.css")} - {"admin.css"}

    assert {file for file in ours if f"css/{file}" not in linked} == set()
    assert linked.index("css/tokens.css") < min(linked.index(f"css/{file}") for file in ours - {"tokens.css"})


def test_every_script_of_ours_is_used_by_a_template():
    used = "".join(path.read_text(encoding="utf-8") for path in PAGES)

    assert [path.name for path in SCRIPTS if f"js/{path.name}" not in used] == []
