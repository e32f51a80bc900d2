"""What dask runs first in each of our own worker processes.

Ctrl-C in a terminal goes to the workers too. They leave it to the process that runs the study,
which stops them in order; otherwise each would die with a traceback of its own.
"""

from __future__ import annotations

import signal
import threading

__all__ = ["dask_setup"]


def dask_setup(_worker: object) -> None:
    """Ignore Ctrl-C; called by dask in the worker's main thread."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
