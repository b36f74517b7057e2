"""Who may use the model next: one at a time, first come first served, and everybody sees how many are before them."""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

FORGOTTEN = 30.0                    # seconds without a sign of life, after which somebody has left
LOOKS = 0.25                        # seconds between two looks at the line


@dataclass
class Line:
    """Tickets in order. Whoever closes the page loses the place at once, or after half a minute of silence."""

    clock: Callable[[], float] = time.monotonic
    _seen: dict[str, float] = field(default_factory=dict)
    _begun: set[str] = field(default_factory=set)
    _pages: dict[str, str] = field(default_factory=dict)            # ticket -> the page that asked
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def join(self, page: str = "") -> str:
        """A ticket for the last place, for that page."""
        ticket = uuid.uuid4().hex
        with self._lock:
            self._seen[ticket] = self.clock()
            self._pages[ticket] = page
        return ticket

    def gone(self, page: str) -> None:
        """That page is closed: its places are given up; a turn that has begun ends by itself."""
        with self._lock:
            for ticket in [one for one, asked in self._pages.items() if asked == page and one not in self._begun]:
                self._drop(ticket)

    def ahead(self, ticket: str) -> int:
        """How many are before that one; asking says that one is still here."""
        with self._lock:
            now = self.clock()
            if ticket in self._seen:
                self._seen[ticket] = now
            self._seen = {one: seen for one, seen in self._seen.items() if now - seen < FORGOTTEN}
            self._begun &= self._seen.keys()
            self._pages = {one: page for one, page in self._pages.items() if one in self._seen}
            order = list(self._seen)
            return order.index(ticket) if ticket in order else 0

    def __contains__(self, ticket: str | None) -> bool:
        """Whether that one waits, or has its turn."""
        with self._lock:
            return ticket in self._seen

    def begin(self, ticket: str) -> None:
        """That one uses its turn."""
        with self._lock:
            self._begun.add(ticket)

    def has_begun(self, ticket: str) -> bool:
        """Whether that one uses its turn, and has not left."""
        with self._lock:
            return ticket in self._begun

    def leave(self, ticket: str | None) -> None:
        """Give the place up; twice does no harm."""
        with self._lock:
            self._drop(ticket)

    def _drop(self, ticket: str | None) -> None:
        self._seen.pop(ticket, None)
        self._pages.pop(ticket, None)
        self._begun.discard(ticket)

    async def wait(self, ticket: str) -> AsyncIterator[int]:
        """Yields how many are before that ticket, each time it changes, until there is nobody.

        A page that is closed meanwhile gives its place up; one whose turn has come keeps it until it leaves.
        """
        mine, before = False, -1
        try:
            while (now := self.ahead(ticket)) > 0:
                if now != before:
                    before = now
                    yield now
                await asyncio.sleep(LOOKS)
            mine = True
        finally:
            if not mine:
                self.leave(ticket)
