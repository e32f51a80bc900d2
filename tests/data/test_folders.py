from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from taller_cnn.data.folders import LabelledFolder, labelled_pictures, natural_order, pictures_in
from taller_cnn.errors import InputError


def filled(folder: Path, *names: str) -> Path:
    """A folder with files that are there and hold nothing that is looked at."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return folder


def names_in(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in pictures_in(folder).pictures]


def rows(folder: Path, labelled: LabelledFolder) -> list[tuple[str, str, str]]:
    return [
        (p.path.relative_to(folder).as_posix(), labelled.class_names[p.label], p.split)
        for p in labelled.pictures
    ]


def refusal(folder: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        labelled_pictures(folder)
    return caught.value


# ---------------------------------------------------------------------------------- pictures


def test_numbers_in_names_count_as_numbers() -> None:
    names = ["10", "2", "b", "A", "2a", "a", "02", "img12.png", "img2.png", "²"]
    ordered = sorted(names, key=natural_order)
    assert ordered == ["02", "2", "2a", "10", "A", "a", "b", "img2.png", "img12.png", "²"]


def test_pictures_are_looked_for_in_folders_of_folders(tmp_path: Path) -> None:
    names = ["d10.png", "d2.JPG", "a/b/c/deep.webp", "a/x.txt", "notes.csv"]
    filled(tmp_path, *names, ".hidden/a.png", "a/._d.png", "z.tif/inside.bmp")
    assert names_in(tmp_path) == ["a/b/c/deep.webp", "d2.JPG", "d10.png", "z.tif/inside.bmp"]


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_links_lead_to_a_folder_once_and_never_in_circles(tmp_path: Path) -> None:
    pages = filled(tmp_path / "pages", "3/a.png", "7/b.png")
    elsewhere = filled(tmp_path / "elsewhere", "c.png")
    (pages / "3" / "around").symlink_to(pages)
    (pages / "3" / "other").symlink_to(pages / "7")
    (pages / "9").symlink_to(elsewhere)
    (pages / "gone.png").symlink_to(tmp_path / "nothing.png")
    (pages / "itself.png").symlink_to(pages / "itself.png")
    assert names_in(pages) == ["3/a.png", "7/b.png", "9/c.png"]


def test_a_folder_that_cannot_be_listed_is_told_and_the_others_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(tmp_path, "a/one.png", "b/two.png")
    iterdir = Path.iterdir

    def refusing(folder: Path) -> Iterator[Path]:
        if folder.name == "a":
            raise PermissionError(13, "refused", str(folder))
        return iterdir(folder)

    monkeypatch.setattr(Path, "iterdir", refusing)
    found = pictures_in(tmp_path)
    assert [path.name for path in found.pictures] == ["two.png"]
    assert [path.name for path, _ in found.unreadable] == ["a"]


# ------------------------------------------------------------------------------------ labels


def test_a_folder_for_each_class_names_the_classes_in_natural_order(tmp_path: Path) -> None:
    filled(tmp_path, "10/a.png", "2/b.png", "2/more/c.png", "1/d.png", "loose.png", "empty/x.txt")
    labelled = labelled_pictures(tmp_path)
    assert labelled.class_names == ("1", "2", "10")
    assert rows(tmp_path, labelled) == [
        ("1/d.png", "1", ""),
        ("2/b.png", "2", ""),
        ("2/more/c.png", "2", ""),
        ("10/a.png", "10", ""),
    ]
    assert [path.name for path in labelled.unlabelled] == ["loose.png"]


@pytest.mark.parametrize(("train", "test"), [("train", "test"), ("Training", "testing")])
def test_train_and_test_stand_above_the_classes(tmp_path: Path, train: str, test: str) -> None:
    filled(tmp_path, f"{train}/a/1.png", f"{train}/b/2.png", f"{test}/b/3.png", "other/4.png")
    labelled = labelled_pictures(tmp_path)
    assert labelled.class_names == ("a", "b")
    splits = {name.rpartition("/")[2]: split for name, _, split in rows(tmp_path, labelled)}
    assert splits == {"1.png": "train", "2.png": "train", "3.png": "test"}
    assert [path.name for path in labelled.unlabelled] == ["4.png"]


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    filled(tmp_path, "train/1.png", "plane/2.png")
    assert labelled_pictures(tmp_path).class_names == ("plane", "train")


@pytest.mark.parametrize(
    "table",
    [
        "file,label\na.png,7\nsub/b.png,2\n",
        "a.png,7\nsub/b.png,2",
        "﻿Archivo;Etiqueta\r\na.png;7\r\nsub/b.png;2\r\n",
        "id\tdigit\na\t7\nb\t2\n",
        "label,quality,image\n7,good,a.png\n2,bad,sub\\b.png\n",
        '"What","Is"\n"a.png","7"\n\n"sub/b.png","2"\n',
        "image,label\na.png, 7\nsub/b.png ,2\na.png,7\n",
    ],
)
def test_a_table_names_the_class_of_each_picture(tmp_path: Path, table: str) -> None:
    filled(tmp_path, "a.png", "sub/b.png", "c.png")
    (tmp_path / "labels.csv").write_text(table, encoding="utf-8", newline="")
    labelled = labelled_pictures(tmp_path)
    assert rows(tmp_path, labelled) == [("a.png", "7", ""), ("sub/b.png", "2", "")]
    assert labelled.class_names == ("2", "7")
    assert [path.name for path in labelled.unlabelled] == ["c.png"]


def test_a_table_counts_more_than_folders_and_may_name_what_is_not_there(tmp_path: Path) -> None:
    filled(tmp_path, "0/a.png", "1/b.png")
    (tmp_path / "labels.csv").write_text("0/a.png,x\nlost.png,y\n")
    labelled = labelled_pictures(tmp_path)
    assert rows(tmp_path, labelled) == [("0/a.png", "x", ""), ("lost.png", "y", "")]


@pytest.mark.parametrize(
    ("table", "line", "reason"),
    [
        ("a.png,7\nb.png\n", 2, "reason_two_columns"),
        ("file,label\na.png,7\nb.png,\n", 3, "reason_two_columns"),
        ("a.png,7\nb.png,2\na.png,3\n", 3, "reason_two_labels"),
    ],
)
def test_a_line_that_is_wrong_is_told(tmp_path: Path, table: str, line: int, reason: str) -> None:
    filled(tmp_path, "a.png", "b.png")
    (tmp_path / "labels.csv").write_text(table)
    error = refusal(tmp_path)
    assert (error.key, error.values["line"]) == ("folder_labels", line)
    assert getattr(error.values["reason"], "key", "") == reason


def test_what_has_no_labels_or_too_many_classes_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / "nowhere").key == "folder_unreadable"
    assert refusal(filled(tmp_path / "loose", "a.png")).key == "folder_no_labels"
    assert refusal(filled(tmp_path / "one", "a/a.png")).key == "folder_classes"
    many = [f"{n}/a.png" for n in range(65)]
    assert refusal(filled(tmp_path / "many", *many)).key == "folder_classes"
    assert len(labelled_pictures(filled(tmp_path / "most", *many[:64])).class_names) == 64
    (tmp_path / "one" / "labels.csv").write_text("")
    assert refusal(tmp_path / "one").key == "folder_no_labels"
