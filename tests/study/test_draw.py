import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from reader_settings import check_that_settings_change_nothing

from taller_cnn.messages import Messages
from taller_cnn.study.analysis import analyse
from taller_cnn.study.draw import (
    cost_figure,
    draw_study,
    effects_figure,
    gap_figure,
    heatmap_figure,
    learning_curves_figure,
    size_figure,
)
from taller_cnn.study.draw.costs import pareto_front
from taller_cnn.study.draw.curves import has_curves, mean_curve
from taller_cnn.study.draw.effects import VERDICTS, pages

pytestmark = pytest.mark.usefixtures("style")
ES, EN = Messages("es"), Messages("en")


def test_the_reader_s_settings_change_nothing(maker: Any, tmp_path: Path) -> None:
    study = analyse(maker.table(maker.dropout()))
    check_that_settings_change_nothing(lambda: effects_figure(study.questions, ES), tmp_path)


def texts(figure: Figure) -> list[str]:
    figure.draw_without_rendering()
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def tick_labels(figure: Figure) -> set[Text]:
    """Numbers of axes, among them those beyond the ends, which are not drawn."""
    both = [axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)]
    ticks = [tick for axis in both for tick in (*axis.majorTicks, *axis.minorTicks)]
    return {label for tick in ticks for label in (tick.label1, tick.label2)}


def test_a_study_gets_the_pictures_that_it_has_data_for(maker: Any) -> None:
    table = maker.table(maker.crossed(), maker.dropout(), maker.size())
    names = [picture.name for picture in draw_study(analyse(table), table, ES)]
    assert names == [
        "effects_1",
        "effects_2",
        "cost",
        "heatmap_filters-x-layers",
        "curves_filters-x-layers",
        "gap_dropout",
        "curves_dropout",
        "size_size",
        "curves_size",
    ]


def test_a_question_that_leaves_the_cost_alone_has_no_picture_of_cost(maker: Any) -> None:
    table = maker.table(maker.dropout())
    kinds = {picture.kind for picture in draw_study(analyse(table), table, EN)}
    assert kinds == {"effects", "gap", "curves"}


def test_a_study_without_results_is_drawn_without_failing(maker: Any) -> None:
    table = maker.default()
    measured = ["validation_error", "test_error", "seen_error", "gap"]
    table = table.assign(status="missing", curve=None, **dict.fromkeys(measured, np.nan))
    pictures = list(draw_study(analyse(table), table, ES))
    assert {picture.kind for picture in pictures} == {"effects", "heatmap"}
    for picture in pictures:
        picture.draw().draw_without_rendering()
    heatmap = next(picture for picture in pictures if picture.kind == "heatmap")
    assert "sin medir" in texts(heatmap.draw())


def test_the_forest_has_every_effect_with_its_interval_in_words(maker: Any) -> None:
    study = analyse(maker.default())
    words = texts(effects_figure(study.questions, ES, "una muestra"))
    assert "Cada variante frente a la red del taller\n(una muestra)" in words
    assert "filtros ×2, 4 capas" in words
    intervals = [word for word in words if " a " in word and "(" in word and word[0] in "+−0"]
    assert len(intervals) == sum(len(q.effects) for q in study.questions)
    assert all("." not in interval for interval in intervals)


def test_the_forest_draws_the_simultaneous_interval(maker: Any) -> None:
    study = analyse(maker.table(maker.dropout()))
    axes = effects_figure(study.questions, EN).axes[0]
    drawn = [line.get_xdata() for line in axes.get_lines() if len(line.get_xdata()) == 2][:3]
    expected = [[e.error.low, e.error.high] for e in study.questions[0].effects]
    assert np.allclose(drawn, expected)


def test_a_forest_is_not_taller_than_a_screen_unless_one_question_is(maker: Any) -> None:
    study = analyse(maker.default())
    made = pages(study.questions)
    assert [q.name for page in made for q in page] == [q.name for q in study.questions]
    assert len(made) == 2
    assert all(effects_figure(page, EN).get_figheight() <= 10 for page in made)


def test_verdicts_differ_in_colour_and_in_shape() -> None:
    for (colour, marker), (other_colour, other_marker) in itertools.combinations(
        VERDICTS.values(), 2
    ):
        assert colour != other_colour
        assert marker != other_marker


