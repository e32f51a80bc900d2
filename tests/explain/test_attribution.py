from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from made_parts import made, told
from torch import Tensor, nn

from taller_cnn.explain.attribution import (
    METHODS,
    STRANGERS,
    Likeness,
    attributions,
    completeness_gap,
    rank_correlations,
)
from taller_cnn.explain.parts import MadePart
from taller_cnn.explain.subject import Subject
from taller_cnn.model import Ensemble, SimpleCNN


def test_integrated_gradients_add_up_to_the_logit_gained(subject: Subject) -> None:
    x = subject.normalised(subject.digits.test.images[:8])
    background = subject.scale.background
    classes = torch.arange(8)
    maps = attributions(subject.model, x, classes, background)["integrated_gradients"]
    with torch.inference_mode():
        blank = subject.model(torch.full_like(x, background))
        gained = (subject.model(x) - blank)[torch.arange(8), classes]
    assert maps.sum(dim=(1, 2)) == pytest.approx(gained, rel=0.05, abs=0.1)
    gap = completeness_gap(subject.model, x, classes, background, maps)
    assert float(gap.max()) < 0.1


def test_pixels_without_ink_have_no_integrated_gradient(subject: Subject) -> None:
    images = subject.digits.test.images[:4]
    maps = attributions(
        subject.model,
        subject.normalised(images),
        torch.zeros(4, dtype=torch.int64),
        subject.scale.background,
    )
    assert maps["integrated_gradients"][images[:, 0] == 0].abs().max() < 1e-5
    assert maps["grad_cam"].min() >= 0


def test_occlusion_is_the_logit_lost_where_a_square_hides_ink(subject: Subject) -> None:
    x = subject.normalised(subject.digits.test.images[:1])
    background = subject.scale.background
    found = attributions(subject.model, x, torch.tensor([3]), background)["occlusion"]
    hidden = x.clone()
    hidden[..., :4, :4] = background
    with torch.inference_mode():
        lost = subject.model(x)[0, 3] - subject.model(hidden)[0, 3]
    # The corner pixel is covered by one square alone.
    assert float(found[0, 0, 0]) == pytest.approx(float(lost), abs=1e-4)


def test_grad_cam_weighs_the_activated_maps_by_their_mean_gradient(subject: Subject) -> None:
    model, layers = subject.model, subject.model.config.layers
    x = subject.normalised(subject.digits.test.images[:20])
    classes = subject.evaluation.predictions[:20]
    found = attributions(model, x, classes, subject.scale.background)["grad_cam"]

    maps = x
    for index in range(1, layers + 1):
        maps = model.stage(index, maps)
    maps.retain_grad()
    hidden = model.activation(model.fc1(maps.flatten(1)))
    model.fc2(hidden)[torch.arange(20), classes].sum().backward()
    assert maps.grad is not None
    weights = maps.grad.mean(dim=(2, 3), keepdim=True)
    cam = (weights * maps).sum(dim=1, keepdim=True).relu().detach()
    by_hand = F.interpolate(cam, (28, 28), mode="bilinear")[:, 0]
    torch.testing.assert_close(found, by_hand, atol=1e-5, rtol=1e-4)
    # For the class that the network names, most digits have a region that supports it.
    assert int((found.amax(dim=(1, 2)) > 0).sum()) > 10


Maps = dict[str, Tensor]


