from __future__ import annotations

from typing import Any

import pytest
import torch

from taller_cnn.config import ModelConfig
from taller_cnn.explain.forward import pre_activation
from taller_cnn.explain.patches import crops, receptive_fields
from taller_cnn.model import SimpleCNN


@pytest.mark.parametrize("pooling", ["max", "avg", "stride", "none"])
@pytest.mark.parametrize("kernel_size", [1, 3, 5])
def test_a_unit_depends_on_the_pixels_of_its_field_and_on_no_others(
    pooling: Any, kernel_size: int
) -> None:
    # Averages let every pixel through, where a maximum lets one.
    config = ModelConfig(
        filters=(2, 2, 2), kernel_size=kernel_size, pooling=pooling, activation="tanh", hidden=4
    )
    model = SimpleCNN(config, seed=0).eval()
    for index, field in enumerate(receptive_fields(config), start=1):
        seen = torch.zeros(28, 28, dtype=torch.bool)
        for seed in range(4 if pooling == "max" else 1):
            x = torch.randn(
                1, 1, 28, 28, generator=torch.Generator().manual_seed(seed), requires_grad=True
            )
            maps = x
            for stage in range(1, index):
                maps = model.stage(stage, maps)
            response = pre_activation(model, index, maps)
            row = response.shape[-1] // 2
            (gradient,) = torch.autograd.grad(response[0, :, row, row].sum(), x)
            seen |= gradient[0, 0] != 0
        first = max(0, row * field.jump + field.start)
        last = min(28, row * field.jump + field.start + field.size)
        outside = torch.ones(28, 28, dtype=torch.bool)
        outside[first:last, first:last] = False
        assert not seen[outside].any()
        if pooling != "max":
            assert seen.nonzero().min() == first
            assert seen.nonzero().max() == last - 1


def test_the_workshops_network_sees_three_and_eight_pixels() -> None:
    assert [field.size for field in receptive_fields(ModelConfig())] == [3, 8]


def test_a_crop_is_what_the_unit_sees_with_background_beyond_the_edge() -> None:
    field = receptive_fields(ModelConfig())[0]
    image = torch.arange(1, 785).reshape(1, 1, 28, 28)
    corner, inside = crops(
        image.expand(2, -1, -1, -1), torch.tensor([0, 5]), torch.tensor([0, 7]), field
    )
    assert corner.tolist() == [[0, 0, 0], [0, 1, 2], [0, 29, 30]]
    assert torch.equal(inside, image[0, 0, 4:7, 6:9])
