"""What the filters look for, and whether that was learned."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from taller_cnn.explain.filters_causal import FrozenTest, SwitchedOff, freeze_test, switch_off
from taller_cnn.explain.filters_kernels import (
    KINDS,
    EdgeTest,
    KernelFit,
    classify,
    edge_test,
    random_kernels,
)
from taller_cnn.explain.filters_patches import LayerExcitement, excitement
from taller_cnn.explain.forward import first_of_each_class, quick_copy
from taller_cnn.explain.section import (
    Block,
    Cell,
    Decimal,
    Heading,
    Percent,
    Picture,
    Section,
    Subject,
    Table,
    Tick,
    inside_of,
    texts_of,
)
from taller_cnn.messages import Messages
from taller_cnn.model import SimpleCNN

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_text = texts_of("explain_filters")

DIGITS = 2000
"""Test digits that are looked at for patches and for switched-off filters."""
RANDOM_KERNELS = 1000
SHOWN = 32
"""Filters in a picture."""
NAMED = 20
"""Dead filters that are named."""
STEPS = 10


@dataclass(frozen=True, kw_only=True, eq=False)
class _Measured:
    """All that the section tells."""

    trained: KernelFit
    untrained: KernelFit
    random: KernelFit
    edges: EdgeTest
    layers: tuple[LayerExcitement, ...]
    images: int
    """How many were looked at for dead filters."""
    rectified: bool
    """Whether a dead filter gives zero, as with ReLU, or the same value for everything."""
    off: SwitchedOff
    frozen: FrozenTest | None
    from_patches: bool
    """Whether the first layer was made from patches of digits and not learned."""
    initial_known: bool
    """Whether the untrained network is this one before its training, or another one."""


def filters(subject: Subject, tick: Tick) -> Section:
    """Kernels, exciting patches, dead filters, and two tests of what the first layer is worth.

    Raises:
        DivergedError: one of the short trainings did not converge.
    """
    measured = _measure(subject, _counter(tick))
    kernels = subject.network.conv1.weight[:, 0].detach().numpy().astype(np.float64)
    blocks = (
        *inside_of(subject),
        *_kernel_blocks(measured, kernels),
        *_patch_blocks(measured),
        *_dead_blocks(measured),
        *_causal_blocks(measured),
    )
    return Section(name="filters", title=_text("title"), blocks=blocks, numbers=_numbers(measured))


def _counter(tick: Tick) -> Callable[[], None]:
    done = 0

    def one_more() -> None:
        nonlocal done
        done += 1
        tick(min(done, STEPS), STEPS)

    return one_more


def _measure(subject: Subject, tick: Callable[[], None]) -> _Measured:
    config, seed = subject.network.config, subject.seed
    model = quick_copy(subject.network)
    initial = subject.initial or SimpleCNN(config, n_classes=model.n_classes, seed=seed)
    fits = [
        classify(subject.network.conv1.weight[:, 0]),
        classify(initial.conv1.weight[:, 0]),
        classify(random_kernels(RANDOM_KERNELS, config.kernel_size, seed)),
    ]
    tick()
    layers, images = _excitement(subject, model)
    tick()
    test = subject.digits.test
    off = switch_off(model, test, subject.normalised(test.images), DIGITS)
    tick()
    frozen = freeze_test(config, subject.digits, seed, tick)
    tick()
    return _Measured(
        trained=fits[0],
        untrained=fits[1],
        random=fits[2],
        edges=edge_test(*fits, same_filters=subject.initial is not None),
        layers=layers,
        images=images,
        rectified=config.activation == "relu",
        off=off,
        frozen=frozen,
        from_patches=subject.info is not None and subject.info.train.first_layer == "patches",
        initial_known=subject.initial is not None,
    )


def _excitement(subject: Subject, model: SimpleCNN) -> tuple[tuple[LayerExcitement, ...], int]:
    """Patches from the test digits; a filter is dead if held-out digits do not excite it either.

    Returns:
        The layers, and on how many images a dead filter was tried.
    """
    test, held_out = subject.digits.test, subject.digits.validation
    images = test.images[first_of_each_class(test.labels, DIGITS)]
    layers = excitement(model, images, subject.normalised(images))
    if not len(held_out) or not any(layer.dead for layer in layers):
        return layers, len(images)
    others = excitement(model, held_out.images, subject.normalised(held_out.images), most=1)
    both = tuple(
        replace(layer, dead=tuple(sorted(set(layer.dead) & set(other.dead))))
        for layer, other in zip(layers, others, strict=True)
    )
    return both, len(images) + len(held_out)


# --------------------------------------------------------------------------- kernels


def _kernel_blocks(measured: _Measured, kernels: np.ndarray[Any, Any]) -> Iterator[Block]:
    test, side = measured.edges, kernels.shape[-1]
    yield Heading(_text("kernels"))
    yield _text("kernels_lead", n=len(kernels), side=side)
    shown = kernels[:SHOWN]
    yield Picture(
        name="filters_conv1",
        draw=lambda messages: _kernels_figure(shown, measured.trained, messages),
        alt=_text("alt_kernels", n=len(shown), side=side, edges=test.edges),
        caption=_text("cut", shown=len(shown), n=len(kernels)) if len(kernels) > SHOWN else None,
    )
    if side == 1:
        yield _text("one_pixel")
        return
    yield _text("how_classified")
    yield _kinds_table(measured)
    counts = {
        "edges": test.edges,
        "n": test.n,
        "before": test.untrained_edges,
        "before_n": test.untrained_n,
        "chance": test.random_edges,
        "chance_n": test.random_n,
        "p": test.p_random,
        "p_before": test.p_untrained,
        "when": _text("before_training" if measured.initial_known else "another_untrained"),
    }
    if measured.from_patches:
        yield _text("from_patches", **counts)
    else:
        key = "edges_kept" if test.more_than_chance else "edges_by_luck"
        yield _text("edges_learned" if test.learned else key, **counts)


def _kinds_table(measured: _Measured) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for key in ("trained", "untrained", "random"):
        fit: KernelFit = getattr(measured, key)
        counts = [_text("of", k=fit.count(kind), n=len(fit.kinds)) for kind in KINDS]
        share = Percent(fit.count("edge") / len(fit.kinds), 0)
        rows.append((_text(f"row.{key}"), *counts, share))
    return Table(
        header=(
            _text("column.filters"),
            *(_text(f"kind.{kind}") for kind in KINDS),
            _text("column.edge_share"),
        ),
        rows=tuple(rows),
        caption=_text("table_kinds"),
    )


def _kernels_figure(kernels: np.ndarray[Any, Any], fit: KernelFit, messages: Messages) -> Figure:
    from taller_cnn.explain.draw.filters import kernels_figure

    captions = []
    for number, kind in enumerate(fit.kinds[: len(kernels)]):
        name = messages(f"explain_filters.kind.{kind}")
        key = "caption_edge" if kind == "edge" else "caption"
        degrees = round(float(fit.orientation[number])) % 180 if kind == "edge" else 0
        captions.append(
            messages(f"explain_filters.{key}", number=number + 1, kind=name, degrees=degrees)
        )
    title = messages("explain_filters.figure.kernels")
    return kernels_figure(kernels, captions, title, messages)


# ------------------------------------------------------------------- patches, dead ones


def _patch_blocks(measured: _Measured) -> Iterator[Block]:
    deeper = measured.layers[1:]
    if not deeper:
        return
    yield Heading(_text("patches"))
    yield _text("patches_lead", size=deeper[0].field.size, layer=deeper[0].layer)
    for layer in deeper:
        n = len(layer.patches)
        yield Picture(
            name=f"filters_patches_conv{layer.layer}",
            draw=lambda messages, layer=layer: _patches_figure(layer, messages),  # type: ignore[misc]
            alt=_text("alt_patches", n=min(n, SHOWN), layer=layer.layer, size=layer.field.size),
            caption=_text("cut", shown=SHOWN, n=n) if n > SHOWN else None,
        )


def _patches_figure(layer: LayerExcitement, messages: Messages) -> Figure:
    from taller_cnn.explain.draw.filters import patches_figure

    patches = layer.patches[:SHOWN].numpy()
    captions = [
        messages(f"explain_filters.{'number_dead' if k in layer.dead else 'number'}", number=k + 1)
        for k in range(len(patches))
    ]
    title = messages("explain_filters.figure.patches", layer=layer.layer, size=layer.field.size)
    return patches_figure(patches, captions, title, messages)


def _dead_blocks(measured: _Measured) -> Iterator[Block]:
    kind = "dead" if measured.rectified else "constant"
    yield Heading(_text(kind))
    total = sum(len(layer.patches) for layer in measured.layers)
    dead = [(layer.layer, layer.dead) for layer in measured.layers if layer.dead]
    if not dead:
        yield _text(f"no_{kind}", n=total, images=measured.images)
        return
    for layer, numbers in dead:
        named = tuple(str(k + 1) for k in numbers[:NAMED])
        values = {"n": len(numbers), "layer": layer, "names": named, "images": measured.images}
        more = len(numbers) - len(named)
        yield _text(f"{kind}_{'more' if more else 'named'}", **values, more=more)


# ------------------------------------------------------------------------ causal tests


def _causal_blocks(measured: _Measured) -> Iterator[Block]:
    off = measured.off
    yield Heading(_text("causal"))
    yield from _frozen_blocks(measured)
    largest = max(range(len(off.losses)), key=lambda k: off.losses[k].value)
    costly = [k for k, loss in enumerate(off.losses) if loss.low > 0]
    # A filter may cost most and yet not certainly anything: more digits change both ways with it.
    named = max(costly, key=lambda k: off.losses[k].value) if costly else largest
    loss = off.losses[named]
    yield _text("off_lead", accuracy=off.accuracy, digits=off.n)
    yield _text(
        "off_costs" if costly else "off_nothing",
        n=len(costly),
        of=len(off.losses),
        number=named + 1,
        points=100 * loss.value,
        low=100 * loss.low,
        high=100 * loss.high,
    )
    yield Picture(
        name="filters_off",
        draw=lambda messages: _losses_figure(off, messages),
        alt=_text("alt_off", n=min(len(off.losses), SHOWN), number=largest + 1),
        caption=_text("cut_off", shown=SHOWN, n=len(off.losses))
        if len(off.losses) > SHOWN
        else None,
    )


def _frozen_blocks(measured: _Measured) -> Iterator[Block]:
    test = measured.frozen
    if test is None:
        yield _text("frozen_too_costly")
        return
    low, high = test.interval()
    yield _text("frozen_lead", seeds=len(test.learned), digits=test.trained_on, n=test.n)
    if measured.from_patches:
        yield _text("frozen_patches")
    yield Table(
        header=(_text("column.seed"), _text("column.learned"), _text("column.frozen")),
        rows=tuple(
            (str(number), Percent(learned), Percent(frozen))
            for number, (learned, frozen) in enumerate(
                zip(test.learned, test.frozen, strict=True), start=1
            )
        ),
        caption=_text("table_frozen"),
    )
    key = "frozen_better" if low > 0 else "frozen_worse" if high < 0 else "frozen_same"
    points = {"points": Decimal(100 * test.gain), "low": Decimal(100 * low)}
    regime = {"seeds": len(test.learned), "digits": test.trained_on}
    yield _text(key, **points, high=Decimal(100 * high), **regime)


def _losses_figure(off: SwitchedOff, messages: Messages) -> Figure:
    from taller_cnn.explain.draw.filters import losses_figure

    order = sorted(range(len(off.losses)), key=lambda k: -abs(off.losses[k].value))[:SHOWN]
    values = np.array([[x.value, x.low, x.high] for x in (off.losses[k] for k in order)])
    names = [messages("explain_filters.number", number=k + 1) for k in order]
    return losses_figure(values, names, messages("explain_filters.figure.off"), messages)


# ----------------------------------------------------------------------------- numbers


def _numbers(measured: _Measured) -> dict[str, Any]:
    """JSON values; filters are counted from 0."""
    edges, frozen, fit = measured.edges, measured.frozen, measured.trained
    return {
        "kinds": list(fit.kinds),
        "orientation_degrees": [
            float(angle) if kind == "edge" else None
            for angle, kind in zip(fit.orientation, fit.kinds, strict=True)
        ],
        "edge_test": {**vars(edges), "learned": edges.learned},
        "first_layer_from_patches": measured.from_patches,
        "dead": {f"conv{layer.layer}": list(layer.dead) for layer in measured.layers},
        "receptive_field": {f"conv{one.layer}": one.field.size for one in measured.layers},
        "switched_off": {
            "n": measured.off.n,
            "accuracy": measured.off.accuracy,
            "loss": [{**vars(x), "value": x.value} for x in measured.off.losses],
        },
        "frozen_first_layer": None
        if frozen is None
        else {**vars(frozen), "gain": frozen.gain, "interval_95": list(frozen.interval())},
    }
