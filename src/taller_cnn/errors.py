"""What a user can cause, with the way out.

    TallerError                 1  it failed
    ├── UsageError              2  wrong usage or input
    │   ├── ConfigError            an option has a value it cannot have
    │   ├── InputError             a file or folder that was given is not usable
    │   └── ModelError             a model file is missing, cannot be read or does not fit
    ├── DataError               1  the digits are missing, damaged or cannot be fetched
    ├── OutputError             1  a result cannot be written
    ├── BusyError               1  another training holds the folder
    ├── DivergedError           1  the loss is no longer a number
    ├── MissingExtraError       1  an optional library is not installed
    └── InterruptedRunError   130  stopped by Ctrl-C or SIGTERM, state kept

A checkpoint is a model file too: ``--resume`` without one that can be gone on with is wrong usage.

An error is a message key and its values, so that the command line can say it in the
reader's language; ``str(error)`` is the English text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from taller_cnn.messages import Messages


@dataclass(frozen=True)
class Phrase:
    """A message that stands inside another one, e.g. why a file cannot be written."""

    key: str
    """Message key without its file; the text is ``errors.<key>``."""
    values: Mapping[str, object] = field(default_factory=dict)

    def text(self, messages: Messages) -> str:
        """The words for the reader, in the language of `messages`."""
        values = {
            name: value.text(messages) if isinstance(value, Phrase) else value
            for name, value in self.values.items()
        }
        if "field" in values:
            values["field"] = messages.option_of(str(values["field"]))
        return messages(f"errors.{self.key}", **values)

    def __str__(self) -> str:
        return self.text(Messages("en"))


class TallerError(Exception):
    """An error a user can cause.

    Args:
        key: message key without its file, e.g. ``"no_model"``; the text is ``errors.<key>``.
        **values: what the message names: field, value, path, the way out; plain values, or
            a `Phrase` for words that depend on the reader's language.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, key: str, /, **values: object) -> None:
        super().__init__(key, values)
        self.key = key
        self.values = values

    def text(self, messages: Messages) -> str:
        """The sentence for the reader, in the language of `messages`."""
        return Phrase(self.key, self.values).text(messages)

    def __str__(self) -> str:
        return str(Phrase(self.key, self.values))

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.key, self.values)


def _rebuild(kind: type[TallerError], key: str, values: dict[str, object]) -> TallerError:
    """Make the error again on the other side of a process boundary (pickle drops keywords)."""
    return kind(key, **values)


class UsageError(TallerError):
    """Wrong usage or input: exit code 2."""

    exit_code = 2


class ConfigError(UsageError):
    """An option has a value it cannot have."""


class InputError(UsageError):
    """A file or folder that was given is not usable."""


class ModelError(UsageError):
    """A model file is missing, cannot be read or does not fit; or a checkpoint is so."""


class DataError(TallerError):
    """The digits are missing, damaged or cannot be fetched."""


class OutputError(TallerError):
    """A result cannot be written."""


class BusyError(TallerError):
    """Another training holds the folder."""


class DivergedError(TallerError):
    """The loss is no longer a number."""


class MissingExtraError(TallerError):
    """An optional library is not installed; the message names the install command."""


class InterruptedRunError(TallerError):
    """Stopped by Ctrl-C or SIGTERM; the state is kept."""

    exit_code = 130
