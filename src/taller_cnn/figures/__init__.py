"""The workshop's figures: arrays in, a matplotlib `Figure` out, made to be shown in a class.

`save_figure` draws and writes one in the style of the house, in any thread; who wants a figure
without a file makes it inside `house_style`. Arrays may be numpy arrays or torch tensors on the
processor.
"""

from taller_cnn.figures.confusion import confusion_figure
from taller_cnn.figures.curves import curve_figure
from taller_cnn.figures.gallery import Tile, gallery_figure
from taller_cnn.figures.samples import digits_figure, predictions_figure
from taller_cnn.figures.style import house_style, save_figure

__all__ = [
    "Tile",
    "confusion_figure",
    "curve_figure",
    "digits_figure",
    "gallery_figure",
    "house_style",
    "predictions_figure",
    "save_figure",
]
