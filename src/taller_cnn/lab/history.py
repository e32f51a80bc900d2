"""What happened in a training so far, and those who listen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from taller_cnn.lab.wire import to_line

__all__ = ["Event", "EventHistory"]

MOST_PROGRESS = 200
"""Progress events that are kept for those who come later; every second one goes beyond that."""
MOST_WAITING = 1000
"""Events that a listener may be behind; who does not read is dropped."""
ONLY_LAST = ("snapshot", "state")


@dataclass(frozen=True)
class Event:
    """Something that happened."""

    id: int
    name: str
    data: Mapping[str, Any]

    def to_bytes(self) -> bytes:
        """As a server-sent event."""
        head = f"id: {self.id}\nevent: {self.name}\ndata: "
        return head.encode("ascii") + to_line(self.data) + b"\n"


class EventHistory:
    """The events of one training; who listens gets the past ones first, then those to come."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._next = 1
        self._listeners: set[asyncio.Queue[Event | None]] = set()
        self._ended = False
        self.alone_since = time.monotonic()
        """When the last listener went, by `time.monotonic`."""

    @property
    def listeners(self) -> int:
        """How many listen."""
        return len(self._listeners)

    def add(self, name: str, data: Mapping[str, Any]) -> None:
        """Keep an event and tell it to those who listen."""
        event = Event(self._next, name, data)
        self._next += 1
        if name in ONLY_LAST:
            self._events = [e for e in self._events if e.name != name]
        self._events.append(event)
        if name == "progress":
            self._thin_out()
        for queue in tuple(self._listeners):
            self._put(queue, event)

    def _thin_out(self) -> None:
        progress = [e.id for e in self._events if e.name == "progress"]
        if len(progress) > MOST_PROGRESS:
            gone = set(progress[1::2])
            self._events = [e for e in self._events if e.id not in gone]

    def _put(self, queue: asyncio.Queue[Event | None], event: Event | None) -> None:
        if queue.qsize() < MOST_WAITING:
            queue.put_nowait(event)
            return
        self._remove(queue)
        # It reads what waits, then the end, and may come back for the rest.
        queue.put_nowait(None)

    def _remove(self, queue: asyncio.Queue[Event | None]) -> None:
        self._listeners.discard(queue)
        if not self._listeners:
            self.alone_since = time.monotonic()

    @contextmanager
    def listen(self, after: int = 0) -> Iterator[tuple[list[Event], asyncio.Queue[Event | None]]]:
        """The past events after number `after`, and a queue of those to come; None is the end.

        The past ones are apart: a long training has more of them than a listener may be behind.
        """
        past = [event for event in self._events if event.id > after]
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        if self._ended:
            queue.put_nowait(None)
        self._listeners.add(queue)
        try:
            yield past, queue
        finally:
            self._remove(queue)

    def end(self) -> None:
        """Tell those who listen, now or later, that nothing more comes."""
        self._ended = True
        for queue in tuple(self._listeners):
            self._put(queue, None)
