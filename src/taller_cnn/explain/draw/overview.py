"""What the layers of a network cost."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from taller_cnn.figures.style import BLUE, LABEL, TICK, VERMILION, new_figure, set_title
from taller_cnn.messages import Messages


def cost_figure(
    names: Sequence[str], parameters: Sequence[int], macs: Sequence[int], messages: Messages
) -> Figure:
    """The share of each layer in the parameters and in the operations, a pair of bars each.

    Args:
        names: of the layers that have parameters, first to last.
        parameters: of each layer.
        macs: multiply-accumulates of each layer for one image.
        messages: the reader's language.
    """
    figure, axes = new_figure(13.333, 1.6 + 0.95 * len(names))
    places = np.arange(len(names))
    for shift, kind, values, colour, hatch in (
        (-0.2, "parameters", parameters, BLUE, ""),
        (0.2, "macs", macs, VERMILION, "//"),
    ):
        shares = np.asarray(values) / sum(values)
        bars = axes.barh(
            places + shift,
            shares,
            0.38,
            color="white" if hatch else colour,
            edgecolor=colour,
            hatch=hatch,
            label=messages(f"explain_overview.network.{kind}", n=sum(values)),
        )
        words = [
            messages("explain_overview.network.bar", share=share, n=value)
            for share, value in zip(shares, values, strict=True)
        ]
        axes.bar_label(bars, words, padding=6, fontsize=TICK)
    axes.set_yticks(places, names, fontsize=LABEL)
    axes.invert_yaxis()
    axes.set(xlim=(0, 1.2), xticks=[])
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.tick_params(length=0)
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    set_title(figure, messages("explain_overview.network.figure"))
    return figure
