"""Sends HTTP requests over a few connections for some seconds; prints what came of it as JSON.

A process of its own, written to take as little of the processor as it can, because it shares it
with the server that it measures: ``python load_generator.py '<JSON of Load>'``.
"""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import json
import sys
import time
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Load:
    """What to send."""

    port: int
    path: str
    body: str
    """In base64."""
    content_type: str
    connections: int
    seconds: float
    warm_up: float = 1.0
    """Seconds at the beginning that are not counted."""

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self))


class Connection(asyncio.Protocol):
    """Sends a request, and the next one when its answer is whole."""

    def __init__(self, request: bytes, begin: float, end: float) -> None:
        self.request, self.begin, self.end = request, begin, end
        self.seconds: list[float] = []
        self.failed = 0
        self.closed = asyncio.get_running_loop().create_future()
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def _send(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head = self._buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        mark = self._buffer.lower().find(b"content-length:", 0, head)
        length = int(self._buffer[mark + 15 : self._buffer.find(b"\r\n", mark)])
        if len(self._buffer) < head + 4 + length:
            return
        now = time.perf_counter()
        if now >= self.begin:
            self.seconds.append(now - self._sent)
            self.failed += not self._buffer.startswith(b"HTTP/1.1 200")
        self._buffer = b""
        if now < self.end:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)


async def run(load: Load) -> dict[str, float]:
    body = base64.b64decode(load.body)
    head = (
        f"POST {load.path} HTTP/1.1\r\nHost: 127.0.0.1:{load.port}\r\n"
        f"Content-Type: {load.content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    request = head.encode("ascii") + body
    begin = time.perf_counter() + load.warm_up
    end = begin + load.seconds
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(
            lambda: Connection(request, begin, end), "127.0.0.1", load.port
        )
        for _ in range(load.connections)
    ]
    await asyncio.gather(*(connection.closed for _, connection in made))
    seconds = sorted(s for _, connection in made for s in connection.seconds)
    if not seconds:
        return {"requests": 0, "failed": 0, "per_second": 0.0}
    return {
        "requests": len(seconds),
        "failed": sum(connection.failed for _, connection in made),
        "per_second": len(seconds) / load.seconds,
        "p50_ms": 1000 * seconds[len(seconds) // 2],
        "p99_ms": 1000 * seconds[int(len(seconds) * 0.99)],
        "max_ms": 1000 * seconds[-1],
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(run(Load(**json.loads(sys.argv[1]))))))
