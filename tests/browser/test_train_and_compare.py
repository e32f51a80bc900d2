"""Training from the page, keeping what came of it, and comparing."""

from __future__ import annotations

import io
import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from PIL import Image

LONG = 120_000


def _share(text: str) -> float:
    found = re.search(r"([\d,]+)\s*%", text)
    assert found, text
    return float(found[1].replace(",", "."))


def _points(page: Any) -> list[int]:
    """Points of the loss's two curves: while training, and of validation after each epoch."""
    shown = page.locator("#panel-train .chart").first.get_attribute("data-points")
    return [int(count) for count in (shown or "0 0").split()]


RECORD_CHART_TEXTS = """() => {
  globalThis.chartTexts = [];
  const prototype = CanvasRenderingContext2D.prototype;
  const { fillText } = prototype;
  prototype.fillText = function (text, ...place) {
    const shown = this.canvas.clientWidth / this.canvas.width;
    const pixels = parseFloat(this.font) * this.getTransform().a * shown;
    const chart = this.canvas.closest("figure").querySelector("h4").textContent;
    chartTexts.push({ text, pixels, align: this.textAlign, chart });
    return fillText.call(this, text, ...place);
  };
}"""
"""Keeps every text that is painted into a chart, with its size on the screen."""


@pytest.fixture
def train(page: Any) -> Any:
    """The page with *Train* open."""
    page.get_by_role("tab", name="Entrena", exact=True).click()
    return page


def test_a_network_is_trained_kept_and_compared(train: Any, draw: Any, three: Any) -> None:
    train.get_by_role("textbox", name="Filtros de cada convolución").fill("8, 16")
    train.get_by_role("spinbutton", name="Épocas").fill("6")
    train.get_by_role("combobox", name="Dígitos", exact=True).select_option("sample")
    train.get_by_role("button", name="Entrenar").click()
    train.wait_for_selector("#panel-train .filters canvas", timeout=LONG)
    assert train.locator("#panel-train .filters canvas").count() == 8
    assert train.locator("#panel-train .sample").count() == 20
    early, _ = _points(train)
    train.wait_for_selector("#panel-train [data-state=finished]", timeout=LONG)
    late, epochs = _points(train)
    assert late > early
    assert epochs == 6
    assert _share(train.locator("#panel-train .speed").inner_text()) > 97
    assert train.locator("#panel-train .sample.right").count() >= 18
    train.get_by_label("Nombre de la red").fill("pequena")
    train.get_by_role("button", name="Guardar").click()
    train.wait_for_selector("#panel-train [data-state=kept]")
    # The lab says it is kept before the page has asked for the new list of networks.
    train.wait_for_selector('option[value="pequena"]:checked', state="attached")
    assert train.get_by_label("Red", exact=True).input_value() == "pequena"
    train.get_by_role("tab", name="Dibuja").click()
    draw(train, three)
    train.get_by_role("tab", name="Compara").click()
    train.wait_for_selector('[data-model="pequena"] .bar.top')
    assert train.locator('[data-model="pequena"] .bar.top b').inner_text() == "3"
    assert train.locator(".model-card:visible").count() >= 2
    card = train.locator('[data-model="pequena"]')
    facts = card.locator(".facts").inner_text()
    assert all(said in facts for said in ("8 → 16", "3 × 3, Max-pooling, ReLU", "épocas: 6, "))
    card.locator("summary").click()
    assert "--filters 8,16 " in card.locator("code").inner_text()
    with train.expect_download() as download:
        card.get_by_role("link", name="Pesos").click()
    assert download.value.suggested_filename == "pequena.safetensors"


