"""Forms of digits that MNIST's American writers rarely use and much of the world does.

An allograph is one of the shapes that a character is written in. Of a batch of digits some get
another one of theirs: a 1 with a flag or a foot, a 7 with a bar, a 4 pointed or open, a 9 with a
tail. Strokes are quadratic Bezier curves, placed by each digit's own height, lean and pen, and
drawn as by Mihai and Hare (2021, Differentiable Drawing and Sketching): what a stroke covers of a
pixel follows from the pixel's distance to it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import torch
import torch.nn.functional as F
from torch import Tensor

INK = 0.3
"""Grey level from which a pixel counts for a digit's extent, of 1 for full ink."""
PIECES = 3
"""Straight pieces that a stroke is drawn with."""
PRESSURE = (0.8, 1.1)
"""Widths of drawn strokes, as parts of the width of the digit's own."""

Range = tuple[float, float]


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
        pen = _pen_width(images)
        left, right = _ends(images.amax(dim=1) > INK)
        top, bottom = _ends(images.amax(dim=2) > INK)
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
        ink = torch.bmm(near[:, None], self.images)[:, 0]
        columns = torch.arange(ink.shape[1], device=y.device, dtype=y.dtype)
        return _point(ink @ columns / ink.sum(dim=1).clamp(min=1e-6), y)

    def part(self, part: slice) -> _Hand:
        """Some of the digits."""
        names = ("images", "centre", "top", "bottom", "pen")
        return _Hand(**{name: getattr(self, name)[part] for name in names})


def _pen_width(images: Tensor) -> Tensor:
    """Twice the ink by the length of its outline, ``[M]``: blur changes neither."""
    padded = F.pad(images, (0, 1, 0, 1))
    across = padded[:, :-1, 1:] - images
    down = padded[:, 1:, :-1] - images
    outline = (across.square() + down.square()).sqrt().sum(dim=(1, 2))
    return (2 * images.sum(dim=(1, 2)) / outline.clamp(min=1)).clamp(1.2, 5)


def _ends(seen: Tensor) -> tuple[Tensor, Tensor]:
    """The first and the last true place in each row of ``[M, L]``."""
    numbers = seen.float()
    return numbers.argmax(dim=1).float(), seen.shape[1] - 1 - numbers.flip(1).argmax(dim=1).float()


def _point(x: Tensor, y: Tensor) -> Tensor:
    return torch.stack([x, y], dim=-1)


def _bent(start: Tensor, end: Tensor, bow: Tensor) -> Tensor:
    """A stroke whose control point is `bow` of its length aside, ``[M, 3, 2]``."""
    chord = end - start
    aside = chord.flip(1) * bow[:, None] * chord.new_tensor([-1.0, 1.0])
    return torch.stack([start, (start + end) / 2 + aside, end], dim=1)


def _flag(hand: _Hand, values: Tensor) -> Tensor:
    """The upstroke of a 1, from the top of its stem down to the left.

    What tells it from the bar of a 7: before the digit leans, it falls by 35 degrees or more, and
    it reaches no further out of the stem than a third of the height.
    """
    reach, angle, bow = values
    top, bottom = hand.middle(hand.top), hand.middle(hand.bottom)
    lean = ((top - bottom)[:, 0] / hand.height).clamp(-1, 1)
    # A short flag on a wide stem would be hidden in it.
    out = reach * hand.height + hand.pen / 2
    down = torch.minimum(out / torch.tan(angle), 0.6 * hand.height)
    return _bent(top, top + _point(-out - lean * down, down), bow)[:, None]


def _foot(hand: _Hand, values: Tensor) -> Tensor:
    """The base of a 1: nearly level, to both sides of its stem."""
    return _dash(hand, hand.middle(hand.bottom), values)


def _bar(hand: _Hand, values: Tensor) -> Tensor:
    """The bar through the stem of a 7."""
    return _dash(hand, hand.middle(hand.top + values[0] * hand.height), values[1:])


def _dash(hand: _Hand, middle: Tensor, values: Tensor) -> Tensor:
    """A stroke to the left and the right of a place, rising to the right by its slope."""
    left, right, slope, bow = values
    left, right = left * hand.height, right * hand.height
    start, end = _point(-left, left * slope), _point(right, -right * slope)
    return _bent(middle + start, middle + end, bow)[:, None]


