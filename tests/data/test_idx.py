from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from taller_cnn.data.rawfiles import parse_idx, write_idx
from taller_cnn.errors import DataError, OutputError

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
