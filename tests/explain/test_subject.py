from __future__ import annotations

from pathlib import Path

import pytest
import torch

from taller_cnn.checkpoints import LoadedModel, ModelInfo, dataset_of, holdout_of
from taller_cnn.config import TrainConfig
from taller_cnn.data import Digits, Scale
from taller_cnn.errors import InputError, ModelError
from taller_cnn.explain.subject import Subject, make_subject, positions
from taller_cnn.files import write_json
from taller_cnn.model import SimpleCNN


def info_of(digits: Digits, **changes: object) -> ModelInfo:
    values = {
        "model": SimpleCNN().config,
        "train": TrainConfig(seed=7, holdout=100),
        "dataset": "mnist",
        "class_names": digits.class_names,
        "scale": Scale(0.5, 0.25),
        "source": "sample",
        "data_checksum": digits.checksum,
        "metrics": {"test": {"loss": 0.125}},
    }
    return ModelInfo(**{**values, **changes})


def loaded(info: ModelInfo | None) -> LoadedModel:
    return LoadedModel(model=SimpleCNN(seed=3).eval(), info=info)


def run_json(folder: Path, **changes: object) -> Path:
    epoch = {"epoch": 1.0, "train_loss": 0.5, "train_accuracy": 0.8, "validation": None}
    epoch |= {"test": None, "train_seconds": 1.0, "learning_rate": 0.001}
    run = {"epochs": [epoch], "test": {"loss": 0.125}, "data_checksum": "tiny"}
    write_json(folder / "run.json", {**run, **changes})
    return folder


def test_inputs_are_normalised_as_in_the_training(tiny_digits: Digits, tmp_path: Path) -> None:
    known = make_subject(loaded(info_of(tiny_digits)), tiny_digits, tmp_path)
    image = tiny_digits.test.images[:1]

    assert known.normalised(image).flatten()[0] == pytest.approx((0 - 0.5) / 0.25)
    unknown = make_subject(loaded(None), tiny_digits, tmp_path)
    assert unknown.scale == tiny_digits.scale


def test_the_initial_network_is_that_of_the_seed(tiny_digits: Digits, tmp_path: Path) -> None:
    known = make_subject(loaded(info_of(tiny_digits)), tiny_digits, tmp_path)

    assert known.initial is not None
    assert torch.equal(known.initial.conv1.weight, SimpleCNN(seed=7).conv1.weight)
    assert make_subject(loaded(None), tiny_digits, tmp_path).initial is None


def test_held_out_digits_serve_only_where_they_are_known_to_be_unseen(
    tiny_digits: Digits, tmp_path: Path
) -> None:
    def validation(info: ModelInfo | None) -> object:
        return make_subject(loaded(info), tiny_digits, tmp_path).validation

    assert validation(info_of(tiny_digits)) is not None
    assert validation(None) is None
    assert validation(info_of(tiny_digits, train=TrainConfig(holdout=0))) is None
    assert validation(info_of(tiny_digits, data_checksum="other")) is None


def test_the_curves_are_read_if_they_are_of_these_weights(
    tiny_digits: Digits, tmp_path: Path
) -> None:
    info = info_of(tiny_digits)

    def history() -> object:
        return make_subject(loaded(info), tiny_digits, tmp_path).history

    assert history() is None
    run_json(tmp_path)
    found = make_subject(loaded(info), tiny_digits, tmp_path)
    assert found.history is not None
    assert found.history.epochs[0].train_accuracy == 0.8


@pytest.mark.parametrize(
    "changes",
    [{"test": {"loss": 0.25}}, {"data_checksum": "x"}, {"epochs": [{"epoch": 1}]}, {"test": None}],
)
def test_the_curves_of_another_run_are_left_aside(
    tiny_digits: Digits, tmp_path: Path, changes: dict[str, object]
) -> None:
    run_json(tmp_path, **changes)

    assert make_subject(loaded(info_of(tiny_digits)), tiny_digits, tmp_path).history is None


def test_digits_are_found_by_class_and_by_number(subject: Subject) -> None:
    labels = subject.digits.test.labels.tolist()

    chosen = positions(subject.digits, [3, 7], [42, 0])

    assert chosen == tuple(dict.fromkeys([labels.index(3), labels.index(7), 42, 0]))


@pytest.mark.parametrize(("classes", "indices"), [([], [100]), ([], [-1]), ([12], []), ([-3], [])])
def test_a_digit_that_is_not_there_is_refused(
    subject: Subject, classes: list[int], indices: list[int]
) -> None:
    with pytest.raises(InputError, match=r"0 to 99|0, 1, 2, 3, 4, 5, 6, 7, 8, 9"):
        positions(subject.digits, classes, indices)


def test_a_model_of_another_data_set_is_refused(tiny_digits: Digits) -> None:
    path, other = Path("m.pt"), loaded(info_of(tiny_digits, dataset="kmnist"))

    assert dataset_of(path, other, None) == "kmnist"
    assert dataset_of(path, loaded(None), None) == "mnist"
    with pytest.raises(ModelError, match="trained on kmnist"):
        dataset_of(path, other, "mnist")


def test_as_many_are_held_out_as_in_the_training(tiny_digits: Digits) -> None:
    assert holdout_of(info_of(tiny_digits)) == 100
    assert holdout_of(None) == 5000


def test_mistakes_come_in_order_of_loss(subject: Subject) -> None:
    says = subject.evaluation
    losses = torch.nn.functional.nll_loss(says.log_probabilities, says.labels, reduction="none")
    by_hand = [i for i in range(says.n) if says.predictions[i] != says.labels[i]]
    by_hand.sort(key=lambda i: -float(losses[i]))

    assert len(by_hand) > 2
    assert subject.mistakes.tolist() == by_hand


def test_the_embedding_is_that_of_one_image_at_a_time(subject: Subject) -> None:
    split = subject.digits.validation
    together = subject.embedding(split, batch_size=7)

    with torch.no_grad():
        alone = [subject.model.embed(subject.normalised(image[None])) for image in split.images]
    assert torch.allclose(together, torch.cat(alone), atol=1e-5)