def test_the_heatmap_says_error_and_interval_of_every_combination(maker: Any) -> None:
    study = analyse(maker.table(maker.crossed()))
    words = texts(heatmap_figure(study.questions[0], ES))
    assert sum(word.endswith("\N{NO-BREAK SPACE}%") for word in words) == 16
    assert sum("\n(" in word for word in words) == 15
    assert "red del taller" in words
    assert {"Filtros", "Capas convolucionales", "×1/4", "4"} <= set(words)


def test_the_pareto_front_is_what_nothing_beats_in_both() -> None:
    points = [(1, 90.0), (2, 89.0), (3, 95.0), (3, 94.0), (5, 95.0), (8, 97.0)]
    assert pareto_front(points) == [0, 2, 5]


def test_the_cost_picture_has_accuracy_in_per_cent_on_a_logarithmic_axis(maker: Any) -> None:
    study = analyse(maker.table(maker.crossed()))
    figure = cost_figure(study.questions, EN)
    axes = figure.axes[0]
    assert axes.get_xscale() == "log"
    assert 90 < axes.get_ylim()[0] < axes.get_ylim()[1] <= 100.5
    assert "Best for each cost" in texts(figure)


def test_there_is_a_panel_of_curves_for_each_level_in_the_grid_of_both_factors(
    maker: Any,
) -> None:
    table = maker.table(maker.crossed())
    figure = learning_curves_figure(analyse(table).questions[0], table, EN)
    titles = [axes.get_title() for axes in figure.axes]
    assert len(titles) == 16
    assert titles[:2] == ["filters ×1/4, 1 layer", "filters ×1/2, 1 layer"]
    assert titles[4] == "filters ×1/4, 2 layers"


def test_curves_without_validation_show_the_training_loss(maker: Any) -> None:
    table = maker.table(maker.dropout())
    table["curve"] = [[(n, loss, None) for n, loss, _ in curve] for curve in table["curve"]]
    figure = learning_curves_figure(analyse(table).questions[0], table, EN)
    assert "Training loss" in texts(figure)


def test_curves_of_one_point_are_not_drawn(maker: Any) -> None:
    table = maker.table(maker.dropout())
    table["curve"] = [curve[-1:] for curve in table["curve"]]
    assert not has_curves(analyse(table).questions[0], table)


def test_the_mean_curve_is_over_points_that_all_trials_have() -> None:
    assert mean_curve([[(1, 2.0), (2, 4.0)], [(1, 4.0), (2, 8.0), (3, 1.0)]]) == [
        (1, 3.0),
        (2, 6.0),
    ]


def test_the_gap_picture_has_every_trial_and_both_errors(maker: Any) -> None:
    table = maker.table(maker.dropout())
    figure = gap_figure(analyse(table).questions[0], table, ES)
    left = figure.axes[0]
    points = [line for line in left.get_lines() if len(line.get_xdata()) == 8]
    assert len(points) == 4
    words = texts(figure)
    assert {"Dígitos vistos", "Validación"} <= set(words)
    assert "0,25\nred del taller" in words


def test_the_size_picture_is_logarithmic_on_both_axes(maker: Any) -> None:
    table = maker.table(maker.size())
    axes = size_figure(analyse(table).questions[0], table, ES).axes[0]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert "10.000" in [label.get_text() for label in axes.get_xticklabels()]


@pytest.mark.parametrize("messages", [ES, EN])
def test_nothing_is_written_outside_of_a_picture_or_too_small(
    messages: Messages, maker: Any
) -> None:
    table = maker.table(maker.crossed(), maker.dropout(), maker.size())
    note = "muestra de 5.000 dígitos, no el conjunto completo"
    for picture in draw_study(analyse(table), table, messages, note):
        figure = picture.draw()
        figure.draw_without_rendering()
        numbers = tick_labels(figure)
        for text in figure.findobj(Text):
            if not text.get_text() or not text.get_visible():
                continue
            assert text.get_fontsize() >= 10, (picture.name, text.get_text())
            if text.get_in_layout() and text not in numbers:
                box = text.get_window_extent()
                assert box.x0 >= -1, (picture.name, text.get_text())
                assert box.x1 <= figure.bbox.x1 + 1, (picture.name, text.get_text())
