"""Labels that are likely wrong, by confident learning (Northcutt et al. 2021, cleanlab)."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from taller_cnn.data import Digits
from taller_cnn.errors import TallerError
from taller_cnn.explain.out_of_sample import out_of_sample
from taller_cnn.explain.parts import Attachment, Numbers, Part
from taller_cnn.explain.subject import Subject, Tick
from taller_cnn.figures.gallery import Tile, gallery_figure
from taller_cnn.figures.style import GREY, VERMILION
from taller_cnn.messages import Messages
from taller_cnn.page import Paragraph, Picture

SHOWN = 32
"""Digits in a gallery."""
COLUMNS = 8
LISTED = 200
"""Least number of digits of each split in the CSV."""
LOOKED_AT = 50


@dataclass(frozen=True, kw_only=True, eq=False)
class Ranking:
    """How likely each label is wrong."""

    order: npt.NDArray[np.intp]
    """Positions, the most suspicious first, shape ``(N,)``."""
    quality: npt.NDArray[np.float64]
    """0 to 1, low for a suspicious label, by position."""
    flagged: npt.NDArray[np.bool_]
    """Whether confident learning takes the label for wrong, by position."""
    suggested: npt.NDArray[np.intp]
    """The most probable class, by position."""


def rank_labels(
    labels: npt.ArrayLike, probabilities: npt.ArrayLike, method: str = "self_confidence"
) -> Ranking:
    """Order labels by how likely they are wrong.

    Args:
        labels: int ``(N,)``.
        probabilities: by networks that have not seen the digit, float ``(N, K)``.
        method: of cleanlab's label quality scores.
    """
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    given = np.asarray(labels)
    chances = np.asarray(probabilities, dtype=np.float64)
    quality = get_label_quality_scores(given, chances, method=method)
    with warnings.catch_warnings():
        # That a class has too few examples to flag any, in words for programmers.
        warnings.simplefilter("ignore", UserWarning)
        flagged = find_label_issues(given, chances, n_jobs=1)
    return Ranking(
        order=np.argsort(quality, kind="stable"),
        quality=quality,
        flagged=flagged,
        suggested=chances.argmax(axis=1),
    )


def labels(subject: Subject, say: Messages, tick: Tick) -> Part:
    """The most suspicious labels of test and training digits, to be looked at by people."""
    digits = subject.digits
    judged = out_of_sample(digits, tick, seed=subject.seed)
    test = rank_labels(digits.test.labels, judged.test)
    train = rank_labels(judged.labels, judged.train)
    flagged = {"test": int(test.flagged.sum()), "train": int(train.flagged.sum())}
    yield Paragraph(say("explain_labels.lead", networks=judged.networks))
    sizes = {"test_n": len(test.order), "train_n": len(train.order)}
    yield Paragraph(say("explain_labels.flagged", **flagged, **sizes))
    mistakes, first = set(subject.mistakes.tolist()), test.order[:LOOKED_AT].tolist()
    among = len(mistakes & set(first))
    if mistakes:
        counts = {"among": among, "mistakes": len(mistakes), "first": len(first)}
        yield Paragraph(say("explain_labels.mistakes", **counts))
    places = _file_positions(digits)
    rows = [
        *_rows("test", test, digits.test.labels, digits, None),
        *_rows("train", train, judged.labels, digits, places),
    ]
    for split, ranking, images in (
        ("test", test, digits.test.images),
        ("train", train, digits.pool.images),
    ):
        shown = [row for row in rows if row["split"] == split][:SHOWN]
        first_images = images[ranking.order[: len(shown)].copy()]
        yield _gallery(split, first_images, shown, subject, say)
    yield Paragraph(say("explain_labels.caution"))
    yield Paragraph(say(f"explain_labels.{'file_positions' if places is None else 'file'}"))
    yield Numbers(
        {
            "networks": judged.networks,
            "test_flagged": flagged["test"],
            "train_flagged": flagged["train"],
            f"mistakes_among_first_{LOOKED_AT}": among,
            "suspicious": rows,
        }
    )
    listed = [{**row, "flagged": int(row["flagged"])} for row in rows]
    yield Attachment("suspicious_labels.csv", listed)


def _file_positions(digits: Digits) -> npt.NDArray[np.intp] | None:
    """Where the training digits, then the held-out ones, stand in their file; None if unknown."""
    from taller_cnn.data.datasets import FILES, SAMPLE, spec_of
    from taller_cnn.data.digits import stratified_mask
    from taller_cnn.data.place import OWN
    from taller_cnn.data.rawfiles import RawFolder, read_file

    if digits.source == OWN:
        # What is held out stands behind the others.
        return np.arange(len(digits.pool))
    name = FILES[1]
    spec = SAMPLE if digits.source == "sample" else spec_of(digits.name)
    try:
        path = RawFolder.at(digits.folder).paths[name]
        in_file = read_file(spec, name, path).array
    except (KeyError, TallerError):
        return None
    mask = stratified_mask(in_file, len(digits.validation))
    places = np.concatenate([np.flatnonzero(~mask), np.flatnonzero(mask)])
    ours = digits.pool.labels.numpy()
    same = len(places) == len(ours) and bool((in_file[places] == ours).all())
    return places if same else None


def _rows(
    split: str,
    ranking: Ranking,
    given: Tensor,
    digits: Digits,
    places: npt.NDArray[np.intp] | None,
) -> list[dict[str, Any]]:
    count = max(LISTED, int(ranking.flagged.sum()))
    names = digits.class_names
    return [
        {
            "split": split,
            "rank": rank,
            "index": int(position if places is None else places[position]),
            "label": names[int(given[position])],
            "suggested": names[int(ranking.suggested[position])],
            "quality": float(ranking.quality[position]),
            "flagged": bool(ranking.flagged[position]),
        }
        for rank, position in enumerate(ranking.order[:count].tolist(), start=1)
    ]


def _gallery(
    split: str,
    images: Tensor,
    rows: Sequence[Mapping[str, Any]],
    subject: Subject,
    say: Messages,
) -> Picture:
    """The images of these rows of the list, in their order."""
    names = dict(zip(subject.digits.class_names, subject.names(say), strict=True))
    is_long = max(map(len, names)) > 3
    tiles = [
        Tile(
            image=image.numpy(),
            caption=say(
                f"explain_labels.{'tile_long' if is_long else 'tile'}",
                index=row["index"],
                label=names[row["label"]],
                suggested=names[row["suggested"]],
            ),
            colour=VERMILION if row["flagged"] else GREY,
            thick=row["flagged"],
        )
        for image, row in zip(images[:, 0], rows, strict=True)
    ]
    sheet = [tiles[start : start + COLUMNS] for start in range(0, len(tiles), COLUMNS)]
    title = say(f"explain_labels.figure_{split}", n=len(tiles))
    return Picture(
        name=f"labels_{split}",
        draw=partial(gallery_figure, sheet, title),
        alt=say(f"explain_labels.alt_{split}", n=len(tiles)),
    )
