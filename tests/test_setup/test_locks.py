"""requirements/: what a fresh machine installs."""

import re
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

FOLDER = Path(__file__).resolve().parents[2] / "requirements"
SETS = ["base", "production", "dev"]


def read_wanted(name: str) -> list[Requirement]:
    lines = (line.partition("#")[0].strip() for line in (FOLDER / f"{name}.in").read_text().splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith("-")]


def read_locked(name: str) -> dict[str, str]:
    """{package: version}"""
    found = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==(\S+)", (FOLDER / f"{name}.txt").read_text(), re.MULTILINE)
    return {canonicalize_name(package): version for package, version in found}


@pytest.mark.parametrize("name", SETS)
def test_a_lock_names_no_address(name):
    text = (FOLDER / f"{name}.txt").read_text()

    assert re.findall(r"https?:|file:|--(?:extra-)?index-url|--find-links|--trusted-host| @ |/\w+/\w+", text) == []


@pytest.mark.parametrize("name", SETS)
def test_every_locked_package_has_hashes(name):
    blocks = re.split(r"^(?=[A-Za-z0-9])", (FOLDER / f"{name}.txt").read_text(), flags=re.MULTILINE)[1:]

    assert [block.splitlines()[0] for block in blocks if "--hash=sha256:" not in block] == []
    assert len(blocks) == len(read_locked(name))


@pytest.mark.parametrize("name", SETS)
def test_a_lock_holds_what_its_list_asks_for(name):
    locked = read_locked(name)
    wanted = read_wanted("base") + (read_wanted(name) if name != "base" else [])

    outside = [
        str(requirement)
        for requirement in wanted
        if not requirement.specifier.contains(locked.get(canonicalize_name(requirement.name), "0"))
    ]
    assert outside == []


@pytest.mark.parametrize("name", ["production", "dev"])
def test_the_larger_locks_hold_the_versions_that_the_site_runs_on(name):
    larger = read_locked(name)

    assert {package: larger.get(package) for package in read_locked("base")} == read_locked("base")


def test_the_installed_versions_are_the_locked_ones():
    locked = read_locked("dev")
    asked = [canonicalize_name(requirement.name) for requirement in read_wanted("base") + read_wanted("dev")]
    assert {package: version(package) for package in asked} == {package: locked[package] for package in asked}


def test_what_packages_ask_for_with_extras_is_locked_with_them():
    """pip 23.2 takes the newest `coverage[toml]` where the lock names `coverage` alone, and then refuses the lock."""
    text = (FOLDER / "dev.txt").read_text()
    asked = {
        (canonicalize_name(requirement.name), extra)
        for package in read_locked("dev")
        for requirement in map(Requirement, list_requirements(package))
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        for extra in requirement.extras
    }
    locked = {
        (canonicalize_name(package), extra)
        for package, extras in re.findall(r"^([A-Za-z0-9._-]+)\[([^]]*)\]==", text, re.MULTILINE)
        for extra in extras.split(",")
    }
    assert ("coverage", "toml") in asked
    assert asked - locked == set()


def list_requirements(package: str) -> list[str]:
    """What an installed package asks for; nothing for one that is locked for other systems only."""
    try:
        return requires(package) or []
    except PackageNotFoundError:
        return []
