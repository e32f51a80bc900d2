"""Data of one's own: images with classes, split once and kept as IDX files with a description.

A set is kept in a folder of its own name: the four files of `FILES` and ``dataset.json``. It is
read like every other set, and made anew when what it was made from has changed.

Near-copies of an image never lie on two sides of a split: what a network has learned by heart is no
test of it (Barz & Denzler 2020, arXiv:1902.00423).
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taller_cnn.data.datasets import DATASETS, FILES, DatasetSpec
from taller_cnn.data.rawfiles import write_idx
from taller_cnn.errors import DataError, Phrase
from taller_cnn.files import md5, read_json, write_json

DESCRIPTION = "dataset.json"
REVISION = 1
"""Raised when images are prepared or split in another way, so that sets are made anew."""
TEST_PART = VALIDATION_PART = 0.15
"""Of the images, where nothing says which ones are for what."""
LEAST_OF_CLASS = 3
"""Images of a class: one for each part."""
FEW_OF_CLASS = 10
"""Fewer images of a class than this are told."""
NEAR = 0.99
"""Cosine of two images of half the side from which on they count as copies. Of the sample's 5,000
digits 20 are that near another; all of them are, saved again with other grey levels and noise, and
99 in 100 resized to 40 pixels and back."""
MOST_COMPARED = 30_000
"""Images that are compared with each other, which takes seconds; of more, only equal ones count."""
BLOCK = 2_000
"""Rows of similarities in memory at a time."""
UNKNOWN, TRAIN, VALIDATION, TEST = -1, 0, 1, 2
"""What an image is for."""


@dataclass(frozen=True, kw_only=True, eq=False)
class OwnImages:
    """Images with their classes, before they are split."""

    images: NDArray[np.uint8]
    """``uint8 [n, 28, 28]``, 0 = background, 255 = full ink."""
    labels: NDArray[np.int64]
    """``int64 [n]``, 0 to K - 1."""
    class_names: tuple[str, ...]
    parts: NDArray[np.int8]
    """``int8 [n]``: `UNKNOWN`, `TRAIN`, `VALIDATION` or `TEST`."""
    notes: tuple[Phrase, ...] = ()
    """What was done to the images, for the reader."""


def set_name(path: Path) -> str:
    """The name of the set that a file or folder becomes: letters, digits and hyphens."""
    stem = path.resolve().name
    while Path(stem).suffix.lower() in {".gz", ".csv", ".npz"}:
        stem = Path(stem).stem
    plain = unicodedata.normalize("NFKC", stem).casefold()
    name = re.sub(r"[^\w]+", "-", plain).strip("-_") or "own"
    return f"{name}-own" if name in DATASETS else name


def own_spec(folder: Path) -> DatasetSpec | None:
    """The set that is kept in a folder; None where there is none that can be used."""
    value = read_json(folder / DESCRIPTION)
    if not isinstance(value, dict) or value.get("revision") != REVISION:
        return None
    try:
        return DatasetSpec(
            name=folder.name,
            folder=folder.name,
            train_n=int(value["train"]) + int(value["validation"]),
            test_n=int(value["test"]),
            held_out=int(value["validation"]),
            class_names=tuple(map(str, value["class_names"])),
            md5=MappingProxyType({name: str(value["md5"][name]) for name in FILES}),
        )
    except (KeyError, TypeError, ValueError):
        return None


def kept_notes(folder: Path, key: str, resized: bool | None) -> tuple[Phrase, ...] | None:
    """What was told of the set in a folder; None if it was made from something else.

    Args:
        folder: of the set.
        key: stands for what it should have been made from.
        resized: how it should have been made; None for either way.
    """
    value = read_json(folder / DESCRIPTION)
    if own_spec(folder) is None or not isinstance(value, dict) or value.get("key") != key:
        return None
    if resized not in (None, value.get("resized")):
        return None
    if not all((folder / name).is_file() for name in FILES):
        return None
    return tuple(Phrase(note["key"], note["values"]) for note in value["notes"])


def keep(
    own: OwnImages, folder: Path, *, key: str, source: Path, resized: bool
) -> tuple[Phrase, ...]:
    """Split images and keep them in a folder.

    Args:
        own: the images.
        folder: of the set, whose name is the set's.
        key: stands for what they were made from.
        source: the file or folder that they come from.
        resized: whether pictures were only made smaller.

    Returns:
        What is to be told of them.

    Raises:
        DataError: a class has fewer than `LEAST_OF_CLASS` images that differ.
        OutputError: the folder cannot be written.
    """
    parts, notes = split(own)
    notes = (*own.notes, *notes)
    order = np.concatenate([np.flatnonzero(parts == part) for part in (TRAIN, VALIDATION)])
    tests = np.flatnonzero(parts == TEST)
    labels = own.labels.astype(np.uint8)
    arrays = (own.images[order], labels[order], own.images[tests], labels[tests])
    sums = {}
    for name, array in zip(FILES, arrays, strict=True):
        write_idx(folder / name, array)
        sums[name] = md5((folder / name).read_bytes())
    # Last, so that a description stands for files that are whole.
    description: dict[str, Any] = {
        "revision": REVISION,
        "key": key,
        "source": str(source),
        "resized": resized,
        "class_names": list(own.class_names),
        "train": int((parts == TRAIN).sum()),
        "validation": int((parts == VALIDATION).sum()),
        "test": len(tests),
        "md5": sums,
        "notes": [{"key": note.key, "values": dict(note.values)} for note in notes],
    }
    write_json(folder / DESCRIPTION, description)
    return notes


# --------------------------------------------------------------------------- what is for what


def split(own: OwnImages) -> tuple[NDArray[np.int8], tuple[Phrase, ...]]:
    """Decide what every image is for: to train on, to choose by or to test with.

    What the source says stands. Else each class is split 70 : 15 : 15, by the images' content and
    not by their order or names; copies go together. Copies of what is for a later part leave the
    earlier ones.

    Returns:
        ``int8 [n]``, `UNKNOWN` for what is left out, and what is to be told of it.

    Raises:
        DataError: a class has too few images that differ, or none to train on.
    """
    keys = np.array([hashlib.sha256(image.tobytes()).hexdigest() for image in own.images])
    groups = copies(own.images, keys)
    notes = _told_of_classes(own, groups)
    parts, crossing = _without_crossing(own.parts, groups)
    if crossing:
        notes.append(Phrase("own_crossing", {"n": crossing}))
    wanted = [
        (part, share)
        for part, share in ((TEST, TEST_PART), (VALIDATION, VALIDATION_PART))
        if not (own.parts == part).any()
    ]
    free = (own.parts == UNKNOWN) | (parts == TRAIN)
    parts[free] = TRAIN
    if wanted:
        _share_out(parts, np.flatnonzero(free), own, groups, keys, wanted)
    trained = np.bincount(own.labels[parts == TRAIN], minlength=len(own.class_names))
    for label in np.flatnonzero(trained == 0):
        raise _too_few(own, int(label))
    return parts, tuple(notes)


def _without_crossing(
    parts: NDArray[np.int8], groups: NDArray[np.int64]
) -> tuple[NDArray[np.int8], int]:
    """The parts without images whose copies are for a later part, and how many those were."""
    left, removed = parts.copy(), 0
    for later in (TEST, VALIDATION):
        holds = np.isin(groups, groups[parts == later])
        crossing = holds & (left >= TRAIN) & (left < later)
        left[crossing] = UNKNOWN
        removed += int(crossing.sum())
    return left, removed


def _share_out(
    parts: NDArray[np.int8],
    free: NDArray[np.intp],
    own: OwnImages,
    groups: NDArray[np.int64],
    keys: NDArray[np.str_],
    wanted: Sequence[tuple[int, float]],
) -> None:
    """Give the parts that are `wanted` their share of each class, in whole groups of copies.

    Raises:
        DataError: a class has fewer groups than there are parts.
    """
    by_content = free[np.argsort(keys[free], kind="stable")]
    _, first, group = np.unique(groups[by_content], return_index=True, return_inverse=True)
    sizes, labels = np.bincount(group), own.labels[by_content[first]]
    target = np.full(len(sizes), TRAIN, dtype=np.int8)
    for label in range(len(own.class_names)):
        of_class = np.flatnonzero(labels == label)
        if len(of_class) <= len(wanted):
            raise _too_few(own, label)
        n = int(sizes[of_class].sum())
        quotas = [(part, max(1, round(share * n))) for part, share in wanted]
        # A group that is larger than a part's share is for the training.
        too_large = sizes[of_class] > min(quota for _, quota in quotas)
        of_class = of_class[np.lexsort((first[of_class], too_large))]
        filled = np.cumsum(sizes[of_class])
        start = 0
        for part, quota in quotas:
            before = int(filled[start - 1]) if start else 0
            end = max(start + 1, int(np.searchsorted(filled, before + quota, side="right")))
            target[of_class[start:end]] = part
            start = end
    parts[by_content] = target[group]


def _too_few(own: OwnImages, label: int) -> DataError:
    n = int((own.labels == label).sum())
    return DataError("own_too_few", name=own.class_names[label], n=n, least=LEAST_OF_CLASS)


def _told_of_classes(own: OwnImages, groups: NDArray[np.int64]) -> list[Phrase]:
    """Copies, images of two classes, and classes with few images."""
    notes = []
    copied = len(groups) - len(np.unique(groups))
    if copied:
        notes.append(Phrase("own_copies", {"n": copied}))
    classes_of_group = np.unique(np.stack([groups, own.labels]), axis=1)[0]
    disputed = int((np.bincount(classes_of_group) > 1).sum())
    if disputed:
        notes.append(Phrase("own_disputed", {"n": disputed}))
    counts = np.bincount(own.labels, minlength=len(own.class_names))
    few = [own.class_names[k] for k in np.flatnonzero(counts < FEW_OF_CLASS)]
    if few:
        notes.append(Phrase("own_few", {"names": ", ".join(few), "least": FEW_OF_CLASS}))
    return notes


def copies(images: NDArray[np.uint8], keys: NDArray[np.str_]) -> NDArray[np.int64]:
    """Groups of images that are copies or near-copies of each other.

    Args:
        images: ``uint8 [n, 28, 28]``.
        keys: what is the same for equal images, ``[n]``.

    Returns:
        ``int64 [n]``: the group of each image, from 0; single linkage.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = len(images)
    _, first, same = np.unique(keys, return_index=True, return_inverse=True)
    rows, columns = [np.arange(n)], [first[same]]
    if len(first) <= MOST_COMPARED:
        for row, column in _near(images[first]):
            rows.append(first[row])
            columns.append(first[column])
    row, column = np.concatenate(rows), np.concatenate(columns)
    graph = coo_array((np.ones(len(row), dtype=bool), (row, column)), shape=(n, n))
    groups: NDArray[np.int64] = connected_components(graph, directed=False)[1].astype(np.int64)
    return groups


def _near(images: NDArray[np.uint8]) -> Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Pairs of images that are nearly equal, block by block."""
    halves = images.reshape(len(images), 14, 2, 14, 2).mean(axis=(2, 4), dtype=np.float32)
    flat = halves.reshape(len(images), -1)
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)
    pairs = []
    for start in range(0, len(flat), BLOCK):
        similar = flat[start : start + BLOCK] @ flat[start:].T
        row, column = np.nonzero(similar > NEAR)
        pairs.append((row + start, column + start))
    return pairs


def fingerprint(entries: Mapping[str, object]) -> str:
    """What stands for a source: 16 hexadecimal digits of what is told of its files."""
    text = "\n".join(f"{name}\0{entries[name]}" for name in sorted(entries))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]
