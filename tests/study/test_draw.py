import itertools
from dataclasses import replace
from pathlib import Path

import made_results
import made_study as make
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from reader_settings import check_that_settings_change_nothing

from taller_cnn.messages import Messages
from taller_cnn.page import Picture
from taller_cnn.study.draw.cost import pareto_front
from taller_cnn.study.draw.curves import mean_curve
from taller_cnn.study.draw.forest import SCREEN, VERDICTS
from taller_cnn.study.pictures import question_pictures, study_pictures
from taller_cnn.study.results import StudyAnalysis

pytestmark = pytest.mark.usefixtures("style")
ES, EN = Messages("es"), Messages("en")


def pictures(study: StudyAnalysis, say: Messages = EN, note: str | None = None) -> list[Picture]:
    of_questions = [p for q in study.questions for p in question_pictures(q, say, note)]
    return [*study_pictures(study, say, note), *of_questions]


def drawn(name: str, *questions: make.MadeAnswer, say: Messages = EN) -> Figure:
    study = make.made(*questions)
    return next(picture for picture in pictures(study, say) if picture.name == name).draw()


def texts(figure: Figure) -> list[str]:
    figure.draw_without_rendering()
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def tick_labels(figure: Figure) -> set[Text]:
    """Numbers of axes, among them those beyond the ends, which are not drawn."""
    both = [axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)]
    ticks = [tick for axis in both for tick in (*axis.majorTicks, *axis.minorTicks)]
    return {label for tick in ticks for label in (tick.label1, tick.label2)}


def test_the_reader_s_settings_change_nothing(tmp_path: Path) -> None:
    picture = pictures(make.made(make.dropout()), ES)[0]
    check_that_settings_change_nothing(picture.draw, tmp_path)


def test_a_study_gets_the_pictures_that_it_has_data_for() -> None:
    study = make.made(make.crossed(), make.dropout(), make.size())
    assert [picture.name for picture in pictures(study)] == [
        "effects_1",
        "effects_2",
        "cost_1",
        "heatmap_filters-x-layers",
        "curves_filters-x-layers",
        "gap_dropout",
        "curves_dropout",
        "size_size",
        "curves_size",
    ]


def test_accuracies_of_different_trainings_are_not_drawn_together() -> None:
    study = make.made(
        make.crossed(), make.held_filters(), make.held_layers(training=make.LONG), make.dropout()
    )
    costs = [picture.draw() for picture in pictures(study) if picture.name.startswith("cost")]
    first, second = (" ".join(texts(figure)) for figure in costs)
    assert "10,000 digits, 1 epoch" in first
    assert "Filters, with a fixed fc1 input" in first
    assert "35,000 digits, 2 epochs" in second
    assert "Convolutional layers, with a fixed fc1 input" in second
    assert "Filters" not in second


def test_every_picture_says_its_training_its_seeds_and_its_digits() -> None:
    study = make.made(make.crossed(), make.dropout(), make.size())
    for picture in pictures(study, ES):
        words = " ".join(texts(picture.draw()))
        assert "pasos" in words, picture.name
        assert "semillas" in words, picture.name
        assert "20.000 dígitos reservados" in words, picture.name
        assert "20.000 dígitos reservados" in picture.alt


def test_a_question_without_results_has_no_pictures() -> None:
    answers = (make.crossed(), make.dropout(), make.size())
    assert pictures(make.study_of(*map(make.unmeasured, answers))) == []


def test_a_level_without_results_is_drawn_without_failing() -> None:
    crossed = make.made(make.crossed()).questions[0]
    without = make.with_levels(
        crossed, lambda x: replace(x, error=make.NO_SPREAD) if x.levels == ("x2", "4") else x
    )
    made = pictures(make.study_of(without), ES)
    for picture in made:
        picture.draw().draw_without_rendering()
    heatmap = next(picture for picture in made if picture.name.startswith("heatmap"))
    assert texts(heatmap.draw()).count("sin medir") == 1


def test_the_forest_has_every_effect_with_its_interval_in_words() -> None:
    study = make.default()
    figures = [p.draw() for p in study_pictures(study, ES, "una muestra") if "effects" in p.name]
    words = [word for figure in figures for word in texts(figure)]
    assert "Cada variante frente a su referencia\n(una muestra)" in words
    assert "filtros ×2, 4 capas" in words
    intervals = [word for word in words if " a " in word and "(" in word and word[0] in "+−0"]
    assert len(intervals) == sum(len(q.effects) for q in study.questions)
    assert all("." not in interval for interval in intervals)
    assert all(figure.get_figheight() <= SCREEN for figure in figures)


