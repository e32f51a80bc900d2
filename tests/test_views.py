from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from taller_cnn.data import MNIST_SCALE, Digits, LabelledImages
from taller_cnn.evaluation import evaluate
from taller_cnn.model import SimpleCNN
from taller_cnn.views import VIEWS, InViews

PAPER = -0.1307 / 0.3081


class Recording(nn.Module):
    """Keeps what it is asked, and says of each class what the row of that number weighs."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Tensor] = []

    def forward(self, images: Tensor) -> Tensor:
        self.asked.append(images)
        return (images - PAPER)[:, 0, :10].sum(dim=2)


def asked_of(images: Tensor) -> tuple[Tensor, Tensor]:
    """The views of normalised images, ``[V, N, 28, 28]``, and the answer."""
    model = Recording()
    answer = InViews(model, MNIST_SCALE)(images)
    # No more images at a time than were given, whose maps fill the memory that was counted on.
    assert {len(asked) for asked in model.asked} == {len(images)}
    return torch.stack(model.asked).view(len(VIEWS), *images.shape[::2], 28), answer


def normalised(split: LabelledImages, n: int) -> Tensor:
    return (split.images[:n].float() / 255 - 0.1307) / 0.3081


def test_nothing_but_paper_comes_into_view() -> None:
    views, _ = asked_of(torch.full((2, 1, 28, 28), PAPER))
    assert torch.equal(views, torch.full_like(views, PAPER))


def test_a_digit_is_seen_as_it_is_and_slanted_turned_and_smaller(sample_digits: Digits) -> None:
    images = normalised(sample_digits.test, 50)
    views, _ = asked_of(images)
    assert torch.equal(views[0], images[:, 0])
    ink = (views - PAPER).sum(dim=(2, 3))
    # Slanting and turning keep the ink; a tenth smaller is a factor of 1 / 1.1 in both directions.
    assert torch.allclose(ink[1:5] / ink[0], torch.ones(4, 50), atol=0.05)
    assert torch.allclose(ink[5] / ink[0], torch.full((50,), 1 / 1.21), atol=0.05)
    place = torch.arange(28.0) - 13.5
    # Slanted, the upper half goes one way and the lower half the other.
    lean = ((views - PAPER) * place[:, None] * place).sum(dim=(2, 3))
    assert bool(((lean[1] < lean[0]) & (lean[0] < lean[2])).all())


def test_the_answer_is_the_mean_of_the_probabilities(sample_digits: Digits) -> None:
    images = normalised(sample_digits.test, 20)
    views, answer = asked_of(images)
    each = [Recording()(view[:, None]).softmax(dim=1) for view in views]
    assert torch.allclose(answer.exp(), torch.stack(each).mean(dim=0), atol=1e-6)
    assert torch.allclose(answer.exp().sum(dim=1), torch.ones(20))


@pytest.mark.parametrize("training", [False, True])
def test_asking_leaves_the_network_in_its_mode(training: bool, sample_digits: Digits) -> None:
    model = SimpleCNN().train(training)
    asked = InViews(model, MNIST_SCALE)
    evaluate(asked, sample_digits.test[:8], MNIST_SCALE)
    assert model.training is training
