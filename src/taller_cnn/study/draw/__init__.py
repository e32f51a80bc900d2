"""A study's pictures: arrays and words in, matplotlib figures out, made to be shown in a class."""

from taller_cnn.study.draw.cost import CostSeries, cost_figure, pareto_front
from taller_cnn.study.draw.curves import CurvePanel, curves_figure, drawable
from taller_cnn.study.draw.forest import ForestPanel, forest_figure, pages, verdict_mark
from taller_cnn.study.draw.heatmap import HeatCell, heatmap_figure
from taller_cnn.study.draw.levels import LevelAxis, gap_figure, size_figure

__all__ = [
    "CostSeries",
    "CurvePanel",
    "ForestPanel",
    "HeatCell",
    "LevelAxis",
    "cost_figure",
    "curves_figure",
    "drawable",
    "forest_figure",
    "gap_figure",
    "heatmap_figure",
    "pages",
    "pareto_front",
    "size_figure",
    "verdict_mark",
]
