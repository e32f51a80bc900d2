from __future__ import annotations

import pickle
import re
from pathlib import Path

import pytest

from taller_cnn import errors
from taller_cnn.errors import (
    BusyError,
    ConfigError,
    DataError,
    InterruptedRunError,
    ModelError,
    OutputError,
    Phrase,
    TallerError,
    UsageError,
)
from taller_cnn.messages import Messages

CLASSES = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, TallerError)]


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (TallerError, 1),
        (UsageError, 2),
        (ConfigError, 2),
        (errors.InputError, 2),
        (DataError, 1),
        (ModelError, 2),
        (OutputError, 1),
        (BusyError, 1),
        (errors.DivergedError, 1),
        (errors.MissingExtraError, 1),
        (InterruptedRunError, 130),
    ],
)
def test_each_kind_of_error_has_its_exit_code(kind: type[TallerError], code: int) -> None:
    assert kind.exit_code == code
    assert issubclass(kind, TallerError)


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes() -> None:
    assert errors.__doc__ is not None
    drawn = dict(re.findall(r"(\w+Error)\s+(\d+)?", errors.__doc__))
    assert set(drawn) == {kind.__name__ for kind in CLASSES}
    for kind in CLASSES:
        code = drawn[kind.__name__]
        assert not code or int(code) == kind.exit_code


def test_an_error_says_what_is_wrong_in_the_language_of_the_reader() -> None:
    error = ConfigError("config_range", field="batch_size", value=0, least=1, most=60000)
    assert error.text(Messages("es")) == "batch_size vale 0; debe estar entre 1 y 60000."
    assert error.text(Messages("en")) == "batch_size is 0; it must be from 1 to 60000."
    assert str(error) == error.text(Messages("en"))


def test_an_error_writes_numbers_the_way_of_the_reader() -> None:
    error = OutputError("disk_full", path="/x", free_mb=1234.4, needed_mb=50_000)
    assert "1.234 MB" in error.text(Messages("es"))
    assert "1,234 MB" in error.text(Messages("es-MX"))
    assert "50,000 MB" in error.text(Messages("en"))


def test_a_phrase_inside_an_error_is_translated_with_it() -> None:
    reason = Phrase("reason_code", {"code": "posix.system"})
    error = ModelError("model_unreadable", path="a.pt", reason=reason)
    assert "(contiene código: posix.system)" in error.text(Messages("es"))
    assert "(it holds code: posix.system)" in error.text(Messages("en"))
    assert str(reason) == "it holds code: posix.system"


def test_an_error_names_paths_with_braces_as_they_are() -> None:
    error = ModelError("no_model", path=Path("{path}/{0}.pt"))
    assert "{path}" in str(error)
    assert "{0}.pt" in str(error)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_an_error_crosses_a_process_boundary_whole(kind: type[TallerError]) -> None:
    error = kind("cannot_write", path=Path("a/b.pt"), reason=Phrase("reason_disk_full"))
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert (copy.key, copy.values) == (error.key, error.values)
    assert copy.text(Messages("es")) == error.text(Messages("es"))
