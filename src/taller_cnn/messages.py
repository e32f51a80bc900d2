"""What people read, in Spanish (the default) and English.

A text is found by its key ``file.name`` in ``locale/<language>/<file>.toml``. A catalogue is
read when its first text is needed. Numbers in a text are written the reader's way by the
format specifications below, so callers pass plain numbers::

    {n:d}       12,345        whole number with grouping
    {x:.3}      0.123         fixed decimals
    {x:~3}      0.123, 1e-05  significant digits, for numbers of any size
    {p:%2}      99.01%        a fraction as per cent with two decimals
    {p:p1}      > 99.9%       a network's probability as per cent: near one is not one
    {t:time}    1 min 23 s    seconds
    {x}         0.001         a float without a specification: all its digits

A text may be a table ``{one = "...", other = "..."}``; the value called ``n`` chooses the form.

A part in double brackets is for the commands that have the options named in it; others leave it
out, or say what follows two bars: ``Use other digits[[: --source sample]].``,
``[[Use --split test.||Train it again.]]``. Outside of a command, the first is said.
"""

from __future__ import annotations

import re
import string
import tomllib
from collections.abc import Set
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from taller_cnn.commands import flag_of

if TYPE_CHECKING:
    from babel import Locale

LANGUAGES = ("es", "en")
DEFAULT_LANGUAGE = "es"
HUGE = 1e15
"""From here on, and for what is not a number, fixed decimals say nothing (Babel refuses 1e25)."""

_FOR_SOME_COMMANDS = re.compile(r"\[\[(.*?)(?:\|\|(.*?))?\]\]", re.DOTALL)
_OPTION = re.compile(r"--[a-z][a-z0-9-]*")


@cache
def _names(language: str) -> frozenset[str]:
    """The catalogues that there are, so that no other word is tried as the name of a file."""
    files = resources.files("taller_cnn").joinpath("locale", language).iterdir()
    return frozenset(file.name.removesuffix(".toml") for file in files)


@cache
def catalogue(language: str, name: str) -> dict[str, Any]:
    """All texts of one file, as they stand there.

    Raises:
        KeyError: no such file.
    """
    if name not in _names(language):
        raise KeyError(name)
    file = resources.files("taller_cnn").joinpath("locale", language, f"{name}.toml")
    return tomllib.loads(file.read_text(encoding="utf-8"))


class LanguageError(ValueError):
    """A language that there are no texts in.

    Attributes:
        tag: the language tag that was asked for.
    """

    def __init__(self, tag: str) -> None:
        super().__init__(f"{tag} is none of the languages {', '.join(LANGUAGES)}")
        self.tag = tag