def test_half_an_epoch_makes_curves_that_can_be_read_on_a_phone(train: Any) -> None:
    train.set_viewport_size({"width": 360, "height": 740})
    train.evaluate(RECORD_CHART_TEXTS)
    train.locator("#train-epochs").fill("0.5")
    train.locator("#train-source").select_option("sample")
    train.locator("#panel-train .form-end button").click()
    train.wait_for_selector("#panel-train [data-state=finished]", timeout=LONG)
    trained, validated = _points(train)
    assert trained >= 8
    assert validated >= 4
    legend = train.locator("#panel-train .keys").first.inner_text()
    assert "media desde que empezó la época" in legend
    painted = train.evaluate("chartTexts")
    assert min(text["pixels"] for text in painted) >= 11
    for chart, axis in (("Curva de pérdida", "Pérdida"), ("Precisión", "Precisión")):
        texts = [text for text in painted if text["chart"] == chart]
        assert {axis, "Épocas"} <= {text["text"] for text in texts}
        last = [text["text"] for text in texts if text["align"] == "right"][-3:]
        ticks = [float(text.replace(",", ".")) for text in last]
        assert ticks[1] - ticks[0] == pytest.approx(ticks[2] - ticks[1])
        digits = f"{abs(ticks[1] - ticks[0]):.0e}"[0]
        assert digits in "125"
    # The lab is the other tests' too.
    train.get_by_role("button", name="Descartar").click()
    train.wait_for_selector("#panel-train [data-state=none]")


