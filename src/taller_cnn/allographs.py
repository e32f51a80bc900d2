"""Forms of digits that MNIST's American writers rarely use and much of the world does.

An allograph is one of the shapes that a character is written in. Of a batch of digits some get
another one of theirs: a 1 with a flag or a foot, a 7 with a bar, a 4 pointed or open, a 9 with a
tail. Strokes are placed by each digit's own height, lean and pen, and drawn as by Mihai and Hare
(2021, Differentiable Drawing and Sketching): what a stroke covers of a pixel follows from the
pixel's distance to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
import torch.nn.functional as F
from torch import Tensor

INK = 0.3
"""Grey level from which a pixel counts for a digit's extent, of 1 for full ink."""
CHANCES = 10
"""Random numbers that each form takes for each image, whatever becomes of it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Hand:
    """How M digits are written; lengths and places in pixels, x to the right and y down."""

    images: Tensor
    """``[M, H, W]``, 0 to 1."""
    centre: Tensor
    """Middle of the box, x and y, ``[M, 2]``."""
    top: Tensor
    """Middle of the uppermost stroke, ``[M]``."""
    bottom: Tensor
    """Middle of the lowest stroke, ``[M]``."""
    pen: Tensor
    """Width of the strokes, ``[M]``."""

    @classmethod
    def of(cls, images: Tensor) -> _Hand:
        """Measure digits ``[M, H, W]``."""
        seen = images > INK
        pen = _pen_width(images)
        (left, right), (top, bottom) = _ends(seen.any(dim=1)), _ends(seen.any(dim=2))
        inset = pen / 2 - 0.5
        return cls(
            images=images,
            centre=_point((left + right) / 2, (top + bottom) / 2),
            top=top + inset,
            bottom=bottom - inset,
            pen=pen,
        )

    @property
    def height(self) -> Tensor:
        """From the middle of the uppermost stroke to that of the lowest, ``[M]``."""
        return (self.bottom - self.top).clamp(min=1)

    def middle(self, y: Tensor) -> Tensor:
        """Middle of the ink that is no further than half a stroke from row `y`, ``[M, 2]``."""
        rows = torch.arange(self.images.shape[1], device=y.device, dtype=y.dtype)
        near = ((self.pen[:, None] + 1) / 2 - (rows - y[:, None]).abs()).clamp(0, 1)
        ink = torch.einsum("mhw,mh->mw", self.images, near)
        columns = torch.arange(ink.shape[1], device=y.device, dtype=y.dtype)
        return _point(ink @ columns / ink.sum(dim=1).clamp(min=1e-6), y)


def _pen_width(images: Tensor) -> Tensor:
    """Twice the ink by the length of its outline, ``[M]``: blur changes neither."""
    padded = F.pad(images, (0, 1, 0, 1))
    across = padded[:, :-1, 1:] - padded[:, :-1, :-1]
    down = padded[:, 1:, :-1] - padded[:, :-1, :-1]
    outline = torch.hypot(across, down).sum(dim=(1, 2))
    return (2 * images.sum(dim=(1, 2)) / outline.clamp(min=1)).clamp(1.2, 5)


def _ends(seen: Tensor) -> tuple[Tensor, Tensor]:
    """The first and the last true place in each row of ``[M, L]``."""
    numbers = seen.float()
    return numbers.argmax(dim=1).float(), seen.shape[1] - 1 - numbers.flip(1).argmax(dim=1).float()


def _point(x: Tensor, y: Tensor) -> Tensor:
    return torch.stack([x, y], dim=-1)


def _between(chance: Tensor, least: float, most: float | Tensor) -> Tensor:
    """Numbers from 0 to 1 as numbers from `least` to `most`."""
    return least + chance * (most - least)


def _path(*points: Tensor) -> Tensor:
    """Segments ``[M, S, 2, 2]``, their start and their end, through points ``[M, 2]``."""
    path = torch.stack(points, dim=1)
    return torch.stack([path[:, :-1], path[:, 1:]], dim=2)


def _curve(start: Tensor, control: Tensor, end: Tensor, pieces: int = 3) -> Tensor:
    """Segments along a quadratic Bezier curve, ``[M, pieces, 2, 2]``."""
    places = [
        (1 - t) ** 2 * start + 2 * t * (1 - t) * control + t**2 * end
        for t in (i / pieces for i in range(pieces + 1))
    ]
    return _path(*places)


def _bent(start: Tensor, end: Tensor, bow: Tensor) -> Tensor:
    """A stroke whose middle leaves the straight line by half of `bow` of its length."""
    chord = end - start
    aside = _point(-chord[:, 1], chord[:, 0])
    return _curve(start, (start + end) / 2 + bow[:, None] * aside, end)


def _flag(hand: _Hand, chance: Tensor) -> Tensor:
    """The upstroke of a 1, from the top of its stem down to the left.

    What tells it from the bar of a 7: before the digit leans, it falls by 35 degrees or more, and
    it reaches no further out of the stem than a third of the height.
    """
    top, bottom = hand.middle(hand.top), hand.middle(hand.bottom)
    lean = ((top - bottom)[:, 0] / hand.height).clamp(-1, 1)
    # A short flag on a wide stem would be hidden in it.
    out = _between(chance[0], 0.13, 0.33) * hand.height + hand.pen / 2
    angle = torch.deg2rad(_between(chance[1], 25, 55))
    down = torch.minimum(out / torch.tan(angle), 0.6 * hand.height)
    tip = top + _point(-out - lean * down, down)
    return _bent(top, tip, _between(chance[2], -0.2, 0.2))


def _foot(hand: _Hand, chance: Tensor) -> Tensor:
    """The base of a 1: nearly level, to both sides of its stem."""
    bottom = hand.middle(hand.bottom)
    tilt = torch.tan(torch.deg2rad(_between(chance[0], -8, 8)))
    left, right = (_between(chance[i], 0.1, 0.3) * hand.height for i in (1, 2))
    return _bent(
        bottom + _point(-left, left * tilt),
        bottom + _point(right, -right * tilt),
        _between(chance[3], -0.08, 0.08),
    )


def _bar(hand: _Hand, chance: Tensor) -> Tensor:
    """The bar through the stem of a 7."""
    crossing = hand.middle(hand.top + _between(chance[0], 0.45, 0.65) * hand.height)
    tilt = torch.tan(torch.deg2rad(_between(chance[1], -12, 25)))
    left, right = (_between(chance[i], 0.14, 0.32) * hand.height for i in (2, 3))
    return _bent(
        crossing + _point(-left, left * tilt),
        crossing + _point(right, -right * tilt),
        _between(chance[4], -0.15, 0.15),
    )


def _tail(hand: _Hand, chance: Tensor) -> Tensor:
    """The hook to the left at the foot of a 9; it ends well below the bowl."""
    foot = hand.middle(hand.bottom - 0.1 * hand.height)
    reach = _between(chance[0], 0.22, 0.45) * hand.height
    rise = _between(chance[1], -0.02, 0.16) * hand.height
    dip = _between(chance[2], 0.15, 0.3) * hand.height
    return _curve(foot, foot + _point(-0.3 * reach, dip), foot + _point(-reach, -rise), pieces=5)


def _four(hand: _Hand, chance: Tensor, limb: Tensor, begin: Tensor) -> Tensor:
    """A whole 4: a limb that falls to the corner and goes across, and a stem.

    Args:
        hand: of the digit whose place it takes.
        chance: of the rest of its shape.
        limb: where the limb begins at the top, as a part of the width, ``[M]``.
        begin: where the stem begins, as a part of the height, ``[M]``.
    """
    width = _between(chance[2], 0.5, 0.85) * hand.height
    lean = _between(chance[3], -0.05, 0.35)
    stem, level = _between(chance[4], 0.6, 0.8), _between(chance[5], 0.55, 0.75)
    tilt = _between(chance[6], -0.06, 0.06)

    def place(x: Tensor | float, y: Tensor | float) -> Tensor:
        down = (y - 0.5) * hand.height
        return hand.centre + _point((x - 0.5) * width - lean * down, down + 0 * width)

    corner = place(_between(chance[7], 0, 0.08), level + tilt)
    limb_path = _bent(place(limb, 0.0), corner, _between(chance[8], -0.12, 0.12))
    return torch.cat(
        [
            limb_path,
            _path(corner, place(1.0, level - tilt)),
            _path(place(stem, begin), place(stem, 1.0)),
        ],
        dim=1,
    )


def _pointed_four(hand: _Hand, chance: Tensor) -> Tensor:
    """Limb and stem begin at one tip and enclose a triangle with the bar."""
    stem = _between(chance[4], 0.6, 0.8)
    return _four(hand, chance, stem + _between(chance[0], -0.05, 0.02), 0.06 * chance[1])


def _open_four(hand: _Hand, chance: Tensor) -> Tensor:
    """The stem begins lower than the limb, and apart from it."""
    return _four(hand, chance, _between(chance[0], 0.15, 0.45), _between(chance[1], 0.1, 0.45))


@dataclass(frozen=True, kw_only=True)
class Allograph:
    """A form of a digit: strokes to draw, and whether the digit's own stay."""

    digit: int
    draw: Callable[[_Hand, Tensor], Tensor]
    """From M digits and their chances ``[CHANCES - 2, M]``, 0 to 1, to segments."""
    whole: bool = False
    """Whether the strokes are the whole digit and take the place of its own."""


