from __future__ import annotations

import base64
import json
import math
from pathlib import Path

import numpy as np
import pytest

from taller_cnn.config import ModelConfig, TrainConfig
from taller_cnn.data import DigitsPlace
from taller_cnn.errors import OutputError, Phrase
from taller_cnn.lab.wire import (
    TrainingOrder,
    error_from_json,
    error_to_json,
    to_base64,
    to_line,
)


@pytest.mark.parametrize("mirrors", [None, (), ("http://a/", "http://b/")])
def test_an_order_arrives_as_it_was_sent(mirrors: tuple[str, ...] | None) -> None:
    order = TrainingOrder(
        model=ModelConfig(filters=(3,)),
        train=TrainConfig(seed=4),
        place=DigitsPlace(data_dir=Path("data"), sample_dir=Path("sample"), mirrors=mirrors),
        folder=Path("x"),
    )
    assert TrainingOrder.from_json(json.loads(to_line(order.to_json()))) == order


def test_an_error_has_the_same_words_on_the_other_side() -> None:
    error = OutputError("cannot_write", path=Path("a/b"), reason=Phrase("reason_disk_full"))
    assert str(error_from_json(json.loads(json.dumps(error_to_json(error))))) == str(error)
    assert "disk is full" in str(error)


def test_what_json_has_no_number_for_is_null() -> None:
    line = to_line({"a": [math.nan, 1.0], "b": {"c": math.inf}})
    assert json.loads(line) == {"a": [None, 1.0], "b": {"c": None}}
    assert line.count(b"\n") == 1


def test_arrays_travel_little_endian_in_c_order() -> None:
    array = np.arange(6, dtype=">f4").reshape(2, 3).T
    found = np.frombuffer(base64.b64decode(to_base64(array)), "<f4")
    assert found.tolist() == [0, 3, 1, 4, 2, 5]
