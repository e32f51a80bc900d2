import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

from taller_cnn.figures import curve_figure
from taller_cnn.messages import Messages

pytestmark = pytest.mark.usefixtures("style")
ES, EN, MX = Messages("es"), Messages("en"), Messages("es-MX")
TRAIN = [0.212, 0.066, 0.047, 0.037]
TEST = [0.061, 0.042, 0.035, 0.031]
VALIDATION = [0.072, 0.052, 0.044, 0.0415]


Values = Sequence[float | None]


def points(values: Values, epochs: Sequence[float] = ()) -> list[tuple[float, float | None]]:
    """A value per epoch, from the first on where the epochs are not given."""
    return list(zip(epochs or range(1, len(values) + 1), values, strict=True))


def ten_epochs(messages: Messages = ES, note: str | None = None) -> Figure:
    train = [0.93 + 0.006 * k for k in range(10)]
    test = [0.97 + 0.002 * k for k in range(10)]
    validation = [0.968, 0.975, 0.978, 0.98, 0.984, 0.986, 0.9876, 0.9861, 0.987, 0.9868]
    curves = (points(values) for values in (train, test, validation))
    return curve_figure("accuracy", *curves, 7, messages, note)


def texts(figure: Figure) -> list[Text]:
    """Everything written in the figure."""
    return [text for text in figure.findobj(Text) if text.get_text()]


def ticks(figure: Figure, axis: str) -> list[str]:
    figure.draw_without_rendering()
    axes = figure.axes[0]
    low, high = axes.get_xlim() if axis == "x" else axes.get_ylim()
    shown = axes.xaxis if axis == "x" else axes.yaxis
    labels = zip(shown.get_ticklocs(), shown.get_ticklabels(), strict=True)
    return [label.get_text() for place, label in labels if low <= place <= high]


def line(figure: Figure, start: str) -> Line2D:
    found = [x for x in figure.axes[0].get_lines() if str(x.get_label()).startswith(start)]
    assert len(found) == 1
    return found[0]


def legend_texts(figure: Figure) -> list[str]:
    legend = figure.axes[0].get_legend()
    assert legend is not None
    return [text.get_text() for text in legend.get_texts()]


def other_texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def test_the_loss_curve_has_the_spanish_words_of_the_workshop() -> None:
    figure = curve_figure("loss", points(TRAIN), points(TEST), points(VALIDATION), 4, ES)
    assert figure.get_suptitle() == "Curva de pérdida"
    assert figure.axes[0].get_xlabel() == "Época"
    assert figure.axes[0].get_ylabel() == "Pérdida"


def test_the_accuracy_curve_has_the_spanish_words_of_the_workshop() -> None:
    figure = ten_epochs()
    assert figure.get_suptitle() == "Curva de precisión"
    assert figure.axes[0].get_ylabel() == "Precisión"


def test_english_is_complete() -> None:
    figure = ten_epochs(EN)
    assert figure.get_suptitle() == "Accuracy curve"
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("Epoch", "Accuracy")
    assert legend_texts(figure) == ["Training: 98.40%", "Test: 98.80%", "Validation: 98.68%"]
    assert other_texts(figure) == ["Best validation: epoch 7 (98.76%)"]


def test_the_curves_start_at_epoch_one_and_every_epoch_has_a_whole_tick() -> None:
    figure = ten_epochs()
    assert ticks(figure, "x") == [str(k) for k in range(1, 11)]
    assert line(figure, "Entrenamiento").get_xdata()[0] == 1
    assert 0 < figure.axes[0].get_xlim()[0] < 1


def test_the_legend_tells_the_final_value_with_a_decimal_comma() -> None:
    figure = curve_figure("loss", points(TRAIN), points(TEST), points(VALIDATION), 4, ES)
    assert legend_texts(figure) == ["Entrenamiento: 0,037", "Prueba: 0,031", "Validación: 0,042"]


