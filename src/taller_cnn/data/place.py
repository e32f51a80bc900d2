"""Where digits come from: the full set on disk, its download, or the sample; what is there."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Self

from taller_cnn.data.datasets import DATASETS, FILES, SAMPLE, DatasetSpec, spec_of
from taller_cnn.data.digits import Digits, split_digits
from taller_cnn.data.download import DownloadProgress, download
from taller_cnn.data.own import own_spec
from taller_cnn.data.rawfiles import (
    RawFile,
    RawFolder,
    find_raw,
    raw_folder,
    read_all,
    read_file,
    write_idx,
)
from taller_cnn.data.sample import read_sample
from taller_cnn.errors import ConfigError, DataError, OutputError, TallerError

SOURCES = ("auto", "full", "sample")
OWN: Final = "own"
"""The source of data of one's own."""


@dataclass(frozen=True, kw_only=True)
class DigitsPlace:
    """Which digits are wanted and where they are to be found; nothing is read before `load`."""

    data_dir: Path
    """Has the full set in ``MNIST/raw`` (or ``FashionMNIST/raw``, ``KMNIST/raw``), or directly;
    plain or ``.gz``. Downloads go there."""
    sample_dir: Path
    """Has the sample in ``MNIST/raw``; it is written there when it is not there."""
    dataset: str = "mnist"
    """One of `DATASETS`, or the name of a set that is kept in `own_dir`."""
    source: str = "auto"
    """``full``: the whole set; ``sample``: the 5,000 digits; ``auto``: full if that can be had,
    else the sample. A full set that is damaged or incomplete is an error also for ``auto``."""
    own_dir: Path = Path("data") / "own"
    """Has a folder for each set of one's own."""
    mirrors: tuple[str, ...] | None = None
    """Addresses to download from; None for torchvision's, empty for no download."""

    @classmethod
    def in_workdir(
        cls,
        workdir: Path,
        data_dir: Path | None = None,
        *,
        dataset: str = "mnist",
        source: str = "auto",
        mirrors: tuple[str, ...] | None = None,
    ) -> Self:
        """The place of a working folder: ``data`` and ``data/sample``, or another `data_dir`."""
        folder = workdir / "data"
        return cls(
            data_dir=data_dir or folder,
            sample_dir=folder / "sample",
            own_dir=folder / OWN,
            dataset=dataset,
            source=source,
            mirrors=mirrors,
        )

    def load(self, holdout: int = 5000) -> Digits:
        """Find, fetch if need be, check, read and split the digits.

        Args:
            holdout: training digits held out for validation; of the sample at most 500. 0: none.

        Raises:
            ConfigError: no such data set or source, or `holdout` leaves no digits to train on.
            DataError: the digits are missing, damaged or cannot be fetched.
            OutputError: a folder cannot be written.
        """
        *_, digits = self.loading(holdout)
        assert isinstance(digits, Digits)
        return digits

    def loading(self, holdout: int = 5000) -> Iterator[DownloadProgress | Digits]:
        """`load` with the download's progress: the last item is the `Digits`."""
        read = yield from self._read()
        yield split_digits(
            read.spec,
            read.files,
            holdout,
            source=read.source,
            fallback_reason=read.fallback_reason,
        )

    def torchvision_root(self) -> Path:
        """The folder to give to ``torchvision.datasets.MNIST(root=...)``, with checked files in it.

        torchvision reads only plain files in ``<root>/MNIST/raw``; files that lie elsewhere or are
        gzipped are copied there, also in the place of an archive that is named as a plain file.

        Raises:
            ConfigError, DataError, OutputError: as `load`.
        """
        reading = self._read()
        while True:
            try:
                next(reading)
            except StopIteration as end:
                read: _Read = end.value
                break
        root = self.sample_dir if read.source == "sample" else self.data_dir
        folder = raw_folder(read.spec, root)
        for name, file in read.files.items():
            if file.is_packed or file.path != folder / name:
                write_idx(folder / name, file.array)
        return root

    @property
    def own_folder(self) -> Path:
        """Folder of the set of one's own of this name."""
        return self.own_dir / self.dataset

    @property
    def own_spec(self) -> DatasetSpec | None:
        """The set of one's own that is asked for, if it is one."""
        return None if self.dataset in DATASETS else own_spec(self.own_folder)

    def _read_own(self, spec: DatasetSpec) -> _Read:
        """Read a set of one's own."""
        if self.source == "sample":
            raise ConfigError("data_no_sample", dataset=self.dataset)
        try:
            files = read_all(spec, RawFolder.at(self.own_folder))
        except DataError as error:
            raise DataError("own_damaged", path=self.own_folder) from error
        return _Read(spec=spec, source=OWN, files=files)

    def _read(self) -> Generator[DownloadProgress, None, _Read]:
        """Settle on a source and read it."""
        if own := self.own_spec:
            return self._read_own(own)
        spec = spec_of(self.dataset)
        if self.source not in SOURCES:
            allowed = ", ".join(SOURCES)
            raise ConfigError("config_choice", field="source", value=self.source, allowed=allowed)
        has_sample = spec.name == SAMPLE.name
        if self.source == "sample" and not has_sample:
            raise ConfigError("data_no_sample", dataset=self.dataset)
        if self.source == "sample":
            return _Read(spec=SAMPLE, source="sample", files=read_sample(self.sample_dir))
        raw = find_raw(spec, self.data_dir)
        if raw is None or raw.missing:
            try:
                yield from download(spec, self.data_dir, mirrors=self.mirrors)
            except (DataError, OutputError) as error:
                if raw is None and self.source == "auto" and has_sample:
                    files = read_sample(self.sample_dir)
                    return _Read(spec=SAMPLE, source="sample", files=files, fallback_reason=error)
                raise _unavailable(spec, self.data_dir, raw, error) from error
            raw = find_raw(spec, self.data_dir)
        assert raw is not None
        return _Read(spec=spec, source="full", files=read_all(spec, raw))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Read:
    """The four files, read and checked, and where they are from."""

    spec: DatasetSpec
    source: str
    files: Mapping[str, RawFile]
    fallback_reason: TallerError | None = None


