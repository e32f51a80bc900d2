from __future__ import annotations

from pathlib import Path

import pytest

from taller_cnn.errors import InputError
from taller_cnn.reader.scoring import (
    ReadingScore,
    ScoredPicture,
    pictures_to_score,
    true_classes,
)


def test_a_picture_that_is_not_read_is_an_error() -> None:
    score = ReadingScore.of([(0, 0), (0, 2), (1, None), (2, 2), (0, 2)], "abc")
    assert (score.n, score.correct, score.accuracy) == (5, 2, 0.4)
    assert score.confusion.tolist() == [[1, 0, 2], [0, 0, 0], [0, 0, 1]]
    assert score.not_read.tolist() == [0, 1, 0]
    assert score.mistakes() == [("a", "c", 2)]
    # Wilson's interval of 2 of 5, as R's binom::binom.wilson has it.
    assert score.interval() == pytest.approx((0.11762, 0.76928), abs=1e-5)
    assert score.to_json()["errors"] == 3


@pytest.mark.parametrize(
    ("parts", "split"), [(("train", "test"), "test"), (("train", "val"), "validation")]
)
def test_what_the_network_has_learned_least_is_measured(
    tmp_path: Path, parts: tuple[str, str], split: str
) -> None:
    for part in parts:
        for name in ("3", "7"):
            (tmp_path / part / name).mkdir(parents=True)
            (tmp_path / part / name / "a.png").write_bytes(b"x")
    pictures, _, chosen = pictures_to_score(tmp_path)
    assert chosen == split
    assert [(p.path.parts[-3], p.label) for p in pictures] == [(parts[1], "3"), (parts[1], "7")]


def test_classes_are_found_by_their_names() -> None:
    pictures = [ScoredPicture(path=Path(name), label=name) for name in ("b", "A")]
    assert true_classes(pictures, ["a", "b", "c"]) == [1, 0]
    with pytest.raises(InputError) as refused:
        true_classes(pictures, ["a", "c"])
    assert refused.value.key == "score_class"
