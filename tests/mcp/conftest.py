import pytest

from tests.mcp.zoo import Zoo


@pytest.fixture
def zoo():
    zoo = Zoo()
    yield zoo
    zoo.close()
