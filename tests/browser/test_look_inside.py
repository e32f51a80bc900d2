"""Looking inside: the numbers on the page are those of the network."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from taller_cnn.model import describe

PRESENT = """() => {
  const { layers, outputs, pixels } = session;
  return {
    names: layers.map(({ name }) => name),
    pixels: [...pixels],
    logits: [...outputs.at(-2)],
    probabilities: [...outputs.at(-1)],
  };
}"""


@pytest.fixture
def inside(page: Any) -> Any:
    """The page with *Look inside* open; a real digit is there by itself."""
    page.get_by_role("tab", name="Mira dentro").click()
    page.wait_for_selector(".column.softmax .amount:not(:empty)")
    return page


def _choose_model(page: Any, name: str) -> None:
    page.get_by_label("Red", exact=True).select_option(name)
    wait = "conv3" if name == "small" else "conv2"
    page.wait_for_selector(f'[data-layer="{wait}"] .unit')


@pytest.mark.parametrize("name", ["main", "small"])
def test_columns_are_drawn_from_the_model(inside: Any, lab: Any, name: str) -> None:
    _choose_model(inside, name)
    config = lab.model(name).config
    for row in describe(config):
        if row.kind in ("norm", "dropout"):
            continue
        column = inside.locator(f'[data-layer="{row.name}"]')
        shape = " × ".join(map(str, row.output_shape))
        assert column.locator(".shape").inner_text() == shape
        assert column.locator(".unit").count() == row.output_shape[0]
        if row.arithmetic:
            assert row.arithmetic in column.locator(".cost").inner_text()


@pytest.mark.parametrize("name", ["main", "small"])
def test_the_reading_is_pytorchs(inside: Any, lab: Any, name: str) -> None:
    _choose_model(inside, name)
    found = inside.evaluate(PRESENT)
    image = torch.tensor(found["pixels"], dtype=torch.float32).view(1, 1, 28, 28) / 255
    with torch.no_grad():
        logits = lab.model(name)((image - 0.1307) / 0.3081)[0]
    np.testing.assert_allclose(found["logits"], logits, atol=1e-4)
    np.testing.assert_allclose(found["probabilities"], logits.softmax(0), atol=1e-5)


@pytest.mark.parametrize(
    ("layer", "unit"), [("conv1", 2), ("conv2", 7), ("fc1", 5), ("fc2", 3), ("softmax", 3)]
)
def test_the_written_out_sum_is_what_the_map_has(inside: Any, layer: str, unit: int) -> None:
    inside.locator(f'[data-layer="{layer}"] .unit').nth(unit).click()
    total = inside.locator("#detail [data-role=total]")
    steps = 3 if layer.startswith("conv") else 1
    for _ in range(steps):
        written = float(total.get_attribute("data-total"))
        assert written == pytest.approx(float(total.get_attribute("data-map")), abs=1e-4)
        if steps > 1:
            # Somewhere in the middle of the map, where there is ink.
            picture = inside.locator("#detail .steered")
            picture.hover(position={"x": 120, "y": 140})
            inside.get_by_role("button", name="Adelante").click()


def test_the_kernel_slides_by_itself_and_stops(inside: Any) -> None:
    inside.locator('[data-layer="conv2"] .unit').first.click()
    place = inside.locator("#detail .place")
    inside.clock.install()
    inside.get_by_role("button", name="Recorrer").click()
    assert place.inner_text() == "fila 1, columna 1"
    inside.clock.run_for(15 * 350)
    assert place.inner_text() == "fila 2, columna 2"
    inside.get_by_role("button", name="Parar").click()
    inside.clock.run_for(2000)
    assert place.inner_text() == "fila 2, columna 2"


@pytest.mark.parametrize(
    ("layer", "words"), [("act1", "ReLU("), ("pool1", "máx("), ("act", "ReLU(")]
)
def test_other_layers_show_their_own_arithmetic(inside: Any, layer: str, words: str) -> None:
    inside.locator(f'[data-layer="{layer}"] .unit').nth(1).click()
    assert inside.locator("#detail [data-role=total]").inner_text().startswith(words)
    assert len(inside.locator("#detail .sentence").inner_text()) > 40


def test_a_filter_switched_off_changes_the_bars_and_back(inside: Any) -> None:
    before = inside.evaluate(PRESENT)["logits"]
    inside.locator('[data-layer="conv1"] .unit').first.click()
    inside.get_by_role("button", name="Apagar").click()
    inside.wait_for_selector(".off-notice:not([hidden])")
    assert inside.locator(".unit.off").count() == 3  # the filter, its ReLU and its pooling
    assert inside.evaluate(PRESENT)["logits"] != before
    inside.get_by_role("button", name="Encender todos").click()
    inside.wait_for_selector(".off-notice", state="hidden")
    assert inside.evaluate(PRESENT)["logits"] == before


def test_filters_that_are_off_are_told_wherever_they_act(inside: Any) -> None:
    inside.locator('[data-layer="conv1"] .unit').first.click()
    inside.get_by_role("button", name="Apagar").click()
    notice = inside.locator(".off-notice")
    inside.get_by_role("tab", name="Compara").click()
    assert "Filtros apagados: 1." in notice.inner_text()
    assert "Las tarjetas muestran las redes enteras." in notice.inner_text()
    inside.get_by_role("tab", name="Dibuja").click()
    assert "Filtros apagados: 1." in notice.inner_text()
    assert "Las tarjetas" not in notice.inner_text()
    inside.get_by_role("button", name="Encender todos").click()
    notice.wait_for(state="hidden")


def test_a_unit_that_is_off_says_so_in_place_of_its_formula(inside: Any) -> None:
    inside.locator('[data-layer="act2"] .unit').first.click()
    inside.get_by_role("button", name="Apagar").click()
    inside.wait_for_selector("#detail [data-role=total]:text('Apagado')")
    inside.get_by_role("button", name="Encender todos").click()
    inside.wait_for_selector("#detail [data-role=total]:text('ReLU(')")


def test_the_colour_range_says_what_it_is(inside: Any) -> None:
    legends = inside.locator(".column .legend").all_inner_texts
    own = legends()
    inside.get_by_label("Escala de color").select_option("net")
    net = set(legends()[1:-1])
    assert len(net) == 1
    assert len(set(own[1:-1])) > 3


def test_pointing_at_a_map_marks_its_sources(inside: Any) -> None:
    inside.locator('[data-layer="act2"] .unit').nth(4).hover()
    assert inside.locator(".unit.source").count() == 1
    inside.locator('[data-layer="conv2"] .unit').nth(4).hover()
    assert inside.locator('[data-layer="pool1"] .unit.source').count() == 16


def test_saliency_and_occlusion_are_drawn(inside: Any) -> None:
    inside.wait_for_selector(".why-picture:nth-child(2) .legend span:not(:empty)")
    said = inside.locator(".why-picture .hint").all_inner_texts()
    assert len(said) == 2
    assert all("Naranja" in words for words in said)


def test_the_sketch_computes_the_output_size(inside: Any) -> None:
    formula = inside.locator("#sketch-formula")
    assert formula.inner_text().endswith("→ 8 × 8")
    inside.locator("[name=sketch-stride]").fill("2")
    inside.locator("[name=sketch-padding]").fill("0")
    assert formula.inner_text().endswith("→ 3 × 3")
    inside.locator("[name=sketch-size]").fill("3")
    inside.locator("[name=sketch-kernel]").fill("5")
    assert formula.inner_text().startswith("Imposible")


def test_a_class_is_called_by_its_own_number(inside: Any) -> None:
    inside.locator('[data-layer="softmax"] .unit').nth(3).hover()
    assert inside.locator(".pointed p").inner_text().startswith("softmax, clase 3: ")
    inside.locator('[data-layer="fc1"] .unit').nth(3).hover()
    assert inside.locator(".pointed p").inner_text().startswith("fc1, unidad 4: ")
