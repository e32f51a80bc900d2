"""Digits for a command, with a download shown as it goes."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from taller_cnn.cli.notices import show_sample_notice
from taller_cnn.cli.progress import view
from taller_cnn.cli.terminal import Terminal

if TYPE_CHECKING:
    from taller_cnn.data import Digits

__all__ = ["load"]


def load(
    terminal: Terminal,
    *,
    dataset: str,
    source: str,
    data_dir: Path,
    sample_dir: Path,
    holdout: int = 5000,
) -> Digits:
    """The digits; a notice tells when they are the sample.

    Raises:
        DataError, ConfigError, OutputError: as `taller_cnn.data.load_digits`.
    """
    from taller_cnn.data import Digits, loading

    items = loading(
        dataset=dataset, source=source, data_dir=data_dir, sample_dir=sample_dir, holdout=holdout
    )
    digits = None
    with view(terminal, quiet=False, stop=threading.Event()) as shown:
        shown.waiting("cli.loading")
        for item in items:
            if isinstance(item, Digits):
                digits = item
            else:
                shown.step(item, 0)
    assert digits is not None, "loading ends with the digits"
    show_sample_notice(
        terminal, digits.source, data_dir, asked=source == "sample", reason=digits.fallback_reason
    )
    return digits