def test_a_training_can_be_paused_stopped_and_thrown_away(train: Any) -> None:
    train.get_by_role("spinbutton", name="Épocas").fill("50")
    train.get_by_role("combobox", name="Dígitos", exact=True).select_option("sample")
    train.get_by_role("button", name="Entrenar").click()
    train.wait_for_selector("#panel-train [data-state=running]", timeout=LONG)
    train.get_by_role("button", name="Pausa").click()
    train.wait_for_selector("#panel-train [data-state=paused]")
    # Told in the order of what happened: nothing of the training comes after its pause.
    resting = train.locator("#panel-train .speed").inner_text()
    train.wait_for_timeout(500)
    assert train.locator("#panel-train .speed").inner_text() == resting
    train.get_by_role("button", name="Seguir").click()
    train.wait_for_selector("#panel-train [data-state=running]")
    train.get_by_role("button", name="Parar").click()
    train.wait_for_selector("#panel-train [data-state=stopped]", timeout=LONG)
    # Another one begins only if this one may go.
    asked: list[str] = []
    train.once("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    train.get_by_role("button", name="Entrenar").click()
    assert "no se ha guardado" in asked[0]
    assert train.locator("#panel-train .run-state").get_attribute("data-state") == "stopped"
    train.get_by_role("button", name="Descartar").click()
    train.wait_for_selector("#panel-train [data-state=none]")


@pytest.mark.parametrize("paused", [False, True])
def test_a_training_that_goes_on_can_be_thrown_away(train: Any, paused: bool) -> None:
    train.get_by_role("spinbutton", name="Épocas").fill("50")
    train.get_by_role("combobox", name="Dígitos", exact=True).select_option("sample")
    train.get_by_role("button", name="Entrenar").click()
    train.wait_for_selector("#panel-train [data-state=running]", timeout=LONG)
    train.wait_for_selector("#panel-train .board:visible")
    if paused:
        train.get_by_role("button", name="Pausa").click()
        train.wait_for_selector("#panel-train [data-state=paused]")
    train.get_by_role("button", name="Descartar").click()
    train.wait_for_selector("#panel-train [data-state=none]")
    assert train.locator("#panel-train .run .notice-box").is_hidden()
    assert train.locator("#panel-train .board").is_hidden()
    assert train.get_by_role("button", name="Entrenar").is_enabled()


@pytest.fixture
def lab_that_ends(open_page: Any, run_lab: Any, workdir: Path) -> Iterator[Any]:
    """Ends a lab in the middle of a training, in the given way; the page and the lab's port."""

    def end(how: signal.Signals) -> tuple[Any, int]:
        with run_lab(workdir) as opened:
            page = open_page(opened.address)
            page.get_by_role("tab", name="Entrena", exact=True).click()
            page.get_by_role("spinbutton", name="Épocas").fill("90")
            page.get_by_role("combobox", name="Dígitos", exact=True).select_option("sample")
            page.get_by_role("button", name="Entrenar").click()
            page.wait_for_selector("#panel-train [data-state=running]", timeout=LONG)
            page.wait_for_selector("#panel-train .speed:not(:empty)")
            os.kill(opened.pid, how)
        return page, urlsplit(opened.address).port or 0

    yield end
    # The browser tells every request that fails in its console.
    assert all("Failed to load resource" in told for told in open_page.problems)
    open_page.problems.clear()


def test_a_server_that_breaks_off_and_comes_back_is_told(
    lab_that_ends: Any, run_lab: Any, workdir: Path
) -> None:
    page, port = lab_that_ends(signal.SIGKILL)
    problem = page.locator("#panel-train .run .notice-box")
    problem.wait_for()
    assert "El laboratorio no responde" in problem.inner_text()
    assert page.locator("#panel-train .speed").inner_text() == ""
    with run_lab(workdir, port):
        page.wait_for_selector("#panel-train [data-state=none]", timeout=LONG)
        assert "este entrenamiento se ha perdido" in problem.inner_text()
        assert page.get_by_role("button", name="Entrenar").is_enabled()


def test_a_server_that_is_closed_during_a_training_is_told(lab_that_ends: Any) -> None:
    page, _ = lab_that_ends(signal.SIGTERM)
    page.wait_for_selector("#panel-train [data-state=none]")
    assert (
        "se ha cerrado el laboratorio" in page.locator("#panel-train .run .notice-box").inner_text()
    )


def test_a_request_without_an_answer_is_told_in_the_readers_words(open_page: Any, lab: Any) -> None:
    page = open_page(lab.address)
    page.get_by_role("tab", name="Entrena", exact=True).click()
    page.route("**/api/**", lambda route: route.abort())
    page.get_by_role("button", name="Entrenar").click()
    problem = page.locator("#panel-train .run .notice-box")
    problem.wait_for()
    assert problem.inner_text() == "El laboratorio no responde. ¿Sigue abierto en la terminal?"
    page.get_by_role("button", name="English").click()
    assert problem.inner_text().startswith("The lab does not answer.")
    page.get_by_role("tab", name="Compare").click()
    page.get_by_role("button", name="Show its mistakes").click()
    page.wait_for_selector("#panel-compare p:text('The lab does not answer. Is it still open')")
    page.unroute("**/api/**")
    open_page.problems.clear()


def test_another_network_is_opened_where_the_default_is_broken(open_page: Any, lab: Any) -> None:
    page = open_page(lab.address)
    # The one kept last: "main" only where no earlier test has kept another.
    chooser = page.get_by_label("Red", exact=True)
    default = chooser.input_value()
    page.route(f"**/api/models/{default}", lambda route: route.fulfill(status=500, body="{}"))
    page.reload()
    page.wait_for_selector("html[data-ready]")
    other = chooser.input_value()
    assert other != default
    notice = page.locator(".page-notice")
    assert notice.inner_text() == f"No se puede abrir la red «{default}». Esta es «{other}»."
    page.unroute(f"**/api/models/{default}")
    chooser.select_option(default)
    notice.wait_for(state="hidden")
    open_page.problems.clear()


def test_a_loss_that_is_no_number_is_told(train: Any) -> None:
    # What the server says when a loss is NaN; when it says so is tested with the server.
    said = {"state": "diverged", "step": 3, "steps": 55, "problem": None, "model": None}
    train.route(
        "**/events",
        lambda route: route.fulfill(
            content_type="text/event-stream", body=f"event: state\ndata: {json.dumps(said)}\n\n"
        ),
    )
    train.get_by_role("combobox", name="Dígitos", exact=True).select_option("sample")
    train.get_by_role("button", name="Entrenar").click()
    train.wait_for_selector("#panel-train [data-state=diverged]")
    assert "NaN" in train.locator("#panel-train .run-state").inner_text()
    assert train.locator("#panel-train .keeping").is_hidden()
    train.evaluate(
        """async () => {
          const { run } = await (await fetch("/api/health")).json();
          await fetch(`/api/runs/${run.id}`, { method: "DELETE" });
        }"""
    )


def test_a_wrong_field_is_named_before_anything_starts(train: Any) -> None:
    train.get_by_role("textbox", name="Filtros de cada convolución").fill("ocho")
    train.get_by_role("button", name="Entrenar").click()
    assert train.locator("#panel-train [aria-invalid=true]").get_attribute("id") == "train-filters"
    assert "De uno a seis" in train.locator("#train-filters-error").inner_text()
    assert train.locator("#panel-train .run-state").get_attribute("data-state") == "none"
    train.get_by_role("textbox", name="Filtros de cada convolución").fill("8")
    assert train.locator("#panel-train [aria-invalid=true]").count() == 0
    assert train.locator("#train-filters-error").inner_text() == ""


def test_a_field_that_the_server_refuses_is_named(open_page: Any, lab: Any) -> None:
    page = open_page(lab.address)
    page.get_by_role("tab", name="Entrena", exact=True).click()
    page.get_by_role("textbox", name="Filtros de cada convolución").fill("5000")
    page.get_by_role("button", name="Entrenar").click()
    page.wait_for_selector("#train-filters-error:not(:empty)")
    # The browser tells every refused request in its console.
    assert all("422" in problem for problem in open_page.problems)
    open_page.problems.clear()


def test_a_mistake_opens_in_look_inside(page: Any) -> None:
    page.get_by_role("tab", name="Compara").click()
    page.get_by_role("button", name="Ver sus errores").click()
    page.wait_for_selector(".mistake", timeout=LONG)
    words = page.locator(".mistake > span").first.inner_text()
    label, predicted = re.findall(r"\d", words)
    page.locator(".mistake").first.click()
    assert page.get_by_role("tab", name="Mira dentro").get_attribute("aria-selected") == "true"
    page.wait_for_selector(".dock .bar.wrong")
    assert page.locator(".dock .bar.top b").inner_text() == predicted
    assert page.locator(".dock .bar.true b").inner_text() == label


def test_a_lab_without_a_network_leads_to_training(open_page: Any, empty_lab: Any) -> None:
    page = open_page(empty_lab.address)
    page.get_by_role("button", name="Entrena una").click()
    assert (
        page.get_by_role("tab", name="Entrena", exact=True).get_attribute("aria-selected") == "true"
    )
    for tab in ("inside", "compare", "draw"):
        page.locator(f"#tab-{tab}").click()
    verdict = page.locator(".dock .verdict")
    assert verdict.inner_text() == "Todavía no hay ninguna red entrenada."


def test_the_study_is_shown_with_its_pictures_and_its_table(page: Any) -> None:
    picture = io.BytesIO()
    Image.new("L", (3, 2)).save(picture, "PNG")
    rows = [["8", "0.98125"], ["16", "0.9875"]]
    study = {
        "available": True,
        "pictures": [{"name": "impacto", "url": "/api/study/pictures/impacto"}],
        "table": {"columns": ["filtros", "precisión"], "rows": rows},
        "table_source": "csv",
    }
    page.route("**/api/study", lambda route: route.fulfill(json=study))
    page.route(
        "**/api/study/pictures/impacto",
        lambda route: route.fulfill(body=picture.getvalue(), content_type="image/png"),
    )
    page.get_by_role("tab", name="Compara").click()
    page.wait_for_selector(".study table")
    page.wait_for_function("() => document.querySelector('.study img').naturalWidth === 3")
    assert page.locator(".study td").all_inner_texts() == ["8", "0,9813", "16", "0,9875"]


def test_the_form_says_what_it_trains_with(page: Any) -> None:
    page.locator("#tab-train").click()
    hint = page.locator("#panel-train .hint.recipe")
    page.get_by_text("Receta quick").wait_for()
    assert "adamw" in hint.inner_text()
    assert "one-cycle" in hint.inner_text()
    assert "0,1" in hint.inner_text()
    assert "su máximo" in hint.inner_text()


def test_the_form_has_the_servers_ranges_and_the_recipes_values(page: Any) -> None:
    page.locator("#tab-train").click()
    page.locator("#train-seed").wait_for()
    form = page.evaluate("fetch('/api/runs/form').then((answer) => answer.json())")
    recipe = form["recipes"][form["recipe"]]
    for field in form["fields"]:
        shown = page.locator(f"#train-{field['name']}")
        value = recipe[field["group"]][field["name"]]
        if field["kind"] == "number" and shown.count():
            assert float(shown.input_value()) == value
            assert float(shown.get_attribute("min")) == (field["least"] or field["above"] or 0)
            assert float(shown.get_attribute("max")) == (field["most"] or field["below"])
        elif field["name"] == "kernel_size":
            options = shown.locator("option").evaluate_all("(all) => all.map((o) => +o.value)")
            assert options == field["options"]
    page.locator("#train-dropout").fill("1")
    page.locator("#train-epochs").fill("0")
    page.locator("#panel-train .form-end button").click()
    assert "menor que 1" in page.locator("#train-dropout-error").inner_text()
    assert "mayor que 0" in page.locator("#train-epochs-error").inner_text()
    assert page.locator("#panel-train .run-state").get_attribute("data-state") == "none"
