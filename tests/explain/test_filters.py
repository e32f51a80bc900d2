"""Each of these parts for every kind of network that there is: no traceback, every text written."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from made_parts import made, told, words

from taller_cnn.config import ModelConfig
from taller_cnn.data import Digits
from taller_cnn.evaluation import evaluate
from taller_cnn.explain.ablation import Loss, SwitchedOff, paired_loss
from taller_cnn.explain.patches import excitement
from taller_cnn.explain.subject import Subject
from taller_cnn.model import SimpleCNN

PARTS = ("filters", "feature_maps", "attribution", "embedding", "robustness")
FAMILY: tuple[dict[str, Any], ...] = (
    {"filters": (3,), "kernel_size": 1},
    {"filters": (2, 3), "pooling": "stride", "batch_norm": True},
    {"filters": (2, 2, 2), "pooling": "avg", "kernel_size": 5, "activation": "gelu"},
    {"filters": (2,) * 6, "pooling": "none", "activation": "tanh"},
    {"filters": (2, 2), "kernel_size": 7, "hidden": 1, "final_size": 2},
)


def few(digits: Digits, n: int) -> Digits:
    """A data set of the first `n` digits of every split."""
    return replace(
        digits, train=digits.train[:n], validation=digits.validation[:n], test=digits.test[:n]
    )


def unlearned(config: ModelConfig, digits: Digits) -> Subject:
    model = SimpleCNN(config, seed=0).eval()
    says = evaluate(model, digits.test, digits.scale)
    return Subject(model=model, digits=digits, info=None, evaluation=says, validation=None)


@pytest.mark.parametrize("options", FAMILY, ids=str)
def test_an_untrained_network_of_any_kind_is_explained(
    options: dict[str, Any], tiny_digits: Digits
) -> None:
    config = ModelConfig(**{"hidden": 4, "dropout": 0.0, **options})
    subject = unlearned(config, few(tiny_digits, 40))
    for part in PARTS:
        assert all(words(made(part, subject, "es"))), part


def test_a_network_without_mistakes_has_no_wrong_predictions_to_look_at(subject: Subject) -> None:
    labels = subject.evaluation.labels
    perfect = torch.full((len(labels), 10), -20.0)
    perfect[torch.arange(len(labels)), labels] = 0
    part = made(
        "attribution",
        replace(subject, evaluation=replace(subject.evaluation, log_probabilities=perfect)),
    )
    assert "wrong" not in part.numbers
    assert "no mistake" in told(part)


def test_a_class_that_is_never_predicted_is_no_obstacle(subject: Subject) -> None:
    scores = subject.evaluation.log_probabilities.clone()
    scores[:, 3] = -30
    blind = replace(subject, evaluation=replace(subject.evaluation, log_probabilities=scores))
    assert 3 not in blind.evaluation.predictions
    for part in ("feature_maps", "attribution", "embedding"):
        assert all(words(made(part, blind))), part


def test_dead_filters_are_named_and_others_are_not(subject: Subject) -> None:
    model = SimpleCNN(subject.model.config, seed=0).eval()
    with torch.no_grad():
        model.conv1.weight[2] = 0
        model.conv1.bias[2] = -1  # type: ignore[index]
    part = made("filters", replace(subject, model=model))
    assert part.numbers["dead"]["conv1"] == [2]
    assert "one filter is dead, number 3" in told(part)


def test_the_strongest_patches_are_those_of_the_strongest_responses(subject: Subject) -> None:
    test = subject.digits.test
    x = subject.normalised(test.images)
    layer = excitement(subject.model, test.images, x)[0]
    with torch.inference_mode():
        response = subject.model.conv1(x)
    strongest = response.amax(dim=(2, 3)).T.sort(dim=1, descending=True).values[:, :9]
    assert torch.allclose(layer.values, strongest, atol=1e-5)
    # The response to a patch is the kernel laid over it.
    pixels = subject.normalised(layer.patches.flatten(0, 1)[:, None])
    # Beyond the image's edge the convolution adds nothing, which is not what paper is there.
    kernel = subject.model.conv1.weight[:, 0].repeat_interleave(9, dim=0)
    bias = subject.model.conv1.bias
    assert bias is not None
    again = (pixels[:, 0] * kernel).sum(dim=(1, 2)) + bias.repeat_interleave(9)
    agrees = torch.isclose(again, layer.values.flatten(), atol=1e-4)
    assert agrees.double().mean() > 0.8


def test_the_verdict_on_an_untrained_network_is_chance(subject: Subject) -> None:
    untrained = replace(subject, model=subject.initial or subject.model)
    numbers = made("filters", untrained).numbers
    assert numbers["edge_test"]["learned"] is False
    assert numbers["edge_test"]["p_untrained"] == 1.0


def test_a_filter_that_never_varies_is_not_called_dead_where_that_is_no_zero(
    subject: Subject, tiny_digits: Digits
) -> None:
    odd = unlearned(ModelConfig(filters=(3, 2), activation="tanh", hidden=4), few(tiny_digits, 40))
    with torch.no_grad():
        odd.network.conv1.weight[1] = 0
    part = made("filters", odd)
    assert part.numbers["dead"]["conv1"] == [1]
    assert "filter 2 always gives the same value, everywhere in the 80 images" in told(part)
    assert "dead" not in " ".join(words(part))
    assert "muerto" not in " ".join(words(made("filters", odd, "es")))


def test_the_filter_that_is_named_is_one_that_costs_for_certain(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    def loss(spoiled: int, mended: int) -> Loss:
        before = torch.arange(1000) < 900
        after = before.clone()
        after[:spoiled], after[900 : 900 + mended] = False, True
        return paired_loss(before, after, 1 - 0.05 / 3)

    losses = (loss(60, 40), loss(14, 0), loss(1, 0))
    assert losses[0].value > losses[1].value
    assert losses[0].low < 0 < losses[1].low
    off = SwitchedOff(accuracy=0.9, losses=losses, n=1000)
    monkeypatch.setattr("taller_cnn.explain.ablation.switch_off", lambda *_: off)
    text = told(made("filters", subject))
    assert "Only for one of the 3 filters is there evidence of a loss of accuracy: switching off filter 2 costs" in text


def test_another_untrained_network_is_not_called_this_one_before_training(subject: Subject) -> None:
    known = told(made("filters", subject))
    other = told(made("filters", replace(subject, initial=None)))
    assert "before training, " in known
    assert "another, untrained network, " in other
    assert "before training, " not in other