ALLOGRAPHS: Mapping[str, Allograph] = MappingProxyType(
    {
        "flagged_ones": Allograph(digit=1, draw=_flag),
        "footed_ones": Allograph(digit=1, draw=_foot),
        "barred_sevens": Allograph(digit=7, draw=_bar),
        "pointed_fours": Allograph(digit=4, draw=_pointed_four, whole=True),
        "open_fours": Allograph(digit=4, draw=_open_four, whole=True),
        "tailed_nines": Allograph(digit=9, draw=_tail),
    }
)
"""The forms by name; one that is whole leaves alone what another has drawn."""


def with_allographs(
    images: Tensor, digits: Tensor, shares: Mapping[str, float], generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Draw some digits in another of their forms.

    Args:
        images: ``[N, 1, H, W]`` floating point, 0 to 1, bright strokes on a dark ground.
        digits: which digit each image shows, int64 ``[N]``; those of any other number stay.
        shares: of the images of its digit, what part gets each form of `ALLOGRAPHS`.
        generator: what chance is drawn from, on the device of the images.

    Returns:
        The images, and how far the centre of mass of each moved, in pixels, ``[N, 2]``.
    """
    drawn = images[:, 0].clone()
    redrawn = torch.zeros(len(images), dtype=torch.bool, device=images.device)
    for name, share in shares.items():
        form = ALLOGRAPHS[name]
        # Drawn for all images, so that what one becomes changes none of the others.
        chance = torch.rand(CHANCES, len(images), device=images.device, generator=generator)
        chosen = ((digits == form.digit) & (chance[0] < share) & ~redrawn).nonzero()[:, 0]
        if not len(chosen):
            continue
        hand, chance = _Hand.of(drawn[chosen]), chance[1:, chosen]
        strokes = _inked(form.draw(hand, chance), hand, _between(chance[-1], 0.8, 1.1))
        drawn[chosen] = strokes if form.whole else torch.maximum(hand.images, strokes)
        if form.whole:
            redrawn[chosen] = True
    return drawn[:, None], _centres(drawn) - _centres(images[:, 0])


def _inked(segments: Tensor, hand: _Hand, width: Tensor) -> Tensor:
    """Segments drawn with each digit's own pen times `width`, ``[M, H, W]``."""
    start, end = segments[..., 0, :, None, None], segments[..., 1, :, None, None]
    height, across = hand.images.shape[-2:]
    y = torch.arange(height, device=segments.device, dtype=segments.dtype)[:, None]
    x = torch.arange(across, device=segments.device, dtype=segments.dtype)[None, :]
    step = end - start
    right, down = x - start[:, :, 0], y - start[:, :, 1]
    length = step.square().sum(dim=2).clamp(min=1e-6)
    along = ((right * step[:, :, 0] + down * step[:, :, 1]) / length).clamp(0, 1)
    distance = torch.hypot(right - along * step[:, :, 0], down - along * step[:, :, 1])
    half = (hand.pen * width / 2)[:, None, None]
    covered = (half + 0.5 - distance.amin(dim=1)).clamp(0, 1)
    return covered * hand.images.amax(dim=(1, 2), keepdim=True)


def _centres(images: Tensor) -> Tensor:
    """Centre of mass of each of ``[N, H, W]``, x and y, ``[N, 2]``; of no ink, the corner."""
    total = images.sum(dim=(1, 2)).clamp(min=1e-6)
    rows, columns = (
        torch.arange(side, device=images.device, dtype=images.dtype) for side in images.shape[1:]
    )
    return _point(images.sum(dim=1) @ columns / total, images.sum(dim=2) @ rows / total)
