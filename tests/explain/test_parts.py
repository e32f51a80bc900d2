from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from made_parts import made, told, words

from taller_cnn.config import ModelConfig
from taller_cnn.data import LabelledImages
from taller_cnn.evaluation import evaluate
from taller_cnn.explain.parts import PARTS
from taller_cnn.explain.report import explain, write_report
from taller_cnn.explain.subject import Subject
from taller_cnn.messages import Messages
from taller_cnn.model import Ensemble, SimpleCNN

CHEAP = tuple(name for name in PARTS if name != "labels")


def asked_again(subject: Subject) -> Subject:
    """The subject with what its network says of its digits now."""
    digits, model = subject.digits, subject.model
    said = {"evaluation": digits.test, "validation": digits.validation}
    return replace(subject, **{k: evaluate(model, s, digits.scale) for k, s in said.items()})


def untrained(subject: Subject) -> Subject:
    return asked_again(replace(subject, model=SimpleCNN(subject.model.config, seed=5).eval()))


def perfect(subject: Subject) -> Subject:
    """The same network with digits that are labelled as it says."""

    def agreed(split: LabelledImages) -> LabelledImages:
        answers = subject.model(subject.normalised(split.images)).argmax(dim=1)
        return LabelledImages(images=split.images, labels=answers)

    with torch.no_grad():
        digits = replace(
            subject.digits,
            test=agreed(subject.digits.test),
            validation=agreed(subject.digits.validation),
        )
    return asked_again(replace(subject, digits=digits))


def silent(subject: Subject) -> Subject:
    """A network that never names class 3."""
    model = SimpleCNN(subject.model.config).eval()
    model.load_state_dict(subject.model.state_dict())
    with torch.no_grad():
        model.fc2.bias[3] = -1e9
    return asked_again(replace(subject, model=model))


def broken(subject: Subject) -> Subject:
    """A network whose first layer is dead: it says the same of everything."""
    model = SimpleCNN(subject.model.config).eval()
    model.load_state_dict(subject.model.state_dict())
    with torch.no_grad():
        model.conv1.weight.zero_()
        model.conv1.bias.fill_(-1.0)  # type: ignore[union-attr]
    return asked_again(replace(subject, model=model))


@pytest.mark.parametrize("name", CHEAP)
def test_every_part_says_the_same_number_of_things_in_both_languages(
    subject: Subject, name: str
) -> None:
    steps: list[tuple[int, int]] = []
    spanish = made(name, subject, "es", lambda done, of: steps.append((done, of)))

    assert spanish.section.name == name
    assert len(words(spanish)) == len(words(made(name, subject, "en"))) > 1
    assert steps
    assert steps[-1][0] == steps[-1][1]
    assert all(text.strip() for text in words(spanish))


@pytest.mark.parametrize("name", CHEAP)
def test_the_language_changes_no_number(subject: Subject, name: str) -> None:
    spanish, english = (made(name, subject, language) for language in ("es", "en"))

    assert spanish.numbers == english.numbers
    assert spanish.attachments == english.attachments


def deep(subject: Subject) -> Subject:
    """A deep network without a hidden layer."""
    config = ModelConfig(
        filters=(4,) * 6, convs_per_pool=2, hidden=0, final_size=1, batch_norm=True
    )
    initial = SimpleCNN(config, seed=1).eval()
    return asked_again(replace(subject, model=SimpleCNN(config).eval(), initial=initial))


def together(subject: Subject) -> Subject:
    """An ensemble of the network and a random one."""
    members = [subject.model, SimpleCNN(subject.model.config, seed=5)]
    return asked_again(replace(subject, model=Ensemble(members).eval()))


INSIDE = ["network", "filters", "feature_maps", "attribution", "errors", "embedding"]


@pytest.mark.parametrize("name", INSIDE)
def test_an_ensemble_is_explained_with_the_inside_of_its_first_network_and_says_so(
    subject: Subject, name: str
) -> None:
    assert all(text.strip() for text in words(made(name, together(subject), "es")))
    assert "2 networks answer together" in told(made(name, together(subject)))


@pytest.mark.parametrize("name", INSIDE)
def test_one_network_is_not_called_an_ensemble(subject: Subject, name: str) -> None:
    assert "answer together" not in told(made(name, subject))


@pytest.mark.parametrize("name", ["feature_maps", "embedding"])
def test_a_network_without_a_hidden_layer_is_explained_from_its_last_maps(
    subject: Subject, name: str
) -> None:
    part = made(name, deep(subject), "es")
    if name == "feature_maps":
        assert list(part.numbers["shapes"])[-3:] == ["conv6", "pool", "fc2"]
    assert all(text.strip() for text in words(part))


@pytest.mark.slow
@pytest.mark.parametrize("change", [untrained, perfect, silent, broken, deep, together])
def test_odd_networks_are_explained_too(
    subject: Subject, change: Callable[[Subject], Subject], tmp_path: Path
) -> None:
    odd = change(subject)
    explanation = explain(odd, CHEAP, Messages("es"), lambda part, done, of: None)
    done = write_report(explanation, tmp_path, Messages("es"))

    assert explanation.problems == {}
    assert done.problems == ()
    assert done.files["page"].stat().st_size > 100_000