@pytest.mark.parametrize(("messages", "mark"), [(ES, ","), (EN, "."), (MX, ".")])
def test_axis_numbers_have_the_decimal_mark_of_the_locale(messages: Messages, mark: str) -> None:
    figure = curve_figure("loss", points(TRAIN), points(TEST), [], None, messages)
    values = ticks(figure, "y")
    assert values[0] == f"0{mark}00"
    assert all(text[1] == mark for text in values)


def test_accuracy_is_in_per_cent_and_never_above_a_hundred() -> None:
    figure = curve_figure("accuracy", points([0.9991, 1.0]), points([0.999, 1.0]), [], None, ES)
    values = ticks(figure, "y")
    assert values[-1] == "100,00\N{NO-BREAK SPACE}%"
    assert len(set(values)) == len(values)


def test_the_series_differ_in_colour_marker_and_line_style_and_validation_is_lightest() -> None:
    figure = ten_epochs()
    lines = [line(figure, name) for name in ("Entrenamiento", "Prueba", "Validación")]
    for one, other in itertools.combinations(lines, 2):
        assert to_rgb(one.get_color()) != to_rgb(other.get_color())
        assert one.get_marker() != other.get_marker()
        assert one.get_linestyle() != other.get_linestyle()
    assert lines[2].get_linewidth() < min(lines[0].get_linewidth(), lines[1].get_linewidth())


def test_the_best_validation_epoch_is_marked_and_named() -> None:
    figure = ten_epochs()
    stars = [x for x in figure.axes[0].get_lines() if x.get_marker() == "*"]
    assert [(list(x.get_xdata()), list(x.get_ydata())) for x in stars] == [([7], [0.9876])]
    assert other_texts(figure) == ["Mejor validación: época 7 (98,76\N{NO-BREAK SPACE}%)"]


@pytest.mark.parametrize("best", [1, 2, 3, 4])
def test_the_mark_s_name_stays_inside_the_figure(best: int) -> None:
    figure = curve_figure("loss", points(TRAIN), points(TEST), points(VALIDATION), best, ES)
    figure.draw_without_rendering()
    box = figure.axes[0].texts[0].get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.x1


@pytest.mark.parametrize("best", [1, 7, 10])
def test_the_title_the_mark_s_name_and_the_axes_do_not_overlap(best: int) -> None:
    flat = points([0.1] * 10)
    figure = curve_figure("loss", flat, flat, flat, best, ES, "una muestra")
    figure.draw_without_rendering()
    title = next(text for text in texts(figure) if text.get_text().startswith("Curva"))
    name = figure.axes[0].texts[0].get_window_extent()
    assert title.get_window_extent().y0 > name.y1
    assert name.y0 > figure.axes[0].get_window_extent().y1


@pytest.mark.parametrize("epoch", [1, 0.6, 2.0])
def test_one_measurement_is_one_visible_point_without_a_best_of_one(epoch: float) -> None:
    figure = curve_figure("accuracy", [(epoch, 0.95)], [(epoch, 0.98)], [(epoch, 0.979)], epoch, ES)
    train = line(figure, "Entrenamiento")
    assert list(train.get_xdata()) == [epoch]
    assert train.get_marker() == "o"
    assert other_texts(figure) == []
    assert ticks(figure, "x") == [ES.significant(epoch, 6)]


def test_a_last_part_of_an_epoch_has_its_own_tick() -> None:
    figure = curve_figure("loss", points(TRAIN[:3], [1, 2, 2.5]), [], [], None, ES)
    assert ticks(figure, "x") == ["1", "2", "2,5"]


def test_without_validation_there_is_neither_its_curve_nor_a_mark() -> None:
    for validation in ([], [(1, None), (2, None)]):
        figure = curve_figure("loss", points(TRAIN[:2]), points(TEST[:2]), validation, None, ES)
        assert len(legend_texts(figure)) == 2
        assert other_texts(figure) == []


