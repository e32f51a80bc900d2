"""Digits varied at random: in other forms, turned, slanted, bent, thicker or thinner, noisy.

A whole batch at a time, each image in its own way, on the device that the images are on. Turning,
scaling and bending are one resampling: their displacements add up to one field, so that ink is
interpolated only once.
"""

from __future__ import annotations

import math
import types
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from taller_cnn.allographs import ALLOGRAPHS, with_allographs
from taller_cnn.config import check_ranges, ranged

CONTROL_POINTS = 6
"""Side of the grid of random displacements that bends an image: bumps about 5 of 28 pixels wide,
which deform strokes of a digit and do not tear them (Simard et al. 2003 smooth with 4 pixels)."""


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How far digits are varied; 0 leaves a property as it is.

    Amounts are drawn evenly between minus and plus the strength unless said otherwise.

    Raises:
        ConfigError: a strength is negative, not a number or beyond what makes sense.
    """

    rotation: float = ranged(0.0, least=0, most=180)
    """Degrees."""
    shear: float = ranged(0.0, least=0, most=2)
    """Slant, as the tangent of its angle."""
    scale: float = ranged(0.0, least=0, most=1)
    """Size, as the natural logarithm of its factor."""
    stretch: float = ranged(0.0, least=0, most=1)
    """Width over height, as the natural logarithm of its factor."""
    shift: float = ranged(0.0, least=0, most=28)
    """Pixels, across and down."""
    elastic: float = ranged(0.0, least=0, most=5)
    """Bending: standard deviation of the displacements, in pixels."""
    thickness: float = ranged(0.0, least=0, most=1)
    """Part of the way to strokes 1 pixel wider or narrower on each side."""
    blur: float = ranged(0.0, least=0, most=1)
    """Greatest part of the way to a blur of standard deviation 1 pixel; from 0 up."""
    contrast: float = ranged(0.0, least=0, most=1)
    """How far grey levels between paper and full ink are bent, darker or lighter."""
    noise: float = ranged(0.0, least=0, most=1)
    """Greatest standard deviation of grey noise, of 1 for full ink; from 0 up."""
    flagged_ones: float = ranged(0.0, least=0, most=1)
    """Share of the 1s that get a flag (`taller_cnn.allographs`), 0 to 1, like those below."""
    footed_ones: float = ranged(0.0, least=0, most=1)
    """Share of the 1s that get a foot, with or without a flag."""
    barred_sevens: float = ranged(0.0, least=0, most=1)
    """Share of the 7s that get a bar."""
    pointed_fours: float = ranged(0.0, least=0, most=1)
    """Share of the 4s that become pointed, closed ones."""
    open_fours: float = ranged(0.0, least=0, most=1)
    """Share of the other 4s that become open ones, their stem apart."""
    tailed_nines: float = ranged(0.0, least=0, most=1)
    """Share of the 9s that get a tail."""

    @property
    def allographs(self) -> dict[str, float]:
        """The share of each form that is drawn at all, by its name."""
        return {name: share for name in ALLOGRAPHS if (share := getattr(self, name))}

    def __post_init__(self) -> None:
        check_ranges(self)


_GEOMETRIC = ("rotation", "shear", "scale", "stretch", "shift", "elastic")

AUGMENTATIONS: Mapping[str, Augmentation] = types.MappingProxyType(
    {
        "none": Augmentation(),
        # The variety within MNIST itself; benchmarks/best_search.py compares it with others.
        "affine": Augmentation(rotation=12.0, shear=0.2, scale=0.1, stretch=0.15, shift=2.0),
        "handwriting": Augmentation(
            rotation=10.0,
            shear=0.2,
            scale=0.1,
            stretch=0.15,
            shift=1.5,
            elastic=0.4,
            thickness=0.6,
            blur=0.6,
            contrast=0.5,
            noise=0.05,
            flagged_ones=0.5,
            footed_ones=0.3,
            barred_sevens=0.35,
            pointed_fours=0.25,
            open_fours=0.2,
            tailed_nines=0.25,
        ),
    }
)
"""The augmentations that a training can name."""


def augment(
    images: Tensor,
    augmentation: Augmentation,
    generator: torch.Generator,
    digits: Tensor | None = None,
) -> Tensor:
    """Vary every image of a batch in its own way.

    Args:
        images: ``[N, 1, H, W]``, bright strokes on a dark ground; ``uint8`` 0 to 255 or floating
            point 0 to 1.
        augmentation: how far.
        generator: what chance is drawn from, on the device of the images; the same state gives
            the same images.
        digits: which digit each image shows, int64 ``[N]``, any other number for none; without
            it no digit becomes another form of itself.

    Returns:
        ``[N, 1, H, W]``, 0 to 1, in the images' floating-point type or ``float32``.
    """
    if images.dtype == torch.uint8:
        images = images.float().div_(255)
    if augmentation == AUGMENTATIONS["none"]:
        return images
    moved = None
    if augmentation.allographs and digits is not None:
        images, moved = with_allographs(images, digits, augmentation.allographs, generator)
    images = _resampled(images, augmentation, generator, moved)
    images = _restroked(images, augmentation, generator)
    if augmentation.noise:
        deviation = augmentation.noise * _uniform(len(images), images, generator).abs()
        noise = torch.empty_like(images).normal_(generator=generator)
        images = torch.addcmul(images, noise, deviation)
    # Interpolation keeps the range, so that only these can have left it.
    return images.clamp(0, 1)


def variations(
    images: Tensor,
    labels: Tensor,
    augmentation: Augmentation,
    seed: int,
    n: int = 10,
    digits: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """The first image of each class as it is, and what becomes of it.

    Args:
        images: ``uint8 [N, 1, H, W]``.
        labels: their classes, int64 ``[N]``.
        augmentation: how far.
        seed: of what is drawn.
        n: images per class, the one as it is among them.
        digits: which digit each image shows, as for `augment`.

    Returns:
        ``uint8 [K * n, 1, H, W]`` and their labels, class by class.
    """
    firsts = [int((labels == label).nonzero()[0, 0]) for label in torch.unique(labels)]
    positions = torch.tensor(firsts).repeat_interleave(n)
    generator = torch.Generator().manual_seed(seed)
    shown = None if digits is None else digits[positions]
    varied = augment(images[positions], augmentation, generator, shown).mul(255).round().byte()
    varied[::n] = images[firsts]
    return varied, labels[positions]


def _uniform(n: int, like: Tensor, generator: torch.Generator) -> Tensor:
    """One number from -1 to 1 for each of `n` images, ``[N, 1, 1, 1]``."""
    return torch.empty(n, 1, 1, 1, dtype=like.dtype, device=like.device).uniform_(
        -1, 1, generator=generator
    )


def _resampled(
    images: Tensor,
    augmentation: Augmentation,
    generator: torch.Generator,
    moved: Tensor | None,
) -> Tensor:
    """Turned, slanted, scaled, stretched, shifted and bent; `moved` is undone, pixels [N, 2]."""
    n, _, height, width = images.shape
    if not n or not any(getattr(augmentation, name) for name in _GEOMETRIC):
        return images
    coefficients = _affine(n, images, augmentation, generator)
    if moved is not None:
        # From pixels to the sampling grid's -1 to 1.
        coefficients[:, 2] += moved * moved.new_tensor([2 / width, 2 / height])
    basis = _basis(height, width, images.dtype, images.device)
    if augmentation.elastic:
        points = torch.empty(
            n, CONTROL_POINTS**2, 2, dtype=images.dtype, device=images.device
        ).normal_(std=augmentation.elastic, generator=generator)
        # From pixels to the sampling grid's -1 to 1.
        points *= torch.tensor([2 / width, 2 / height], dtype=images.dtype, device=images.device)
        coefficients = torch.cat([coefficients, points], dim=1)
    else:
        basis = basis[:, :3]
    # Flattened: `matmul` takes a matrix times a batch twenty times as long.
    grid = (coefficients.transpose(1, 2).reshape(2 * n, -1) @ basis.T).view(n, 2, height, width)
    return F.grid_sample(images, grid.permute(0, 2, 3, 1), align_corners=False)


def _affine(n: int, like: Tensor, augmentation: Augmentation, generator: torch.Generator) -> Tensor:
    """For each image, where a pixel of the result is taken from, ``[N, 3, 2]``.

    Rows: what each of x, y and 1 adds to the place (x, y) in the source.
    """
    drawn = torch.empty(n, 6, dtype=like.dtype, device=like.device)
    angle, shear, scale, stretch, right, down = drawn.uniform_(-1, 1, generator=generator).T
    angle = angle * math.radians(augmentation.rotation)
    shear = shear * augmentation.shear
    # The larger the factor, the nearer together the source's pixels.
    wide = torch.exp(-scale * augmentation.scale - stretch * (augmentation.stretch / 2))
    high = torch.exp(-scale * augmentation.scale + stretch * (augmentation.stretch / 2))
    sine, cosine = torch.sin(angle), torch.cos(angle)
    height, width = like.shape[-2:]
    aspect = height / width
    x_to_x, x_to_y = cosine * wide, sine * high / aspect
    y_to_x, y_to_y = (shear * cosine - sine) * wide * aspect, (shear * sine + cosine) * high
    across = right * (2 * augmentation.shift / width)
    along = down * (2 * augmentation.shift / height)
    return torch.stack([x_to_x, x_to_y, y_to_x, y_to_y, across, along], dim=1).view(n, 3, 2)


@lru_cache(maxsize=4)
def _basis(height: int, width: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """What a sampling grid is made of, ``[H * W, 3 + CONTROL_POINTS**2]``.

    The columns are x, y and 1, and for each control point the smooth bump around it, scaled so
    that random points of standard deviation 1 give displacements of standard deviation 1.
    """
    identity = torch.eye(2, 3)[None]
    grid = F.affine_grid(identity, [1, 1, height, width], align_corners=False)
    points = torch.eye(CONTROL_POINTS**2).view(-1, 1, CONTROL_POINTS, CONTROL_POINTS)
    bumps = F.interpolate(points, (height, width), mode="bicubic", align_corners=True)
    bumps = bumps.flatten(1).T / bumps.square().sum(dim=0).mean().sqrt()
    columns = [grid.view(-1, 2), torch.ones(height * width, 1), bumps]
    return torch.cat(columns, dim=1).to(device, dtype)


def _restroked(images: Tensor, augmentation: Augmentation, generator: torch.Generator) -> Tensor:
    """Strokes thicker or thinner, softer, darker or lighter."""
    n = len(images)
    if augmentation.thickness:
        amount = augmentation.thickness * _uniform(n, images, generator)
        # The widest stroke is the maximum around a pixel, the narrowest the minimum: a maximum
        # too, of the negative, so that one pooling serves both.
        sign = amount.sign()
        extreme = _dilated(images * sign) * sign
        images = torch.lerp(images, extreme, amount.abs())
    if augmentation.blur:
        amount = augmentation.blur * _uniform(n, images, generator).abs()
        images = torch.lerp(images, _blurred(images), amount)
    if augmentation.contrast:
        amount = augmentation.contrast * _uniform(n, images, generator)
        images = torch.addcmul(images, images * (1 - images), amount)
    return images


def _dilated(images: Tensor) -> Tensor:
    """The maximum of each pixel and its eight neighbours; outside is paper.

    By shifted copies, which on one channel take an eighth of `max_pool2d`'s time.
    """
    padded = F.pad(images, (1, 1, 1, 1))
    rows = torch.maximum(padded[..., :-2, :], padded[..., 2:, :])
    rows = torch.maximum(rows, padded[..., 1:-1, :])
    return torch.maximum(torch.maximum(rows[..., :-2], rows[..., 2:]), rows[..., 1:-1])


def _blurred(images: Tensor) -> Tensor:
    """Smoothed by the binomial kernel of side 5, of variance 1; outside is paper."""
    smooth = F.pad(images, (2, 2, 2, 2))
    for _ in range(4):
        smooth = smooth[..., 1:, :] + smooth[..., :-1, :]
        smooth = smooth[..., 1:] + smooth[..., :-1]
    return smooth.mul_(1 / 256)
