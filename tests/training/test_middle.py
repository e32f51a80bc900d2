"""Training on the middle of the images: the same network, only cheaper."""

from __future__ import annotations

import pytest
import torch

from taller_cnn.config import ModelConfig
from taller_cnn.errors import ConfigError
from taller_cnn.model import SimpleCNN
from taller_cnn.training.middle import MiddleOfImages, crop, middle_cells


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
def test_the_whole_network_gives_the_same_logits_once_written_back(
    config: ModelConfig, cells: slice
) -> None:
    model = SimpleCNN(config, seed=1).eval()
    middle = MiddleOfImages(model)
    assert middle_cells(config) == cells
    middle.write_back()
    images = torch.randn(4, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(middle(crop(images)), model(images), rtol=1e-5, atol=1e-6)


def test_the_outermost_pixels_do_not_matter_once_written_back() -> None:
    model = SimpleCNN(seed=1).eval()
    MiddleOfImages(model).write_back()
    images = torch.randn(2, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    framed = images.clone()
    framed[:, :, [0, -1], :] = 5
    framed[:, :, :, [0, -1]] = -5
    torch.testing.assert_close(model(framed), model(images), rtol=0, atol=1e-6)


def test_reading_takes_the_whole_network_s_weights() -> None:
    model, other = SimpleCNN(seed=1), SimpleCNN(seed=2)
    middle = MiddleOfImages(model)
    model.load_state_dict(other.state_dict())
    middle.read()
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
