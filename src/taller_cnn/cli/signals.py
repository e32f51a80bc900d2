"""Ctrl-C and SIGTERM as a wish to stop, which a run follows at its next step."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """An event that the first Ctrl-C or SIGTERM sets; a second Ctrl-C interrupts at once.

    The earlier handlers are put back at the end. In a thread that is not the main one, where
    Python allows no handlers, the event is never set from here.
    """
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def handle(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT and stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    earlier = [(number, signal.signal(number, handle)) for number in _SIGNALS]
    try:
        yield stop
    finally:
        for number, handler in earlier:
            # None: a handler that was not set from Python and cannot be put back.
            signal.signal(number, handler or signal.SIG_DFL)
