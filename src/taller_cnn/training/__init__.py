"""Training as a sequence of events that the caller asks for one by one."""

from taller_cnn.training.events import CurvePoint, EpochResult, History, Progress, TrainState
from taller_cnn.training.loop import Training, train

__all__ = ["CurvePoint", "EpochResult", "History", "Progress", "TrainState", "Training", "train"]
