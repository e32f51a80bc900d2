from __future__ import annotations

import string
import tomllib
from collections.abc import Iterator
from importlib import resources
from typing import Any

import pytest
from torchvision import datasets as torchvision_datasets

from taller_cnn.data.datasets import (
    DATASETS,
    FILES,
    SAMPLE,
    display_class_names,
    spec_of,
)
from taller_cnn.errors import ConfigError
from taller_cnn.messages import Messages


def texts(language: str) -> dict[str, str]:
    file = resources.files("taller_cnn").joinpath("locale", language, "data.toml")
    return dict(_flat("", tomllib.loads(file.read_text(encoding="utf-8"))))


def _flat(prefix: str, table: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(f"{prefix}{key}.", value)
        else:
            yield f"{prefix}{key}", value


def test_the_names_are_the_ones_the_options_take() -> None:
    assert DATASETS == ("mnist", "fashion-mnist", "kmnist")


@pytest.mark.parametrize("name", DATASETS)
def test_torchvision_keeps_and_names_the_files_as_we_do(name: str) -> None:
    spec = spec_of(name)
    theirs = getattr(torchvision_datasets, spec.folder)
    assert {file for file, _ in theirs.resources} == {f"{file}.gz" for file in FILES}
    for file, md5 in theirs.resources:
        assert spec.archive_md5.get(file.removesuffix(".gz"), md5) == md5
    assert len(theirs.classes) == len(spec.class_names) == 10
    if name != "mnist":
        assert tuple(theirs.classes) == spec.class_names


@pytest.mark.parametrize("name", DATASETS)
def test_every_file_has_a_checksum_of_its_content_or_of_its_archive(name: str) -> None:
    spec = spec_of(name)
    assert set(spec.md5 or spec.archive_md5) == set(FILES)


def test_sizes_are_those_of_the_published_files() -> None:
    assert [spec_of("mnist").size(file) for file in FILES] == [47040016, 60008, 7840016, 10008]
    assert [SAMPLE.size(file) for file in FILES] == [3136016, 4008, 784016, 1008]
    assert spec_of("kmnist").shape("t10k-images-idx3-ubyte") == (10000, 28, 28)


def test_an_unknown_data_set_is_refused_with_the_choices() -> None:
    with pytest.raises(ConfigError, match="emnist; choose one of: mnist, fashion-mnist, kmnist"):
        spec_of("emnist")


def test_class_names_are_shown_in_the_readers_language() -> None:
    spanish, english = Messages("es"), Messages("en")

    def shown(dataset: str, messages: Messages) -> tuple[str, ...]:
        return display_class_names(dataset, spec_of(dataset).class_names, messages)

    assert shown("fashion-mnist", spanish)[1] == "Pantalón"
    assert shown("fashion-mnist", english) == spec_of("fashion-mnist").class_names
    assert shown("kmnist", spanish)[3] == "tsu"
    assert shown("mnist", spanish) == tuple("0123456789")
    assert len(set(shown("fashion-mnist", spanish))) == 10
    assert display_class_names("signs", ("α", "β"), spanish) == ("α", "β")


def test_both_languages_have_the_same_texts_with_the_same_values() -> None:
    def fields(text: str) -> set[str | None]:
        return {field for _, field, _, _ in string.Formatter().parse(text) if field is not None}

    spanish, english = texts("es"), texts("en")
    assert spanish.keys() == english.keys()
    for key, text in spanish.items():
        assert fields(text) == fields(english[key]), key