def test_values_that_were_not_measured_leave_gaps_and_do_not_fail() -> None:
    test = [None, 0.05, float("nan"), 0.03]
    figure = curve_figure("loss", points(TRAIN), points(test), [], None, ES)
    assert list(line(figure, "Prueba").get_xdata()) == [2, 4]


def test_the_note_is_part_of_the_title_and_fits() -> None:
    note = "Muestra de 5.000 dígitos, no es el MNIST completo: la precisión será menor que con él"
    figure = ten_epochs(ES, note)
    assert figure.get_suptitle() == f"Curva de precisión\n({note})"
    figure.draw_without_rendering()
    title = next(text for text in texts(figure) if text.get_text().startswith("Curva"))
    assert title.get_window_extent().x0 > 0
    assert title.get_window_extent().x1 < figure.bbox.x1


def test_letters_are_large_enough_for_a_projector() -> None:
    figure = ten_epochs()
    figure.draw_without_rendering()
    sizes = [text.get_fontsize() for text in texts(figure)]
    # 15 points on ten inches: on a slide that fills the screen, those of a 20 point text.
    assert min(sizes) >= 15


@settings(max_examples=60, deadline=None)
@given(count=st.integers(1, 3000), part=st.sampled_from([0.0, 0.25, 0.5, 0.9]))
def test_epoch_ticks_are_few_whole_and_within_the_run(count: int, part: float) -> None:
    epochs = [float(k) for k in range(1, count + 1)] + ([count + part] if part else [])
    axes = curve_figure("loss", [(e, 0.1) for e in epochs], [], [], None, EN).axes[0]
    places = list(axes.get_xticks())
    assert places[0] == 1
    assert places == sorted(set(places))
    assert len(places) <= 14
    assert all(p == int(p) for p in places[:-1])
    assert places[-1] <= epochs[-1]


SHORT = [(k / 20, 2.3 * 0.85**k) for k in range(1, 26)]  # to 1.25 epochs
CHECKED = [(0.3, 0.4), (0.6, 0.25), (0.9, 0.2), (1.25, 0.19)]


def short_run(messages: Messages = ES) -> Figure:
    return curve_figure("loss", SHORT, [(1.25, 0.18)], CHECKED, None, messages, validation_n=500)


def test_curves_of_a_short_run_have_points_of_their_own_from_the_start_on() -> None:
    figure = short_run()
    assert len(line(figure, "Entrenamiento").get_xdata()) == 25
    assert list(line(figure, "Validación").get_xdata()) == [0.3, 0.6, 0.9, 1.25]
    assert list(line(figure, "Prueba").get_xdata()) == [1.25]
    assert figure.axes[0].get_xlim()[0] == 0
    assert ticks(figure, "x") == ["0,0", "0,2", "0,4", "0,6", "0,8", "1,0", "1,2"]


@pytest.mark.parametrize(
    ("messages", "label"),
    [(ES, "Validación (500 imágenes fijas): 0,190"), (EN, "Validation (500 fixed images): 0.190")],
)
def test_the_legend_says_that_validation_is_of_some_digits_only(
    messages: Messages, label: str
) -> None:
    assert label in legend_texts(short_run(messages))


def test_the_last_point_of_a_long_curve_has_its_mark() -> None:
    figure = curve_figure("loss", [(k, 1 / k) for k in range(1, 61)], [], [], None, ES)
    marked = list(range(60))[line(figure, "Entrenamiento").get_markevery()]
    assert marked[-1] == 59
    assert 12 < len(marked) <= 25


@pytest.mark.parametrize("last", [0.01, 0.07, 0.5, 0.94, 1.0, 1.9])
def test_a_short_run_of_any_length_has_few_ticks_inside_the_axes(last: float) -> None:
    points_ = [(last * k / 8, 0.9) for k in range(1, 9)]
    figure = curve_figure("accuracy", points_, [], [], None, EN)
    shown = ticks(figure, "x")
    assert 3 <= len(shown) <= 8
    assert len(set(shown)) == len(shown)
