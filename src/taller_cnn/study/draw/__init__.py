"""A study's pictures: analysis in, matplotlib figures out, made to be shown in a class."""

from taller_cnn.study.draw.costs import cost_figure
from taller_cnn.study.draw.curves import learning_curves_figure
from taller_cnn.study.draw.effects import effects_figure
from taller_cnn.study.draw.heatmap import heatmap_figure
from taller_cnn.study.draw.overfitting import gap_figure, size_figure
from taller_cnn.study.draw.pictures import Picture, draw_study

__all__ = [
    "Picture",
    "cost_figure",
    "draw_study",
    "effects_figure",
    "gap_figure",
    "heatmap_figure",
    "learning_curves_figure",
    "size_figure",
]
