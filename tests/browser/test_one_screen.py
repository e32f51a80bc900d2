"""*Look inside* on one screen: the drawing, the network and what was selected, unscrolled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

SCREENS = [(1366, 768), (1920, 1080), (1280, 720)]

BOX = """(selector) => {
  const { left, top, right, bottom } = document.querySelector(selector).getBoundingClientRect();
  return [left, top, right, bottom];
}"""


def _look_inside(page: Any, place: str) -> None:
    page.get_by_role("tab", name="Mira dentro").click()
    page.wait_for_selector(".column.softmax .amount:not(:empty)")
    name, unit = place.split(".")
    page.locator(f'[data-layer="{name}"] .unit').nth(int(unit)).click()
    page.wait_for_selector("#detail:visible")


def _outside(page: Any, selectors: Sequence[str], width: int, height: int) -> list[str]:
    """Which of some elements are not wholly on the screen."""
    boxes = {selector: page.evaluate(BOX, selector) for selector in selectors}
    return [
        f"{selector}: {box}"
        for selector, box in boxes.items()
        if not (box[0] >= 0 and box[1] >= 0 and box[2] <= width and box[3] <= height)
    ]


SHOWN = (
    ".rail .pad",
    ".rail .verdict",
    ".rail .bars",
    '[data-layer="input"] .unit',
    '[data-layer="conv1"]',
    '[data-layer="fc1"] .units',
    '[data-layer="softmax"] .units',
    "#detail h3",
    "#detail .bench",
    "#detail [data-role=total]",
)


@pytest.mark.parametrize(("width", "height"), SCREENS)
def test_everything_is_on_one_screen(open_page: Any, lab: Any, width: int, height: int) -> None:
    page = open_page(f"{lab.address}#net=main", viewport={"width": width, "height": height})
    _look_inside(page, "conv2.6")
    assert page.evaluate("scrollY") == 0
    assert _outside(page, SHOWN, width, height) == []
    flow = page.locator("#panel-inside .flow-scroll")
    assert flow.evaluate("(flow) => flow.scrollWidth <= flow.clientWidth")
    assert flow.evaluate("(flow) => flow.scrollHeight <= flow.clientHeight")
    # Beside each other, and none over another.
    pad, column, detail = (page.evaluate(BOX, s) for s in (".rail", ".flow-side", "#detail"))
    assert pad[2] <= column[0]
    assert column[2] <= detail[0]


@pytest.mark.parametrize(("width", "height"), [(1366, 768), (1920, 1080)])
def test_a_deeper_network_fits_too(open_page: Any, lab: Any, width: int, height: int) -> None:
    page = open_page(f"{lab.address}#net=small", viewport={"width": width, "height": height})
    _look_inside(page, "conv3.2")
    shown = [s for s in SHOWN if "bench" not in s and "total" not in s]
    assert _outside(page, shown, width, height) == []
    assert page.locator("#panel-inside .flow-scroll").evaluate(
        "(flow) => flow.scrollWidth <= flow.clientWidth"
    )


def test_one_key_is_for_the_projector(open_page: Any, lab: Any) -> None:
    page = open_page(f"{lab.address}#net=main", viewport={"width": 1920, "height": 1080})
    _look_inside(page, "conv2.6")
    size = "() => parseFloat(getComputedStyle(document.querySelector('#detail h3')).fontSize)"
    thickness = (
        "() => getComputedStyle(document.querySelector('.edges')).getPropertyValue('--thickness')"
    )
    before, thin = page.evaluate(size), float(page.evaluate(thickness))
    page.keyboard.press("p")
    assert page.evaluate(size) >= 1.15 * before
    assert float(page.evaluate(thickness)) > thin
    page.wait_for_timeout(200)
    assert _outside(page, SHOWN, 1920, 1080) == []
    page.keyboard.press("p")
    assert page.evaluate(size) == before


def test_on_a_phone_one_is_below_the_other(open_page: Any, lab: Any) -> None:
    page = open_page(f"{lab.address}#net=main", viewport={"width": 360, "height": 740})
    _look_inside(page, "conv1.1")
    page.evaluate("scrollTo(0, 0)")
    pad, bars, flow, detail = (
        page.evaluate(BOX, s) for s in (".pad", ".bars", "#panel-inside .flow-scroll", "#detail")
    )
    assert pad[3] <= 740
    assert pad[3] <= bars[1] + 1
    assert bars[3] <= flow[1]
    assert flow[3] <= detail[1]
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_the_input_is_a_picture_of_numbers(page: Any) -> None:
    _look_inside(page, "input.0")
    cells = page.locator("#detail .numbers-of-input .product")
    assert cells.count() == 81
    row, column = (
        int(word.strip(","))
        for word in page.locator("#detail .place").inner_text().split()
        if word.strip(",").isdigit()
    )
    pixel = page.evaluate("(index) => session.pixels[index]", 28 * (row - 1) + column - 1)
    assert page.locator("#detail .product.taken").inner_text() == str(pixel)
    assert f"({pixel} / 255" in page.locator("#detail [data-role=total]").inner_text()
    page.locator("#detail .steered").focus()
    page.keyboard.press("ArrowLeft")
    after = page.evaluate("(index) => session.pixels[index]", 28 * (row - 1) + column - 2)
    assert page.locator("#detail .product.taken").inner_text() == str(after)
