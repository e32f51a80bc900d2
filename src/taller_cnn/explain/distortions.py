"""Ways to distort digits on whole batches, each with its strengths."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

Apply = Callable[[Tensor, float, Generator], Tensor]
"""From grey levels float32 ``[N, 1, H, W]``, 0 to 1, to distorted ones of the same shape."""


@dataclass(frozen=True, kw_only=True)
class Distortion:
    """One way to distort an image."""

    name: str
    strengths: tuple[float, ...]
    """From none (the first leaves the image as it is) to strong."""
    apply: Apply


def _signs(n: int, generator: Generator) -> Tensor:
    return torch.randint(0, 2, (n,), generator=generator).float() * 2 - 1


def _rotate(images: Tensor, degrees: float, generator: Generator) -> Tensor:
    """Turn every image by `degrees`, half of them each way."""
    from kornia.geometry.transform import rotate

    return torch.as_tensor(rotate(images, degrees * _signs(len(images), generator)))


def _shift(images: Tensor, pixels: float, generator: Generator) -> Tensor:
    """Move every image by `pixels`, in a direction of its own."""
    from kornia.geometry.transform import translate

    angle = torch.rand(len(images), generator=generator) * 2 * torch.pi
    step = pixels * torch.stack([angle.cos(), angle.sin()], dim=1)
    return torch.as_tensor(translate(images, step))


def _scale(images: Tensor, factor: float, generator: Generator) -> Tensor:
    """Make every image `factor` times as large about its centre."""
    from kornia.geometry.transform import scale

    return torch.as_tensor(scale(images, torch.full((len(images), 2), factor)))


def _thickness(images: Tensor, pixels: float, generator: Generator) -> Tensor:
    """Grow strokes by `pixels` on each side, or thin them where it is negative."""
    from kornia.morphology import dilation, erosion

    whole = int(abs(pixels))
    change = dilation if pixels > 0 else erosion
    done = images
    for _ in range(whole):
        done = change(done, _cross())
    part = abs(pixels) - whole
    return torch.as_tensor(done + part * (change(done, _cross()) - done) if part else done)


def _thinner(images: Tensor, pixels: float, generator: Generator) -> Tensor:
    return _thickness(images, -pixels, generator)


def _cross() -> Tensor:
    return torch.tensor([[0.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 1.0, 0.0]])


def _noise(images: Tensor, deviation: float, generator: Generator) -> Tensor:
    return images + deviation * torch.randn(images.shape, generator=generator)


def _blur(images: Tensor, width: float, generator: Generator) -> Tensor:
    """Gaussian blur of standard deviation `width` in pixels."""
    from kornia.filters import gaussian_blur2d

    side = 2 * round(3 * width) + 1
    return torch.as_tensor(gaussian_blur2d(images, (side, side), (width, width), "constant"))


def _contrast(images: Tensor, share: float, generator: Generator) -> Tensor:
    """Keep `share` of the ink's darkness."""
    return images * share


def _occlusion(images: Tensor, side: float, generator: Generator) -> Tensor:
    """Hide a square of `side` pixels, anywhere in the middle 20 x 20 where the ink is."""
    n, size = len(images), images.shape[-1]
    reach = max(20 - int(side), 0) + 1
    first = 4 - max(int(side) - 20, 0) // 2
    corner = first + torch.randint(0, reach, (2, n, 1), generator=generator)
    axis = torch.arange(size)
    rows, columns = ((axis >= start) & (axis < start + int(side)) for start in corner)
    hidden = rows[:, :, None] & columns[:, None, :]
    left: Tensor = images * ~hidden[:, None]
    return left


DISTORTIONS = (
    Distortion(name="rotation", strengths=(0, 10, 20, 30, 45, 60), apply=_rotate),
    Distortion(name="shift", strengths=(0, 1, 2, 3, 4, 6), apply=_shift),
    Distortion(name="enlarge", strengths=(1, 1.1, 1.2, 1.3, 1.45, 1.6), apply=_scale),
    Distortion(name="shrink", strengths=(1, 0.85, 0.7, 0.6, 0.5, 0.4), apply=_scale),
    Distortion(name="thicker", strengths=(0, 0.5, 1, 1.5, 2, 3), apply=_thickness),
    Distortion(name="thinner", strengths=(0, 0.25, 0.5, 0.75, 1, 1.5), apply=_thinner),
    Distortion(name="noise", strengths=(0, 0.1, 0.2, 0.3, 0.45, 0.6), apply=_noise),
    Distortion(name="blur", strengths=(0, 0.5, 1, 1.5, 2, 3), apply=_blur),
    Distortion(name="contrast", strengths=(1, 0.7, 0.5, 0.35, 0.2, 0.1), apply=_contrast),
    Distortion(name="occlusion", strengths=(0, 4, 6, 8, 10, 14), apply=_occlusion),
)
