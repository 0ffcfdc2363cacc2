"""`toss`: one stand-in per test session, with empty books for each test.

A test module or a conftest imports both: `from tests.toss.fixtures import toss, toss_process  # noqa: F401`.
"""

from collections.abc import Iterator

import pytest

from tests.toss.client import TossStandIn


@pytest.fixture(scope="session")
def toss_process() -> Iterator[TossStandIn]:
    with TossStandIn() as stand_in:
        yield stand_in


@pytest.fixture
def toss(toss_process) -> Iterator[TossStandIn]:
    """Running, and as new. After the test nothing of it is sent any more."""
    toss_process.reset()
    yield toss_process
    toss_process.reset()
