"""Training in the reader's own browser, in the lab and in the exported page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


def _start(page: Any, **fields: str) -> None:
    page.get_by_role("tab", name="Entrena aquí").click()
    for name, value in fields.items():
        page.locator(f"#here-{name}").fill(value)
    page.locator("#panel-here").get_by_role("button", name="Entrenar", exact=True).click()


def _state(page: Any, state: str) -> None:
    page.wait_for_selector(f'#panel-here .run-state[data-state="{state}"]')


def test_a_network_learns_and_is_used_and_the_earlier_one_comes_back(page: Any) -> None:
    _start(page, filters="4", hidden="0", epochs="1", learning_rate="0.01")
    _state(page, "finished")
    panel = page.locator("#panel-here")
    told = panel.locator("p.speed[role=status]").inner_text()
    assert "errores de 1.000" in told
    share = float(told.split("prueba: ")[1].split("\u00a0")[0].replace(",", "."))
    assert 70 < share < 100
    assert panel.locator(".filters canvas").count() == 4
    panel.get_by_role("button", name="Usarla en la página").click()
    assert page.evaluate("session.card.config.filters") == [4]
    assert page.evaluate("session.layers.at(-1).channels") == 10
    page.get_by_role("tab", name="Mira dentro").click()
    page.wait_for_selector(".column.softmax .amount:not(:empty)")
    assert page.locator('[data-layer="conv1"] .unit').count() == 4
    assert page.locator("a[download]").first.is_hidden()
    page.get_by_role("tab", name="Entrena aquí").click()
    panel.get_by_role("button", name="Volver a la red de antes").click()
    assert page.evaluate("session.card.id") == "main"
    assert page.get_by_label("Red", exact=True).input_value() == "main"


@pytest.mark.parametrize(("epochs", "tests"), [("0.5", 4), ("3", 6)])
def test_a_short_training_makes_a_curve_too(page: Any, epochs: str, tests: int) -> None:
    _start(page, filters="1", hidden="0", epochs=epochs, learning_rate="0.01")
    _state(page, "finished")
    chart = page.locator("#panel-here canvas.chart").first
    trained, tested = map(int, chart.get_attribute("data-points").split())
    assert trained >= 8
    assert tested == tests
    legend = page.locator("#panel-here .keys").first.inner_text()
    assert "media desde que empezó la época" in legend


def test_it_pauses_steps_and_stops_and_the_rate_can_break_it(page: Any) -> None:
    from playwright.sync_api import expect

    _start(page, filters="2", hidden="0", epochs="90")
    panel = page.locator("#panel-here")
    page.wait_for_selector('#panel-here progress:not([value="0"])')
    panel.get_by_role("button", name="Pausa").click()
    _state(page, "paused")
    speed = panel.locator("p.speed").first
    before = speed.inner_text()
    panel.get_by_role("button", name="Un paso").click()
    expect(speed).not_to_have_text(before)
    passes = [int(text.split()[1].replace(".", "")) for text in (before, speed.inner_text())]
    assert passes[1] - passes[0] in (16, 12)
    slider = page.locator("#here-rate")
    slider.fill("1")
    assert panel.locator("output").inner_text() == "10,0"
    panel.get_by_role("button", name="Seguir").click()
    _state(page, "running")
    panel.get_by_role("button", name="Parar").click()
    _state(page, "stopped")
    assert panel.get_by_role("button", name="Usarla en la página").is_visible()


def test_a_rate_without_measure_is_told(page: Any) -> None:
    _start(page, filters="2", hidden="0", epochs="90")
    _state(page, "running")
    page.evaluate(
        """() => {
          const slider = document.getElementById("here-rate");
          slider.max = "38";
          slider.value = "38";
          slider.dispatchEvent(new Event("input"));
        }"""
    )
    _state(page, "diverged")
    assert "NaN" in page.locator("#panel-here .run-state").inner_text()


def test_the_exported_page_trains_from_disk_with_the_network_cut(
    open_page: Any, exported: Path
) -> None:
    page = open_page(exported.as_uri(), offline=True)
    _start(page, filters="3", hidden="0", epochs="1", learning_rate="0.01")
    _state(page, "finished")
    panel = page.locator("#panel-here")
    assert "errores de 1.000" in panel.locator("p.speed[role=status]").inner_text()
    panel.get_by_role("button", name="Usarla en la página").click()
    page.get_by_role("tab", name="Mira dentro").click()
    page.wait_for_selector(".column.softmax .amount:not(:empty)")
    assert page.locator('[data-layer="conv1"] .unit').count() == 3
