from __future__ import annotations

import ast
import re
import string
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from babel.numbers import parse_decimal
from hypothesis import given
from hypothesis import strategies as st

import taller_cnn
from taller_cnn import errors
from taller_cnn.errors import TallerError
from taller_cnn.messages import DEFAULT_LANGUAGE, LANGUAGES, LanguageError, Messages

SOURCE = Path(taller_cnn.__file__).parent
NO_BREAK_SPACE = "\u00a0"

# ----------------------------------------------------------------------- catalogues


def _flat(value: Any, prefix: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield prefix, value
    else:
        for key, inner in value.items():
            yield from _flat(inner, f"{prefix}.{key}")


def _texts(language: str) -> dict[str, str]:
    """Every text of a language by its full key; the forms of a plural are texts of their own."""
    files = sorted((SOURCE / "locale" / language).rglob("*.toml"))
    tables = {file.stem: tomllib.loads(file.read_text(encoding="utf-8")) for file in files}
    return dict(pair for name, table in tables.items() for pair in _flat(table, name))


def _placeholders(text: str) -> set[tuple[str, str]]:
    return {(name, spec or "") for _, name, spec, _ in string.Formatter().parse(text) if name}


def _shared_placeholders(key: str, text: str) -> set[tuple[str, str]]:
    """Those that the other language must have too; a singular may say "the only" or "1"."""
    return {p for p in _placeholders(text) if not (key.endswith(".one") and p[0] == "n")}


TEXTS = {language: _texts(language) for language in LANGUAGES}
CATALOGUES = {key.partition(".")[0] for key in TEXTS["es"]}


def test_both_languages_have_the_same_texts() -> None:
    assert TEXTS["es"].keys() == TEXTS["en"].keys()


def test_both_languages_name_the_same_values_in_the_same_formats() -> None:
    different = {
        key: (text, TEXTS["en"].get(key))
        for key, text in TEXTS["es"].items()
        if _shared_placeholders(key, text) != _shared_placeholders(key, TEXTS["en"].get(key, ""))
    }
    assert different == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_empty_or_ends_with_a_space(language: str) -> None:
    assert [key for key, text in TEXTS[language].items() if not text or text[-1].isspace()] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_placeholder_has_a_name_and_one_of_our_formats(language: str) -> None:
    known = re.compile(r"|d|time|\.\d|~\d|%\d|p\d")
    wrong = [
        (key, name, spec)
        for key, text in TEXTS[language].items()
        for name, spec in _placeholders(text)
        if not name.isidentifier() or not known.fullmatch(spec)
    ]
    assert wrong == []


# ----------------------------------------------------------- texts that the code names


def _syntax_trees() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(SOURCE.rglob("*.py")):
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def _constants(node: ast.expr) -> list[str]:
    """The strings that an expression may be: a literal, or either side of a condition."""
    if isinstance(node, ast.IfExp):
        return _constants(node.body) + _constants(node.orelse)
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


def _given(call: ast.Call) -> set[str] | None:
    """Names of the values that an error is raised with; None where they are not in the source."""
    if len(call.args) > 1:
        keys = call.args[1].keys if isinstance(call.args[1], ast.Dict) else [None]
        names = [key.value if isinstance(key, ast.Constant) else None for key in keys]
        return None if None in names else {str(name) for name in names}
    names = [keyword.arg for keyword in call.keywords]
    return None if None in names else {name for name in names if name}


def _raised() -> list[tuple[str, str, set[str] | None]]:
    """Place, key and values of each error or phrase that is made with a key in the source."""
    kinds = {n for n, k in vars(errors).items() if getattr(k, "__module__", "") == errors.__name__}
    return [
        (f"{path.name}:{node.lineno}", key, _given(node))
        for path, tree in _syntax_trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args
        if node.func.id in kinds
        for key in _constants(node.args[0])
    ]


RAISED = _raised()


def _error_text(key: str) -> str | None:
    """The text of an error; of one with a plural, its plural form."""
    texts = TEXTS["es"]
    return texts.get(f"errors.{key}", texts.get(f"errors.{key}.other"))


def test_the_scan_of_the_source_finds_errors_and_phrases() -> None:
    keys = {key for _, key, _ in RAISED}
    assert {"config_range", "cannot_write", "model_unreadable", "reason_empty"} <= keys


def test_every_error_that_is_raised_has_a_text() -> None:
    assert [(place, key) for place, key, _ in RAISED if _error_text(key) is None] == []


def test_every_error_is_raised_with_all_values_that_its_text_names() -> None:
    missing = {
        (place, key): {name for name, _ in _placeholders(_error_text(key) or "")} - given
        for place, key, given in RAISED
        if given is not None
    }
    assert {where: names for where, names in missing.items() if names} == {}


_PUT_TOGETHER = r"[\w.-]+"
"""What a value may bring into a key: ``f"cli.panel.{name}"``."""


def _named_keys() -> re.Pattern[str]:
    """What the source and the page's templates name as a key, whole or put together."""
    catalogue = re.compile(rf"({'|'.join(CATALOGUES)}|\w+_{re.escape(_PUT_TOGETHER)})\\?\.")
    keys = set()
    for _, tree in _syntax_trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                keys.add(re.escape(node.value))
            elif isinstance(node, ast.JoinedStr):
                keys.add("".join(map(_as_pattern, node.values)))
    for path in SOURCE.rglob("*.j2"):
        text = path.read_text(encoding="utf-8")
        keys |= set(map(re.escape, re.findall(r"say\(\"([\w.]+)\"", text)))
    return re.compile("|".join({key for key in keys if catalogue.match(key)} | _page_keys()))


def _page_keys() -> set[str]:
    """What the page's modules name as a key of their catalogue; ``pooling_${option}`` is any of
    those that begin so."""
    text = "".join(path.read_text(encoding="utf-8") for path in (SOURCE / "lab").rglob("*.js"))
    whole = re.findall(r"\"(\w+)\"", text)
    parts = re.findall(r"`(\w+_)\$\{[^}`]*\}`", text)
    return {rf"lab_page\.{key}" for key in [*whole, *(part + _PUT_TOGETHER for part in parts)]}


def test_the_page_can_write_the_values_of_its_texts() -> None:
    """Its scripts know these specifications alone (``language.js``)."""
    other = {
        (key, spec)
        for key, text in TEXTS["es"].items()
        if key.startswith("lab_page.")
        for _, spec in _placeholders(text)
        if not re.fullmatch(r"|d|[.%p]\d", spec)
    }
    assert other == set()


def _as_pattern(part: ast.expr) -> str:
    return re.escape(str(part.value)) if isinstance(part, ast.Constant) else _PUT_TOGETHER


def _errors_named() -> set[str]:
    return {
        f"errors.{node.value}"
        for _, tree in _syntax_trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_every_text_is_named_somewhere_in_the_source() -> None:
    named, errors_named = _named_keys(), _errors_named()
    dead = {
        key
        for key in TEXTS["es"]
        # A plural is named without its form.
        for names in [{key, re.sub(r"\.(one|other)$", "", key)}]
        if not any(map(named.fullmatch, names)) and not names & errors_named
    }
    assert dead == set()


def test_no_text_is_only_a_number_or_a_value() -> None:
    """A number is the same in both languages: `Messages` writes it."""
    ours = [key for key in TEXTS["es"] if key.startswith("cli")]
    bare = [
        key for key in ours if not re.search(r"[^\W\d_]", re.sub(r"{.*?}", "", TEXTS["es"][key]))
    ]
    assert bare == []


def test_every_full_key_in_the_source_has_a_text() -> None:
    full_key = re.compile(rf"({'|'.join(CATALOGUES)})(\.[a-z]\w*)+")
    unknown = [
        (f"{path.name}:{node.lineno}", node.value)
        for path, tree in _syntax_trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if full_key.fullmatch(node.value)
        # Names of files look like keys too, and some keys are put together.
        if not node.value.endswith((".json", ".toml", ".py", ".pt", ".png", "_"))
        if not Messages("es").has(node.value)
    ]
    assert unknown == []


_SAMPLES = {"d": 12_345, "time": 75, "%": 0.5, ".": 0.123, "~": 1e-5}
_SAMPLE_TEXTS = ("12,345", "12.345", "1 min 15 s", "50", "0.1", "0,1", "1e-05")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_error_text_can_be_written_with_all_its_values(language: str) -> None:
    messages = Messages(language)
    for key in (key for key in TEXTS[language] if key.startswith("errors.")):
        placeholders = _placeholders(TEXTS[language][key])
        values = {
            name: _SAMPLES[spec if spec in _SAMPLES else spec[0]] if spec else f"<{name}>"
            for name, spec in placeholders
        }
        text = TallerError(key.removeprefix("errors."), **values).text(messages)
        assert not set(text) & set("{}"), key
        for name, spec in placeholders:
            assert f"<{name}>" in text or (spec and any(s in text for s in _SAMPLE_TEXTS)), key


# -------------------------------------------------------------------------- numbers

FORMATS = [
    # specification, value, es, es-MX, en
    ("d", 12345, "12.345", "12,345", "12,345"),
    ("d", 60000.0, "60.000", "60,000", "60,000"),
    ("d", 999, "999", "999", "999"),
    ("d", 1234, "1.234", "1,234", "1,234"),
    (".3", 0.1234, "0,123", "0.123", "0.123"),
    (".2", 1234.5, "1.234,50", "1,234.50", "1,234.50"),
    (".0", 2.5, "2", "2", "2"),
    ("~3", 0.00333333, "0,00333", "0.00333", "0.00333"),
    ("~3", 1e-5, "1e-05", "1e-05", "1e-05"),
    ("~2", 0.001, "0,001", "0.001", "0.001"),
    ("~6", 3, "3", "3", "3"),
    ("%2", 0.9901, f"99,01{NO_BREAK_SPACE}%", "99.01%", "99.01%"),
    ("%1", 1.0, f"100,0{NO_BREAK_SPACE}%", "100.0%", "100.0%"),
    ("%0", 0.5, f"50{NO_BREAK_SPACE}%", "50%", "50%"),
    ("p1", 0.9987, f"99,9{NO_BREAK_SPACE}%", "99.9%", "99.9%"),
    ("p1", 0.99999, f"> 99,9{NO_BREAK_SPACE}%", "> 99.9%", "> 99.9%"),
    ("p2", 0.5, f"50,00{NO_BREAK_SPACE}%", "50.00%", "50.00%"),
    ("time", 3.21, "3,2 s", "3.2 s", "3.2 s"),
    ("time", 0.04, "0,0 s", "0.0 s", "0.0 s"),
    ("time", 12.4, "12 s", "12 s", "12 s"),
    ("time", 59.6, "1 min 00 s", "1 min 00 s", "1 min 00 s"),
    ("time", 83, "1 min 23 s", "1 min 23 s", "1 min 23 s"),
    ("time", 3599.7, "1 h 00 min", "1 h 00 min", "1 h 00 min"),
    ("time", 7_625, "2 h 07 min", "2 h 07 min", "2 h 07 min"),
    ("", "as it is", "as it is", "as it is", "as it is"),
    ("", 0.5, "0,5", "0.5", "0.5"),
    ("", 30.0, "30", "30", "30"),
    ("", 12345.678, "12345,678", "12345.678", "12345.678"),
    ("", None, "None", "None", "None"),
    (">4", "ab", "  ab", "  ab", "  ab"),
]


@pytest.mark.parametrize(("spec", "value", "es", "es_mx", "en"), FORMATS)
def test_a_value_is_written_in_the_style_of_the_locale(
    spec: str, value: object, es: str, es_mx: str, en: str
) -> None:
    written = [Messages(tag).format_field(value, spec) for tag in ("es", "es-MX", "en")]
    assert written == [es, es_mx, en]


@given(st.floats(-1e6, 1e6), st.integers(0, 6), st.sampled_from(["es", "es-MX", "en"]))
def test_a_number_written_for_people_can_be_read_back(x: float, decimals: int, tag: str) -> None:
    messages = Messages(tag)
    written = messages.number(x, decimals)
    assert "-" not in written
    read = float(parse_decimal(written.replace("−", "-"), locale=messages.locale))
    assert read == pytest.approx(x, abs=0.5000001 * 10**-decimals)


@given(st.floats(0, 1e6))
def test_a_duration_is_told_to_the_second_up_to_an_hour_and_then_to_the_minute(s: float) -> None:
    text = Messages("en").duration(s)
    units = {"h": 3600, "min": 60, "s": 1}
    told = sum(float(n) * units[unit] for n, unit in re.findall(r"([\d.]+) (h|min|s)", text))
    assert told == pytest.approx(s, abs=0.0501 if s < 9.95 else 0.5001 if s < 3599 else 60)


# ------------------------------------------------------------------------- languages


def test_spanish_is_the_default() -> None:
    assert Messages().language == "es" == DEFAULT_LANGUAGE
    assert Messages()("figures.loss.title") == "Curva de pérdida"


@pytest.mark.parametrize("tag", ["es", "ES", "es-MX", "es_MX", "es-419", "es-MX.UTF-8"])
def test_every_spanish_tag_gives_spanish_texts(tag: str) -> None:
    assert Messages(tag)("figures.epoch") == "Época"


@pytest.mark.parametrize("tag", ["es-", "es-!!", "es-QQQQ-1-2-3", "es--x"])
def test_a_territory_that_is_not_known_is_ignored(tag: str) -> None:
    messages = Messages(tag)
    assert messages("figures.epoch") == "Época"
    assert messages.number(0.5, 1) == "0,5"


@pytest.mark.parametrize("tag", ["fr", "", "spanish", "e", "xx-ES", "../en"])
def test_another_language_is_refused_by_name(tag: str) -> None:
    with pytest.raises(LanguageError, match="none of the languages es, en") as caught:
        Messages(tag)
    assert caught.value.tag == tag


@given(st.text(max_size=12))
def test_whatever_follows_the_language_numbers_can_be_written(rest: str) -> None:
    assert Messages(f"en-{rest}").number(1.5, 1).replace(",", ".") == "1.5"


# ----------------------------------------------------------------------------- texts


@pytest.mark.parametrize(
    ("tag", "n", "text"),
    [
        ("es", 1, "1 error en 10 imágenes"),
        ("es", 0, "0 errores en 10 imágenes"),
        ("es", 2, "2 errores en 10 imágenes"),
        ("es", 1_000_000, "1.000.000 errores en 10 imágenes"),
        ("en", 1, "1 error in 10 images"),
        ("en", 0, "0 errors in 10 images"),
        ("en", 1_000_000, "1,000,000 errors in 10 images"),
    ],
)
def test_the_number_chooses_singular_or_plural(tag: str, n: int, text: str) -> None:
    assert Messages(tag)("figures.confusion.errors", n=n, total=10) == text


@pytest.mark.parametrize("key", ["es|en", "con.x", "x" * 300, "x" * 300 + ".y", "../es/cli.help"])
def test_a_word_that_is_no_key_is_never_tried_as_a_file(key: str) -> None:
    """Windows refuses ``es|en`` as a file's name, and Linux one of 300 letters."""
    assert not Messages("es").has(key)


@pytest.mark.parametrize(
    "key", ["errors.nothing", "nothing.at_all", "errors", "errors.busy.more", "", "errors."]
)
def test_an_unknown_key_is_told_by_its_name(key: str) -> None:
    assert not Messages("es").has(key)
    with pytest.raises(KeyError) as caught:
        Messages("es")(key)
    assert caught.value.args == (key,)


def test_a_value_that_was_not_given_is_told_by_its_name() -> None:
    with pytest.raises(KeyError, match="path"):
        Messages("es")("errors.busy")


def test_a_text_that_is_there_is_found() -> None:
    assert Messages("en").has("errors.busy")
    assert Messages("en").template("figures.epoch") == "Epoch"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (None, "Lower it, with --rate 0.5. Use --sample."),
        ({"--rate", "--sample"}, "Lower it, with --rate 0.5. Use --sample."),
        ({"--sample"}, "Lower it. Use --sample."),
        ({"--rate"}, "Lower it, with --rate 0.5. Train again."),
        (set(), "Lower it. Train again."),
    ],
)
def test_a_command_says_only_the_parts_whose_options_it_has(
    options: set[str] | None, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = "Lower it[[, with --rate {x}]]. [[Use --sample.||Train again.]]"
    messages = Messages("en", options)
    monkeypatch.setattr(messages, "template", lambda _: template)
    assert messages("errors.any", x=0.5) == text


def test_a_value_with_double_brackets_is_told_as_it_is() -> None:
    error = TallerError("no_model", path="a[[--x]].pt")
    assert "a[[--x]].pt" in error.text(Messages("en", set()))


def test_a_field_is_told_by_its_option_only_where_there_is_one() -> None:
    flags = {"--label-smoothing"}
    assert Messages("es", flags).option_of("label_smoothing") == "--label-smoothing"
    assert Messages("es", flags).option_of("data_checksum") == "data_checksum"
    assert Messages("es").option_of("label_smoothing") == "label_smoothing"


def test_a_value_may_be_called_key() -> None:
    assert Messages("en")("figures.epoch", key="anything") == "Epoch"


@pytest.mark.parametrize(
    ("value", "text"), [(1e30, "1e+30"), (float("inf"), "inf"), (float("nan"), "nan")]
)
def test_a_number_too_large_for_fixed_decimals_is_still_written(value: float, text: str) -> None:
    assert Messages("es").number(value, 2) == text
