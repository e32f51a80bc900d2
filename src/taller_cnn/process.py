"""Settings of a whole process, for programs that train; the library never applies them itself."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path
from typing import Any

SPIN_COUNT = "20000"
"""Turns that an idle OpenMP thread spins before it sleeps: tens of microseconds."""
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's ``mallopt``."""
KEPT_BYTES = 1 << 30
LARGEST_HEAP_BLOCK = 1 << 25
"""32 MB, the most that glibc takes; larger blocks are still given back when freed."""
BUNDLE_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Where companies name their root certificates for other programs; OpenSSL reads its own two."""


def prepare_process() -> None:
    """Make small training steps fast, and downloads trust the certificates that others trust.

    Call it before torch is loaded (docs/log.md has the numbers).

    - OpenMP's threads spin briefly, then sleep. Spinning without end takes ten times as long on a
      machine that also does something else, never spinning wakes up too late on one that does not.
    - glibc keeps freed memory. Otherwise every step gives the maps' memory back to the system and
      gets it again page by page, which costs a third of a step.

    - Root certificates that are named for other programs hold here too.

    Whatever the environment already says about any of them is left alone.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", SPIN_COUNT)
    if "MALLOC_TRIM_THRESHOLD_" not in os.environ:
        keep_freed_memory()
    trust_certificates_of_others()


def trust_certificates_of_others() -> None:
    """Have OpenSSL trust the root certificates that are named for ``requests`` and ``curl``."""
    if "SSL_CERT_FILE" in os.environ or "SSL_CERT_DIR" in os.environ:
        return
    bundle = next(filter(None, map(os.environ.get, BUNDLE_VARIABLES)), None)
    if bundle:
        os.environ["SSL_CERT_DIR" if Path(bundle).is_dir() else "SSL_CERT_FILE"] = bundle


def keep_freed_memory() -> None:
    """Have glibc keep freed memory for the next step; other systems are left as they are."""
    mallopt = _glibc("mallopt")
    if mallopt is not None:
        mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
        mallopt(M_MMAP_THRESHOLD, LARGEST_HEAP_BLOCK)


def give_back_memory() -> None:
    """Give kept memory back to the system once, so that what comes can be measured."""
    malloc_trim = _glibc("malloc_trim")
    if malloc_trim is not None:
        malloc_trim(0)


def _glibc(name: str) -> Any:
    """A function of the C library on Linux, None where there is none of that name."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform.startswith("linux") else None
