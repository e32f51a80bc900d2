"""Looking inside: the numbers on the page are those of the network."""

from __future__ import annotations

import re
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
            column.locator(".unit").first.click()
            assert row.arithmetic in inside.locator("#detail .cost").inner_text()


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
            picture.hover(position={"x": 60, "y": 70})
            inside.get_by_role("button", name="Píxel siguiente").click()


def test_the_kernel_slides_by_itself_and_stops(inside: Any) -> None:
    inside.locator('[data-layer="conv2"] .unit').first.click()
    place = inside.locator("#detail .place")
    inside.clock.install(time=0)
    inside.clock.pause_at(3_600_000)
    inside.get_by_role("button", name="Recorrer").click()
    # It starts at ink: the topmost of the drawing, on the map of half its side.
    ink = inside.evaluate("session.pixels.findIndex((grey) => grey > 0)")
    row, column = ink // 28 // 2, _leftmost(inside, ink // 28 // 2) // 2
    assert place.inner_text() == _place(row, column)
    inside.clock.run_for(15 * 350)
    assert place.inner_text() == _place(*divmod(14 * row + column + 15, 14))
    inside.get_by_label("Velocidad del recorrido").select_option("16")
    inside.clock.run_for(350)
    faster = divmod(14 * row + column + 15 + 16, 14)
    assert place.inner_text() == _place(*faster)
    inside.get_by_role("button", name="Parar").click()
    inside.clock.run_for(2000)
    assert place.inner_text() == _place(*faster)


def _place(row: int, column: int) -> str:
    return f"fila {row + 1}, columna {column + 1}"


def _leftmost(page: Any, row: int) -> int:
    """The leftmost ink in the two rows of the drawing that are one row of a map of 14 x 14."""
    pixels = np.array(page.evaluate("[...session.pixels]")).reshape(28, 28)
    return int(np.nonzero(pixels[2 * row : 2 * row + 2].max(axis=0))[0][0])


def test_a_walk_that_nobody_sees_stops(inside: Any) -> None:
    inside.locator('[data-layer="conv2"] .unit').first.click()
    inside.clock.install(time=0)
    inside.clock.pause_at(3_600_000)
    inside.get_by_role("button", name="Recorrer").click()
    inside.get_by_role("tab", name="Dibuja").click()
    inside.clock.run_for(700)
    place = inside.locator("#detail .place").text_content()
    inside.clock.run_for(7000)
    assert inside.locator("#detail .place").text_content() == place
    assert inside.locator("#detail button:text('Recorrer')").count() == 1


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
    assert legends()[-1] == "0–1"
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
    assert all("Azul" in words for words in said)


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
    assert inside.locator(".pointed-words").inner_text().startswith("softmax, clase 3: ")
    inside.locator('[data-layer="fc1"] .unit').nth(3).hover()
    assert inside.locator(".pointed-words").inner_text().startswith("fc1, neurona 4: ")


WRITTEN = """() => [...document.querySelectorAll("#detail .product")].map(
  (cell) => [...cell.children].map((part) => part.textContent)
)"""


def _number(text: str) -> float:
    return float(text.replace(".", "").replace(",", ".").replace("−", "-"))


@pytest.mark.parametrize(("layer", "unit"), [("conv1", 3), ("conv2", 5), ("conv2", 20)])
def test_products_do_not_contradict_their_factors(inside: Any, layer: str, unit: int) -> None:
    inside.locator(f'[data-layer="{layer}"] .unit').nth(unit).click()
    for factors, product in inside.evaluate(WRITTEN):
        x, w = map(_number, factors.split(" × "))
        assert x * w == pytest.approx(_number(product), abs=0.005 + 1e-9), factors


def test_a_sum_is_that_of_its_parts_as_they_are_written(inside: Any) -> None:
    for layer in ("conv2", "fc1", "fc2"):
        inside.locator(f'[data-layer="{layer}"] .unit').nth(4).click()
        words = inside.locator("#detail [data-role=total]").inner_text()
        products, bias, total = map(_number, re.findall(r"−?[\d.]*\d,\d+", words)[:3])
        assert products + bias == pytest.approx(total, abs=1e-9), words