class Messages(string.Formatter):
    """The texts in one language, with numbers in the style of one locale.

    Args:
        tag: language tag, ``es``, ``en`` or with a territory, ``es-MX``. The language chooses
            the texts, the whole tag the decimal mark and the grouping. Of what follows the
            language, the part that is not known is ignored.
        options: the options of the command that speaks; None outside of a command.

    Raises:
        LanguageError: the language is neither Spanish nor English.
    """

    def __init__(self, tag: str = DEFAULT_LANGUAGE, options: Set[str] | None = None) -> None:
        self.tag = tag
        self.options = options
        self.language = tag.replace("_", "-").split("-")[0].lower()
        if self.language not in LANGUAGES:
            raise LanguageError(tag)
        self._locale: Locale | None = None

    @property
    def locale(self) -> Locale:
        """Babel's locale of the tag; an unknown territory falls back on the language."""
        if self._locale is None:
            from babel import Locale, UnknownLocaleError

            try:
                self._locale = Locale.parse(self.tag.replace("_", "-"), sep="-")
            except (UnknownLocaleError, ValueError):
                self._locale = Locale(self.language)
        return self._locale

    def __call__(self, key: str, /, **values: object) -> str:
        """The text of `key` with `values` written in.

        Raises:
            KeyError: no such text, or the text names a value that was not given.
        """
        text = self.template(key)
        if isinstance(text, dict):
            number = values["n"]
            assert isinstance(number, int | float)
            # Spanish has a third form, for millions, that the texts do without.
            text = text.get(self.locale.plural_form(number), text["other"])
        return self.vformat(_FOR_SOME_COMMANDS.sub(self._part, text), (), values)

    def _part(self, match: re.Match[str]) -> str:
        """What this command says of a part that names options."""
        part, otherwise = match.groups()
        if self.options is None or self.options >= set(_OPTION.findall(part)):
            return str(part)
        return otherwise or ""

    def option_of(self, field: str) -> str:
        """The option of a configuration's field, where the command has it; else the field."""
        flag = flag_of(field)
        return flag if self.options is not None and flag in self.options else field

    def template(self, key: str) -> str | dict[str, str]:
        """The text of `key` as it stands in the catalogue.

        Raises:
            KeyError: no such text.
        """
        name, _, rest = key.partition(".")
        try:
            entry: Any = catalogue(self.language, name)
            for part in rest.split("."):
                entry = entry[part]
        except (KeyError, TypeError):
            raise KeyError(key) from None
        if not isinstance(entry, str | dict):
            raise KeyError(key)
        return entry

    def has(self, key: str) -> bool:
        """Whether there is a text of that key."""
        try:
            self.template(key)
        except KeyError:
            return False
        return True

    def format_field(self, value: Any, format_spec: str) -> str:
        """Write one value; see the module's docstring for the specifications."""
        if format_spec == "d":
            return self.number(value, 0)
        if format_spec == "time":
            return self.duration(value)
        if format_spec.startswith("%"):
            return self.percent(value, int(format_spec[1:] or 0))
        if format_spec.startswith("p"):
            return self.probability(value, int(format_spec[1:]))
        if format_spec.startswith("~"):
            return self.significant(value, int(format_spec[1:]))
        if format_spec.startswith(".") and format_spec[1:].isdigit():
            return self.number(value, int(format_spec[1:]))
        if isinstance(value, float) and not format_spec:
            # As one types it: 30 and not 30.0, with the reader's decimal mark and no grouping.
            return self._with_decimal_mark(repr(value).removesuffix(".0"))
        return str(super().format_field(value, format_spec))

    def number(self, value: float, decimals: int) -> str:
        """A number with a fixed count of decimals, e.g. ``1.234,50``; ``1e+30`` if it is huge."""
        from babel.numbers import format_decimal

        if not abs(value) < HUGE:
            return self.significant(value, 3)
        pattern = "#,##0" + ("." + "0" * decimals if decimals else "")
        return _with_minus(format_decimal(value, format=pattern, locale=self.locale))

    def significant(self, value: float, digits: int) -> str:
        """A number of any size to `digits` significant digits, e.g. ``0,00333`` or ``1e-05``."""
        return _with_minus(self._with_decimal_mark(f"{value:.{digits}g}"))

    def _with_decimal_mark(self, digits: str) -> str:
        from babel.numbers import get_decimal_symbol

        return digits.replace(".", get_decimal_symbol(self.locale))

    def percent(self, fraction: float, decimals: int) -> str:
        """A fraction as per cent, e.g. ``99,01 %`` (with a no-break space) or ``99.01%``."""
        from babel.numbers import format_percent

        sign = self.locale.percent_formats[None].pattern.removeprefix("#,##0")
        pattern = "#,##0" + ("." + "0" * decimals if decimals else "") + sign
        return _with_minus(format_percent(fraction, format=pattern, locale=self.locale))

    def probability(self, fraction: float, decimals: int) -> str:
        """A network's probability as per cent, e.g. ``> 99.9%``, and never ``100.0%``."""
        most = 1 - 10.0 ** -(decimals + 2)
        if fraction > most:
            return f"> {self.percent(most, decimals)}"
        return self.percent(fraction, decimals)

    def duration(self, seconds: float) -> str:
        """A time span for reading, e.g. ``3,2 s``, ``1 min 05 s``, ``2 h 07 min``."""
        if seconds < 10:
            return self.number(seconds, 1) + " s"
        whole = round(seconds)
        if whole < 60:
            return f"{whole} s"
        if whole < 3600:
            return f"{whole // 60} min {whole % 60:02d} s"
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def _with_minus(number: str) -> str:
    """A number for reading: a minus is as wide as a plus, a hyphen is not."""
    return f"−{number[1:]}" if number.startswith("-") else number
