"""Where programs of others come from, and what happens without them."""

import pytest

from tests.interop.programs import install_node_packages


def test_without_node_a_test_is_skipped_and_says_why(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CI", raising=False)

    with pytest.raises(pytest.skip.Exception, match="Node and npm are not installed"):
        install_node_packages()


def test_without_node_the_build_fails(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CI", "1")

    with pytest.raises(pytest.fail.Exception, match="Node and npm are not installed"):
        install_node_packages()
