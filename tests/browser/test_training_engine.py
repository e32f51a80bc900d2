"""Training in the page against PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from family import FAMILY
from numpy.typing import NDArray
from torch import Tensor

from taller_cnn.config import ModelConfig
from taller_cnn.lab.weights import folded_weights
from taller_cnn.model import SimpleCNN

IMAGES = 5

MAKE = """
  const engine = await import("/static/training.js");
  const listed = (values) => Array.from(values);
  const tensorsOf = (weights) => Object.fromEntries(
    Object.entries(weights).map(([name, data]) => [name, { data: new Float32Array(data) }]),
  );
  const make = ({ config, weights, images, seed = 0 }, options = {}) => {
    const given = weights ? { tensors: tensorsOf(weights), ...options } : options;
    const training = engine.makeTraining(config, 10, 8, seed, given);
    if (images) training.layers[0].output.set(images);
    return training;
  };
"""
GRADIENTS = (
    "async (given) => {"
    + MAKE
    + """
  const training = make(given, { wantsInput: true });
  const count = given.labels.length;
  engine.forwardBatch(training, count, true);
  const { loss } = engine.lossOf(training, given.labels, count);
  engine.backwardBatch(training, count);
  const { named } = training.parameters;
  const gradients = Object.entries(named).map(([name, { gradient }]) => [name, listed(gradient)]);
  return {
    loss,
    gradients: Object.fromEntries(gradients),
    input: listed(training.layers[0].gradient.subarray(0, count * 784)),
  };
}"""
)


def _model(options: dict[str, Any]) -> SimpleCNN:
    """A network with weights of some size, so that nothing is near zero by chance."""
    config = ModelConfig(**{**options, "dropout": 0.0})
    model = SimpleCNN(config, seed=3)
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for index in range(1, config.layers + 1):
            if config.batch_norm:
                norm = model.get_submodule(f"norm{index}")
                assert isinstance(norm, torch.nn.BatchNorm2d)
                norm.weight.uniform_(0.5, 2, generator=generator)
                norm.bias.uniform_(-1, 1, generator=generator)
    return model


def _batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    images = torch.randn(IMAGES, 1, 28, 28, generator=generator)
    return images, torch.randint(10, (IMAGES,), generator=generator)


def _given(model: SimpleCNN, images: Tensor, labels: Tensor) -> dict[str, Any]:
    return {
        "config": model.config.to_dict(),
        "weights": {name: value.ravel().tolist() for name, value in model.named_parameters()},
        "images": images.ravel().tolist(),
        "labels": labels.tolist(),
    }


def _agree(found: list[float], expected: Tensor, name: str) -> None:
    """To 1e-4 of the largest; before a normalisation all of a bias's gradient is rounding."""
    values: NDArray[np.float64] = expected.detach().double().ravel().numpy()
    limit = max(1e-4 * np.abs(values).max(), 1e-6)
    np.testing.assert_allclose(found, values, rtol=0, atol=limit, err_msg=name)


@pytest.mark.parametrize("name", FAMILY)
def test_every_gradient_agrees_with_autograd(modules: Any, name: str) -> None:
    model = _model(FAMILY[name])
    images, labels = _batch()
    found = modules.evaluate(GRADIENTS, _given(model, images, labels))
    model.double().train()
    inputs = images.double().requires_grad_()
    loss = F.cross_entropy(model(inputs), labels, reduction="sum")
    (loss / IMAGES).backward()
    assert found["loss"] == pytest.approx(loss.item(), rel=1e-5)
    assert list(found["gradients"]) == [name for name, _ in model.named_parameters()]
    for weight, value in model.named_parameters():
        assert value.grad is not None
        _agree(found["gradients"][weight], value.grad, weight)
    assert inputs.grad is not None
    _agree(found["input"], inputs.grad, "image")


def test_the_gradient_is_the_slope_of_the_loss_with_dropout_on(modules: Any) -> None:
    config = ModelConfig(filters=(3, 4), hidden=12, dropout=0.4, activation="tanh")
    images, labels = _batch()
    given = {
        "config": config.to_dict(),
        "images": images.ravel().tolist(),
        "labels": labels.tolist(),
    }
    found = modules.evaluate(
        "async (given) => {"
        + MAKE
        + """
          const count = given.labels.length;
          const lossAt = (place, change) => {
            const training = make(given);
            training.parameters.values[place] += change;
            engine.forwardBatch(training, count, true);
            return { training, loss: engine.lossOf(training, given.labels, count).loss / count };
          };
          const { training } = lossAt(0, 0);
          engine.backwardBatch(training, count);
          const { gradients } = training.parameters;
          const order = listed(gradients.keys());
          order.sort((a, b) => Math.abs(gradients[b]) - Math.abs(gradients[a]));
          return order.slice(0, 40).map((place) => {
            const slope = (lossAt(place, 0.01).loss - lossAt(place, -0.01).loss) / 0.02;
            return [gradients[place], slope];
          });
        }""",
        given,
    )
    for gradient, slope in found:
        assert gradient == pytest.approx(slope, rel=5e-3)


