"""What happened in a training so far, and those who listen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

MOST_KEPT: Mapping[str, int] = {"snapshot": 1, "state": 1, "progress": 200}
"""Events of a name that are kept for those who come later; beyond that, every second one goes."""


@dataclass(frozen=True)
class Event:
    """Something that happened."""

    id: int
    """Its place in the history, from 1 on."""
    name: str
    data: Mapping[str, Any]


class EventHistory:
    """The events of one training, in a list that only grows, so that an event keeps its number.

    Whoever listens reads along the list at its own speed, first what is past, then what comes.
    Events that later ones have made superfluous leave an empty place.
    """

    def __init__(self) -> None:
        self._events: list[Event | None] = []
        self._places: dict[str, list[int]] = {}
        """Where the events of each name are, without those that have gone."""
        self._news = asyncio.Event()
        """Set, and replaced by a new one, when there is more to read."""
        self._ended = False
        self.listeners = 0
        self.alone_since = time.monotonic()
        """When the last listener went, by `time.monotonic`."""

    def add(self, name: str, data: Mapping[str, Any]) -> None:
        """Keep an event and wake those who listen."""
        self._events.append(Event(len(self._events) + 1, name, data))
        places = self._places.setdefault(name, [])
        places.append(len(self._events) - 1)
        if len(places) > MOST_KEPT.get(name, len(places)):
            for place in places[-2::-2]:
                self._events[place] = None
            del places[-2::-2]
        self._wake()

    def end(self) -> None:
        """Tell those who listen, now or later, that nothing more comes."""
        self._ended = True
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    @contextmanager
    def listen(self, after: int = 0) -> Iterator[AsyncIterator[Event]]:
        """The events after number `after`, those to come too, until the history ends."""
        self.listeners += 1
        try:
            yield self._follow(min(after, len(self._events)))
        finally:
            self.listeners -= 1
            if not self.listeners:
                self.alone_since = time.monotonic()

    async def _follow(self, place: int) -> AsyncIterator[Event]:
        while True:
            news = self._news
            while place < len(self._events):
                event = self._events[place]
                place += 1
                if event is not None:
                    yield event
            if self._ended:
                return
            await news.wait()
