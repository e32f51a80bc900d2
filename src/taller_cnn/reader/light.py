"""How dark the ink makes each place: colour, polarity and light taken away.

    grey(pixels)  ->  ink_on_ground(grey): is_light_on_dark(grey), ink_strength(grey)

Light and shadow change slowly or leave wide areas; strokes are narrow. What a closing by a window
wider than the strokes leaves is the paper as it is lit, and ink takes away a part of its light.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from taller_cnn.reader.ink import otsu
from taller_cnn.reader.preparation import resized

Grey = NDArray[np.float32]

SMALL = 160
"""Longest side on which light is estimated: a stroke has at least a pixel, and it takes 5 ms."""
LEAST_SIDE = 112
"""Smaller pictures are enlarged, so that strokes are several pixels wide."""
LEAST_CONTRAST = 0.04
"""Between a drawing's ground and its strokes, of 1; a hairline's is a tenth of what it was drawn
with, once the picture is reduced."""
EVEN_WITHIN = 0.04
"""How far, as a part of the contrast, even places lie from each other."""
EVEN_SHARE = 0.3
"""Least part of a drawing that is ground."""
EVEN_BORDER = 0.55
"""The same of its border; a shadow across the picture leaves less."""
WIDEST = 0.36
"""Half the width of the thickest stroke, as a part of the picture's shorter side."""
THICK = 0.07
"""The same from which on strokes are too thick to tell light from them."""
SURFACE_POINTS = 40
"""Places along the longest side by which a smooth surface of light is estimated."""
SURFACE_ROUNDS = 8
SURFACE_WITHIN = 0.05
"""How far from that surface, of its logarithm, paper lies."""
SURFACE_SHARE = 0.8
"""Least part of the picture that is near it: of vignettes 0.84 and more, of a step
from light to shadow 0.75."""
PAPER_WITHIN = 0.1
"""Part of the light: what Otsu's method parts below it is the paper's noise, not ink from paper."""
DARKEST = 0.04
"""Paper darker than this part of white is not told from a black table."""


def grey(pixels: NDArray[np.uint8]) -> Grey:
    """Luma (ITU-R BT.601) of a picture, 0 to 1.

    Args:
        pixels: ``uint8 [H, W]`` or ``[H, W, 3]``.
    """
    if pixels.ndim == 3:
        # Pillow has the same weights, in whole numbers and much faster.
        pixels = np.asarray(Image.fromarray(pixels).convert("L"))
    return pixels.astype(np.float32) / np.float32(255)


def enlarged(picture: Grey) -> tuple[Grey, int]:
    """A tiny picture by a whole factor, so that strokes are several pixels wide, and the factor."""
    factor = -(-LEAST_SIDE // max(picture.shape))
    if factor <= 1:
        return picture, 1
    size = (picture.shape[1] * factor, picture.shape[0] * factor)
    large = Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC)
    return np.clip(np.asarray(large), 0, 1), factor


def reduced(picture: Grey, side: int = SMALL) -> Grey:
    """The mean over areas, so that the longest side is at most `side`."""
    return resized(picture, side) if max(picture.shape) > side else picture


def is_light_on_dark(picture: Grey) -> bool:
    """Whether the strokes are brighter than what they are drawn on.

    What a drawing is drawn on is known. Else the paper is what is left smooth: without the strokes
    there is only light, without what lies between them there are the strokes' edges.
    """
    small = reduced(picture)
    return _is_light(small, even_ground(small))


def _is_light(small: Grey, drawn_on: float | None) -> bool:
    if drawn_on is not None:
        return bool(drawn_on < (small.min() + small.max()) / 2)
    smooth = _smoothed(small, 0.7)
    window = _wide_window(small)
    return _roughness(-_closed(-smooth, window)) < _roughness(_closed(smooth, window))


def _roughness(paper: Grey) -> float:
    """Edges of what could be the paper, by the square of their height: steps count, not slopes."""
    return sum(float(np.square(np.diff(paper, axis=axis)).sum()) for axis in (0, 1))


