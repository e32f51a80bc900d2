from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from taller_cnn.augmentation import AUGMENTATIONS
from taller_cnn.checkpoints import load_model, save_model
from taller_cnn.config import recipe
from taller_cnn.data import Digits
from taller_cnn.files import sha256
from taller_cnn.model import SimpleCNN
from taller_cnn.reader import files as files_module
from taller_cnn.reader import robust, threshold

Cli = Any


@pytest.fixture(scope="module")
def place(trained_workdir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained network whose threshold is known, as after a first reading."""
    folder = tmp_path_factory.mktemp("predict") / "own"
    shutil.copytree(trained_workdir, folder)
    model = folder / "modelo" / "cnn_mnist.pt"
    record = {"threshold": 0.999, "precision": 0.99, "coverage": 0.5, "n": 100}
    record |= {"revision": threshold.REVISION, "sha256": sha256(model.read_bytes())}
    threshold.threshold_path(model).write_text(json.dumps(record), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory, sample_digits: Digits) -> Path:
    """Three of one digit each, a page of two lines of two, a blank one and one that is none."""
    folder = tmp_path_factory.mktemp("pictures")
    inks = [np.kron(sample_digits.test.images[i, 0].numpy(), np.ones((4, 4))) for i in range(4)]
    for index in range(3):
        Image.fromarray((235 - inks[index] * 0.8).astype(np.uint8)).save(folder / f"d{index}.png")
    page = np.concatenate([np.concatenate(inks[:2], 1), np.concatenate(inks[2:], 1)])
    Image.fromarray((235 - page * 0.8).astype(np.uint8)).save(folder / "page.png")
    Image.new("L", (50, 50), 255).save(folder / "blank.png")
    (folder / "text.txt").write_text("hola", encoding="utf-8")
    return folder


def test_a_program_gets_the_readings_in_the_agreed_form(
    cli: Cli, place: Path, pictures: Path
) -> None:
    outcome = cli("predict", pictures / "page.png", "--workdir", place, "--json")
    assert outcome.code == 0
    assert list(outcome.json) == ["files"]
    (file,) = outcome.json["files"]
    names = ["file", "page", "pages", "text", "digits", "rejected", "warnings", "error"]
    assert list(file) == names
    assert (file["file"], file["error"]) == (str(pictures / "page.png"), None)
    assert (file["page"], file["pages"], file["rejected"], file["warnings"]) == (1, 1, [], [])
    assert [len(line) for line in file["text"].split("\n")] == [2, 2]
    assert len(file["digits"]) == 4
    for digit in file["digits"]:
        names = ["box", "digit", "name", "probability", "second", "uncertain", "image28"]
        assert list(digit) == names
        assert np.shape(digit["box"]) == (4,)
        assert np.shape(digit["image28"]) == (28, 28)
        assert digit["digit"] != digit["second"]
        assert digit["uncertain"] == (digit["probability"] < 0.999)


def test_people_get_a_line_for_each_digit(cli: Cli, place: Path, pictures: Path) -> None:
    outcome = cli("predict", pictures / "page.png", "--workdir", place)
    assert (outcome.code, outcome.err) == (0, "")
    assert "page.png: " in outcome.out
    for position in ("1.1", "1.2", "2.1", "2.2"):
        assert f" {position} " in outcome.out
    assert "Segunda opción" in outcome.out
    assert "Archivo" not in outcome.out


def test_several_files_share_one_table_that_names_them(
    cli: Cli, place: Path, pictures: Path
) -> None:
    files = [pictures / "d0.png", pictures / "d1.png"]
    outcome = cli("predict", *files, "--workdir", place)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.count("Probabilidad") == 1
    # What the file says, and its digit.
    assert outcome.out.count("d0.png") == outcome.out.count("d1.png") == 2


def test_a_file_that_fails_is_told_and_the_others_are_read(
    cli: Cli, place: Path, pictures: Path, tmp_path: Path
) -> None:
    words = [tmp_path, pictures / "text.txt", pictures / "d0.png", pictures / "blank.png"]
    outcome = cli("predict", *words, pictures / "*.bmp", "--workdir", place, "--json")
    assert outcome.code == 1
    errors = [file["error"] for file in outcome.json["files"]]
    assert [error is None for error in errors] == [False, False, True, False, False]
    assert "la carpeta no tiene ninguna imagen" in errors[0]
    assert "no es una imagen" in errors[1]
    assert "no se ve nada escrito" in errors[3]
    assert "ningún archivo coincide" in errors[4]
    assert "Imágenes que no se han podido leer: 4 de 5." in outcome.err


def test_nothing_read_is_exit_code_2(cli: Cli, place: Path, pictures: Path) -> None:
    words = [pictures / "text.txt", pictures / "no.png"]
    outcome = cli("predict", *words, "--workdir", place)
    assert outcome.code == 2
    assert "no existe" in outcome.err
    assert "No se ha podido leer ninguna imagen." in outcome.err


def test_folders_patterns_and_standard_input_are_read(
    cli: Cli, place: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = (pictures / "d0.png").read_bytes()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
    words = ["-", str(pictures / "d?.png"), str(pictures)]
    outcome = cli("predict", *words, "--workdir", place, "--json")
    names = [Path(file["file"]).name for file in outcome.json["files"]]
    singles = ["d0.png", "d1.png", "d2.png"]
    assert names == ["-", *singles, "blank.png", *singles, "page.png"]
    same = [file["digits"] for file in outcome.json["files"]][:2]
    assert same[0] == same[1]


def test_one_digit_is_read_where_a_picture_is_said_to_be_one(
    cli: Cli, place: Path, pictures: Path
) -> None:
    words = ["--workdir", place, "--json", "--single"]
    outcome = cli("predict", pictures / "page.png", *words)
    assert len(outcome.json["files"][0]["digits"]) == 1


def test_pictures_of_the_reading_are_written(
    cli: Cli, place: Path, pictures: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    shutil.copytree(place, own)
    file = pictures / "d0.png"
    words = ["--workdir", own, "--annotate", "--show-steps"]
    assert cli("predict", file, file, *words).code == 0
    names = ["etapas_d0.png", "etapas_d0_2.png", "lectura_d0.png", "lectura_d0_2.png"]
    written = sorted(p.name for p in (own / "resultados").glob("*_d0*.png"))
    assert written == names
    with Image.open(own / "resultados" / "lectura_d0.png") as image:
        assert min(image.size) >= 400


def test_without_a_network_it_says_how_to_have_one(
    cli: Cli, pictures: Path, tmp_path: Path
) -> None:
    outcome = cli("predict", pictures / "d0.png", "--workdir", tmp_path)
    assert outcome.code == 2
    assert "taller-cnn train" in outcome.err
    assert "Traceback" not in outcome.err


def test_what_is_not_there_is_told_before_a_network_is_trained(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(robust, "robust_network", lambda *_, **__: pytest.fail("it trains"))
    (tmp_path / "text.png").write_text("hola", encoding="utf-8")
    words = [tmp_path / "escaneos", tmp_path / "no.png", tmp_path / "text.png"]
    outcome = cli("predict", *words, "--robust", "--workdir", tmp_path, "--json")
    assert outcome.code == 2
    assert [file["file"] for file in outcome.json["files"]] == list(map(str, words))
    errors = [file["error"] for file in outcome.json["files"]]
    assert ["no existe" in error for error in errors] == [True, True, False]
    assert "no es una imagen" in errors[2]


def test_the_robust_network_beside_the_own_one_is_used(
    cli: Cli, place: Path, pictures: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    shutil.copytree(place, own)
    model = own / "modelo" / "cnn_mnist"
    trained = load_model(model.with_suffix(".pt"))
    assert trained.info is not None
    config, train = recipe("handwriting")
    strengths = asdict(AUGMENTATIONS[train.augmentation])
    about = replace(trained.info, model=config, train=train, augmentation=strengths)
    kept = Path(f"{model}.robust.pt")
    save_model(SimpleCNN(config, seed=0), kept, about)
    record = json.loads(threshold.threshold_path(model.with_suffix(".pt")).read_text())
    record["sha256"] = sha256(kept.read_bytes())
    threshold.threshold_path(kept).write_text(json.dumps(record))
    model.with_suffix(".pt").unlink()
    outcome = cli("predict", pictures / "d0.png", "--workdir", own, "--robust", "--json")
    assert (outcome.code, outcome.err.count("Entrenando")) == (0, 0)
    assert len(outcome.json["files"][0]["digits"]) == 1


@pytest.mark.slow
def test_a_real_process_trains_the_robust_network_once_and_reads_with_it(
    place: Path, pictures: Path, sample_digits: Digits, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    shutil.copytree(place, own)
    files = [str(pictures / f"d{index}.png") for index in range(3)]
    command = [sys.executable, "-m", "taller_cnn", "predict", *files, "--robust", "--json"]
    command += ["--workdir", str(own)]

    def read() -> str:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
        return "".join(file["text"] for file in json.loads(done.stdout)["files"])

    said = read()
    assert said == "".join(str(label) for label in sample_digits.test.labels[:3].tolist())
    robust = own / "modelo" / "cnn_mnist.robust.pt"
    kept = load_model(robust)
    assert kept.info is not None
    assert kept.info.train.recipe == "handwriting"
    assert kept.info.metrics["validation"]["accuracy"] > 0.95
    assert threshold.kept_threshold(robust) is not None
    trained = robust.stat().st_mtime_ns
    assert read() == said
    assert robust.stat().st_mtime_ns == trained


def test_brackets_in_a_files_name_are_letters_like_others(
    cli: Cli, place: Path, pictures: Path, tmp_path: Path
) -> None:
    names = ["uno[copia].png", "dos[b].png"]
    for name in names:
        shutil.copy(pictures / "d0.png", tmp_path / name)
    outcome = cli("predict", *(tmp_path / name for name in names), "--workdir", place)
    assert (outcome.code, outcome.err) == (0, "")
    table = outcome.out.partition("Archivo")[2]
    assert all(name in table for name in names)


def test_without_a_network_the_json_has_the_code_that_the_process_ends_with(
    cli: Cli, pictures: Path, tmp_path: Path
) -> None:
    outcome = cli("predict", pictures / "d0.png", "--workdir", tmp_path, "--json")
    assert (outcome.code, outcome.json["exit_code"]) == (2, 2)
    assert outcome.json["kind"] == "no_model_here"


def test_one_digit_has_no_lines_with_gaps(cli: Cli, place: Path, pictures: Path) -> None:
    outcome = cli("predict", pictures / "d0.png", "--workdir", place, "--single", "--lines")
    assert outcome.code == 2
    assert "--single" in outcome.err
    assert "--lines" in outcome.err


# ------------------------------------------------------------ what was seen and not read


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    """Three digits beside a scribble, which is so large that they look like specks."""
    image = Image.new("L", (900, 300), 255)
    drawing = ImageDraw.Draw(image)
    for x in (60, 120, 180):
        drawing.line((x, 40, x, 90), fill=0, width=7)
    for k in range(12):
        drawing.line((400, 20 + 20 * k, 860, 250 - 15 * k), fill=0, width=7)
    image.save(tmp_path / "sheet.png")
    return tmp_path / "sheet.png"


def test_a_sheet_that_loses_most_of_its_digits_is_no_success(
    cli: Cli, place: Path, sheet: Path
) -> None:
    outcome = cli("predict", sheet, "--workdir", place, "--json", "--lang", "en")
    assert outcome.code == 1
    (file,) = outcome.json["files"]
    assert file["error"] is None
    assert [mark["reason"] for mark in file["rejected"]] == ["reader_speck"] * 3
    assert file["rejected"][0]["detail"] == "too small to be a digit"
    assert file["rejected"][0]["box"] == [57, 40, 64, 91]
    assert ["most of the picture could not be read" in text for text in file["warnings"]] == [True]
    assert "most of the picture could not be read" in outcome.err


def test_marks_that_are_not_read_are_told_of_a_picture_without_digits_too(
    cli: Cli, place: Path, tmp_path: Path
) -> None:
    image = Image.new("L", (400, 200), 255)
    ImageDraw.Draw(image).ellipse((150, 50, 250, 150), fill=0)
    image.save(tmp_path / "blot.png")
    outcome = cli("predict", tmp_path / "blot.png", "--workdir", place, "--json")
    (file,) = outcome.json["files"]
    assert (outcome.code, file["digits"]) == (2, [])
    assert file["error"]
    assert [mark["reason"] for mark in file["rejected"]] == ["reader_smudge"]


def test_every_page_of_a_document_is_read(
    cli: Cli, place: Path, pictures: Path, tmp_path: Path
) -> None:
    pages = [Image.open(pictures / name) for name in ("d0.png", "blank.png", "d1.png")]
    pages[0].save(tmp_path / "scan.tif", save_all=True, append_images=pages[1:])
    words = ("--workdir", place, "--lang", "en", "--json")
    outcome = cli("predict", tmp_path / "scan.tif", *words)
    files = outcome.json["files"]
    assert outcome.code == 1
    assert {file["file"] for file in files} == {str(tmp_path / "scan.tif")}
    assert [(file["page"], file["pages"]) for file in files] == [(1, 3), (2, 3), (3, 3)]
    assert [len(file["digits"]) for file in files] == [1, 0, 1]
    assert "scan.tif [2]: nothing written can be seen" in files[1]["error"]
    assert "scan.tif [3]: " in outcome.err
    alone = cli("predict", pictures / "d0.png", pictures / "d1.png", *words)
    read = [file["digits"] for file in alone.json["files"]]
    assert [files[0]["digits"], files[2]["digits"]] == read


def test_a_page_that_is_damaged_is_told(
    cli: Cli, place: Path, pictures: Path, tmp_path: Path
) -> None:
    pages = [Image.open(pictures / name) for name in ("d0.png", "d1.png", "d2.png")]
    path = tmp_path / "scan.tif"
    pages[0].save(path, save_all=True, append_images=pages[1:])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    outcome = cli("predict", path, "--workdir", place, "--json")
    files = outcome.json["files"]
    assert (outcome.code, len(files[0]["digits"])) == (1, 1)
    assert "scan.tif [2]" in files[1]["error"]


def test_smaller_copies_and_telephones_previews_are_no_pages(
    cli: Cli, place: Path, pictures: Path, tmp_path: Path
) -> None:
    page = Image.open(pictures / "d0.png").convert("RGB")
    preview = page.resize((28, 28))
    page.save(tmp_path / "phone.mpo", save_all=True, append_images=[preview])
    smaller = page.resize((28, 28))
    smaller.encoderinfo = {"tiffinfo": {254: 1}}
    page.save(tmp_path / "scan.tif", save_all=True, append_images=[smaller])
    for name in ("phone.mpo", "scan.tif"):
        outcome = cli("predict", tmp_path / name, "--workdir", place, "--json")
        assert [(f["pages"], f["warnings"]) for f in outcome.json["files"]] == [(1, [])], name


@pytest.mark.parametrize("kind", ["gif", "webp", "png"])
def test_further_pictures_of_an_animation_are_named(
    cli: Cli, place: Path, pictures: Path, tmp_path: Path, kind: str
) -> None:
    frames = [Image.open(pictures / f"d{index}.png").resize((140, 140)) for index in range(3)]
    path = tmp_path / f"moving.{kind}"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    outcome = cli("predict", path, "--workdir", place, "--lang", "en", "--json")
    assert outcome.code == 0
    (file,) = outcome.json["files"]
    assert (file["page"], file["pages"], len(file["digits"])) == (1, 3, 1)
    assert ["2 more pictures" in text for text in file["warnings"]] == [True]
    assert "2 more pictures" in outcome.err


# --------------------------------------------------------- a file that fails ends nothing


def test_a_picture_that_cannot_be_written_ends_nothing(
    cli: Cli, place: Path, pictures: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    shutil.copytree(place, own)
    (own / "resultados" / "lectura_d0.png").mkdir()
    files = [pictures / f"d{index}.png" for index in range(3)]
    outcome = cli("predict", *files, "--annotate", "--workdir", own, "--json", "--lang", "en")
    assert outcome.code == 1
    assert [len(file["digits"]) for file in outcome.json["files"]] == [1, 1, 1]
    assert [len(file["warnings"]) for file in outcome.json["files"]] == [1, 0, 0]
    assert "Cannot write" in outcome.json["files"][0]["warnings"][0]
    assert (own / "resultados" / "lectura_d2.png").is_file()


def test_a_long_name_is_shortened_where_pictures_are_written(
    cli: Cli, place: Path, pictures: Path, tmp_path: Path
) -> None:
    own, names = tmp_path / "own", ["b" * 245, "ñ" * 122, "a"]
    shutil.copytree(place, own)
    for name in names:
        shutil.copy(pictures / "d0.png", tmp_path / f"{name}.png")
    files = [tmp_path / f"{name}.png" for name in names]
    outcome = cli("predict", *files, "--annotate", "--workdir", own, "--json")
    assert outcome.code == 0
    assert [file["warnings"] for file in outcome.json["files"]] == [[], [], []]
    written = sorted(path.name for path in (own / "resultados").glob("lectura_*.png"))
    assert written == [f"lectura_{stem}.png" for stem in ("a", "b" * 200, "ñ" * 100)]


def test_a_drawing_that_goes_wrong_ends_nothing(
    cli: Cli, place: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("taller_cnn.reader.drawing.annotated", lambda *_: 1 / 0)
    words = [pictures / "d0.png", pictures / "d1.png", "--annotate"]
    outcome = cli("predict", *words, "--workdir", place, "--json")
    assert outcome.code == 1
    assert [len(file["digits"]) for file in outcome.json["files"]] == [1, 1]
    assert ["ZeroDivisionError" in f["warnings"][0] for f in outcome.json["files"]] == [True, True]


@pytest.mark.parametrize("failure", [MemoryError(), RuntimeError("broken")])
def test_whatever_happens_to_one_file_the_others_are_read(
    cli: Cli, place: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    load = files_module.load_picture

    def failing(source: Path, **settings: Any) -> Any:
        if source.name == "d1.png":
            raise failure
        return load(source, **settings)

    monkeypatch.setattr(files_module, "load_picture", failing)
    words = [pictures / f"d{index}.png" for index in range(3)]
    outcome = cli("predict", *words, "--workdir", place, "--json")
    assert outcome.code == 1
    assert [len(file["digits"]) for file in outcome.json["files"]] == [1, 0, 1]
    assert "d1.png" in outcome.json["files"][1]["error"]


# --------------------------------------------------------------------------------- --score


@pytest.fixture
def by_class(pictures: Path, sample_digits: Digits, tmp_path: Path) -> Path:
    """Three pictures of digits in folders of their classes, and a blank one among the last."""
    folder = tmp_path / "own digits"
    for index, label in enumerate(sample_digits.test.labels[:3].tolist()):
        (folder / str(label)).mkdir(parents=True, exist_ok=True)
        shutil.copy(pictures / f"d{index}.png", folder / str(label) / f"d{index}.png")
    shutil.copy(pictures / "blank.png", folder / str(label) / "blank.png")
    return folder


def test_folders_of_classes_give_accuracy_and_confusion(
    cli: Cli, place: Path, by_class: Path, sample_digits: Digits
) -> None:
    outcome = cli("predict", by_class, "--score", "--workdir", place, "--json")
    # One of them is blank.
    assert outcome.code == 1
    score, files = outcome.json["score"], outcome.json["files"]
    assert (score["n"], len(files), sum(score["not_read"])) == (4, 4, 1)
    assert score["class_names"] == [str(n) for n in range(10)]
    right = sum(file["text"] == file["label"] for file in files)
    assert (score["accuracy"], score["errors"]) == (right / 4, 4 - right)
    for file in files:
        assert file["label"] == Path(file["file"]).parent.name
        if file["text"]:
            assert score["confusion"][int(file["label"])][int(file["text"])] > 0
    low, high = score["interval_95"]
    assert low <= score["accuracy"] <= high


def test_people_get_the_same_from_a_table(
    cli: Cli, place: Path, pictures: Path, tmp_path: Path
) -> None:
    for name in ("d0.png", "d1.png", "d2.png"):
        shutil.copy(pictures / name, tmp_path / name)
    read = cli("predict", tmp_path, "--single", "--workdir", place, "--json").json["files"]
    said = [int(file["text"]) for file in read]
    # The first is said to be something else than is read; of the third nothing is said.
    table = f"archivo;clase\nd0.png;{(said[0] + 1) % 10}\nd1.png;{said[1]}\n"
    (tmp_path / "labels.csv").write_text(table)
    outcome = cli("predict", tmp_path, "--score", "--workdir", place)
    assert outcome.code == 0
    assert "Resultado en 2 imágenes" in outcome.out
    assert "50,00\xa0% (intervalo" in outcome.out
    assert f"{(said[0] + 1) % 10} → {said[0]}" in outcome.out
    assert "1 imagen sin clase queda fuera de la medida" in outcome.sentences
    assert "Filas: clase real" in outcome.out


def test_a_narrow_terminal_gets_no_cut_matrix(
    place: Path, by_class: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    from taller_cnn.cli.predict_view import show_reading_score
    from taller_cnn.cli.terminal import Terminal
    from taller_cnn.messages import Messages
    from taller_cnn.reader.scoring import ReadingScore

    score = ReadingScore.of([(k, k) for k in range(10)] * 1000, [str(k) for k in range(10)])
    for width, is_shown in ((200, True), (30, False)):
        terminal = Terminal(Messages("en"))
        terminal.out._force_terminal, terminal.out.width = True, width
        show_reading_score(terminal, score)
        assert ("Rows: true class" in capsys.readouterr().out) == is_shown


@pytest.mark.parametrize("words", [["--lines"], ["--score", "--lines"]])
def test_what_cannot_be_measured_is_refused(
    cli: Cli, place: Path, pictures: Path, words: list[str]
) -> None:
    outcome = cli("predict", pictures, "--score", *words, "--workdir", place, "--json")
    assert (outcome.code, outcome.json["kind"]) == (2, "cli_exclusive")


def test_a_class_that_the_network_does_not_know_is_told(
    cli: Cli, place: Path, by_class: Path
) -> None:
    (by_class / "cat").mkdir()
    shutil.copy(next(by_class.rglob("d0.png")), by_class / "cat" / "d.png")
    outcome = cli("predict", by_class, "--score", "--workdir", place, "--json")
    assert (outcome.code, outcome.json["kind"]) == (2, "score_class")


@pytest.mark.parametrize("word", ["d0.png", "no.png", "-"])
def test_a_picture_alone_says_no_class(cli: Cli, place: Path, pictures: Path, word: str) -> None:
    picture = word if word == "-" else pictures / word
    outcome = cli("predict", picture, "--score", "--workdir", place, "--json")
    assert outcome.code == 2
    assert outcome.json["kind"] in ("folder_unreadable", "folder_no_labels")


def test_folders_in_folders_are_read_in_natural_order(
    cli: Cli, place: Path, pictures: Path, tmp_path: Path
) -> None:
    names = ["page10/b.png", "page2/a.png", "page2/deep/c.png"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(pictures / "d0.png", tmp_path / name)
    (tmp_path / "page2" / "round").symlink_to(tmp_path)
    outcome = cli("predict", tmp_path, "--workdir", place, "--json")
    read = [Path(file["file"]).relative_to(tmp_path).as_posix() for file in outcome.json["files"]]
    assert read == ["page2/a.png", "page2/deep/c.png", "page10/b.png"]
