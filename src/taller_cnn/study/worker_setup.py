"""What dask runs first in each of our own worker processes.

Ctrl-C in a terminal goes to the workers too. They leave it to the process that runs the study,
which stops them in order; otherwise each would die with a traceback of its own. A worker that is
stopped in the middle of a trial goes at once: Python would first end the thread that trains, and
C++ code that is ended so says "terminate called without an active exception".

It loads nothing heavy, so that a worker is there soon: torch comes with its first trial.
Workers of a scheduler get the same with ``dask worker --preload taller_cnn.study.worker_setup``.
"""

from __future__ import annotations

import atexit
import os
import signal
import threading

from taller_cnn.process import keep_freed_memory


def dask_setup(_worker: object) -> None:
    """Ignore Ctrl-C, keep freed memory, end quietly; called by dask in the worker's main thread.

    Whatever the environment says about memory here is dask's own default, not the user's wish.
    """
    keep_freed_memory()
    atexit.register(os._exit, 0)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
