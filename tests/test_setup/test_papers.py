"""README and its neighbours say what the code does: every setting, every command, every `make` target."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
APPS = ["accounts", "catalog", "checkout", "marketplace", "mcp", "sellers"]


def read(*names: str) -> str:
    return "\n".join((ROOT / name).read_text(encoding="utf-8") for name in names)


def find_settings() -> set[str]:
    """The variables that settings.py reads from the environment."""
    return set(re.findall(r"""(?:env\.\w+|_storage)\(\s*"([A-Z][A-Z0-9_]+)\"""", read("marketplace/settings.py")))


def test_the_settings_are_found():
    assert {"DEBUG", "SECRET_KEY", "DATABASE_URL", "MEDIA_STORAGE", "BUSINESS_NAME"} <= find_settings()


def test_every_setting_is_described():
    described = set(re.findall(r"^\| `([A-Z0-9_]+)`", read("docs/production.md"), re.MULTILINE))

    assert described == find_settings()


def test_every_command_is_described():
    commands = {
        path.stem
        for app in APPS
        for path in (ROOT / app / "management" / "commands").glob("*.py")
        if path.stem[0] != "_"
    }
    section = re.search(r"^## Commands$(.*?)^## ", read("README.md"), re.MULTILINE | re.DOTALL)[1]
    described = set(re.findall(r"^\| `(\w+)[^`]*` \|", section, re.MULTILINE))

    assert described == commands


def test_every_make_target_in_the_papers_exists():
    targets = set(re.findall(r"^([a-z0-9-]+):", read("Makefile"), re.MULTILINE))
    named = set(
        re.findall(
            r"(?:^|`)make ([a-z0-9-]+)", read("README.md", "CONTRIBUTING.md", "docs/production.md"), re.MULTILINE
        )
    )

    assert {"run", "test", "check"} <= named
    assert named <= targets


def test_make_help_lists_every_target_of_interest():
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    named = set(re.findall(r"^make ([a-z0-9-]+)", listed, re.MULTILINE))
    targets = set(re.findall(r"^([a-z0-9-]+):", read("Makefile"), re.MULTILINE))
    assert named == targets - {"python"}


@pytest.mark.parametrize(
    "paper",
    ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/production.md", "docs/mcp-registry.md", "docs/mcp.md"],
)
def test_links_between_the_papers_lead_somewhere(paper):
    links = re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", read(paper))

    assert [link for link in links if not (ROOT / paper).parent.joinpath(link).exists()] == []


def test_the_decisions_are_numbered_without_gaps_and_each_has_its_parts():
    records = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))

    assert [int(record.name[:4]) for record in records] == list(range(1, len(records) + 1))
    for record in records:
        text = record.read_text(encoding="utf-8")
        assert re.findall(r"^## (\w+)", text, re.MULTILINE) == ["Context", "Decision", "Cost"], record.name
        assert len(text.split()) < 500, record.name


def test_the_build_script_can_be_started():
    listed = subprocess.run(["bash", "-n", ".ci/run"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert listed.stderr == ""
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111 == 0o111
