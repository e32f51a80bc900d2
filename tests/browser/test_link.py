"""What the page shows is in its link; a reload keeps what was drawn."""

from __future__ import annotations

import re
from typing import Any


def _shown(page: Any) -> str:
    """The selected map, by the head of its detail."""
    return str(page.locator("#detail:visible h3").inner_text())


def test_a_link_that_was_sent_opens_what_it_shows(open_page: Any, lab: Any) -> None:
    page = open_page(f"{lab.address}#tab=inside&net=small&at=conv3.6")
    page.wait_for_selector("#detail:visible")
    assert page.get_by_label("Red", exact=True).input_value() == "small"
    assert "6" in _shown(page)
    assert page.evaluate("session.layers[session.selected.layer].name") == "conv3"
    assert page.evaluate("session.selected.unit") == 5


def test_back_leads_to_what_was_shown_before(page: Any) -> None:
    page.get_by_role("tab", name="Mira dentro").click()
    page.locator('[data-layer="conv1"] .unit').nth(1).click()
    assert re.search(r"#.*tab=inside.*at=conv1\.2", page.url)
    page.locator('[data-layer="conv2"] .unit').nth(4).click()
    page.get_by_role("tab", name="Dibuja").click()
    page.go_back()
    page.wait_for_selector("#panel-inside:visible")
    assert "5" in _shown(page)
    page.go_back()
    page.wait_for_function("() => session.selected?.unit === 1")
    page.go_back()
    page.wait_for_function("() => session.selected === null")
    page.go_forward()
    page.wait_for_function("() => session.selected?.unit === 1")


def test_another_network_keeps_the_map_of_the_same_name(page: Any) -> None:
    page.get_by_role("tab", name="Mira dentro").click()
    page.locator('[data-layer="conv2"] .unit').nth(3).click()
    page.get_by_label("Red", exact=True).select_option("small")
    page.wait_for_selector('[data-layer="conv3"]')
    assert page.evaluate("session.layers[session.selected.layer].name") == "conv2"
    assert "net=small" in page.url
    assert "at=conv2.4" in page.url


def test_a_reload_keeps_the_drawing(page: Any, draw: Any, three: Any) -> None:
    draw(page, three)
    before = page.evaluate("[...session.pixels]")
    page.wait_for_function(
        "() => sessionStorage.getItem('taller-cnn.page.drawing')?.includes('stroke')"
    )
    page.reload()
    page.wait_for_selector("html[data-ready]")
    assert page.evaluate("[...session.pixels]") == before
    page.get_by_role("button", name="Deshacer").click()
    assert page.evaluate("session.pixels.length") == 784


def test_a_network_that_is_not_there_is_told(open_page: Any, lab: Any) -> None:
    page = open_page(f"{lab.address}#net=nothing")
    notice = page.locator(".page-notice").inner_text()
    assert notice.startswith("No hay ninguna red llamada «nothing».")
    assert page.evaluate("session.card.id") in notice
