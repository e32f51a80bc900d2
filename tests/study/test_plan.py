"""Plans: what words and TOML files come to, and how mistakes in them are told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from taller_cnn.errors import InputError, UsageError
from taller_cnn.study import (
    FACTORS,
    REGIMES,
    Plan,
    default_plan,
    plan_of,
    read_plan,
    thorough_plan,
)

OWN = """
name = "head"
[regimes.short]
train_n = 256
[regimes.tiny]
recipe = "workshop"
epochs = 2
seeds = 3
train_n = 64
[factors.head]
explanation = "What the hidden layer buys."
regime = "tiny"
reference = "one"
[[factors.head.levels]]
name = "one"
value = 128
model = { hidden = 128 }
[[factors.head.levels]]
name = "small"
value = 16
model = { hidden = 16, dropout = 0.0 }
train = { batch_size = 32 }
[[questions]]
factors = ["head"]
[[questions]]
factors = ["layers", "head"]
levels = { layers = [1, 2] }
regime = "short"
seeds = 2
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "study.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_words_vary_one_factor_at_a_time() -> None:
    plan = plan_of(["filters=x2", "kernel"], cross=False)
    assert [question.factors for question in plan.questions] == [("filters",), ("kernel",)]
    assert plan.questions[0].levels == {"filters": ("x1", "x2")}
    assert plan.questions[1].levels == {}


def test_crossing_makes_one_question_of_two_factors() -> None:
    (question,) = plan_of(["filters", "layers=1"], cross=True).questions
    assert question.factors == ("filters", "layers")
    assert question.levels == {"layers": ("1", "2")}


@pytest.mark.parametrize(
    "words", [[], ["filters"], ["filters", "filters"], ["filters", "layers", "kernel"]]
)
def test_only_two_different_factors_are_crossed(words: list[str]) -> None:
    with pytest.raises(UsageError, match="two different factors"):
        plan_of(words, cross=True)


@pytest.mark.parametrize("cross", [True, False])
def test_a_factor_is_not_given_twice(cross: bool) -> None:
    with pytest.raises(UsageError, match="factor filters is given 2 times"):
        plan_of(["filters=x1/2", "kernel", "filters=x2"], cross=cross)


def test_the_seeds_that_were_asked_for_hold_for_every_question() -> None:
    assert {q.seeds for q in default_plan().with_seeds(3).questions} == {3}
    with pytest.raises(UsageError, match="between 1 and"):
        default_plan().with_seeds(0)


def test_the_thorough_study_has_every_factor_and_the_full_regime() -> None:
    plan = thorough_plan()
    asked = {name for question in plan.questions for name in question.factors}
    assert asked == set(FACTORS)
    assert {q.factors for q in plan.questions if q.regime == "full"} >= {("dropout",)}


@pytest.mark.parametrize(
    "plan", [default_plan(), thorough_plan(), plan_of(["size=700"], cross=False)]
)
def test_a_plan_survives_json(plan: Plan) -> None:
    assert Plan.from_dict(json.loads(json.dumps(plan.to_dict()))) == plan


def test_a_file_brings_factors_and_regimes_of_ones_own(tmp_path: Path) -> None:
    plan = read_plan(write(tmp_path, OWN))
    head = plan.factors["head"]
    assert head.chooses_rates, "another architecture looks for its learning rate"
    assert head.level("small").settings == {"hidden": 16, "dropout": 0.0, "batch_size": 32}
    assert plan.regimes["short"].train_n == 256
    assert plan.regimes["short"].recipe == REGIMES["short"].recipe
    assert plan.regimes["tiny"].seeds == 3
    assert plan.questions[1].levels == {"layers": ("1", "2")}
    assert Plan.from_dict(json.loads(json.dumps(plan.to_dict()))) == plan