def test_each_channel_shows_its_kernel_and_what_they_make_together(inside: Any) -> None:
    inside.locator('[data-layer="conv1"] .unit').nth(2).click()
    assert inside.locator("#detail .channel canvas").count() == 3
    inside.locator('[data-layer="conv2"] .unit').nth(2).click()
    assert inside.locator("#detail .channel").count() == 16
    parts = [_number(text) for text in inside.locator("#detail .part").all_inner_texts()]
    words = inside.locator("#detail [data-role=total]").inner_text()
    products = _number(re.findall(r"−?[\d.]*\d,\d+", words)[0])
    assert sum(parts) == pytest.approx(products, abs=16 * 0.005)
    assert "canal" in inside.locator("#detail").inner_text()


def test_a_walking_kernel_paints_no_map_again(inside: Any) -> None:
    inside.locator('[data-layer="conv2"] .unit').nth(2).click()
    painted = inside.evaluate("""() => {
      let count = 0;
      const { putImageData } = CanvasRenderingContext2D.prototype;
      CanvasRenderingContext2D.prototype.putImageData = function (...all) {
        if (this.canvas.closest(".channel")) count += 1;
        putImageData.apply(this, all);
      };
      document.querySelector("#detail [aria-label='Píxel siguiente']").click();
      return count;
    }""")
    assert painted == 0


def test_the_keyboard_goes_where_the_eye_goes(inside: Any) -> None:
    inside.locator('[data-layer="conv1"] .unit').nth(2).focus()
    inside.keyboard.press("Enter")
    assert inside.evaluate("document.activeElement.id") == "detail"
    after = inside.get_by_role("button", name="Siguiente ›")
    after.focus()
    inside.keyboard.press("Enter")
    assert "conv1, mapa 4" in inside.locator("#detail h3").inner_text()
    assert inside.evaluate("document.activeElement.dataset.role") == "map_after"
    inside.keyboard.press("Escape")
    assert inside.locator("#detail").is_hidden()
    label = inside.evaluate("document.activeElement.getAttribute('aria-label')")
    assert label == "conv1, mapa 4"
    inside.keyboard.press("Enter")
    inside.locator('[data-layer="conv2"] .unit').nth(2).focus()
    inside.keyboard.press("Escape")
    assert inside.locator("#detail").is_hidden()


def test_words_are_explained_where_they_stand(inside: Any) -> None:
    inside.locator('[data-layer="softmax"] .unit').nth(3).click()
    words = inside.locator("#detail").inner_text()
    assert "El logit es" in words
    assert "se resta el mayor de todos" in words


DEEP = """() => {
  const filters = [32, 64, 64, 64];
  const tensors = {};
  const wave = (length, step) => Float32Array.from({ length }, (_, k) => 0.1 * Math.sin(step * k));
  filters.forEach((outputs, index) => {
    const inputs = index ? filters[index - 1] : 1;
    tensors[`conv${index + 1}.weight`] = { data: wave(outputs * inputs * 9, 1.3) };
    tensors[`conv${index + 1}.bias`] = { data: wave(outputs, 2) };
  });
  tensors["fc2.weight"] = { data: wave(10 * 64 * 28 * 28, 0.7) };
  tensors["fc2.bias"] = { data: wave(10, 1) };
  const config = { ...session.card.config, filters, pooling: "none", hidden: 0, final_size: 0 };
  session.setModel({ card: { ...session.card, config }, tensors });
  return [session.slow, session.busy, session.outputs];
}"""


def test_a_deep_network_is_run_beside_the_page_and_that_is_shown(inside: Any) -> None:
    slow, busy, outputs = inside.evaluate(DEEP)
    assert slow
    assert busy
    assert outputs is None
    inside.wait_for_selector(".flow-head .hint:text('Calculando')")
    inside.wait_for_function("() => !session.busy", timeout=180_000)
    difference = inside.evaluate("""async () => {
      const { forward, normalise } = await import("/static/network.js");
      const image = normalise(session.pixels, session.card);
      const here = forward(session.layers, image).at(-1);
      return Math.max(...here.map((p, index) => Math.abs(p - session.outputs.at(-1)[index])));
    }""")
    assert difference < 1e-6
    # The next drawing's pass begins, whether or not somebody waits for why.
    inside.evaluate("session.setPixels(new Uint8Array(784).fill(9))")
    assert inside.evaluate("session.busy")
    inside.evaluate("session.setPixels(null)")
    inside.wait_for_function("() => !session.busy && session.outputs === null", timeout=180_000)