def _smoothed(small: Grey, deviation: float) -> Grey:
    from scipy.ndimage import gaussian_filter

    return np.asarray(gaussian_filter(small, deviation))


def even_ground(small: Grey) -> float | None:
    """The level of what a drawing is drawn on, the same everywhere; None for what is no drawing.

    Much of the picture and of its border has one of its two extreme levels, and what has not is
    no wider than the strokes of a digit that fills the picture.
    """
    low, high = (float(level) for level in np.percentile(small, (1, 99)))
    # The strokes of a drawing may be too thin for a percentile.
    contrast = float(small.max() - small.min())
    if contrast < LEAST_CONTRAST:
        return None
    near = EVEN_WITHIN * contrast
    border = _border(small)
    levels = (low, high)
    shares = [float((np.abs(border - level) < near).mean()) for level in levels]
    ground = levels[int(np.argmax(shares))]
    share = float((np.abs(small - ground) < near).mean())
    if max(shares) < EVEN_BORDER or share < EVEN_SHARE:
        return None
    strokes = np.abs(small - ground) > 0.5 * contrast
    if strokes.mean() > 0.5:
        # A sheet on an even table.
        return None
    return None if _fits(strokes, WIDEST * min(small.shape)) else ground


def _border(small: Grey) -> Grey:
    return np.concatenate([small[0], small[-1], small[1:-1, 0], small[1:-1, -1]])


def _fits(mask: NDArray[np.bool_], radius: float) -> bool:
    """Whether a disk of that radius, in pixels, fits in what is set, mirrored at the edge."""
    from scipy.ndimage import distance_transform_edt

    # The square in the disk fits if the disk does, and the disk if the square around it does;
    # to try a square takes a tenth of the time of a distance transform.
    if not _square_fits(mask, radius / math.sqrt(2)):
        return False
    if _square_fits(mask, radius):
        return True
    mirrored = np.pad(mask, math.ceil(radius), "symmetric")
    return bool(distance_transform_edt(mirrored).max() >= radius)


def _square_fits(mask: NDArray[np.bool_], half: float) -> bool:
    """Whether all pixels nearer than `half` to some pixel, across and down, are set."""
    from scipy.ndimage import minimum_filter

    return bool(minimum_filter(mask.view(np.uint8), 2 * math.ceil(half) - 1, mode="reflect").any())


def ink_on_ground(picture: Grey, *, other_polarity: bool = False) -> Grey:
    """`ink_strength` of a picture of either polarity; if wanted, of the one that it has not."""
    small = reduced(picture)
    ground = even_ground(small)
    is_light = _is_light(small, ground)
    if other_polarity:
        is_light, ground = not is_light, None
    if is_light:
        picture, small = 1 - picture, 1 - small
        ground = None if ground is None else 1 - ground
    return _strength(picture, small, ground)


def ink_strength(picture: Grey) -> Grey:
    """The part of the light that ink takes away, about 0 where there is only paper.

    Args:
        picture: ``float32 [H, W]``, 0 to 1, dark on light.

    Returns:
        ``float32 [H, W]``; noise makes it negative in places.
    """
    small = reduced(picture)
    return _strength(picture, small, even_ground(small))


def _strength(picture: Grey, small: Grey, ground: float | None) -> Grey:
    # Strokes so thick that a closing wide enough for them would follow no shadow.
    dark = small < 0.5 * ((ground or 0.0) + small.min())
    if ground and _fits(dark, THICK * min(small.shape)):
        even: Grey = 1 - picture / np.float32(max(ground, DARKEST))
        return even
    if ground is None:
        picture = picture / _falloff(small, picture.shape)
    paper = background(picture)
    strength: Grey = np.subtract(1, picture / np.maximum(paper, DARKEST), dtype=np.float32)
    # A closing follows the brightest noise: put the middle of the paper back to 0.
    strength -= np.float32(_paper_level(strength[::3, ::3]))
    return strength