@pytest.mark.parametrize(
    ("change", "key", "says"),
    [
        (('name = "head"', "name = 3"), "name", "not of the right type"),
        (('name = "head"', 'nme = "head"'), "nme", "name, questions"),
        (('factors = ["head"]', 'factors = ["depth"]'), "questions[1].factors", "no factor depth"),
        (('factors = ["head"]', "factors = []"), "questions[1].factors", "one factor or two"),
        (('factors = ["head"]', 'factor = ["head"]'), "questions[1].factor", "means nothing"),
        (("layers = [1, 2]", "layers = [1, 7.5]"), "questions[2].levels.layers", "no level 7.5"),
        (("layers = [1, 2]", "kernel = [1]"), "questions[2].levels.kernel", "means nothing"),
        (("seeds = 2\n", "seeds = 0\nx = 1\n"), "questions[2].x", "means nothing"),
        (("seeds = 2\n", "seeds = -1\n"), "questions[2].seeds", "from 0 to"),
        (("seeds = 2\n", "seeds = true\n"), "questions[2].seeds", "not of the right type"),
        (('regime = "short"', 'regime = "endless"'), "questions[2].regime", "no regime endless"),
        (('reference = "one"', 'reference = "two"'), "factors.head.reference", "one, small"),
        (('name = "small"', 'name = "one"'), "factors.head.levels", "two levels"),
        (("hidden = 16", "hiden = 16"), "factors.head.levels[2].model", "hiden"),
        (("hidden = 16", "hidden = -1"), "factors.head.levels[2].model", "hidden is -1"),
        (("batch_size = 32", "seed = 3"), "factors.head.levels[2].train.seed", "sets it"),
        (
            ("hidden = 16, dropout = 0.0 }", "filters = [8] }\nchanges = { layers = 1 }"),
            "factors.head.levels[2]",
            "both filters and layers",
        ),
        (("batch_size = 32 }", "epochs = 3 }\ntrain_n = 100"), "factors.head.levels[2]", "epochs"),
        (("[factors.head]", "[factors.filters]"), "factors.filters", "has this name"),
        (("[factors.head]", '[factors."a/b"]'), "factors.a/b", "only letters, digits, - and _"),
        (("[factors.head]", '[factors."../up"]'), "factors.../up", "only letters, digits"),
        (("[factors.head]", f"[factors.{'a' * 41}]"), f"factors.{'a' * 41}", "40 of them at most"),
        (("[factors.head]", '[factors."n\u0303"]'), "factors.n\u0303", "only letters, digits"),
        (("[regimes.tiny]", '[regimes."a b"]'), "regimes.a b", "only letters, digits, - and _"),
        (("epochs = 2", "epochs = -2"), "regimes.tiny", "epochs"),
        (('recipe = "workshop"', 'recipe = "slow"'), "regimes.tiny", "workshop"),
        (("train_n = 64", "train_n = 3"), "regimes.tiny.train_n", "from 10 to"),
        (("seeds = 3\n", ""), "regimes.tiny.seeds", "missing"),
        (("seeds = 3\n", "seeds = 3\nfolds = 5\n"), "regimes.tiny.folds", "means nothing"),
        (("seeds = 3\n", "seeds = 3\njudges = 9\n"), "regimes.tiny.judges", "from 10 to 60000"),
        (("seeds = 3\n", 'seeds = 3\njudges = "5"\n'), "regimes.tiny.judges", "right type"),
        (("epochs = 2", 'epochs = "2"'), "regimes.tiny.epochs", "right type"),
        (("epochs = 2", "epochs = nan"), "regimes.tiny.epochs", "right type"),
        (("seeds = 3\n", 'seeds = 3\nprecision = "half"\n'), "regimes.tiny", "precision"),
        (
            ('name = "small"', 'name = "small"\nrates = [0]'),
            "factors.head.levels[2].rates[1]",
            "right type",
        ),
    ],
)
def test_a_mistake_in_a_file_is_told_with_its_key(
    tmp_path: Path, change: tuple[str, str], key: str, says: str
) -> None:
    assert change[0] in OWN
    path = write(tmp_path, OWN.replace(*change))
    with pytest.raises(InputError) as caught:
        read_plan(path)
    assert f"Key {key}:" in str(caught.value)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_factor_may_have_a_name_with_accents(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        OWN.replace("[factors.head", '[factors."tamaño_1-b"').replace('"head"', '"tamaño_1-b"'),
    )
    assert "tamaño_1-b" in read_plan(path).factors


@pytest.mark.parametrize("text", ["name = ", 'name = "x"\n', "questions = 3", "questions = [3]"])
def test_a_file_that_is_no_plan_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"study\.toml"):
        read_plan(write(tmp_path, text))


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="it does not exist"):
        read_plan(tmp_path / "none.toml")


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot be read"):
        read_plan(tmp_path / "study.toml")
