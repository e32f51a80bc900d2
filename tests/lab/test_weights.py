from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load

from taller_cnn.config import ModelConfig
from taller_cnn.lab.weights import folded_weights, to_safetensors
from taller_cnn.model import SimpleCNN

FAMILY = [
    ModelConfig(filters=(3, 5), hidden=8, batch_norm=True),
    ModelConfig(filters=(2, 3, 4, 5), hidden=8, batch_norm=True, pooling="avg", activation="gelu"),
    ModelConfig(filters=(4,), kernel_size=7, hidden=8, batch_norm=True, pooling="stride"),
    ModelConfig(filters=(3, 5), hidden=8, pooling="none", activation="tanh", final_size=4),
]


@pytest.mark.parametrize("config", FAMILY)
def test_the_folded_weights_make_the_same_network_without_batch_norm(
    config: ModelConfig, shake_norms
) -> None:
    model = SimpleCNN(config, seed=3)
    shake_norms(model)
    model.eval()
    plain = SimpleCNN(config.replace(batch_norm=False)).eval()
    plain.load_state_dict(load(to_safetensors(folded_weights(model), "{}")))
    x = torch.randn(4, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.allclose(plain(x), model(x), atol=2e-5)


def test_weights_without_batch_norm_are_copied_bit_for_bit() -> None:
    model = SimpleCNN(ModelConfig(filters=(4,), hidden=8))
    # As inference has it: the order in memory is not the order of the file.
    model.to(memory_format=torch.channels_last)
    weights = folded_weights(model)
    for name, value in model.state_dict().items():
        assert np.array_equal(weights[name], value.contiguous().numpy())
        assert weights[name].flags.c_contiguous


def test_the_data_begin_where_a_float_array_can_look_at_them() -> None:
    data = to_safetensors(folded_weights(SimpleCNN(ModelConfig(filters=(3,), hidden=5))), "{}")
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    assert (8 + length) % 8 == 0
    assert header["__metadata__"] == {"card": "{}"}
    assert header["conv1.weight"]["dtype"] == "F32"
    assert header["fc2.weight"]["shape"] == [10, 5]
