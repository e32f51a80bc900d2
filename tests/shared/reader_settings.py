"""Settings of matplotlib that a reader may have, and pictures to compare under them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from taller_cnn.figures import save_figure

SETTINGS = {
    "text.usetex": True,
    "font.family": "monospace",
    "font.size": 30,
    "image.origin": "lower",
    "image.cmap": "magma",
    "axes.facecolor": "black",
    "figure.facecolor": "black",
    "axes.grid": True,
    "axes.formatter.use_locale": True,
    "lines.linewidth": 9,
    "figure.dpi": 40,
    "savefig.dpi": 40,
    "savefig.bbox": "tight",
    "savefig.transparent": True,
    "xtick.direction": "in",
    "legend.frameon": False,
}


def check_that_settings_change_nothing(draw: Callable[[], Figure], folder: Path) -> None:
    """Assert that the picture has the same pixels with and without the reader's settings."""
    save_figure(draw, folder / "plain.png")
    with matplotlib.rc_context(SETTINGS):
        save_figure(draw, folder / "theirs.png")
    plain, theirs = (
        np.asarray(Image.open(folder / f"{name}.png").convert("RGB"))
        for name in ("plain", "theirs")
    )
    assert plain.shape == theirs.shape
    assert np.array_equal(plain, theirs)
