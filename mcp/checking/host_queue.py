"""In which order servers are asked: as they come, but two of one host never at once. Free of Django and of clocks."""

import heapq
from collections import deque
from collections.abc import Iterable

from mcp.checking.due import Target


class HostQueue:
    """Hands out targets in order. A host that was asked a moment ago is passed over, so nobody waits for it.

    Times are seconds of any clock that only grows.
    """

    def __init__(self, targets: Iterable[Target]):
        self._places: dict[
            str, deque[tuple[int, Target]]
        ] = {}  # by host: what waits there, with its place in the order
        for place, target in enumerate(targets):
            self._places.setdefault(target.host, deque()).append((place, target))
        self._ready = [
            (0.0, places[0][0], host) for host, places in self._places.items()
        ]  # from when; whose turn; host
        heapq.heapify(self._ready)

    def __bool__(self) -> bool:
        return bool(self._ready)

    def pop(self, *, now_s: float) -> Target | None:
        """The next target that may be asked now; None when all that are left have to wait."""
        if not self._ready or self._ready[0][0] > now_s:
            return None
        _ready_s, _place, host = heapq.heappop(self._ready)
        _place, target = self._places[host].popleft()
        if self._places[host]:
            heapq.heappush(self._ready, (now_s + target.spacing_s, self._places[host][0][0], host))
        return target

    def wait_s(self, *, now_s: float) -> float | None:
        """How long until one may be asked; None when none is left."""
        return max(0.0, self._ready[0][0] - now_s) if self._ready else None
