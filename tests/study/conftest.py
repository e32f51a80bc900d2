"""Digits, stores and settings for the tests of the study."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from small_study import open_store

from taller_cnn.data import DigitsPlace
from taller_cnn.figures import house_style
from taller_cnn.study import Store


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    """Trials set the threads of their process, which here is the test's."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def style() -> Iterator[None]:
    """The style, for figures that are looked at without being saved."""
    with house_style():
        yield


@pytest.fixture(scope="module")
def place(sample_dir: Path) -> DigitsPlace:
    return DigitsPlace(source="sample", data_dir=sample_dir / "none", sample_dir=sample_dir)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path) as opened:
        yield opened
