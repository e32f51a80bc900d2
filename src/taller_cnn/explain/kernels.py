"""What a first-layer kernel acts as: an edge detector, a blob detector or a blur.

A kernel is compared with Gaussian kernels of several widths: the derivative in the direction that
fits best (edge), the difference of two (blob: a centre against its surround) and the Gaussian
itself (blur). It is what explains most of its energy, if that is at least half; otherwise it is
none of them. The derivative of a Gaussian in any direction is a sum of those along x and y
(Freeman & Adelson 1991), so that the best direction needs no search.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from taller_cnn.explain.draw.filters import kernels_figure
from taller_cnn.explain.parts import Numbers, Part
from taller_cnn.explain.subject import Subject
from taller_cnn.messages import Messages
from taller_cnn.model import SimpleCNN
from taller_cnn.page import Paragraph, Picture, Table

RANDOM_KERNELS = 1000
SHOWN = 32
"""Filters in a picture."""
KINDS = ("edge", "blob", "blur", "other")
WIDTHS = (0.5, 0.85, 1.5)
"""Standard deviations of the Gaussians for a side of 3 pixels; 0.85 gives Sobel's weights."""
LEAST_SHARE = 0.5
"""Share of a kernel's energy that a shape must explain."""
SIGNIFICANT = 0.05


@dataclass(frozen=True, kw_only=True, eq=False)
class KernelFit:
    """How n kernels were classified."""

    kinds: tuple[str, ...]
    """One of `KINDS` each."""
    shares: Tensor
    """Share of the energy that edge, blob and blur explain, float64 ``[n, 3]``, 0 to 1."""
    orientation: Tensor
    """Direction of the best edge in degrees, float64 ``[n]``: 0 is a horizontal edge, 90 a
    vertical one, 45 one that rises to the right; 0 <= value < 180. NaN where it has none."""

    def count(self, kind: str) -> int:
        """How many kernels are of that kind."""
        return self.kinds.count(kind)


def classify(kernels: Tensor) -> KernelFit:
    """Classify kernels by the shape that fits best.

    Args:
        kernels: float ``[n, k, k]``. One pixel (k = 1) has no shape: all are of kind ``other``.
    """
    kernels = kernels.detach().double()
    n, side = len(kernels), kernels.shape[-1]
    if side == 1:
        none = torch.full((n,), math.nan, dtype=torch.float64)
        return KernelFit(kinds=("other",) * n, shares=kernels.new_zeros(n, 3), orientation=none)
    unit = _unit(kernels.flatten(1))
    along_x, along_y, blobs, blurs = (_unit(shape.flatten(1)) for shape in _shapes(side))
    x, y = unit @ along_x.T, unit @ along_y.T
    edge, width = (x**2 + y**2).max(dim=1)
    blob, blur = ((unit @ shape.T).square().amax(dim=1) for shape in (blobs, blurs))
    shares = torch.stack([edge, blob, blur], dim=1)
    row = torch.arange(n)
    # Rows count downwards, angles are read upwards; the edge runs across the gradient.
    gradient = torch.rad2deg(torch.atan2(-y[row, width], x[row, width]))
    orientation = (gradient + 90) % 180
    best = shares.argmax(dim=1)
    names = [KINDS[int(k)] if shares[i, k] >= LEAST_SHARE else "other" for i, k in enumerate(best)]
    orientation[edge == 0] = math.nan
    return KernelFit(kinds=tuple(names), shares=shares, orientation=orientation % 180)


def _unit(rows: Tensor) -> Tensor:
    """Rows of length 1; rows of zeros stay."""
    norm = rows.norm(dim=1, keepdim=True)
    return rows / torch.where(norm > 0, norm, 1.0)


