from __future__ import annotations

import errno
import io
import json
import os

import click
import pytest

from taller_cnn.cli.failures import exit_code_of
from taller_cnn.cli.terminal import ClosedOutputError, Terminal
from taller_cnn.errors import ConfigError, DivergedError, InterruptedRunError, ModelError
from taller_cnn.messages import Messages


@pytest.fixture
def terminal() -> Terminal:
    """A terminal that speaks for `train`."""
    flags = {"--batch-size", "--filters", "--learning-rate", "--resume", "--workdir"}
    return Terminal(Messages("es", flags))


def test_the_end_of_help_is_no_failure(terminal, capsys) -> None:
    assert exit_code_of(click.exceptions.Exit(0), terminal) == 0
    assert capsys.readouterr() == ("", "")


def test_a_field_of_a_configuration_is_named_by_its_option(terminal, capsys) -> None:
    error = ConfigError("config_range", field="batch_size", value=0, least=1, most=9)
    assert exit_code_of(error, terminal) == 2
    assert "--batch-size vale 0" in capsys.readouterr().err


def test_a_checkpoint_of_other_data_names_no_option_that_does_not_exist(terminal, capsys) -> None:
    error = ModelError("checkpoint_other", path="x", field="data_checksum", found="1", expected="2")
    assert exit_code_of(error, terminal) == 2
    assert "--data-checksum" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (KeyboardInterrupt(), 130, "Interrumpido."),
        (click.Abort(), 130, "Interrumpido."),
        (InterruptedRunError("cli_interrupted"), 130, "Interrumpido."),
        (MemoryError(), 1, "No hay memoria suficiente."),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), 1, "--batch-size"),
        (RuntimeError("CUDA out of memory. Tried to allocate"), 1, "--batch-size"),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "figure.png"), 1, "figure.png"),
        (OSError(errno.EROFS, os.strerror(errno.EROFS), "run.json"), 1, "run.json"),
    ],
)
def test_what_a_reader_can_act_on_is_a_sentence(terminal, capsys, error, code, words) -> None:
    assert exit_code_of(error, terminal) == code
    out, err = capsys.readouterr()
    assert words in err
    assert out == ""


def test_a_loss_that_is_no_number_suggests_a_smaller_rate(terminal, capsys) -> None:
    error = DivergedError("diverged", epoch=1.25, step=70, suggestion=0.01)
    assert exit_code_of(error, terminal) == 1
    assert "--learning-rate 0,01" in capsys.readouterr().err


@pytest.mark.parametrize("error", [RuntimeError("shape"), OSError(errno.EIO, "?"), KeyError("x")])
def test_a_fault_of_the_program_is_raised_again(terminal, error) -> None:
    with pytest.raises(type(error)) as raised:
        exit_code_of(error, terminal)
    assert raised.value is error


def test_a_failure_is_told_to_a_program_too(capsys) -> None:
    exit_code_of(MemoryError(), Terminal(Messages("en"), json=True))
    assert json.loads(capsys.readouterr().out)["kind"] == "cli_no_memory"


def test_only_a_closed_standard_output_ends_without_a_word(terminal, capsys, monkeypatch) -> None:
    """A pipe to a worker that breaks is a fault, and not the reader who has gone."""
    elsewhere = BrokenPipeError(errno.EPIPE, "Broken pipe")
    with pytest.raises(BrokenPipeError):
        exit_code_of(elsewhere, terminal)

    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr("sys.stdout", Closed())
    with pytest.raises(ClosedOutputError) as closed:
        terminal.say("cli.loading")
    monkeypatch.undo()
    monkeypatch.setattr("taller_cnn.cli.failures.silence", lambda _: None)
    assert exit_code_of(closed.value, terminal) == 1
    assert capsys.readouterr() == ("", "")
