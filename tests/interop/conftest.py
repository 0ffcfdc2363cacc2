import pytest

from tests.interop.programs import install_node_packages, install_python_packages


@pytest.fixture(scope="session")
def node_packages():
    return install_node_packages()


@pytest.fixture(scope="session")
def python_of():
    """`python_of("python-2")`: the Python of an environment with the second line of the official SDK."""
    return install_python_packages
