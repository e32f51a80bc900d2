"""The page as one file, opened from the disk with the network cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from taller_cnn.lab.form import training_form


def test_it_works_from_disk_with_the_network_cut(
    open_page: Any, exported: Path, draw: Any, three: Any
) -> None:
    page = open_page(exported.as_uri(), offline=True)
    draw(page, three)
    page.wait_for_selector(".dock .bar.top")
    assert page.locator(".dock .bar.top b").inner_text() == "3"
    page.get_by_role("tab", name="Mira dentro").click()
    page.wait_for_selector(".column.softmax .amount:not(:empty)")
    page.locator('[data-layer="conv1"] .unit').first.click()
    total = page.locator("#detail [data-role=total]")
    written = float(total.get_attribute("data-total"))
    assert written == pytest.approx(float(total.get_attribute("data-map")), abs=1e-4)
    assert page.get_by_role("tab").count() == 4
    assert "taller-cnn lab" in page.locator("footer").inner_text()


def test_it_carries_real_digits_and_both_languages(open_page: Any, exported: Path) -> None:
    page = open_page(exported.as_uri(), offline=True)
    page.get_by_role("button", name="Un dígito de MNIST").click()
    assert page.locator(".dock .bar.true").count() == 1
    page.get_by_role("button", name="English").click()
    assert "100 real digits" in page.locator("footer").inner_text()


def test_its_form_has_the_ranges_of_the_configuration(open_page: Any, exported: Path) -> None:
    form = training_form()
    page = open_page(exported.as_uri(), offline=True)
    page.get_by_role("tab", name="Entrena aquí").click()
    numbers = [field for field in form.fields if field.kind == "number"]
    shown = {field.name: page.locator(f"#here-{field.name}") for field in numbers}
    asked = [field for field in numbers if shown[field.name].count()]
    assert len(asked) >= 6
    for field in asked:
        least, most = field.least or field.above or 0, field.most or field.below
        limits = [shown[field.name].get_attribute(name) for name in ("min", "max")]
        assert [float(limit) for limit in limits] == [least, most]


def test_it_is_small(exported: Path) -> None:
    assert exported.stat().st_size < 3_000_000
