from __future__ import annotations

import gzip
import hashlib
import struct
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from taller_cnn.data.datasets import FILES
from taller_cnn.data.rawfiles import RawFolder, find_raw, parse_idx, read_all, read_file, write_idx
from taller_cnn.errors import DataError, OutputError
from taller_cnn.messages import Messages

if TYPE_CHECKING:
    from tests.data.conftest import SmallSet

TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = FILES


def md5_of(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def refusal(small: SmallSet, folder: Path) -> DataError:
    with pytest.raises(DataError) as caught:
        read_all(small.spec, RawFolder.at(folder))
    for language in ("es", "en"):
        assert str(folder) in caught.value.text(Messages(language))
    return caught.value


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("place", ["MNIST/raw", "MNIST", "."])
def test_plain_and_gzipped_files_are_found_and_read_in_every_place(
    small_set: SmallSet, tmp_path: Path, place: str, zipped: bool
) -> None:
    small_set.write(tmp_path / place, zipped=zipped)
    raw = find_raw(small_set.spec, tmp_path)
    assert raw is not None
    assert raw.missing == ()
    files = read_all(small_set.spec, raw)
    for name in FILES:
        np.testing.assert_array_equal(files[name].array, small_set.arrays[name])
        assert files[name].md5 == small_set.spec.md5[name]
        assert files[name].state == "verified"
        assert files[name].array.flags.writeable


def test_a_plain_file_goes_before_its_archive(small_set: SmallSet, tmp_path: Path) -> None:
    small_set.write(tmp_path)
    small_set.write(tmp_path, zipped=True)
    assert RawFolder.at(tmp_path).paths[TRAIN_IMAGES] == tmp_path / TRAIN_IMAGES


def test_a_complete_folder_goes_before_an_incomplete_one(
    small_set: SmallSet, tmp_path: Path
) -> None:
    small_set.write(tmp_path / "MNIST" / "raw")
    (tmp_path / "MNIST" / "raw" / TEST_LABELS).unlink()
    incomplete = find_raw(small_set.spec, tmp_path)
    assert incomplete is not None
    assert incomplete.missing == (TEST_LABELS,)
    small_set.write(tmp_path, zipped=True)
    complete = find_raw(small_set.spec, tmp_path)
    assert complete is not None
    assert complete.folder == tmp_path


def test_nothing_is_found_where_nothing_is(small_set: SmallSet, tmp_path: Path) -> None:
    assert find_raw(small_set.spec, tmp_path) is None
    assert find_raw(small_set.spec, tmp_path / "absent") is None


def test_a_missing_file_is_named(small_set: SmallSet, tmp_path: Path) -> None:
    small_set.write(tmp_path)
    (tmp_path / TEST_IMAGES).unlink()
    error = refusal(small_set, tmp_path)
    assert error.key == "data_incomplete"
    assert error.values["missing"] == TEST_IMAGES


def damage(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes((content[middle] ^ 1,)) + content[middle + 1 :]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    ("change", "key"),
    [
        (damage, "data_damaged"),
        (lambda content: content[:-1], "data_size"),
        (lambda content: content[:20], "data_size"),
        (lambda content: content + b"\0", "data_size"),
        (lambda content: b"", "data_size"),
        (lambda content: b"<html>log in to the network</html>", "data_size"),
    ],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_a_wrong_content_is_refused_with_both_checksums(
    small_set: SmallSet,
    tmp_path: Path,
    name: str,
    change: Callable[[bytes], bytes],
    key: str,
    zipped: bool,
) -> None:
    content = change(small_set.contents[name])
    path = tmp_path / (f"{name}.gz" if zipped else name)
    small_set.write(tmp_path, zipped=zipped)
    path.write_bytes(gzip.compress(content) if zipped else content)
    error = refusal(small_set, tmp_path)
    assert error.key == key
    assert error.values["path"] == path
    assert error.values["expected"] == small_set.spec.md5[name]
    assert error.values["found"] == md5_of(content)
    if key == "data_size":
        assert error.values["size"] == len(content)
        assert error.values["expected_size"] == small_set.spec.size(name)


@pytest.mark.parametrize(
    "change", [lambda data: data[:-9], lambda data: data[:30], damage, lambda data: b"no gzip"]
)
def test_a_damaged_archive_is_refused_with_both_checksums(
    small_set: SmallSet, tmp_path: Path, change: Callable[[bytes], bytes]
) -> None:
    small_set.write(tmp_path, zipped=True)
    path = tmp_path / f"{TRAIN_IMAGES}.gz"
    path.write_bytes(change(small_set.archives[TRAIN_IMAGES]))
    error = refusal(small_set, tmp_path)
    assert error.key == "data_archive"
    assert error.values["path"] == path
    assert error.values["expected"] == small_set.spec.md5[TRAIN_IMAGES]
    assert error.values["found"] == md5_of(path.read_bytes())


def cut_in_two(content: bytes) -> bytes:
    """Packed as two members, as some programs write large files."""
    half = len(content) // 2
    return gzip.compress(content[:half]) + gzip.compress(content[half:])


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize(
    ("pack", "is_packed"),
    [
        (lambda content: content, False),
        (gzip.compress, True),
        (lambda content: gzip.compress(gzip.compress(content)), True),
        (cut_in_two, True),
        (lambda content: gzip.compress(content) + bytes(512), True),
    ],
)
def test_an_intact_file_is_read_whether_its_name_tells_that_it_is_packed_or_not(
    small_set: SmallSet,
    tmp_path: Path,
    suffix: str,
    pack: Callable[[bytes], bytes],
    is_packed: bool,
) -> None:
    """Browsers unpack an archive and keep its name, or keep it packed and lose the ending."""
    for name in FILES:
        (tmp_path / f"{name}{suffix}").write_bytes(pack(small_set.contents[name]))
    read = read_all(small_set.spec, RawFolder.at(tmp_path))
    for name, file in read.items():
        np.testing.assert_array_equal(file.array, small_set.arrays[name])
        assert (file.state, file.is_packed) == ("verified", is_packed)
        assert file.md5 == small_set.spec.md5[name]


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_damaged_file_is_refused_whatever_its_name(
    small_set: SmallSet, tmp_path: Path, suffix: str
) -> None:
    small_set.write(tmp_path)
    (tmp_path / TRAIN_IMAGES).unlink()
    path = tmp_path / f"{TRAIN_IMAGES}{suffix}"
    for content, key in (
        (damage(small_set.contents[TRAIN_IMAGES]), "data_damaged"),
        (small_set.contents[TRAIN_IMAGES][:-1], "data_size"),
        (damage(small_set.archives[TRAIN_IMAGES]), "data_archive"),
    ):
        path.write_bytes(content)
        error = refusal(small_set, tmp_path)
        assert (error.key, error.values["path"]) == (key, path)


def test_an_archive_that_unpacks_without_end_is_refused(
    small_set: SmallSet, tmp_path: Path
) -> None:
    small_set.write(tmp_path, zipped=True)
    (tmp_path / f"{TEST_LABELS}.gz").write_bytes(gzip.compress(bytes(200 * 2**20), 1))
    error = refusal(small_set, tmp_path)
    assert error.key == "data_size"
    assert error.values["size"] == 128 * 2**20


@pytest.mark.parametrize(
    ("a", "b"),
    [(TRAIN_IMAGES, TRAIN_LABELS), (TRAIN_LABELS, TEST_LABELS), (TRAIN_IMAGES, TEST_IMAGES)],
)
@pytest.mark.parametrize("published", ["content", "archive"])
def test_swapped_files_are_refused(
    small_set: SmallSet, tmp_path: Path, a: str, b: str, published: str
) -> None:
    small = small_set if published == "content" else small_set.without_checksums()
    small.write(tmp_path)
    (tmp_path / a).write_bytes(small.contents[b])
    (tmp_path / b).write_bytes(small.contents[a])
    error = refusal(small, tmp_path)
    assert error.values["path"] in (tmp_path / a, tmp_path / b)
    assert error.values["found"] in {md5_of(small.contents[name]) for name in (a, b)}


@pytest.mark.parametrize("name", [TRAIN_LABELS, f"{TRAIN_LABELS}.gz"])
def test_what_cannot_be_read_is_named(small_set: SmallSet, tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(
        DataError, match=f"{name} cannot be read: there is a folder where a file should be"
    ):
        read_file(small_set.spec, TRAIN_LABELS, tmp_path / name)


class TestWithoutPublishedChecksumsOfTheContent:
    """KMNIST: only the archives' checksums are published."""

    def test_a_published_archive_is_verified_whatever_its_name(
        self, small_set: SmallSet, tmp_path: Path
    ) -> None:
        small = small_set.without_checksums()
        for name in FILES:
            (tmp_path / name).write_bytes(small.archives[name])
        read = read_all(small.spec, RawFolder.at(tmp_path))
        assert {file.state for file in read.values()} == {"verified"}
        for name in FILES:
            (tmp_path / name).rename(tmp_path / f"{name}.gz")
            (tmp_path / f"{name}.gz").write_bytes(small.contents[name])
        read = read_all(small.spec, RawFolder.at(tmp_path))
        assert {file.state for file in read.values()} == {"unverified"}

    def test_a_published_archive_is_verified(self, small_set: SmallSet, tmp_path: Path) -> None:
        small = small_set.without_checksums()
        small.write(tmp_path, zipped=True)
        files = read_all(small.spec, RawFolder.at(tmp_path))
        assert {file.state for file in files.values()} == {"verified"}

    def test_a_plain_file_is_taken_unverified(self, small_set: SmallSet, tmp_path: Path) -> None:
        small = small_set.without_checksums()
        small.write(tmp_path)
        files = read_all(small.spec, RawFolder.at(tmp_path))
        assert {file.state for file in files.values()} == {"unverified"}
        assert files[TRAIN_IMAGES].md5 == md5_of(small.contents[TRAIN_IMAGES])

    def test_labels_with_classes_unequally_often_are_refused(
        self, small_set: SmallSet, tmp_path: Path
    ) -> None:
        small = small_set.without_checksums()
        small.write(tmp_path)
        content = small.contents[TRAIN_LABELS]
        other = bytes(((content[-1] + 1) % 10,))
        (tmp_path / TRAIN_LABELS).write_bytes(content[:-1] + other)
        error = refusal(small, tmp_path)
        assert error.key == "data_damaged"
        assert error.values["expected"] == f"{md5_of(small.archives[TRAIN_LABELS])} (.gz)"

    def test_a_label_that_is_no_class_is_refused(self, small_set: SmallSet, tmp_path: Path) -> None:
        small = small_set.without_checksums()
        small.write(tmp_path)
        (tmp_path / TRAIN_LABELS).write_bytes(small.contents[TRAIN_LABELS][:-1] + b"\x0b")
        assert refusal(small, tmp_path).key == "data_damaged"


def test_files_are_hashed_as_a_whole(small_set: SmallSet, tmp_path: Path) -> None:
    """A change of one bit anywhere is seen, at the first byte, the last and between."""
    small_set.write(tmp_path)
    content = small_set.contents[TRAIN_IMAGES]
    for position in (0, 7, 16, len(content) // 3, len(content) - 1):
        changed = bytearray(content)
        changed[position] ^= 0x80
        (tmp_path / TRAIN_IMAGES).write_bytes(changed)
        error = refusal(small_set, tmp_path)
        assert error.values["found"] == md5_of(bytes(changed))


# -------------------------------------------------------------------------- the format

any_bytes = arrays.arrays(np.uint8, arrays.array_shapes(min_dims=1, max_dims=4, max_side=9))


def bytes_of(path: Path) -> np.ndarray:
    return np.fromfile(path, np.uint8)


@given(array=any_bytes)
def test_what_is_written_is_read_back(
    array: np.ndarray, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("idx") / "array-idx-ubyte"
    write_idx(path, array)
    again = parse_idx(bytes_of(path), path)
    assert again.shape == array.shape
    np.testing.assert_array_equal(again, array)


@given(array=any_bytes, lost=st.integers(1, 40))
def test_a_file_cut_anywhere_is_refused(
    array: np.ndarray, lost: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("idx") / "array-idx-ubyte"
    write_idx(path, array)
    content = bytes_of(path)
    with pytest.raises(DataError) as caught:
        parse_idx(content[: max(0, len(content) - lost)], path)
    assert caught.value.key in ("idx_format", "idx_length")
    assert caught.value.values["path"] == path


@given(content=st.binary(max_size=64))
def test_arbitrary_bytes_are_an_array_or_a_data_error(content: bytes) -> None:
    try:
        array = parse_idx(np.frombuffer(content, np.uint8), Path("x"))
    except DataError:
        return
    assert array.nbytes == len(content) - 4 - 4 * array.ndim


def test_the_bytes_are_those_of_the_format(tmp_path: Path) -> None:
    write_idx(tmp_path / "x", np.array([[1, 2, 3], [4, 5, 255]], dtype=np.uint8))
    assert (tmp_path / "x").read_bytes() == bytes.fromhex(
        "00000802 00000002 00000003 010203 0405ff"
    )


def test_columns_before_rows_in_memory_are_written_in_order(tmp_path: Path) -> None:
    array = np.arange(12, dtype=np.uint8).reshape(3, 4)
    write_idx(tmp_path / "x", np.asfortranarray(array))
    np.testing.assert_array_equal(parse_idx(bytes_of(tmp_path / "x"), tmp_path / "x"), array)


@pytest.mark.parametrize("kind", [9, 0x0B, 0x0D, 0])
def test_values_that_are_not_unsigned_bytes_are_refused(kind: int) -> None:
    content = np.frombuffer(struct.pack(">HBBI", 0, kind, 1, 2) + b"ab", np.uint8)
    with pytest.raises(DataError, match=r"labels is not an IDX file .* begins with 00 00 .* 01"):
        parse_idx(content, Path("labels"))


def test_a_header_that_promises_more_is_refused_with_both_lengths() -> None:
    content = np.frombuffer(bytes.fromhex("00000801 000003e8") + b"abc", np.uint8)
    with pytest.raises(DataError, match="labels has 11 bytes, and 1,008 by its header"):
        parse_idx(content, Path("labels"))


def test_a_header_of_astronomic_size_is_refused_without_reserving_memory() -> None:
    content = np.frombuffer(bytes.fromhex("00000803") + b"\xff" * 12, np.uint8)
    with pytest.raises(DataError) as caught:
        parse_idx(content, Path("images"))
    assert caught.value.values["expected"] == 16 + (2**32 - 1) ** 3


def test_an_empty_array_of_impossible_sides_is_refused() -> None:
    content = np.frombuffer(bytes.fromhex("00000804") + bytes(4) + b"\xff" * 12, np.uint8)
    with pytest.raises(DataError, match="is not an IDX file"):
        parse_idx(content, Path("images"))


def test_a_folder_that_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        write_idx(tmp_path / "file" / "x", np.zeros(1, np.uint8))
