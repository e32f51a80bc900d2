from __future__ import annotations

import pytest

from taller_cnn.cli.language import find_language
from taller_cnn.errors import UsageError


@pytest.mark.parametrize(
    ("arguments", "environment", "tag"),
    [
        ([], {}, "es"),
        ([], {"TALLER_LANG": "en"}, "en"),
        ([], {"TALLER_LANG": ""}, "es"),
        (["--lang", "en"], {"TALLER_LANG": "es"}, "en"),
        (["train", "--lang=es-MX"], {}, "es-MX"),
        (["--lang", "es", "train", "--lang", "en"], {}, "en"),
        (["train", "--", "--lang", "en"], {}, "es"),
        (["train", "--lang"], {"TALLER_LANG": "en"}, "en"),
        (["--language", "en"], {}, "es"),
    ],
)
def test_the_language_is_that_of_the_option_then_of_the_variable_then_spanish(
    arguments: list[str], environment: dict[str, str], tag: str
) -> None:
    assert find_language(arguments, environment).tag == tag


def test_an_unknown_language_names_its_source_and_the_choices() -> None:
    with pytest.raises(UsageError, match=r"--lang de.*es, en"):
        find_language(["--lang", "de"], {"TALLER_LANG": "en"})
    with pytest.raises(UsageError, match="TALLER_LANG=klingon"):
        find_language([], {"TALLER_LANG": "klingon"})
