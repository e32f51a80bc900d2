import re

import numpy as np
import numpy.typing as npt
import pytest
import torch
from gallery_images import image_in
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from taller_cnn.figures import digits_figure, predictions_figure
from taller_cnn.messages import Messages

pytestmark = pytest.mark.usefixtures("style")
ES, EN = Messages("es"), Messages("en")
DIGITS = [str(k) for k in range(10)]
FASHION = [
    *("Camiseta", "Pantalón", "Suéter", "Vestido", "Abrigo"),
    *("Sandalia", "Camisa", "Zapatilla", "Bolso", "Botín"),
]
SPACE = "\N{NO-BREAK SPACE}"


def case(
    count: int, mistakes: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Images filled with their index, labels 0 to 9 in turn, and that many wrong predictions.

    Wrong ones come first, with probabilities that grow from 0.5; right ones have 0.9.
    """
    images = np.zeros((count, 1, 28, 28), dtype=np.uint8)
    images[:] = np.arange(count).reshape(-1, 1, 1, 1) % 250
    labels = np.arange(count) % 10
    probabilities = np.full((count, 10), 0.01, dtype=np.float32)
    for k in range(count):
        wrong = k < mistakes
        probabilities[k, (labels[k] + wrong) % 10] = 0.5 + 0.01 * k if wrong else 0.9
    return images, labels, probabilities


def texts(figure: Figure) -> list[Text]:
    """Everything written in the figure."""
    return [text for text in figure.findobj(Text) if text.get_text()]


def headings(figure: Figure) -> list[str]:
    return [t.get_text() for t in figure.axes[0].texts if t.get_text()[0] not in "✓✗"]


def captions(figure: Figure, sign: str) -> list[str]:
    return [t.get_text() for t in figure.axes[0].texts if t.get_text().startswith(sign)]


def frames(figure: Figure) -> list[Rectangle]:
    """Frames of the left block, then those of the right one, each row by row."""
    drawn = [patch for patch in figure.axes[0].patches if isinstance(patch, Rectangle)]
    return sorted(drawn, key=lambda frame: frame.get_x() > figure.get_figwidth() / 2)


def test_twelve_right_ones_and_the_twelve_boldest_mistakes_are_shown() -> None:
    figure = predictions_figure(*case(100, 30), DIGITS, ES)
    assert figure.get_suptitle() == "Ejemplos de predicción"
    assert headings(figure) == [
        "Aciertos: 12 de 70",
        "Errores: 12 de 30, los de mayor confianza",
    ]
    assert len(captions(figure, "✓")) == 12
    mistakes = captions(figure, "✗")
    # Image 29 is a 9 taken for a 0 with probability 0.79, and so on down.
    assert mistakes[0] == f"✗ 0 (79,0{SPACE}%)\nreal: 9"
    assert mistakes[11] == f"✗ 9 (68,0{SPACE}%)\nreal: 8"


def test_english_is_complete() -> None:
    figure = predictions_figure(*case(100, 30), DIGITS, EN, "a sample")
    assert figure.get_suptitle() == "Sample predictions\n(a sample)"
    assert headings(figure) == ["Correct: 12 of 70", "Mistakes: 12 of 30, those of highest confidence"]
    assert captions(figure, "✗")[0] == "✗ 0 (79.0%)\ntrue: 9"
    assert captions(figure, "✓")[0] == "✓ 0 (90.0%)"


def test_the_right_ones_show_every_class_before_they_repeat_one() -> None:
    figure = predictions_figure(*case(100, 30), DIGITS, ES)
    shown = [re.findall(r"✓ (\d)", text)[0] for text in captions(figure, "✓")]
    assert shown == [*DIGITS, "0", "1"]


def test_the_pictures_are_those_of_the_captions() -> None:
    images, labels, probabilities = case(100, 30)
    figure = predictions_figure(images, labels, probabilities, DIGITS, ES)
    drawn = [int(image_in(figure, frame)[0, 0]) for frame in frames(figure)]
    assert drawn[12:] == list(range(29, 17, -1))
    assert [labels[k] for k in drawn[:12]] == [*range(10), 0, 1]


def test_mistakes_are_marked_by_sign_and_thickness_and_not_by_colour_alone() -> None:
    drawn = frames(predictions_figure(*case(100, 30), DIGITS, ES))
    thin, thick = drawn[:12], drawn[12:]
    assert len(thick) == 12
    assert max(f.get_linewidth() for f in thin) * 2 <= min(f.get_linewidth() for f in thick)
    assert {f.get_edgecolor() for f in thin}.isdisjoint(f.get_edgecolor() for f in thick)


def test_without_mistakes_the_figure_says_so_and_fills_with_right_ones() -> None:
    figure = predictions_figure(*case(100, 0), DIGITS, ES)
    assert headings(figure) == ["Aciertos: 24 de 100, sin ningún error"]
    assert len(captions(figure, "✓")) == 24


def test_with_nothing_right_only_mistakes_are_shown() -> None:
    figure = predictions_figure(*case(5, 5), DIGITS, ES)
    assert headings(figure) == ["Los 5 errores, de mayor a menor confianza"]
    assert len(captions(figure, "✗")) == 5


def test_few_images_make_a_small_figure() -> None:
    figure = predictions_figure(*case(3, 1), DIGITS, ES)
    assert headings(figure) == ["Aciertos: 2 de 2", "El único error"]
    assert figure.get_figheight() < predictions_figure(*case(100, 30), DIGITS, ES).get_figheight()


def test_torch_tensors_are_drawn_like_arrays() -> None:
    arrays = case(30, 3)
    tensors = (torch.from_numpy(array) for array in arrays)
    assert captions(predictions_figure(*tensors, DIGITS, ES), "✗") == captions(
        predictions_figure(*arrays, DIGITS, ES), "✗"
    )


def boxes(figure: Figure) -> list[tuple[float, float, float, float]]:
    figure.draw_without_rendering()
    return [text.get_window_extent().extents for text in texts(figure)]


@pytest.mark.parametrize("names", [DIGITS, FASHION])
@pytest.mark.parametrize("mistakes", [0, 1, 40])
@pytest.mark.parametrize("note", [None, "Muestra de 5.000 dígitos, no el MNIST completo"])
def test_no_text_overlaps_another_or_leaves_the_figure(
    names: list[str], mistakes: int, note: str | None
) -> None:
    figure = predictions_figure(*case(100, mistakes), names, ES, note)
    written = boxes(figure)
    for x0, y0, x1, y1 in written:
        assert 0 <= x0 < x1 <= figure.bbox.x1
        assert 0 <= y0 < y1 <= figure.bbox.y1
    for k, (x0, y0, x1, y1) in enumerate(written):
        for a0, b0, a1, b1 in written[k + 1 :]:
            assert x1 <= a0 or a1 <= x0 or y1 <= b0 or b1 <= y0


def test_captions_of_long_names_all_have_one_readable_size() -> None:
    figure = predictions_figure(*case(100, 30), FASHION, ES)
    sizes = {t.get_fontsize() for t in figure.axes[0].texts if t.get_text()[0] in "✓✗"}
    assert len(sizes) == 1
    assert sizes.pop() >= 12


def test_ten_digits_of_each_class_are_shown_one_class_in_a_row() -> None:
    images = np.zeros((300, 1, 28, 28), dtype=np.uint8)
    labels = np.arange(300) % 10
    images[:] = (labels + 1).reshape(-1, 1, 1, 1) * 20
    figure = digits_figure(images, labels, DIGITS, ES, "una muestra")
    assert figure.get_suptitle() == "Ejemplos de cada clase\n(una muestra)"
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == DIGITS
    sheet = np.asarray(figure.axes[0].get_images()[0].get_array())
    places = figure.axes[0].get_yticks()
    for label, place in enumerate(places):
        row = sheet[round(place)]
        assert set(row[row > 0]) == {(label + 1) * 20}
        assert np.count_nonzero(row) == 10 * 28


def test_a_class_with_few_images_leaves_the_rest_of_its_row_empty() -> None:
    images = torch.full((3, 1, 28, 28), 200, dtype=torch.uint8)
    labels = torch.tensor([0, 0, 2])
    figure = digits_figure(images, labels, FASHION, EN)
    assert figure.get_suptitle() == "Examples of each class"
    sheet = np.asarray(figure.axes[0].get_images()[0].get_array())
    per_row = [np.count_nonzero(sheet[round(place)]) for place in figure.axes[0].get_yticks()]
    assert per_row == [56, 0, 28, 0, 0, 0, 0, 0, 0, 0]
