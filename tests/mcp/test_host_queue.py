"""In which order servers are asked."""

import uuid

from mcp.checking.due import Target
from mcp.checking.host_queue import HostQueue


def make_queue(text: str, *, spacing_s: float = 1) -> HostQueue:
    """`a1 a2 b1`: a letter for the host."""
    return HostQueue(Target(uuid.uuid4(), slug, slug[0], spacing_s) for slug in text.split())


def pop_all(queue: HostQueue, *, now_s: float) -> list[str]:
    found = []
    while target := queue.pop(now_s=now_s):
        found.append(target.slug)
    return found


def test_hosts_are_asked_in_order_and_one_that_was_just_asked_is_passed_over():
    queue = make_queue("a1 a2 a3 b1 c1 b2")

    assert pop_all(queue, now_s=100) == ["a1", "b1", "c1"]
    assert queue.wait_s(now_s=100.25) == 0.75
    assert pop_all(queue, now_s=100.99) == []
    assert pop_all(queue, now_s=101) == ["a2", "b2"]
    assert pop_all(queue, now_s=105) == ["a3"]
    assert not queue
    assert queue.wait_s(now_s=105) is None


def test_the_rest_of_a_host_begins_when_it_is_asked_and_not_with_the_round():
    queue = make_queue("a1 a2")
    queue.pop(now_s=100)

    assert queue.wait_s(now_s=100) == 1
    assert queue.wait_s(now_s=103) == 0


def test_hosts_that_need_no_rest_go_in_order():
    assert pop_all(make_queue("a1 b1 a2 b2 a3", spacing_s=0), now_s=100) == ["a1", "b1", "a2", "b2", "a3"]


def test_an_empty_queue_is_done():
    queue = make_queue("")

    assert (bool(queue), queue.pop(now_s=1), queue.wait_s(now_s=1)) == (False, None, None)