def _tail(hand: _Hand, values: Tensor) -> Tensor:
    """The hook to the left at the foot of a 9; it ends well below the bowl."""
    reach, rise, dip = values * hand.height
    foot = hand.middle(hand.bottom - 0.1 * hand.height)
    control, end = foot + _point(-0.3 * reach, dip), foot + _point(-reach, -rise)
    return torch.stack([foot, control, end], dim=1)[:, None]


def _four(hand: _Hand, values: Tensor, limb: Tensor, begin: Tensor) -> Tensor:
    """A whole 4: a limb that falls to the corner, a bar from there, and a stem.

    Args:
        hand: of the digit whose place it takes.
        values: of the rest of its shape.
        limb: where the limb begins at the top, as a part of the width, ``[M]``.
        begin: where the stem begins, as a part of the height, ``[M]``.
    """
    width, lean, stem, level, tilt, corner, bow = values
    none, all_ = torch.zeros_like(stem), torch.ones_like(stem)
    ends_x = torch.stack([limb, corner, corner, all_, stem, stem], dim=1) - 0.5
    ends_y = torch.stack([none, level + tilt, level + tilt, level - tilt, begin, all_], dim=1) - 0.5
    x = ends_x * width[:, None] - lean[:, None] * ends_y
    ends = hand.centre[:, None] + _point(x, ends_y) * hand.height[:, None, None]
    bows = torch.stack([bow, none, none], dim=1).flatten()
    strokes = _bent(ends[:, 0::2].flatten(0, 1), ends[:, 1::2].flatten(0, 1), bows)
    return strokes.view(-1, 3, 3, 2)


def _pointed_four(hand: _Hand, values: Tensor) -> Tensor:
    """Limb and stem begin at one tip and enclose a triangle with the bar."""
    (tip, begin), shape = values[:2], values[2:]
    return _four(hand, shape, shape[2] + tip, begin)


def _open_four(hand: _Hand, values: Tensor) -> Tensor:
    """The stem begins lower than the limb, and apart from it."""
    (limb, begin), shape = values[:2], values[2:]
    return _four(hand, shape, limb, begin)


_BOW: Range = (-0.2, 0.2)
_FOUR: tuple[Range, ...] = (
    (0.5, 0.85),  # width, as a part of the height
    (-0.05, 0.35),  # lean, x by y
    (0.6, 0.8),  # place of the stem, as a part of the width
    (0.55, 0.75),  # level of the bar, as a part of the height
    (-0.06, 0.06),  # how much lower it is on the left
    (0.0, 0.08),  # place of the corner, as a part of the width
    (-0.12, 0.12),  # bow of the limb
)


@dataclass(frozen=True, kw_only=True)
class Allograph:
    """A form of a digit: strokes to draw, and whether the digit's own stay."""

    digit: int
    draw: Callable[[_Hand, Tensor], Tensor]
    """From M digits and values ``[V, M]`` to the points of S strokes, ``[M, S, 3, 2]``."""
    values: tuple[Range, ...]
    """Least and most of each of the V values; lengths are parts of the digit's height."""
    whole: bool = False
    """Whether the strokes are the whole digit and take the place of its own."""


ALLOGRAPHS: Mapping[str, Allograph] = MappingProxyType(
    {
        "flagged_ones": Allograph(
            digit=1, draw=_flag, values=((0.13, 0.33), (math.radians(25), math.radians(55)), _BOW)
        ),
        "footed_ones": Allograph(
            digit=1, draw=_foot, values=((0.1, 0.3), (0.1, 0.3), (-0.14, 0.14), (-0.08, 0.08))
        ),
        "barred_sevens": Allograph(
            digit=7,
            draw=_bar,
            values=((0.45, 0.65), (0.14, 0.32), (0.14, 0.32), (-0.2, 0.45), (-0.15, 0.15)),
        ),
        "pointed_fours": Allograph(
            digit=4, draw=_pointed_four, values=((-0.05, 0.02), (0, 0.06), *_FOUR), whole=True
        ),
        "open_fours": Allograph(
            digit=4, draw=_open_four, values=((0.15, 0.45), (0.1, 0.45), *_FOUR), whole=True
        ),
        "tailed_nines": Allograph(
            digit=9, draw=_tail, values=((0.22, 0.45), (-0.02, 0.16), (0.15, 0.3))
        ),
    }
)
"""The forms by name; one that is whole leaves alone what another has drawn."""


