"""Asking a network several times about each image: as it is, slanted, turned and smaller.

A network is sure of nearly everything that it sees once; where it is right, it says the same of the
image turned a little. The mean over such views is a little more often right, and less sure where
they differ.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from taller_cnn.data import Scale
from taller_cnn.model import mean_answer

VIEWS = (
    ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
    ((1.0, 0.15, 0.0), (0.0, 1.0, 0.0)),
    ((1.0, -0.15, 0.0), (0.0, 1.0, 0.0)),
    ((0.985, 0.174, 0.0), (-0.174, 0.985, 0.0)),
    ((0.985, -0.174, 0.0), (0.174, 0.985, 0.0)),
    ((1.1, 0.0, 0.0), (0.0, 1.1, 0.0)),
)
"""Where each view's pixels come from, as rows of an affine map: the image as it is, slanted by 9
degrees, turned by 10, smaller."""


class InViews(nn.Module):
    """A network that answers with the mean of what it says of several views of an image.

    Args:
        model: gives logits ``[N, K]`` of normalised images ``[N, 1, H, W]``.
        scale: normalisation of the images.
    """

    def __init__(self, model: nn.Module, scale: Scale) -> None:
        super().__init__()
        self.model = model
        self._paper = scale.background
        self.train(model.training)

    def forward(self, images: Tensor) -> Tensor:
        """Logarithms of the mean probabilities ``[N, K]``, which serve as logits."""
        # What comes into view from outside is paper.
        ink = images - self._paper
        # One view at a time: all at once would hold the maps of six times as many images.
        answers = [self._answer(images)]
        for view in VIEWS[1:]:
            rows = torch.tensor([view], dtype=ink.dtype, device=ink.device)
            grid = functional.affine_grid(
                rows.expand(len(ink), 2, 3), list(ink.shape), align_corners=False
            )
            seen = functional.grid_sample(ink, grid, align_corners=False)
            answers.append(self._answer(seen + self._paper))
        return mean_answer(torch.stack(answers))

    def _answer(self, images: Tensor) -> Tensor:
        logits: Tensor = self.model(images.to(memory_format=torch.channels_last))
        return logits
