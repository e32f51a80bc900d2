from __future__ import annotations

import itertools

import numpy as np
import pytest
from gallery_images import image_in
from matplotlib.text import Text

from taller_cnn.figures import Tile, gallery_figure

pytestmark = pytest.mark.usefixtures("style")


def tile(caption: str = "7 → 2", ink: int = 0, **changes: object) -> Tile:
    image = np.full((28, 28), ink, dtype=np.uint8)
    return Tile(image=image, caption=caption, **changes)  # type: ignore[arg-type]


def test_every_digit_is_drawn_with_its_frame_and_words() -> None:
    rows = [[tile(ink=1), None, tile(ink=2)], [tile(ink=3)]]
    figure = gallery_figure(rows, "Title", labels=("a", "b"))
    axes = figure.axes[0]

    assert [image_in(figure, frame)[0, 0] for frame in axes.patches] == [1, 2, 3]
    assert sorted(text.get_text() for text in axes.texts) == ["7 → 2"] * 3 + ["a", "b"]
    assert figure.get_suptitle() == "Title"


@pytest.mark.parametrize("labels", [(), ("Zapatilla → Botín\n12 veces",) * 5])
def test_digits_and_words_stay_inside_and_apart(labels: tuple[str, ...]) -> None:
    words = "9876: Zapatilla\n→ Camiseta\n99,9 %"
    figure = gallery_figure([[tile(words)] * 8] * 5, "A title " * 30, labels=labels)
    axes = figure.axes[0]
    whole = figure.bbox
    boxes = [text.get_window_extent() for text in axes.texts if text.get_text() == words]

    for text in (text for text in figure.findobj(Text) if text.get_text()):
        box = text.get_window_extent()
        assert box.x0 >= 0
        assert box.x1 <= whole.width + 1
        assert box.y0 >= 0
    for left, right in itertools.pairwise(boxes[:8]):
        assert left.x1 <= right.x0 + 1


def test_a_thick_frame_is_thicker() -> None:
    figure = gallery_figure([[tile(), tile(thick=True)]], "Title")
    plain, thick = (patch.get_linewidth() for patch in figure.axes[0].patches)

    assert thick > 2 * plain
