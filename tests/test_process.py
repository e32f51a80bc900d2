"""What a program sets for its whole process before it trains."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SHOW = (
    "import os; from taller_cnn.process import prepare_process; prepare_process();"
    "print(os.environ.get('GOMP_SPINCOUNT'))"
)


SETTINGS = ("OMP_", "GOMP_", "MALLOC_", "GLIBC_TUNABLES", "LD_PRELOAD")
"""What may say already how threads wait and memory is kept; dask's workers set some of it."""


def said(code: str = SHOW, **environment: str) -> str:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(SETTINGS)}
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**clean, **environment},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


def test_waiting_threads_spin_briefly() -> None:
    assert said() == "20000"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [("GOMP_SPINCOUNT", "7", "7"), ("OMP_WAIT_POLICY", "ACTIVE", "None")],
)
def test_what_the_environment_says_is_left_alone(name: str, value: str, expected: str) -> None:
    assert said(**{name: value}) == expected


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's malloc, on Linux")
def test_freed_memory_is_kept_for_the_next_step() -> None:
    code = """if True:
        import resource
        from taller_cnn.process import prepare_process
        prepare_process()
        import torch
        def maps():
            return [torch.ones(800_000) for _ in range(6)]
        for _ in range(5):
            maps()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(20):
            maps()
        print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
        """
    # 20 times six maps of 3.2 MB are 94,000 pages, each a fault where memory is given back.
    assert int(said(code)) < 9_000
