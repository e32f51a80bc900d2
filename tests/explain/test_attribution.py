from __future__ import annotations

import builtins
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from taller_cnn.errors import MissingExtraError
from taller_cnn.explain.attribution import (
    METHODS,
    attribution,
    attributions,
    completeness_gap,
    map_correlation,
)
from taller_cnn.explain.section import Subject


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


def test_random_weights_give_another_map(subject: Subject) -> None:
    numbers = attribution(subject, lambda done, of: None).numbers
    same = numbers["random_weights_rank_correlation"]
    assert set(same) == set(METHODS)
    assert max(same.values()) < 0.5


def test_a_map_is_like_itself_and_unlike_its_opposite() -> None:
    maps = torch.randn(3, 28, 28, generator=torch.Generator().manual_seed(0))
    ink = torch.ones(3, 28, 28, dtype=torch.bool)
    assert map_correlation(maps, maps.exp(), ink) == pytest.approx(1)
    assert map_correlation(maps, -maps, ink) == pytest.approx(-1)
    assert map_correlation(maps, torch.zeros_like(maps), ink) == 0


def test_without_captum_the_error_names_the_install_command(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("captum"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match="pip install captum"):
        attribution(subject, lambda done, of: None)
