"""What a reader must not overlook."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from taller_cnn.cli.terminal import Terminal

if TYPE_CHECKING:
    from taller_cnn.checkpoints import LoadedModel
    from taller_cnn.errors import TallerError

__all__ = ["show_model_notices", "show_sample_notice"]


def show_sample_notice(
    terminal: Terminal, source: str, data_dir: Path, *, asked: bool, reason: TallerError | None
) -> None:
    """Tell that the digits are the sample, if they are, and how to get the full set.

    Args:
        terminal: where.
        source: of the digits.
        data_dir: where the full set would be.
        asked: whether the reader wanted the sample.
        reason: why the full set could not be had.
    """
    if source != "sample":
        return
    say = terminal.messages
    lines = [say("cli.sample.what")]
    lines.append(say("cli.sample.asked" if asked else "cli.sample.otherwise", folder=data_dir))
    terminal.notice("\n".join(lines + ([reason.text(say)] if reason else [])))


def show_model_notices(terminal: Terminal, loaded: LoadedModel) -> None:
    """Tell what is to be known about a model that was read."""
    for notice in loaded.notices:
        terminal.notice(terminal.messages(f"model.{notice}", wrapping=loaded.wrapping))