def _unavailable(
    spec: DatasetSpec, data_dir: Path, raw: RawFolder | None, error: TallerError
) -> TallerError:
    """The error for a set that is not there and could not be downloaded, with the ways to it."""
    if raw is not None:
        return DataError("data_incomplete", path=raw.folder, missing=", ".join(raw.missing))
    if isinstance(error, OutputError):
        return error
    return DataError(
        "data_unavailable" if spec.name == SAMPLE.name else "data_unavailable_other",
        dataset=spec.name,
        folder=raw_folder(spec, data_dir),
        files=", ".join(FILES),
        reason=error.values["reasons"],
        remedy=error.values["remedy"],
    )


@dataclass(frozen=True, kw_only=True)
class FileCheck:
    """The state of one of the four files."""

    name: str
    """Its canonical name."""
    path: Path | None = None
    """Where it is, plain or ``.gz``; None if it is missing."""
    state: Literal["verified", "unverified", "damaged", "missing"]
    """``unverified``: plausible, but nobody publishes the checksum of its content."""
    md5: str | None = None
    """MD5 of the uncompressed content, if that could be read."""
    error: DataError | None = None
    """What is wrong with a damaged file."""


@dataclass(frozen=True, kw_only=True)
class Inventory:
    """The state of the four files in one folder."""

    source: Literal["full", "sample", "own"]
    folder: Path
    files: tuple[FileCheck, ...]


def inspect_folders(place: DigitsPlace) -> tuple[Inventory, ...]:
    """What is there of a data set: the full set, the sample, both or neither.

    Reads and checks the files, makes and fetches nothing; a damaged file is no error.

    Raises:
        ConfigError: no such data set.
    """
    own, folder = place.own_spec, place.own_folder
    if own is not None:
        return (_inspect(own, OWN, RawFolder.at(folder)),)
    spec = spec_of(place.dataset)
    inventories = []
    full = find_raw(spec, place.data_dir)
    if full is not None:
        inventories.append(_inspect(spec, "full", full))
    if spec.name == SAMPLE.name:
        sample = RawFolder.at(raw_folder(SAMPLE, place.sample_dir))
        if sample.paths:
            inventories.append(_inspect(SAMPLE, "sample", sample))
    return tuple(inventories)


def _inspect(
    spec: DatasetSpec, source: Literal["full", "sample", "own"], raw: RawFolder
) -> Inventory:
    files = tuple(_check(spec, name, raw.paths.get(name)) for name in FILES)
    return Inventory(source=source, folder=raw.folder, files=files)


def _check(spec: DatasetSpec, name: str, path: Path | None) -> FileCheck:
    if path is None:
        return FileCheck(name=name, state="missing")
    try:
        file = read_file(spec, name, path)
    except DataError as error:
        md5 = error.values.get("found")
        known = md5 if isinstance(md5, str) else None
        return FileCheck(name=name, path=path, state="damaged", md5=known, error=error)
    return FileCheck(name=name, path=path, state=file.state, md5=file.md5)
