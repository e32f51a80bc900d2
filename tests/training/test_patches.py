"""Filters made from patches whiten them."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from taller_cnn.config import ModelConfig, TrainConfig
from taller_cnn.data import Digits, normalise
from taller_cnn.errors import ConfigError
from taller_cnn.model import SimpleCNN
from taller_cnn.training import train
from taller_cnn.training.patches import FLOOR, SCALE, patch_filters


def test_responses_are_uncorrelated_and_of_equal_size(tiny_digits: Digits) -> None:
    images = normalise(tiny_digits.train.images, tiny_digits.scale)
    filters = patch_filters(images, 8, 3)
    responses = F.conv2d(images, filters).transpose(0, 1).flatten(1)
    covariance = torch.cov(responses.double())
    variances = covariance.diagonal()
    # Half of the filters are the negatives of the other half.
    apart = covariance[:4, :4] - covariance[:4, :4].diagonal().diag()
    assert apart.abs().max() < 0.01 * variances.min()
    assert torch.all(variances <= SCALE**2)
    assert torch.all(variances > 0.8 * SCALE**2), FLOOR


def test_each_filter_has_its_negative() -> None:
    images = torch.randn(20, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    filters = patch_filters(images, 16, 3)
    assert filters.shape == (16, 1, 3, 3)
    assert torch.equal(filters[:8], -filters[8:])


def test_an_odd_number_of_filters_is_possible() -> None:
    images = torch.randn(20, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    assert patch_filters(images, 5, 3).shape == (5, 1, 3, 3)


def test_more_filters_than_directions_are_refused() -> None:
    with pytest.raises(ConfigError, match="at most 18"):
        patch_filters(torch.zeros(1, 1, 28, 28), 19, 3)


def test_the_first_layer_stays_as_it_was_made_and_can_be_trained_later(
    tiny_digits: Digits,
) -> None:
    model = SimpleCNN(ModelConfig(filters=(8, 8), hidden=16))
    config = TrainConfig(epochs=1, batch_size=50, first_layer="patches", device="cpu")
    list(train(model, tiny_digits, config))
    images = normalise(tiny_digits.train.images[:512], tiny_digits.scale)
    torch.testing.assert_close(model.conv1.weight, patch_filters(images, 8, 3))
    assert all(parameter.requires_grad for parameter in model.parameters())