def test_adam_moves_as_pytorchs_does(modules: Any) -> None:
    config = ModelConfig(filters=(2,), kernel_size=1, hidden=0, final_size=1)
    model = SimpleCNN(config, seed=1)
    optimizer = torch.optim.Adam(model.parameters())
    generator = torch.Generator().manual_seed(2)
    rates = [1e-3, 1e-2, 3e-4]
    weights = {name: value.ravel().tolist() for name, value in model.named_parameters()}
    steps = []
    for rate in rates:
        step: list[float] = []
        for value in model.parameters():
            value.grad = torch.randn(value.shape, generator=generator)
            step += value.grad.ravel().tolist()
        steps.append(step)
        optimizer.param_groups[0]["lr"] = rate
        optimizer.step()
    found = modules.evaluate(
        "async (given) => {"
        + MAKE
        + """
          const training = make(given);
          given.steps.forEach((gradients, index) => {
            training.parameters.gradients.set(gradients);
            engine.adamStep(training, given.rates[index]);
          });
          return listed(training.parameters.values);
        }""",
        {"config": config.to_dict(), "weights": weights, "steps": steps, "rates": rates},
    )
    expected = torch.cat([value.detach().ravel() for value in model.parameters()])
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("name", ["mean, gelu, norm", "workshop"])
def test_the_trained_network_is_the_one_that_the_page_shows(modules: Any, name: str) -> None:
    """Folded, with the running means of two steps, as Python folds them."""
    model = _model(FAMILY[name])
    images, labels = _batch()
    found = modules.evaluate(
        "async (given) => {"
        + MAKE
        + """
          const { buildNetwork, forward } = await import("/static/network.js");
          const training = make(given);
          const count = given.labels.length;
          for (let pass = 0; pass < 2; pass += 1) engine.forwardBatch(training, count, true);
          const logits = listed(engine.forwardBatch(training, count, false).subarray(0, 10));
          const tensors = engine.pageTensors(training);
          const image = training.layers[0].output.slice(0, 784);
          return {
            logits,
            shown: listed(forward(buildNetwork(given.config, tensors), image).at(-2)),
            tensors: Object.entries(tensors).map(([key, { data }]) => [key, listed(data)]),
          };
        }""",
        _given(model, images, labels),
    )
    model.train()
    with torch.no_grad():
        for _ in range(2):
            model(images)
        expected = model.eval()(images[:1])[0]
    np.testing.assert_allclose(found["logits"], expected, atol=1e-4)
    np.testing.assert_allclose(found["shown"], expected, atol=1e-4)
    folded = folded_weights(model)
    assert {key for key, _ in found["tensors"]} == set(folded)
    for key, values in found["tensors"]:
        np.testing.assert_allclose(values, folded[key].ravel(), atol=1e-5, err_msg=key)


START = (
    "async (given) => {"
    + MAKE
    + """
  const named = Object.entries(make(given).parameters.named);
  return Object.fromEntries(named.map(([name, { value }]) => [name, listed(value)]));
}"""
)


def test_initial_weights_come_from_the_seed_within_pytorchs_bounds(modules: Any) -> None:
    config = ModelConfig()
    first, again, other = (
        modules.evaluate(START, {"config": config.to_dict(), "seed": seed}) for seed in (7, 7, 8)
    )
    assert first == again
    assert first["conv1.weight"] != other["conv1.weight"]
    for name, values in SimpleCNN(config).state_dict().items():
        drawn = np.array(first[name])
        assert drawn.shape == (values.numel(),)
        weight = values if name.endswith("weight") else None
        fan_in = {"conv1": 9, "conv2": 144, "fc1": 1568, "fc2": 128}[name.split(".")[0]]
        assert np.abs(drawn).max() <= 1 / np.sqrt(fan_in)
        if weight is not None and weight.numel() > 1000:
            # Uniform: its standard deviation is the bound over the root of 3.
            assert drawn.std() == pytest.approx(1 / np.sqrt(3 * fan_in), rel=0.03)
            assert abs(drawn.mean()) < 4 / np.sqrt(3 * fan_in * drawn.size)


def test_it_learns_what_pytorch_learns(modules: Any) -> None:
    """Twenty steps on the same batch, from the same weights: the same losses."""
    model = _model({"filters": (4, 6), "hidden": 16})
    images, labels = _batch()
    found = modules.evaluate(
        "async (given) => {"
        + MAKE
        + """
          const training = make(given);
          const count = given.labels.length;
          return Array.from({ length: 20 }, () => {
            engine.forwardBatch(training, count, true);
            const { loss } = engine.lossOf(training, given.labels, count);
            engine.backwardBatch(training, count);
            engine.adamStep(training, 0.003);
            return loss / count;
          });
        }""",
        _given(model, images, labels),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    expected = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        expected.append(loss.item())
    assert expected[-1] < expected[0] / 2
    np.testing.assert_allclose(found, expected, rtol=1e-3)
