"""Make the pictures of `docs/explanation/best`, from what the benchmarks have measured.

    python benchmarks/best_pictures.py

`benchmarks/results` gives the figures: the newest file of each kind. ``best_time_<language>.png``
is the error against the seconds of training, from `fast` to the ensemble, and
``best_none_right_<language>.png`` the test digits that no network of `best` gets.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from reporting import RESULTS
from time_to_accuracy import ROOT, digits

from taller_cnn.data import Digits
from taller_cnn.evaluation import wilson_interval
from taller_cnn.figures import Tile, gallery_figure, save_figure
from taller_cnn.figures.axes import draw_intervals, log_axis, plain_axes
from taller_cnn.figures.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    LINES,
    TICK,
    VERMILION,
    new_figure,
    set_title,
    with_note,
)
from taller_cnn.messages import Messages

IMAGES = ROOT / "docs" / "images"
WRONG_LABELS: Mapping[int, int] = {
    947: 0,
    1621: 2,
    1901: 2,
    2130: 2,
    2462: 0,
    2597: 0,
    2654: 0,
    3520: 2,
    3558: 1,
    5937: 1,
    6651: 0,
    6783: 2,
    8527: 2,
    9679: 2,
    9729: 2,
}
"""Test digits whose label at least 3 of 5 people rejected, and how many of the 5 agreed with it:
Northcutt, Athalye & Mueller 2021, arXiv:2103.14749, mturk/mnist_mturk.json of
github.com/cleanlab/label-errors. Nobody was asked about most of the other test digits."""
TEXTS: Mapping[str, Mapping[str, str]] = {
    "es": {
        "time": "Lo que compran los segundos",
        "time_axis": "Segundos de entrenamiento",
        "error_axis": "Error en los {n:d} dígitos de prueba (%)",
        "machine": "{processor}, {cores:d} núcleos, {instructions}",
        "one": "Cada red",
        "mean": "Media, con el intervalo de Wilson del 95 % para {n:d} dígitos",
        "labels": "{wrong:d} etiquetas que las personas rechazan",
        "ensemble": "{k:d} redes juntas",
        "none_right": "Los {count:d} dígitos de prueba que ninguna de las {k:d} redes acierta",
        "label": "etiqueta {label}",
        "says": "dicen {answers}",
        "votes": "{votes:d} de 5 aceptan la etiqueta",
        "framed": "Marco grueso: 3 o más de 5 personas rechazan la etiqueta (Northcutt 2021)",
    },
    "en": {
        "time": "What seconds buy",
        "time_axis": "Seconds of training",
        "error_axis": "Error on the {n:d} test digits (%)",
        "machine": "{processor}, {cores:d} cores, {instructions}",
        "one": "Each network",
        "mean": "Mean, with the 95% Wilson interval for {n:d} digits",
        "labels": "{wrong:d} labels that people reject",
        "ensemble": "{k:d} networks together",
        "none_right": "The {count:d} test digits that none of the {k:d} networks gets",
        "label": "label {label}",
        "says": "they say {answers}",
        "votes": "{votes:d} of 5 accept the label",
        "framed": "Thick frame: 3 or more of 5 people reject the label; Northcutt 2021",
    },
}


def text(messages: Messages, key: str, **values: Any) -> str:
    return messages.vformat(TEXTS[messages.language][key], (), values)


@dataclass(frozen=True, kw_only=True)
class Trained:
    """The networks of a recipe: seconds of training and errors of each, and what they make."""

    name: str
    seconds: Sequence[float]
    errors: Sequence[float]
    n: int
    machine: Mapping[str, Any]

    @property
    def mean(self) -> float:
        return statistics.mean(self.errors)

    def interval(self) -> tuple[float, float]:
        """Errors that other test digits would give, 95% (Wilson)."""
        low, high = wilson_interval(round(self.mean), self.n)
        return self.n * low, self.n * high


def newest(kind: str) -> dict[str, Any]:
    """The newest result of that kind; empty if there is none."""
    files = sorted(RESULTS.glob(f"????-??-??-{kind}.json"))
    return dict(json.loads(files[-1].read_text(encoding="utf-8"))) if files else {}


def measured() -> list[Trained]:
    """The recipes that there are results of, each from its own benchmark."""
    found = []
    fast = newest("time-to-accuracy")
    if fast:
        errors = [(1 - run["test_accuracy"]) * 10_000 for run in fast["fast"]]
        found.append(trained("fast", fast, [run["seconds"] for run in fast["fast"]], errors))
    workshop = newest("workshop-accuracy")
    if workshop:
        runs = workshop["runs"]
        errors = [(1 - run["test_accuracy"]) * 10_000 for run in runs]
        found.append(trained("workshop", workshop, [run["train_seconds"] for run in runs], errors))
    if best := newest("best-accuracy"):
        errors = [float(run["test_errors"]) for run in best["runs"]]
        found.append(trained("best", best, [run["seconds"] for run in best["runs"]], errors))
    return found


def together() -> Trained | None:
    """The ensemble of all networks of `best`; its time is that of all of them."""
    result = newest("best-accuracy")
    if not result:
        return None
    seconds = float(sum(run["seconds"] for run in result["runs"]))
    return trained("ensemble", result, [seconds], [float(result["together"])])


def trained(
    name: str, result: Mapping[str, Any], seconds: Sequence[float], errors: Sequence[float]
) -> Trained:
    machine = result["provenance"]["machine"]
    return Trained(name=name, seconds=seconds, errors=errors, n=10_000, machine=machine)


def time_figure(messages: Messages) -> Figure:
    """Error against seconds of training, both on logarithmic axes."""
    singles, joint = measured(), together()
    everything = [*singles, *([joint] if joint else [])]
    if not everything:
        raise SystemExit(f"no results of any recipe in {RESULTS}")
    n = everything[0].n
    figure, axes = new_figure(14, 8)
    axes.set_xscale("log")
    axes.set_yscale("log")
    for index, recipe in enumerate(everything):
        is_joint = recipe is joint
        colour, marker = (VERMILION, "D") if is_joint else (BLUE, "o")
        if not is_joint:
            percent = [100 * errors / n for errors in recipe.errors]
            label = text(messages, "one") if not index else None
            axes.plot(recipe.seconds, percent, ".", color=GREY, markersize=8, label=label)
        label = text(messages, "mean", n=n) if not index else None
        draw_mean(axes, recipe, colour, marker, label)
        name = recipe.name
        if name in TEXTS[messages.language]:
            name = text(messages, name, k=len(newest("best-accuracy").get("runs", ())))
        annotate(axes, recipe, name, messages)
    wrong = 100 * len(WRONG_LABELS) / n
    label = text(messages, "labels", wrong=len(WRONG_LABELS))
    axes.axhline(wrong, color=GREEN, linewidth=2, linestyle="--", label=label)
    set_axes(axes, everything, wrong, messages)
    machines = [text(messages, "machine", **recipe.machine) for recipe in everything]
    note = "; ".join(dict.fromkeys(machines))
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    set_title(figure, with_note(text(messages, "time"), note, messages))
    return figure


def draw_mean(axes: Axes, recipe: Trained, colour: str, marker: str, label: str | None) -> None:
    low, high = (100 * errors / recipe.n for errors in recipe.interval())
    mean, seconds = 100 * recipe.mean / recipe.n, statistics.mean(recipe.seconds)
    style = {"color": colour, "marker": marker, "markersize": 12, "label": label, "zorder": 3}
    draw_intervals(axes, [seconds], [mean], [low], [high], **style)


def annotate(axes: Axes, recipe: Trained, name: str, messages: Messages) -> None:
    accuracy = messages.percent(1 - recipe.mean / recipe.n, 2)
    axes.annotate(
        f"{name}\n{accuracy}",
        xy=(statistics.mean(recipe.seconds), 100 * recipe.mean / recipe.n),
        xytext=(14, 8),
        textcoords="offset points",
        fontsize=TICK,
        color=INK,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 1},
    )


def set_axes(axes: Axes, recipes: Sequence[Trained], wrong: float, messages: Messages) -> None:
    seconds = [value for recipe in recipes for value in recipe.seconds]
    ends = [100 * errors / recipe.n for recipe in recipes for errors in recipe.interval()]
    low, high = min(1.0, *seconds) / 1.4, max(seconds) * 4
    axes.set_xlim(low, high)
    log_axis(axes.xaxis, low, high, messages)
    bottom, top = min(*ends, wrong) / 1.2, max(ends) * 1.25
    axes.set_ylim(bottom, top)
    log_axis(axes.yaxis, bottom, top, messages)
    plain_axes(axes)
    axes.set_xlabel(text(messages, "time_axis"))
    axes.set_ylabel(text(messages, "error_axis", n=recipes[0].n))


def none_right_figure(result: Mapping[str, Any], data: Digits, messages: Messages) -> Figure:
    """The test digits that no network gets, with their labels and what the networks say."""
    positions: list[int] = result["none_right"]
    tiles = [
        tile(position, data, result["answers"][str(position)], messages) for position in positions
    ]
    rows = [tiles[start : start + 6] for start in range(0, len(tiles), 6)]
    title = text(messages, "none_right", count=len(positions), k=len(result["runs"]))
    return gallery_figure(rows, with_note(title, text(messages, "framed"), messages), columns=6)


def tile(position: int, data: Digits, answers: Sequence[int], messages: Messages) -> Tile:
    label = int(data.test.labels[position])
    counted = Counter(answers).most_common()
    said = ", ".join(
        f"{answer} (×{count})" if count > 1 else str(answer) for answer, count in counted
    )
    lines = [
        f"#{position}: {text(messages, 'label', label=label)}",
        text(messages, "says", answers=said),
    ]
    is_wrong = position in WRONG_LABELS
    if is_wrong:
        lines.append(text(messages, "votes", votes=WRONG_LABELS[position]))
    return Tile(
        image=data.test.images[position, 0].numpy(),
        caption="\n".join(lines),
        colour=VERMILION if is_wrong else LINES,
        thick=is_wrong,
    )


def told(result: Mapping[str, Any]) -> str:
    """How the networks' errors compare with the labels that people reject."""
    none_right = set(result["none_right"])
    shared = [len(WRONG_LABELS.keys() & set(run["wrong"])) for run in result["runs"]]
    mean = statistics.mean(run["test_errors"] for run in result["runs"])
    found = sorted(none_right & WRONG_LABELS.keys())
    return (
        f"{len(none_right)} digits that no network gets; {len(found)} of the {len(WRONG_LABELS)} "
        f"rejected labels are among them: {found}.\n"
        f"Of a network's {mean:.1f} errors, {statistics.mean(shared):.1f} are rejected labels "
        f"({min(shared)} to {max(shared)}); the other rejected labels it repeats."
    )


def main() -> None:
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    result = newest("best-accuracy")
    for language in ("es", "en"):
        messages = Messages(language)
        save_figure(partial(time_figure, messages), IMAGES / f"best_time_{language}.png")
        if result:
            draw = partial(none_right_figure, result, digits(), messages)
            save_figure(draw, IMAGES / f"best_none_right_{language}.png")
    if result:
        print(told(result))


if __name__ == "__main__":
    main()