def _paper_level(strength: Grey) -> float:
    """The median of what is no ink: of a tight crop ink is more than half."""
    cut = otsu(strength)
    return float(np.median(strength[strength <= cut] if cut > PAPER_WITHIN else strength))


def _falloff(small: Grey, shape: tuple[int, ...]) -> Grey:
    """How the light falls off over the whole picture, towards its corners or to one side.

    A closing follows what is darker than what is around it, but in a corner nothing is around it.
    So a smooth surface is laid on the paper: least squares of the logarithm, what is darker than
    the paper counting less each time. It is 1 all over where most of the picture is not near it.
    """
    step = -(-max(small.shape) // SURFACE_POINTS)
    sample = np.log(np.maximum(small[::step, ::step], DARKEST))
    height, width = sample.shape
    terms = _terms(height, width)
    values = sample.ravel()
    weights = np.ones_like(values)
    for _ in range(SURFACE_ROUNDS):
        scaled = terms * weights[:, None]
        light = terms @ np.linalg.lstsq(scaled, values * weights, rcond=None)[0]
        away = values - light
        spread = max(float(np.median(np.abs(away))), 0.01)
        weights = np.where(away < 0, 1 / (1 + np.square(away / spread)), 1)
    if (np.abs(away) < SURFACE_WITHIN).mean() < SURFACE_SHARE:
        return np.ones(shape, np.float32)
    surface = np.exp(light - light.max()).reshape(height, width).astype(np.float32)
    large = Image.fromarray(surface).resize((shape[1], shape[0]), Image.Resampling.BICUBIC)
    return np.asarray(large)


def _terms(height: int, width: int) -> NDArray[np.float64]:
    """The terms of the surface for each place, ``[H W, 7]``: a lamp's and a lens's, no sharper."""
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    radius = x**2 + y**2
    terms = (np.ones_like(x), x, y, x**2, x * y, y**2, radius**2)
    return np.stack([term.ravel() for term in terms], axis=1)


def background(picture: Grey) -> Grey:
    """What the paper would look like without ink, dark on light.

    The first closing has a wide window, whose result shows how wide the strokes are; the second
    one's window is a few of those, so that it follows the edge of a shadow closely.
    """
    from scipy.ndimage import grey_closing

    small = reduced(picture)
    window = _wide_window(small)
    paper = _closed(small, window)
    # Anything narrower than the wide window is preserved by it; strokes are much narrower.
    narrow = round(3 * _stroke_width(1 - small / np.maximum(paper, DARKEST))) + 3
    if narrow < window:
        paper = _closed(small, narrow | 1)
    smooth = _smoothed(grey_closing(paper, 3), 1.0)
    large = Image.fromarray(smooth).resize(picture.shape[::-1], Image.Resampling.BILINEAR)
    return np.asarray(large)


def _wide_window(small: Grey) -> int:
    """Pixels across: wider than the strokes of a digit that fills the picture."""
    shorter: int = min(small.shape)
    return max(3, round(0.3 * shorter) | 1)


def _closed(small: Grey, window: int) -> Grey:
    from scipy.ndimage import grey_closing

    # Mirrored at the edge, a shadow or a stroke there goes on.
    return np.asarray(grey_closing(small, window, mode="mirror"))


def _stroke_width(strength: NDArray[np.floating]) -> float:
    """Width of most of the ink's strokes in pixels: twice the mean depth of their middles."""
    from scipy.ndimage import distance_transform_edt, maximum_filter

    level = max(otsu(strength), 0.05)
    mask = np.pad(strength > level, 1)
    if not mask.any():
        return 1.0
    depth = distance_transform_edt(mask)
    middles = mask & (depth >= maximum_filter(depth, 3))
    # Weighted by the ink they stand for, so that specks say nothing.
    return float(2 * np.average(depth[middles], weights=depth[middles] ** 2))