def digits_shown(class_names: Sequence[str]) -> Tensor:
    """Which digit each class is by its name, int64 ``[K]``; -1 for what is none."""
    return torch.tensor([int(name) if name in tuple("0123456789") else -1 for name in class_names])


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
    grey = images[:, 0]
    places, chances = [], []
    own = torch.ones_like(digits, dtype=torch.bool)
    for name, share in shares.items():
        form = ALLOGRAPHS[name]
        # Drawn for all images, so that what one becomes changes none of the others.
        chance = torch.rand(
            2 + len(form.values), len(images), device=images.device, generator=generator
        )
        chosen = ((digits == form.digit) & (chance[0] < share) & own).nonzero()[:, 0]
        if form.whole:
            own[chosen] = False
        places.append(chosen)
        chances.append(chance[1:, chosen])
    place = torch.cat(places)
    hand = _Hand.of(grey[place])
    strokes, owners, pressure = _strokes(list(shares), hand, chances)
    covered = _covered(strokes, (hand.pen * pressure)[owners] / 2, grey.shape[1:])
    ink = covered * hand.images.amax(dim=(1, 2))[owners, None, None]
    goal = place[owners][:, None, None].expand_as(ink)
    drawn = (grey * own[:, None, None]).scatter_reduce(0, goal, ink, "amax")
    return drawn[:, None], _centres(drawn) - _centres(grey)


def _strokes(
    names: Sequence[str], hand: _Hand, chances: Sequence[Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    """The strokes of all forms.

    Args:
        names: of the forms.
        hand: of the M digits that get them, form after form.
        chances: for each form ``[1 + V, m]``, 0 to 1: of the pressure and of its values.

    Returns:
        Points ``[S, 3, 2]``; to which of the M digits each stroke belongs, int64 ``[S]``; the
        pressure of each digit ``[M]``.
    """
    strokes, owners, pressures, start = [], [], [], 0
    for name, chance in zip(names, chances, strict=True):
        form, count = ALLOGRAPHS[name], chance.shape[1]
        least, most = chance.new_tensor([PRESSURE, *form.values]).T[:, :, None]
        values = least + chance * (most - least)
        points = form.draw(hand.part(slice(start, start + count)), values[1:])
        numbers = torch.arange(start, start + count, device=chance.device)
        strokes.append(points.flatten(0, 1))
        owners.append(numbers.repeat_interleave(points.shape[1]))
        pressures.append(values[0])
        start += count
    return torch.cat(strokes), torch.cat(owners), torch.cat(pressures)


def _covered(strokes: Tensor, half: Tensor, shape: Sequence[int]) -> Tensor:
    """What round-ended strokes cover of each pixel, 0 to 1, ``[S, H, W]``.

    Args:
        strokes: start, control point and end of each, ``[S, 3, 2]``.
        half: half of each stroke's width, ``[S]``.
        shape: height and width.
    """
    y, x = (torch.arange(side, device=half.device, dtype=half.dtype) for side in shape)
    t = torch.linspace(0, 1, PIECES + 1, device=half.device)
    bernstein = torch.stack([(1 - t) ** 2, 2 * t * (1 - t), t**2], dim=1)
    path = bernstein @ strokes
    start, step = path[:, :-1], path[:, 1:] - path[:, :-1]
    right = (x - start[..., :1])[:, :, None, :]
    down = (y - start[..., 1:])[:, :, :, None]
    across, along = step[..., 0, None, None], step[..., 1, None, None]
    length = (across.square() + along.square()).clamp(min=1e-6)
    # Where on the piece its nearest point is: what x and what y give add up.
    part = (right * (across / length) + down * (along / length)).clamp_(0, 1)
    away = (right - part * across).square_() + (down - part * along).square_()
    return (half[:, None, None] + 0.5 - away.amin(dim=1).sqrt_()).clamp_(0, 1)


def _centres(images: Tensor) -> Tensor:
    """Centre of mass of each of ``[N, H, W]``, x and y, ``[N, 2]``; of no ink, the corner."""
    height, width = images.shape[1:]
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    weights = torch.stack([x, y, torch.ones_like(x)], dim=2).view(-1, 3)
    sums = images.flatten(1) @ weights.to(images)
    return sums[:, :2] / sums[:, 2:].clamp(min=1e-6)
