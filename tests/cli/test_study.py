"""``taller-cnn study``: what it shows, what it refuses, what it leaves."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

from taller_cnn.cli.study import study
from taller_cnn.study import FACTORS

DESIGN = """
name = "quick"
[regimes.short]
train_n = 64
precision = "float32"
[[questions]]
factors = ["learning-rate"]
levels = { learning-rate = ["x3"] }
seeds = 2
"""
SHARED = {"factor", "source", "data_dir", "workdir", "json", "lang", "help"}


def here(workdir: Path, *words: str | Path) -> tuple[str | Path, ...]:
    return ("study", *words, "--source", "sample", "--workdir", workdir)


def write(folder: Path, text: str) -> Path:
    path = folder / "quick.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, sample_dir: Path) -> Path:
    """A folder with a finished study of four trials; for reading only."""
    import threading

    from taller_cnn.data import DigitsPlace
    from taller_cnn.study import Store, StudyDigits, build, read_plan, run_study

    folder = tmp_path_factory.mktemp("finished")
    shutil.copytree(sample_dir / "MNIST", folder / "data" / "sample" / "MNIST")
    place = DigitsPlace.in_workdir(folder, source="sample")
    design = build(read_plan(write(folder, DESIGN)), StudyDigits.of(place.load()))
    typed = {"factors": [], "design": "quick.toml", "source": "sample"}
    with Store(folder / "resultados" / "estudio", is_writer=True) as store:
        store.remember(design, typed)
        for _ in run_study(design, place, store, stop=threading.Event()):
            pass
    return folder


@pytest.fixture
def studied(finished: Path, tmp_path: Path) -> Path:
    """A copy of `finished` to write into."""
    return Path(shutil.copytree(finished, tmp_path / "copy"))


def test_every_flag_is_one_that_the_study_needs() -> None:
    own = {parameter.name for parameter in study.params} - SHARED
    assert own == {
        "cross",
        "seeds",
        "design",
        "thorough",
        "scheduler",
        "yes",
        "list_",
        "dry_run",
        "report",
        "export",
    }


@pytest.mark.parametrize(
    ("language", "says"),
    [("es", "Fracción de las neuronas ocultas"), ("en", "Fraction of the hidden")],
)
def test_the_list_explains_every_factor_in_a_sentence(cli, language: str, says: str) -> None:
    outcome = cli("study", "--list", "--lang", language)
    assert outcome.code == 0
    assert says in outcome.out
    for name, factor in FACTORS.items():
        assert name in outcome.out
        assert factor.reference in outcome.out


def test_the_list_as_json_has_every_factor_and_level(cli) -> None:
    told = cli("study", "--list", "--json").json["factors"]
    assert [factor["name"] for factor in told] == list(FACTORS)
    assert told[0]["levels"] == ["x1/4", "x1/2", "x1", "x2", "x4"]


def test_a_dry_run_lists_the_trials_and_leaves_nothing(cli, workdir: Path) -> None:
    outcome = cli(*here(workdir, "filters", "dropout", "--seeds", "2", "--dry-run"))
    assert (outcome.code, outcome.err) == (0, "")
    assert "Alrededor de 48 entrenamientos distintos, 0 ya en la carpeta" in outcome.out
    assert "206.922" in outcome.out
    assert "medido con 1.400 dígitos reservados" in outcome.out
    assert not (workdir / "resultados").exists()


def test_a_dry_run_as_json_has_every_trial(cli, workdir: Path) -> None:
    words = ("--cross", "filters=x2", "layers=1", "--seeds", "1", "--dry-run", "--json")
    told = cli(*here(workdir, *words)).json
    assert told["different_trials"] == 2 * 2 * (3 * 2 + 1)
    assert len(told["trials"]) == 2 * 2 * 2 * 2, "those that do not hang on a choice"
    trial = next(t for t in told["trials"] if t["levels"] == ["x2", "1"])
    assert trial["model"]["filters"] == [32]
    assert (trial["judged_by"], trial["judges"]) == ("validation", 1400)
    assert not trial["done"]


def test_a_dry_run_knows_what_is_done(cli, studied: Path) -> None:
    words = ("--design", studied / "quick.toml", "--dry-run")
    assert "4 entrenamientos distintos, 4 ya en la carpeta" in cli(*here(studied, *words)).out


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (["depth"], "study_factor"),
        (["filters=wide"], "study_level"),
        (["layers=7"], "config_layers"),
        (["kernel=4"], "config_choice"),
        (["--cross"], "study_cross"),
        (["--cross", "filters"], "study_cross"),
        (["--cross", "filters", "filters-fc1"], "study_same_change"),
        (["filters", "--thorough"], "cli_exclusive"),
        (["--thorough", "--design", "x.toml"], "cli_exclusive"),
        (["--thorough", "--cross"], "cli_exclusive"),
        (["--design", "x.toml", "--cross"], "cli_exclusive"),
        (["filters=x1/2", "filters=x2"], "study_factor_twice"),
        (["--design", "none.toml"], "study_design_unreadable"),
        (["--thorough", "--seeds", "30"], "study_many_trials"),
        (["--seeds", "0"], "cli_expected_count"),
        (["--seeds", "1001"], "study_seeds"),
        (["--export", "xls"], "cli_expected_choice"),
        (["--scheduler", "foo"], "study_scheduler_address"),
    ],
)
@pytest.mark.parametrize("language", ["es", "en"])
def test_wrong_usage_is_told_and_starts_nothing(
    cli, workdir: Path, words: list[str], key: str, language: str
) -> None:
    outcome = cli(*here(workdir, *words, "--json", "--lang", language))
    assert outcome.code == 2
    assert outcome.json["kind"] == key
    assert "{" not in outcome.json["error"]
    assert not list(workdir.glob("resultados/**/*.png"))


def test_more_than_a_thousand_trials_are_listed_without_asking(cli, workdir: Path) -> None:
    words = ("--thorough", "--seeds", "30", "--dry-run", "--json")
    assert cli(*here(workdir, *words)).json["different_trials"] > 1000


def test_a_mistake_in_a_design_is_told_with_its_key(cli, workdir: Path) -> None:
    path = write(workdir, DESIGN.replace("train_n = 64", "train_m = 64"))
    outcome = cli(*here(workdir, "--design", path))
    assert outcome.code == 2
    assert "regimes.short.train_m" in outcome.err


def test_one_seed_is_told_before_anything_runs(cli, workdir: Path) -> None:
    outcome = cli(*here(workdir, "kernel", "--seeds", "1", "--dry-run"))
    assert "una sola semilla" in outcome.out


def test_a_report_without_a_study_says_what_to_do(cli, tmp_path: Path) -> None:
    outcome = cli("study", "--report", "--workdir", tmp_path)
    assert outcome.code == 1
    assert "taller-cnn study" in outcome.err
    assert list(tmp_path.iterdir()) == []


def test_the_report_of_a_study_that_was_not_run_is_refused(cli, studied: Path) -> None:
    outcome = cli("study", "kernel", "--report", "--workdir", studied)
    assert outcome.code == 1
    assert "taller-cnn study kernel --source sample --workdir" in outcome.err
    outcome = cli("study", "kernel", "--report", "--workdir", studied, "--lang", "en")
    assert outcome.err.rstrip().rstrip(".").endswith("--lang en")


def test_the_report_is_made_of_the_study_that_was_run_last(cli, studied: Path) -> None:
    outcome = cli("study", "--report", "--export", "csv", "--workdir", studied, "--json")
    assert outcome.code == 0, outcome.err
    told = outcome.json
    assert (told["study"], told["trials"], told["done"], told["failed"]) == ("quick", 4, 4, 0)
    for path in told["files"].values():
        assert Path(path).stat().st_size > 0
    with Path(told["files"]["study_table"]).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4
    assert {row["judged_n"] for row in rows} == {"1400"}
    assert {row["level_a"] for row in rows} == {"x1", "x3"}


def test_the_table_of_another_study_does_not_stay_beside_the_new_pictures(
    cli, studied: Path
) -> None:
    folder = studied / "resultados" / "estudio"
    words = ("study", "--design", studied / "quick.toml", "--report", "--workdir", studied)
    assert cli(*words, "--export", "csv").code == 0
    assert cli(*words).code == 0
    assert (folder / "estudio.csv").exists()
    assert cli(*words, "--seeds", "1").code == 0
    assert not (folder / "estudio.csv").exists()
    assert len(list((folder / "entrenamientos").iterdir())) == 4


def test_a_report_counts_what_is_missing(cli, studied: Path) -> None:
    words = ("--design", studied / "quick.toml", "--seeds", "3", "--report")
    outcome = cli("study", *words, "--workdir", studied)
    assert outcome.code == 0, outcome.err
    assert "Faltan 2 entrenamientos" in outcome.out


def test_the_same_study_again_trains_nothing_and_reports(cli, studied: Path) -> None:
    outcome = cli(*here(studied, "--design", studied / "quick.toml"))
    assert outcome.code == 0, outcome.err
    assert "no hay que entrenar nada" in outcome.out
    assert "4 entrenamientos, 0 fallidos" in outcome.out
    assert (studied / "resultados" / "estudio" / "estudio.html").exists()


def repeated(outcome) -> str:
    """The command under "How to repeat it" in the report that was written."""
    assert outcome.code == 0, outcome.err
    text = Path(outcome.json["files"]["markdown"]).read_text(encoding="utf-8")
    return next(line.strip() for line in text.splitlines() if "taller-cnn study" in line)


def test_the_report_says_how_to_repeat_the_study_that_it_is_of(cli, studied: Path) -> None:
    again = cli("study", "--report", "--workdir", studied, "--json")
    assert repeated(again) == (
        f"taller-cnn study --design quick.toml --source sample --workdir {studied}"
    )
    fewer = cli("study", "--report", "--seeds", "1", "--workdir", studied, "--lang", "en", "--json")
    assert "--seeds 1 --design quick.toml" in repeated(fewer)
    assert repeated(fewer).endswith("--lang en")


def test_a_study_that_is_run_is_the_one_that_the_next_report_repeats(cli, studied: Path) -> None:
    words = ("learning-rate=x3", "--seeds", "1")
    ran = cli(*here(studied, *words, "--json"))
    assert ran.code == 0, ran.err
    report = cli("study", "--report", "--workdir", studied, "--json")
    assert report.json["study"] == "learning-rate"
    assert repeated(report) == repeated(ran)
    assert repeated(report).startswith("taller-cnn study learning-rate=x3 --seeds 1 --source")


def test_a_file_that_cannot_be_read_is_named_and_its_trial_is_missing(cli, studied: Path) -> None:
    folder = studied / "resultados" / "estudio" / "entrenamientos"
    damaged = sorted(folder.iterdir())[0]
    damaged.write_bytes(b"garbage")
    outcome = cli("study", "--report", "--workdir", studied)
    assert outcome.code == 0, outcome.err
    assert "No se puede leer" in outcome.sentences
    assert "Falta 1 entrenamiento" in outcome.sentences
    assert damaged.read_bytes() == b"garbage"


def test_the_results_of_an_earlier_version_are_named_and_stay(cli, studied: Path) -> None:
    old = studied / "resultados" / "estudio" / "estudio.sqlite"
    old.write_bytes(b"results of before")
    outcome = cli(*here(studied, "--design", studied / "quick.toml"))
    assert outcome.code == 0, outcome.err
    assert "resultados de una versión anterior" in outcome.sentences
    assert old.read_bytes() == b"results of before"


def test_two_data_sets_share_a_folder(cli, studied: Path) -> None:
    folder = studied / "resultados" / "estudio" / "entrenamientos"
    for path in list(folder.iterdir()):
        shutil.copy(path, folder / f"{path.stem[::-1]}.json")
    again = cli(*here(studied, "--design", studied / "quick.toml", "--json"))
    assert (again.json["done"], again.json["trials"]) == (4, 4)
    assert len(list(folder.iterdir())) == 8


@pytest.mark.parametrize(
    ("words", "one", "other"),
    [
        (["--report", "--dry-run"], "--report", "--dry-run"),
        (["--report", "--scheduler", "tcp://x:1"], "--report", "--scheduler"),
        (["--report", "--yes"], "--report", "--yes"),
        (["--dry-run", "--export", "csv"], "--dry-run", "--export"),
        (["--dry-run", "--yes"], "--dry-run", "--yes"),
        (["--list", "kernel"], "--list", "FACTOR"),
        (["--list", "--seeds", "3"], "--list", "--seeds"),
        (["--list", "--report"], "--list", "--report"),
    ],
)
def test_no_option_is_ignored_beside_another(
    cli, studied: Path, words: list[str], one: str, other: str
) -> None:
    before = {path: path.stat().st_mtime_ns for path in studied.rglob("*")}
    outcome = cli("study", *words, "--workdir", studied, "--json")
    assert (outcome.code, outcome.json["kind"]) == (2, "cli_exclusive")
    assert outcome.json["error"].startswith(f"{one} y {other} ")
    assert {path: path.stat().st_mtime_ns for path in studied.rglob("*")} == before


BRACKETS = """
name = "brackets"
[regimes.short]
train_n = 64
[factors.head]
regime = "short"
rates = [1]
levels = [{ name = "[/x]" }, { name = "[b]y", model = { hidden = 16 } }]
[[questions]]
factors = ["head"]
seeds = 2
"""


def test_brackets_in_a_levels_name_are_letters_like_others(cli, workdir: Path) -> None:
    outcome = cli(*here(workdir, "--design", write(workdir, BRACKETS), "--dry-run"))
    assert outcome.code == 0, outcome.err
    assert "[/x]" in outcome.out
    assert "[b]y" in outcome.out
