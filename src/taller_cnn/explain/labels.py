"""Labels that are likely wrong, by confident learning (Northcutt et al. 2021, cleanlab)."""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from taller_cnn.data import Digits
from taller_cnn.errors import MissingExtraError, TallerError
from taller_cnn.explain.folds import OutOfSample, out_of_sample
from taller_cnn.explain.section import Block, Picture, Section, Subject, Text, Tick, texts_of
from taller_cnn.messages import Messages

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CATALOGUE = "explain_labels"
_text = texts_of(CATALOGUE)
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

    Raises:
        MissingExtraError: cleanlab is not installed.
    """
    find_label_issues, get_label_quality_scores = _cleanlab()
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


def _cleanlab() -> tuple[Callable[..., Any], Callable[..., Any]]:
    """What is used of the library.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        from cleanlab.filter import find_label_issues
        from cleanlab.rank import get_label_quality_scores
    except ImportError as error:
        raise MissingExtraError("explain_cleanlab") from error
    return find_label_issues, get_label_quality_scores


def labels(subject: Subject, tick: Tick) -> Section:
    """The most suspicious labels of test and training digits, to be looked at by people."""
    digits = subject.digits
    _cleanlab()  # before minutes of training, not after them
    said = out_of_sample(digits, tick, seed=subject.seed)
    test = rank_labels(digits.test.labels, said.test)
    train = rank_labels(said.labels, said.train)
    places = _file_positions(digits)
    own = set(subject.mistakes.tolist())
    first = test.order[:LOOKED_AT].tolist()
    among = len(own & set(first))
    blocks: list[Block] = [
        _text("lead", networks=said.networks),
        _text(
            "flagged",
            test=int(test.flagged.sum()),
            test_n=len(test.order),
            train=int(train.flagged.sum()),
            train_n=len(train.order),
        ),
    ]
    if own:
        blocks.append(_text("mistakes", among=among, mistakes=len(own), first=len(first)))
    blocks += [
        _gallery(subject, "test", digits.test.images, digits.test.labels, test, None),
        _gallery(subject, "train", digits.pool.images, said.labels, train, places),
        _text("caution"),
        _text("file" if places is not None else "file_positions"),
    ]
    rows = [
        *_rows("test", test, digits.test.labels, digits, None),
        *_rows("train", train, said.labels, digits, places),
    ]
    return Section(
        name="labels",
        title=_text("title"),
        blocks=tuple(blocks),
        numbers={**_numbers(test, train, said, among), "suspicious": rows},
        attachments={"suspicious_labels.csv": _csv(rows)},
    )


def _numbers(test: Ranking, train: Ranking, said: OutOfSample, among: int) -> dict[str, Any]:
    return {
        "networks": said.networks,
        "test_flagged": int(test.flagged.sum()),
        "train_flagged": int(train.flagged.sum()),
        f"mistakes_among_first_{LOOKED_AT}": among,
    }


def _file_positions(digits: Digits) -> npt.NDArray[np.intp] | None:
    """Where the training digits, then the held-out ones, stand in their file; None if unknown."""
    from taller_cnn.data.datasets import FILES, SAMPLE, spec_of
    from taller_cnn.data.digits import stratified_mask
    from taller_cnn.data.rawfiles import RawFolder, read_file

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


def _csv(rows: list[dict[str, Any]]) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows({**row, "flagged": int(row["flagged"])} for row in rows)
    return buffer.getvalue()


def _gallery(
    subject: Subject,
    split: str,
    images: Tensor,
    given: Tensor,
    ranking: Ranking,
    places: npt.NDArray[np.intp] | None,
) -> Picture:
    first = ranking.order[:SHOWN].tolist()

    def draw(messages: Messages) -> Figure:
        from taller_cnn.figures.gallery import Tile, gallery_figure
        from taller_cnn.figures.style import GREY, VERMILION

        is_long = max(map(len, subject.digits.class_names)) > 3
        tiles = []
        for position in first:
            caption = messages(
                f"{CATALOGUE}.{'tile_long' if is_long else 'tile'}",
                index=int(position if places is None else places[position]),
                label=_name(subject, int(given[position]), messages),
                suggested=_name(subject, int(ranking.suggested[position]), messages),
            )
            flagged = bool(ranking.flagged[position])
            image = images[position, 0].numpy()
            colour = VERMILION if flagged else GREY
            tiles.append(Tile(image=image, caption=caption, colour=colour, thick=flagged))
        rows = [tiles[start : start + COLUMNS] for start in range(0, len(tiles), COLUMNS)]
        return gallery_figure(rows, messages(f"{CATALOGUE}.figure_{split}", n=len(tiles)))

    return Picture(name=f"labels_{split}", draw=draw, alt=_text(f"alt_{split}", n=len(first)))


def _name(subject: Subject, index: int, messages: Messages) -> str:
    name = subject.class_name(index)
    return name.say(messages) if isinstance(name, Text) else name
