from __future__ import annotations

import pickle
from pathlib import Path

from taller_cnn.config import ModelConfig, TrainConfig
from taller_cnn.data import DigitsPlace
from taller_cnn.errors import OutputError, Phrase
from taller_cnn.lab.worker_protocol import TrainingOrder


def test_an_order_arrives_as_it_was_sent() -> None:
    order = TrainingOrder(
        model=ModelConfig(filters=(3,)),
        train=TrainConfig(seed=4),
        place=DigitsPlace.in_workdir(Path("here"), source="sample", mirrors=()),
        folder=Path("x"),
    )
    assert pickle.loads(pickle.dumps(order)) == order


def test_an_error_is_of_the_same_kind_with_the_same_words_on_the_other_side() -> None:
    error = OutputError("cannot_write", path=Path("a/b"), reason=Phrase("reason_disk_full"))
    arrived = pickle.loads(pickle.dumps(error))
    assert type(arrived) is OutputError
    assert str(arrived) == str(error)
    assert "disk is full" in str(arrived)
