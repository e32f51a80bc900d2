"""What one digit teaches the network of the page, against autograd; and the view that shows it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from family import FAMILY

from taller_cnn.config import ModelConfig
from taller_cnn.lab.weights import folded_weights
from taller_cnn.model import SimpleCNN

LABEL = 7
LOOK = """async ({ config, weights, image, label, where }) => {
  const { afterStep, lookBack, lossSlice, makeBackprop, steppedTensors, weightTerms } =
    await import("/static/backprop.js");
  const tensors = Object.fromEntries(
    Object.entries(weights).map(([name, data]) => [name, { data: new Float32Array(data) }]),
  );
  const network = makeBackprop({ card: { config }, tensors }, 2);
  const digit = { image: new Float32Array(image), label };
  const others = [
    { image: digit.image.map((pixel) => -pixel), label: 1 },
    { image: digit.image.toReversed(), label: 2 },
  ];
  const look = () => lookBack(network, digit);
  const { loss, gradient } = look();
  const kept = network.layers.map((layer) => [layer.layer.name, [...layer.gradient]]);
  const { layer, gradient: g } = network.layers.find(({ layer }) => layer.name === "conv2");
  const values = { input: network.layers[layer.index - 1].output, gradient: g };
  const terms = weightTerms(layer, values, where);
  const slice = lossSlice(network, digit, others);
  look();
  const after = afterStep(network, digit, others, slice[3].rate);
  return {
    loss,
    logits: [...gradient],
    gradients: kept,
    sum: terms.reduce((total, { x, g }) => total + x * g, 0),
    slice,
    after,
    conv1: [...steppedTensors(network, slice[3].rate)["conv1.weight"].data],
    unmoved: look().loss,
  };
}"""


def _folded(model: SimpleCNN) -> SimpleCNN:
    """The same function without batch normalisation."""
    config = model.config.replace(batch_norm=False, dropout=0.0)
    folded = SimpleCNN(config)
    weights = folded_weights(model)
    folded.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    return folded


@pytest.mark.parametrize("name", ["workshop", "mean, gelu, norm", "stride, tanh, 7x7"])
def test_a_digit_sent_back_agrees_with_autograd(modules: Any, name: str) -> None:
    model = SimpleCNN(ModelConfig(**FAMILY[name]), seed=5).eval()
    image = torch.randn(1, 1, 28, 28, generator=torch.Generator().manual_seed(6))
    where = {"unit": 2, "channel": 1, "ky": 0, "kx": 2}
    network = _folded(model)
    given = {
        "config": model.config.to_dict(),
        "weights": {key: value.ravel().tolist() for key, value in folded_weights(model).items()},
        "image": image.ravel().tolist(),
        "label": LABEL,
        "where": where,
    }
    found = modules.evaluate(LOOK, given)

    image.requires_grad_()
    logits = network(image)
    logits.retain_grad()
    loss = F.cross_entropy(logits, torch.tensor([LABEL]))
    loss.backward()
    assert found["loss"] == pytest.approx(loss.item(), rel=1e-5)
    assert logits.grad is not None
    np.testing.assert_allclose(found["logits"], logits.grad[0], atol=1e-6)
    gradients = dict(found["gradients"])
    assert list(gradients)[:2] == ["input", "conv1"]
    assert image.grad is not None
    np.testing.assert_allclose(gradients["input"][:784], image.grad.ravel(), atol=1e-6)
    conv = network.get_submodule("conv2")
    assert isinstance(conv, torch.nn.Conv2d)
    assert conv.weight.grad is not None
    expected = conv.weight.grad[where["unit"], where["channel"], where["ky"], where["kx"]].item()
    assert found["sum"] == pytest.approx(expected, rel=1e-4, abs=1e-7)

    rate = found["slice"][3]["rate"]
    image = image.detach()
    others = torch.cat([-image, image.flatten().flip(0).reshape(1, 1, 28, 28)])
    with torch.no_grad():
        known = F.cross_entropy(network(others), torch.tensor([1, 2])).item()
        for weight in network.parameters():
            assert weight.grad is not None
            weight -= rate * weight.grad
        moved = F.cross_entropy(network(image), torch.tensor([LABEL])).item()
        forgotten = F.cross_entropy(network(others), torch.tensor([1, 2])).item()
    for told in (found["slice"][3], found["after"]):
        assert told["loss"] == pytest.approx(moved, rel=1e-3, abs=1e-6)
        assert told["others"] == pytest.approx(forgotten, rel=1e-3)
    np.testing.assert_allclose(found["conv1"], network.conv1.weight.detach().ravel(), atol=1e-5)
    assert found["unmoved"] == found["loss"]
    # From where it is, down; and so far that the others are forgotten.
    first, second, *_, last = found["slice"]
    assert (first["rate"], first["loss"]) == (0, found["loss"])
    assert first["others"] == pytest.approx(known, rel=1e-4)
    assert second["loss"] < first["loss"]
    assert last["others"] > known + 1


def _open(page: Any) -> None:
    page.get_by_role("tab", name="Hacia atrás").click()
    page.wait_for_selector("#panel-back [data-role=step]:not(:empty)")


def test_the_view_shows_the_pages_own_gradients(page: Any, lab: Any) -> None:
    _open(page)
    page.locator("#back-label").select_option("3")
    page.wait_for_selector("#panel-back tr.true th:text-is('3')")
    model = _folded(lab.model("main").eval())
    image = torch.tensor(page.evaluate("[...session.outputs[0]]")).reshape(1, 1, 28, 28)
    logits = model(image)
    logits.retain_grad()
    loss = F.cross_entropy(logits, torch.tensor([3]))
    loss.backward()
    said = page.locator("#panel-back [data-role=loss]").get_attribute("data-loss")
    assert float(said) == pytest.approx(loss.item(), rel=1e-3)
    rows = page.locator("#panel-back tbody tr")
    shown = [float(rows.nth(k).get_attribute("data-gradient")) for k in range(10)]
    assert logits.grad is not None
    np.testing.assert_allclose(shown, logits.grad[0], atol=1e-4)

    page.locator("#back-layer").select_option(label="Convolución 2")
    page.locator("#back-unit").select_option(index=3)
    page.locator("#back-channel").select_option(index=1)
    page.locator("#panel-back .products button").nth(5).click()
    total = page.locator("#panel-back [data-role=weight]")
    conv = model.get_submodule("conv2")
    assert isinstance(conv, torch.nn.Conv2d)
    assert conv.weight.grad is not None
    expected = conv.weight.grad[3, 1, 1, 2].item()
    limit = 1e-3 * conv.weight.grad.abs().max().item()
    for place in ("data-total", "data-gradient"):
        assert float(total.get_attribute(place)) == pytest.approx(expected, abs=limit)


def test_the_gradient_walks_from_the_classes_to_the_image(page: Any) -> None:
    _open(page)
    columns = page.locator("#panel-back .back-column")
    count = columns.count()
    assert count == page.evaluate("session.layers.length") - 1
    assert page.locator("#panel-back .back-column.ahead").count() == 0
    back = page.get_by_role("button", name="Una capa atrás")
    back.click()
    assert page.locator("#panel-back .back-column.ahead").count() == count - 1
    back.click()
    assert page.locator("#panel-back .back-column.ahead").count() == count - 2
    page.get_by_role("button", name="Recorrer").last.click()
    page.wait_for_selector('.back-column[data-layer="input"]:not(.ahead)')


def test_a_step_is_taken_overshoots_and_is_taken_back(page: Any) -> None:
    from playwright.sync_api import expect

    _open(page)
    page.locator("#back-label").select_option("5")
    page.wait_for_selector("#panel-back tr.true th:text-is('5')")
    said = page.locator("#panel-back [data-role=step]")
    losses = [float(said.get_attribute(f"data-{when}")) for when in ("before", "after")]
    assert losses[1] < losses[0]
    page.locator("#back-rate").fill("100")
    expect(said).to_contain_text("Demasiado largo")
    page.locator("#back-rate").fill("20")
    page.get_by_role("button", name="Dar el paso").click()
    loss = page.locator("#panel-back [data-role=loss]")
    expect(loss).not_to_have_attribute("data-loss", str(losses[0]))
    assert float(loss.get_attribute("data-loss")) == pytest.approx(losses[1], rel=1e-3)
    page.get_by_role("button", name="Volver a los pesos de antes").click()
    expect(page.get_by_role("button", name="Volver a los pesos de antes")).to_be_hidden()
    assert page.evaluate("session.card.id") == "main"
    assert float(loss.get_attribute("data-loss")) == pytest.approx(losses[0], rel=1e-6)
