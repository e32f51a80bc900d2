"""The workshop's figures: arrays in, a matplotlib `Figure` out, made to be shown in a class.

No state is shared: no pyplot, no rcParams, so figures can be drawn in any thread. Arrays may be
numpy arrays or torch tensors on the processor.
"""

from taller_cnn.figures.confusion import confusion_figure
from taller_cnn.figures.curves import curve_figure
from taller_cnn.figures.samples import digits_figure, predictions_figure
from taller_cnn.figures.style import save_figure

__all__ = [
    "confusion_figure",
    "curve_figure",
    "digits_figure",
    "predictions_figure",
    "save_figure",
]