def checked_with(
    planted: Callable[..., Maps], subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> MadePart:
    """The part as it is with another way to make maps."""
    monkeypatch.setattr("taller_cnn.explain.attribution.attributions", planted)
    return made("attribution", subject)


def verdicts(part: MadePart) -> set[str]:
    checked = part.numbers["random_weights_rank_correlation"]
    assert set(checked) == set(METHODS)
    return {value["verdict"] for value in checked.values()}


def test_a_method_that_shows_the_image_with_the_sign_of_the_logit_fails(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    def planted(model: nn.Module, x: Tensor, classes: Tensor, *_: Any, **__: Any) -> Maps:
        with torch.no_grad():
            sign = model(x).gather(1, classes[:, None]).sign()
        return dict.fromkeys(METHODS, x[:, 0] * sign[:, :, None])

    part = checked_with(planted, subject, monkeypatch)
    assert verdicts(part) == {"failed"}
    assert "Failed: Integrated gradients, Occlusion, Grad-CAM" in told(part)
    assert "Passed" not in told(part)


def test_a_method_that_shows_nothing_whatever_the_network_fails(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    def planted(model: nn.Module, x: Tensor, *_: Any, **__: Any) -> Maps:
        return dict.fromkeys(METHODS, torch.zeros_like(x[:, 0]))

    assert verdicts(checked_with(planted, subject, monkeypatch)) == {"failed"}


def test_a_method_that_depends_on_the_weights_passes(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    def planted(model: nn.Module, x: Tensor, classes: Tensor, *_: Any, **__: Any) -> Maps:
        x = x.clone().requires_grad_(True)
        model(x).gather(1, classes[:, None]).sum().backward()
        assert x.grad is not None
        return dict.fromkeys(METHODS, x.grad[:, 0])

    part = checked_with(planted, subject, monkeypatch)
    assert verdicts(part) == {"passed"}
    assert "Passed: Integrated gradients, Occlusion, Grad-CAM" in told(part)


def test_the_check_tells_how_far_its_networks_differ(subject: Subject) -> None:
    checked = made("attribution", subject).numbers["random_weights_rank_correlation"]
    for value in checked.values():
        assert len(set(value["networks"])) == STRANGERS
        assert value["mean"] == pytest.approx(np.mean(value["networks"]))
        low, high = value["interval_95"]
        assert low < value["mean"] < high
        assert high - low > (max(value["networks"]) - min(value["networks"])) / 2


def test_a_method_near_the_limit_neither_passes_nor_fails() -> None:
    values = np.random.default_rng(0).normal(0.48, 0.2, size=(5, 20))
    assert Likeness(correlations=values).verdict == "unclear"
    assert Likeness(correlations=values - 0.3).verdict == "passed"
    assert Likeness(correlations=values + 0.3).verdict == "failed"


def test_the_interval_holds_for_other_networks_and_other_images() -> None:
    random = np.random.default_rng(1)
    held = 0
    for _ in range(400):
        networks, images = random.normal(0, 0.1, (5, 1)), random.normal(0, 0.2, (1, 20))
        rest = random.normal(0, 0.1, (5, 20))
        low, high = Likeness(correlations=0.3 + networks + images + rest).interval()
        held += low <= 0.3 <= high
    assert held >= 0.93 * 400


def test_a_map_is_like_itself_with_whatever_sign_and_unlike_an_empty_one() -> None:
    maps = torch.randn(3, 28, 28, generator=torch.Generator().manual_seed(0))
    ink = torch.ones(3, 28, 28, dtype=torch.bool)
    empty = torch.zeros_like(maps)
    assert rank_correlations(maps, -(maps**3), ink) == pytest.approx(np.ones(3))
    assert rank_correlations(maps, 1 / maps, ink) == pytest.approx(-np.ones(3))
    assert rank_correlations(maps, empty, ink) == pytest.approx(np.zeros(3))
    assert rank_correlations(empty, empty, ink) == pytest.approx(np.ones(3))


def test_for_an_ensemble_as_many_networks_have_random_weights(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = [subject.network, SimpleCNN(subject.network.config, seed=5)]
    seen: list[nn.Module] = []

    def planted(model: nn.Module, x: Tensor, *_: Any, **__: Any) -> Maps:
        seen.append(model)
        return dict.fromkeys(METHODS, x[:, 0])

    checked_with(planted, replace(subject, model=Ensemble(members).eval()), monkeypatch)
    strangers = seen[-STRANGERS:]
    assert all(isinstance(model, Ensemble) and len(model.members) == 2 for model in strangers)
    weights = [m.conv1.weight.detach() for model in strangers for m in model.members]  # type: ignore[union-attr]
    assert len({float(w.sum()) for w in weights}) == 2 * STRANGERS


def test_chosen_digits_that_are_not_shown_are_told_of(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    def planted(model: nn.Module, x: Tensor, *_: Any, **__: Any) -> Maps:
        return dict.fromkeys(METHODS, x[:, 0])

    eight = checked_with(planted, replace(subject, chosen=tuple(range(8))), monkeypatch)
    six = checked_with(planted, replace(subject, chosen=tuple(range(6))), monkeypatch)
    assert "The first 6 of the 8 chosen digits are shown." in told(eight)
    assert "are shown" not in told(six)