def _shapes(side: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Derivatives along x and y, centre minus surround, and Gaussian: each ``[widths, k, k]``."""
    axis = torch.arange(side, dtype=torch.float64) - side // 2
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    widths = torch.tensor(WIDTHS, dtype=torch.float64)[:, None, None] * side / 3
    blur = torch.exp(-(x**2 + y**2) / (2 * widths**2))
    # 1.6 is the ratio at which the difference comes nearest to a Laplacian (Marr & Hildreth 1980).
    around = torch.exp(-(x**2 + y**2) / (2 * (1.6 * widths) ** 2))
    total = (1, 2)
    blob = blur / blur.sum(total, keepdim=True) - around / around.sum(total, keepdim=True)
    return x * blur, y * blur, blob, blur


def random_kernels(n: int, side: int, seed: int) -> Tensor:
    """Kernels drawn as an untrained first layer's are: uniform around zero, ``[n, k, k]``."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, side, side, generator=generator, dtype=torch.float64) * 2 - 1


@dataclass(frozen=True, kw_only=True)
class EdgeTest:
    """Whether a layer has more edge detectors than chance gives."""

    edges: int
    n: int
    untrained_edges: int
    untrained_n: int
    random_edges: int
    random_n: int
    p_random: float
    """Chance of so many edges or more, if the layer were like random kernels."""
    p_fewer: float
    """Chance of so few edges or fewer, if the layer were like random kernels."""
    p_untrained: float
    """Chance of so many more than before training, if training did not make edges of filters."""

    @property
    def more_than_chance(self) -> bool:
        """Significantly more than among random kernels."""
        return self.p_random < SIGNIFICANT

    @property
    def learned(self) -> bool:
        """Significantly more than among random kernels and than before training."""
        return self.more_than_chance and self.p_untrained < SIGNIFICANT


def edge_test(
    trained: KernelFit, untrained: KernelFit, random: KernelFit, *, same_filters: bool
) -> EdgeTest:
    """Compare counts of edge detectors, one-sided.

    With random kernels by Fisher's exact test of two binomials. With the untrained network by the
    binomial test of the filters that changed (McNemar, exact) if they are the same filters before
    and after, else by Fisher's test too.
    """
    edges, before, chance = (fit.count("edge") for fit in (trained, untrained, random))
    n, before_n, chance_n = (len(fit.kinds) for fit in (trained, untrained, random))
    return EdgeTest(
        edges=edges,
        n=n,
        untrained_edges=before,
        untrained_n=before_n,
        random_edges=chance,
        random_n=chance_n,
        p_random=_fisher(edges, n, chance, chance_n),
        p_fewer=_fisher(n - edges, n, chance_n - chance, chance_n),
        p_untrained=_changes(untrained, trained)
        if same_filters
        else _fisher(edges, n, before, before_n),
    )


def _fisher(edges: int, n: int, others: int, others_n: int) -> float:
    from scipy.stats import fisher_exact

    table = [[edges, n - edges], [others, others_n - others]]
    return float(fisher_exact(table, alternative="greater").pvalue)


def _changes(before: KernelFit, after: KernelFit) -> float:
    from scipy.stats import binomtest

    pairs = [(a == "edge", b == "edge") for a, b in zip(before.kinds, after.kinds, strict=True)]
    became, ceased = pairs.count((False, True)), pairs.count((True, False))
    if not became + ceased:
        return 1.0
    return float(binomtest(became, became + ceased, 0.5, alternative="greater").pvalue)


def first_layer_fits(subject: Subject) -> tuple[dict[str, KernelFit], EdgeTest]:
    """The first layer's kernels, those of an untrained network and random ones; their test."""
    config, seed = subject.network.config, subject.seed
    initial = subject.initial or SimpleCNN(config, n_classes=subject.network.n_classes, seed=seed)
    fits = {
        "trained": classify(subject.network.conv1.weight[:, 0]),
        "untrained": classify(initial.conv1.weight[:, 0]),
        "random": classify(random_kernels(RANDOM_KERNELS, config.kernel_size, seed)),
    }
    return fits, edge_test(*fits.values(), same_filters=subject.initial is not None)


def first_kernels(subject: Subject, say: Messages) -> Part:
    """The kernels of the first layer, what they act as, and whether that was learned."""
    config = subject.network.config
    weights = subject.network.conv1.weight[:, 0].detach()
    fits, test = first_layer_fits(subject)
    n, side = len(weights), config.kernel_size
    yield Paragraph(say("explain_filters.kernels_lead", n=n, side=side))
    yield _kernels_picture(weights, fits["trained"], test, say)
    from_patches = subject.info is not None and subject.info.train.first_layer == "patches"
    if side == 1:
        yield Paragraph(say("explain_filters.one_pixel"))
    else:
        yield Paragraph(say("explain_filters.how_classified"))
        yield _kinds_table(fits, say)
        known = subject.initial is not None
        yield Paragraph(_origin_of_edges(test, from_patches, known, say))
    yield Numbers(_kernel_numbers(fits["trained"], test))
    yield Numbers({"first_layer_from_patches": from_patches})


def _kernels_picture(weights: Tensor, fit: KernelFit, test: EdgeTest, say: Messages) -> Picture:
    kernels = weights[:SHOWN].numpy().astype(np.float64)
    captions = []
    for number, kind in enumerate(fit.kinds[: len(kernels)]):
        words: dict[str, object] = {
            "number": number + 1,
            "kind": say(f"explain_filters.kind.{kind}"),
        }
        if kind == "edge":
            words["degrees"] = round(float(fit.orientation[number])) % 180
            captions.append(say("explain_filters.caption_edge", **words))
        else:
            captions.append(say("explain_filters.caption", **words))
    n, shown, side = len(weights), len(kernels), kernels.shape[-1]
    title = say("explain_filters.figure.kernels")
    return Picture(
        name="filters_conv1",
        draw=partial(kernels_figure, kernels, captions, title, say),
        alt=say("explain_filters.alt_kernels", n=shown, side=side, edges=test.edges),
        caption=say("explain_filters.cut", shown=shown, n=n) if n > SHOWN else "",
    )


def _kinds_table(fits: dict[str, KernelFit], say: Messages) -> Table:
    rows = (
        (
            say(f"explain_filters.row.{key}"),
            *(say("explain_filters.of", k=fit.count(kind), n=len(fit.kinds)) for kind in KINDS),
            say.percent(fit.count("edge") / len(fit.kinds), 0),
        )
        for key, fit in fits.items()
    )
    kinds = (say(f"explain_filters.kind.{kind}") for kind in KINDS)
    first, last = (say(f"explain_filters.column.{name}") for name in ("filters", "edge_share"))
    return Table(
        header=(first, *kinds, last), rows=tuple(rows), caption=say("explain_filters.table_kinds")
    )


def _origin_of_edges(test: EdgeTest, from_patches: bool, initial_known: bool, say: Messages) -> str:
    """Whether the network learned its edge detectors.

    Args:
        test: of its kernels.
        from_patches: whether the first layer was made from patches of digits and not learned.
        initial_known: whether the untrained network is this one before its training.
        say: the reader's language.
    """
    key = "edges_kept" if test.more_than_chance else "edges_by_luck"
    if test.learned:
        key = "edges_learned"
    return say(
        f"explain_filters.{'from_patches' if from_patches else key}",
        edges=test.edges,
        n=test.n,
        before=test.untrained_edges,
        before_n=test.untrained_n,
        chance=test.random_edges,
        chance_n=test.random_n,
        p=test.p_random,
        p_before=test.p_untrained,
        when=say(f"explain_filters.{'before_training' if initial_known else 'another_untrained'}"),
    )


def _kernel_numbers(fit: KernelFit, test: EdgeTest) -> dict[str, object]:
    angles = zip(fit.orientation.tolist(), fit.kinds, strict=True)
    return {
        "kinds": list(fit.kinds),
        "orientation_degrees": [angle if kind == "edge" else None for angle, kind in angles],
        "edge_test": {**vars(test), "learned": test.learned},
    }
