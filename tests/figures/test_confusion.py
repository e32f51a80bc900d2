import itertools

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib.collections import QuadMesh
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text

from taller_cnn.figures import confusion_figure
from taller_cnn.messages import Messages

pytestmark = pytest.mark.usefixtures("style")
ES, EN = Messages("es"), Messages("en")
DIGITS = [str(k) for k in range(10)]
FASHION = [
    *("Camiseta/top", "Pantalón", "Suéter", "Vestido", "Abrigo"),
    *("Sandalia", "Camisa", "Zapatilla deportiva", "Bolso", "Botín"),
]


def matrix() -> npt.NDArray[np.int64]:
    counts = np.diag([980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009])
    counts[4, 9], counts[9, 4], counts[7, 2] = 9, 1, 4
    return counts


def luminance(colour: npt.ArrayLike) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: npt.ArrayLike, other: npt.ArrayLike) -> float:
    light, dark = sorted([luminance(one), luminance(other)], reverse=True)
    return (light + 0.05) / (dark + 0.05)


def texts(figure: Figure) -> list[Text]:
    """Everything written in the figure."""
    return [text for text in figure.findobj(Text) if text.get_text()]


def cells(figure: Figure) -> dict[tuple[int, int], str]:
    """Number in each cell, by row and column."""
    numbers = [text for text in figure.axes[0].texts if text.get_text().replace(".", "").isdigit()]
    return {(int(t.get_position()[1]), int(t.get_position()[0])): t.get_text() for t in numbers}


def colours(figure: Figure) -> npt.NDArray[np.float64]:
    [mesh] = (c for c in figure.axes[0].collections if isinstance(c, QuadMesh))
    return np.asarray(mesh.get_array())


def test_the_words_are_those_of_the_workshop() -> None:
    figure = confusion_figure(matrix(), DIGITS, ES, "MNIST")
    assert figure.get_suptitle().split("\n") == [
        "Matriz de confusión - MNIST",
        "14 errores en 10.014 imágenes",
    ]
    assert figure.axes[0].get_xlabel() == "Clase predicha"
    assert figure.axes[0].get_ylabel() == "Clase real"


def test_english_is_complete() -> None:
    figure = confusion_figure(matrix(), DIGITS, EN, "Fashion-MNIST", "a sample")
    assert figure.get_suptitle().split("\n") == [
        "Confusion matrix - Fashion-MNIST",
        "14 errors in 10,014 images",
        "(a sample)",
    ]
    assert figure.axes[0].get_xlabel() == "Predicted class"


def test_one_error_is_in_the_singular() -> None:
    counts = np.diag([5, 5])
    counts[0, 1] = 1
    figure = confusion_figure(counts, ["0", "1"], ES, "MNIST")
    assert "1 error en 11 imágenes" in figure.get_suptitle()


def test_rows_are_true_classes_and_cells_without_images_have_no_number() -> None:
    written = cells(confusion_figure(matrix(), DIGITS, ES, "MNIST"))
    assert written[4, 9] == "9"
    assert written[9, 4] == "1"
    assert written[1, 1] == "1.135"
    assert len(written) == 13


def test_a_torch_matrix_is_drawn_like_a_numpy_one() -> None:
    figure = confusion_figure(torch.from_numpy(matrix()), DIGITS, ES, "MNIST")
    assert cells(figure) == cells(confusion_figure(matrix(), DIGITS, ES, "MNIST"))


def test_one_error_is_visible_beside_a_thousand_right_ones() -> None:
    drawn = colours(confusion_figure(matrix(), DIGITS, ES, "MNIST"))
    white = (1, 1, 1)
    assert tuple(drawn[0, 1][:3]) == white
    assert contrast(drawn[9, 4], white) > 1.3
    assert contrast(drawn[7, 2], white) > contrast(drawn[9, 4], white) * 1.3
    assert contrast(drawn[4, 9], white) > contrast(drawn[7, 2], white) * 1.3


def test_the_diagonal_is_one_neutral_grey() -> None:
    drawn = colours(confusion_figure(matrix(), DIGITS, ES, "MNIST"))
    diagonal = np.diagonal(drawn, axis1=0, axis2=1).T[:, :3]
    assert np.ptp(diagonal) == 0


def test_a_matrix_without_errors_is_drawn() -> None:
    figure = confusion_figure(np.diag([3, 4]), ["0", "1"], ES, "MNIST")
    assert "0 errores en 7 imágenes" in figure.get_suptitle()
    assert cells(figure) == {(0, 0): "3", (1, 1): "4"}


@settings(max_examples=25, deadline=None)
@given(counts=arrays(np.int64, (4, 4), elements=st.integers(0, 2000)))
def test_every_number_stands_out_from_its_cell(counts: npt.NDArray[np.int64]) -> None:
    figure = confusion_figure(counts, DIGITS[:4], EN, "MNIST")
    drawn = colours(figure)
    numbers = [t for t in figure.axes[0].texts if t.get_text().replace(",", "").isdigit()]
    assert len(numbers) == np.count_nonzero(counts)
    for text in numbers:
        column, row = text.get_position()
        assert contrast(text.get_color(), drawn[int(row), int(column)]) >= 4.5


def test_each_row_tells_its_share_of_right_ones_and_its_total() -> None:
    counts = np.array([[2, 2, 0], [0, 0, 0], [0, 0, 1000]])
    figure = confusion_figure(counts, DIGITS[:3], ES, "MNIST")
    figure.draw_without_rendering()
    beside = [text for text in figure.axes[0].texts if text.get_position() == (6, 0)]
    assert [text.get_text() for text in beside] == [
        "50,0\N{NO-BREAK SPACE}% de 4",
        "–",
        "100,0\N{NO-BREAK SPACE}% de 1.000",
    ]


@pytest.mark.parametrize("names", [DIGITS, FASHION])
def test_all_text_is_inside_the_figure_and_class_names_do_not_overlap(names: list[str]) -> None:
    figure = confusion_figure(matrix(), names, ES, "fashion-mnist", "Muestra, no el completo")
    figure.draw_without_rendering()
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == names
    assert [label.get_text() for label in axes.get_yticklabels()] == names
    for text in texts(figure):
        box = text.get_window_extent()
        assert box.x0 >= 0, text
        assert box.y0 >= 0, text
        assert box.x1 <= figure.bbox.x1, text
        assert box.y1 <= figure.bbox.y1, text
    rows = [label.get_window_extent() for label in axes.get_yticklabels()]
    assert all(upper.y0 > lower.y1 for upper, lower in itertools.pairwise(rows))


def test_numbers_fit_their_cells() -> None:
    figure = confusion_figure(matrix(), FASHION, ES, "fashion-mnist", "Muestra, no el completo")
    figure.draw_without_rendering()
    width = figure.axes[0].get_window_extent().width / 10
    numbers = [t for t in figure.axes[0].texts if t.get_text().replace(".", "").isdigit()]
    assert max(text.get_window_extent().width for text in numbers) < width


def test_the_colour_scale_counts_whole_images() -> None:
    figure = confusion_figure(np.array([[50, 1], [0, 50]]), ["0", "1"], ES, "MNIST")
    figure.draw_without_rendering()
    bar = figure.axes[1]
    assert bar.get_ylabel() == "Imágenes mal clasificadas"
    labels = [label.get_text() for label in bar.get_yticklabels() if label.get_text()]
    assert labels == ["0", "1", "2", "3", "4", "5"]