def test_the_forest_draws_the_simultaneous_interval() -> None:
    study = make.made(make.dropout())
    axes = pictures(study)[0].draw().axes[0]
    lines = [line.get_xdata() for line in axes.get_lines() if len(line.get_xdata()) == 2][:3]
    expected = [[e.error.low, e.error.high] for e in study.questions[0].effects]
    assert np.allclose(lines, expected)


def test_verdicts_differ_in_colour_and_in_shape() -> None:
    for (colour, marker), (other_colour, other_marker) in itertools.combinations(
        VERDICTS.values(), 2
    ):
        assert colour != other_colour
        assert marker != other_marker


def test_the_heatmap_says_error_and_interval_of_every_combination() -> None:
    words = texts(drawn("heatmap_filters-x-layers", make.crossed(), say=ES))
    assert sum(word.endswith("\N{NO-BREAK SPACE}%") for word in words) == 16
    assert sum("\n(" in word for word in words) == 15
    assert "red del taller" in words
    assert {"Filtros", "Capas convolucionales", "×1/4", "4"} <= set(words)


def test_the_pareto_front_is_what_nothing_beats_in_both() -> None:
    points = [(1, 90.0), (2, 89.0), (3, 95.0), (3, 94.0), (5, 95.0), (8, 97.0)]
    assert pareto_front(points) == [0, 2, 5]


def test_the_cost_picture_has_accuracy_in_per_cent_on_a_logarithmic_axis() -> None:
    figure = drawn("cost_1", make.crossed())
    axes = figure.axes[0]
    assert axes.get_xscale() == "log"
    assert 90 < axes.get_ylim()[0] < axes.get_ylim()[1] <= 100.5
    assert "Best measured mean for each cost" in texts(figure)


def test_there_is_a_panel_of_curves_for_each_level_in_the_grid_of_both_factors() -> None:
    figure = drawn("curves_filters-x-layers", make.crossed())
    titles = [axes.get_title() for axes in figure.axes]
    assert len(titles) == 16
    assert titles[:2] == ["filters ×1/4, 1 layer", "filters ×1/2, 1 layer"]
    assert titles[4] == "filters ×1/4, 2 layers"


def test_curves_without_errors_show_the_training_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = made_results.curve
    monkeypatch.setattr(
        made_results,
        "curve",
        lambda error, seen: tuple((n, loss, None) for n, loss, _ in whole(error, seen)),
    )
    assert "Training loss" in texts(drawn("curves_dropout", make.dropout()))


def test_curves_of_one_point_are_not_drawn() -> None:
    names = [picture.name for picture in pictures(make.made(make.dropout(curves=False)))]
    assert names == ["effects_1", "gap_dropout"]


def test_the_mean_curve_is_over_points_that_all_trials_have() -> None:
    assert mean_curve([[(1, 2.0), (2, 4.0)], [(1, 4.0), (2, 8.0), (3, 1.0)]]) == [
        (1, 3.0),
        (2, 6.0),
    ]


def test_the_gap_picture_has_every_trial_and_both_errors() -> None:
    figure = drawn("gap_dropout", make.dropout(), say=ES)
    points = [line for line in figure.axes[0].get_lines() if len(line.get_xdata()) == 8]
    assert len(points) == 4
    words = texts(figure)
    assert {"Dígitos de entrenamiento", "Dígitos reservados"} <= set(words)
    assert "0,25\nred del taller" in words


def test_the_size_picture_marks_its_reference_and_not_the_workshops_network() -> None:
    """2,000 digits are the reference of the question; the workshop trains on all of them."""
    figure = drawn("size_size", make.size(), say=ES)
    axes = figure.axes[0]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    names = [label.get_text() for label in axes.get_xticklabels()]
    assert "10.000" in names
    assert "2.000\nreferencia" in names
    assert "taller" not in " ".join(texts(figure))


@pytest.mark.parametrize("messages", [ES, EN])
def test_nothing_is_written_outside_of_a_picture_or_too_small(messages: Messages) -> None:
    study = make.made(make.crossed(), make.dropout(), make.size())
    for picture in pictures(study, messages, "muestra de 5.000 dígitos, no el conjunto completo"):
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
