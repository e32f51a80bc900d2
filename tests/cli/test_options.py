from __future__ import annotations

import inspect

from taller_cnn.cli.options import DATASETS, PANELS, SOURCES, extended
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


def test_a_function_is_extended_by_options_that_it_gets_or_not() -> None:
    def command(first: int = 1, **fields: object) -> None:
        calls.append((first, fields))

    calls: list[tuple[int, dict[str, object]]] = []
    passed = extended(command, {"extra": (str, "x")}, passed=True)
    kept = extended(passed, {"shared": (bool, False)}, passed=False)
    assert list(inspect.signature(kept).parameters) == ["extra", "first", "shared"]
    assert inspect.signature(kept).parameters["first"].annotation is int
    kept(first=2, extra="y", shared=True)
    assert calls == [(2, {"extra": "y"})]
