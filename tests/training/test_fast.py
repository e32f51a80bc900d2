"""What `fast` trains is the whole network, only cheaper."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from taller_cnn.config import ModelConfig, TrainConfig
from taller_cnn.data import Digits, normalise
from taller_cnn.errors import ConfigError
from taller_cnn.model import SimpleCNN
from taller_cnn.training import train
from taller_cnn.training.fast import FLOOR, SCALE, MiddleOfImages, middle_cells, patch_filters


@pytest.mark.parametrize(
    ("config", "cells"),
    [
        (ModelConfig(), slice(1, 6)),
        (ModelConfig(filters=(8,)), slice(1, 13)),
        (ModelConfig(filters=(4, 4, 4)), slice(2, 5)),
        (ModelConfig(filters=(4, 4), pooling="avg", activation="gelu"), slice(1, 6)),
        (ModelConfig(filters=(4, 4), batch_norm=True), slice(1, 6)),
        (ModelConfig(filters=(4,), pooling="none"), slice(2, 26)),
    ],
)
def test_the_whole_network_gives_the_same_logits_of_the_form(
    config: ModelConfig, cells: slice
) -> None:
    model = SimpleCNN(config, seed=1).eval()
    middle = MiddleOfImages(model)
    assert middle_cells(config) == cells
    images = torch.randn(4, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    logits = middle(middle.crop(images))
    torch.testing.assert_close(logits, middle.model(images), rtol=1e-5, atol=1e-6)


def test_the_outermost_pixels_do_not_matter_of_the_form() -> None:
    model = MiddleOfImages(SimpleCNN(seed=1).eval()).model
    images = torch.randn(2, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    framed = images.clone()
    framed[:, :, [0, -1], :] = 5
    framed[:, :, :, [0, -1]] = -5
    torch.testing.assert_close(model(framed), model(images), rtol=0, atol=1e-6)


def test_loading_takes_the_whole_network_s_weights() -> None:
    other = SimpleCNN(seed=2)
    middle = MiddleOfImages(SimpleCNN(seed=1))
    middle.load(other.state_dict())
    assert torch.equal(middle.weight, MiddleOfImages(other).weight)


@pytest.mark.parametrize(
    "config",
    [
        ModelConfig(kernel_size=5),
        ModelConfig(kernel_size=1),
        ModelConfig(pooling="stride"),
        ModelConfig(convs_per_pool=2),
        ModelConfig(filters=(4,) * 6, kernel_size=3),
    ],
)
def test_a_network_whose_cells_would_not_line_up_is_refused(config: ModelConfig) -> None:
    with pytest.raises(ConfigError, match=r"kernel size.*--no-middle"):
        MiddleOfImages(SimpleCNN(config))


@pytest.mark.parametrize("config", [ModelConfig(final_size=1), ModelConfig(hidden=0)])
def test_a_network_whose_hidden_layer_does_not_get_every_cell_is_refused(
    config: ModelConfig,
) -> None:
    with pytest.raises(ConfigError, match=r"--hidden 128.*--no-middle"):
        MiddleOfImages(SimpleCNN(config))


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


def test_the_signs_of_the_filters_do_not_hang_on_the_last_bits(sample_digits: Digits) -> None:
    one_way = normalise(sample_digits.train.images[:100], sample_digits.scale)
    # Mirrored images beside them: of an edge, whose halves then weigh the same, the sum is 0.
    images = torch.cat([one_way, one_way.flip(3), one_way.flip(2), one_way.flip(2, 3)])
    filters = patch_filters(images, 18, 3)[:9].flatten(1)
    for seed in range(10):
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
        again = patch_filters(images[order], 18, 3)[:9].flatten(1)
        assert torch.all(F.cosine_similarity(filters, again) > 0.9)


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


def test_a_random_first_layer_stays_where_it_started_and_the_others_learn(
    tiny_digits: Digits,
) -> None:
    config = ModelConfig(filters=(8, 8), hidden=16)
    model, start = SimpleCNN(config, seed=3), SimpleCNN(config, seed=3)
    list(train(model, tiny_digits, TrainConfig(epochs=1, first_layer="random", device="cpu")))
    for name, weight in model.named_parameters():
        same = torch.equal(weight, start.get_parameter(name))
        assert same == name.startswith("conv1."), name
