"""For everybody: languages, keyboard, small screens, the dark, screen readers."""

from __future__ import annotations

from typing import Any

import pytest

TABS = ("draw", "inside", "train", "compare")


def _open(page: Any, tab: str) -> None:
    page.locator(f"#tab-{tab}").click()
    if tab == "inside":
        page.wait_for_selector(".column.softmax .amount:not(:empty)")


def test_the_page_speaks_both_languages_and_remembers(page: Any) -> None:
    assert page.locator("html").get_attribute("lang") == "es"
    page.get_by_role("button", name="English").click()
    assert page.get_by_role("tab").all_inner_texts() == ["Draw", "Look inside", "Train", "Compare"]
    page.reload()
    page.wait_for_selector("html[data-ready][lang=en]")
    assert page.locator(".dock .verdict").inner_text() == "Draw something."


def test_the_page_leads_to_the_description_of_its_api(page: Any) -> None:
    page.get_by_role("link", name="La API HTTP").click()
    # The description is in English alone; docs/reference/http-api.es.md explains it.
    assert page.locator("h1").inner_text() == "The lab's API"


def test_everything_is_reached_by_keyboard(page: Any) -> None:
    page.keyboard.press("Tab")
    for _ in range(12):
        if page.evaluate("document.activeElement.role") == "tab":
            break
        page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.id") == "tab-inside"
    page.wait_for_selector(".column.softmax .amount:not(:empty)")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('[data-layer=conv1]') !== null"):
            break
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert "número 4" in page.locator("#detail h3").inner_text()
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.classList.contains('steered')"):
            break
    before = page.locator("#detail .place").inner_text()
    page.keyboard.press("ArrowDown")
    assert page.locator("#detail .place").inner_text() != before
    page.keyboard.press("ArrowUp")
    assert page.locator("#detail .place").inner_text() == before
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Escape")
    assert page.locator("#detail").is_hidden()
    assert page.evaluate("document.activeElement.closest('[data-layer=conv1]') !== null")


@pytest.mark.parametrize("width", [360, 1920])
def test_nothing_is_wider_than_the_screen(open_page: Any, lab: Any, width: int) -> None:
    page = open_page(lab.address, viewport={"width": width, "height": 760})
    for tab in TABS:
        _open(page, tab)
        if tab == "inside":
            page.locator('[data-layer="conv2"] .unit').first.click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width, tab


def test_the_dark_page_follows_the_system_and_the_switch(open_page: Any, lab: Any) -> None:
    page = open_page(lab.address, color_scheme="dark")
    assert page.locator("html").get_attribute("data-theme") == "dark"
    _open(page, "inside")
    page.get_by_role("button", name="Fondo claro").click()
    assert page.locator("html").get_attribute("data-theme") == "light"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_problem(
    open_page: Any, lab: Any, node_module: Any, scheme: str
) -> None:
    axe = node_module("axe-core/axe.min.js")
    page = open_page(lab.address, color_scheme=scheme)
    # Evaluated by the browser's debugger, which the page's own policy does not bind.
    page.evaluate(axe.read_text(encoding="utf-8"))
    for tab in TABS:
        _open(page, tab)
        if tab == "inside":
            page.locator('[data-layer="conv2"] .unit').first.click()
        if tab == "compare":
            page.locator(".model-card summary").first.click()
        found = page.evaluate("() => axe.run(document, { resultTypes: ['violations'] })")
        serious = [
            (rule["id"], [node["html"][:120] for node in rule["nodes"][:3]])
            for rule in found["violations"]
            if rule["impact"] in ("serious", "critical")
        ]
        assert not serious, tab
