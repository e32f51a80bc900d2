from __future__ import annotations

from pathlib import Path

from taller_cnn.cli.help_page import PANELS
from taller_cnn.cli.options import DATASETS, SOURCES, next_command
from taller_cnn.data import DATASETS as KNOWN_DATASETS
from taller_cnn.data import SOURCES as KNOWN_SOURCES
from taller_cnn.messages import LANGUAGES, Messages


def test_the_choices_are_those_of_the_library() -> None:
    """Written twice, because the library's are beside torch, which ``--help`` does not import."""
    assert DATASETS == KNOWN_DATASETS
    assert SOURCES == KNOWN_SOURCES


def test_every_panel_has_a_title_in_both_languages() -> None:
    for language in LANGUAGES:
        assert all(Messages(language).has(f"cli.panel.{name}") for name in PANELS)


def test_what_is_usual_is_left_out_of_the_next_command() -> None:
    usual = {"dataset": "mnist", "source": "auto", "workdir": Path(), "lang": "es"}
    assert next_command("train", **usual) == "taller-cnn train"
    other = {"dataset": "kmnist", "source": "full", "workdir": Path("a b"), "lang": "en"}
    assert next_command("train", **other) == (
        "taller-cnn train --dataset kmnist --source full --workdir 'a b' --lang en"
    )
