"""Keeps what was used last, as far as it fits."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class BoundedCache(Generic[K, V]):
    """A mapping of values with sizes whose sum stays within ``limit``.

    What was asked for or put longest ago goes first, through ``let_go``; a value that
    alone is over the limit stays until the next one comes.
    """

    def __init__(
        self, limit: int, let_go: Callable[[K], None] = lambda key: None
    ) -> None:
        self.limit = limit
        self.size = 0
        self._let_go = let_go
        self._entries: OrderedDict[K, tuple[V, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: K) -> bool:
        return key in self._entries

    def get(self, key: K) -> V | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._entries.move_to_end(key)
        return entry[0]

    def put(self, key: K, value: V, size: int = 1) -> None:
        before = self._entries.pop(key, None)
        self.size += size - (before[1] if before else 0)
        self._entries[key] = (value, size)
        while self.size > self.limit and len(self._entries) > 1:
            oldest, (_, freed) = self._entries.popitem(last=False)
            self.size -= freed
            self._let_go(oldest)

    def clear(self) -> None:
        self._entries.clear()
        self.size = 0
