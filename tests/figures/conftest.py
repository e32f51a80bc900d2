"""Figures are made in the style that they are saved in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from taller_cnn.figures import house_style


@pytest.fixture
def style() -> Iterator[None]:
    """The style, for figures that are looked at without being saved."""
    with house_style():
        yield
