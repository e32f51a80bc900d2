"""What a reader must not overlook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from taller_cnn.cli.terminal import Terminal

if TYPE_CHECKING:
    from taller_cnn.checkpoints import LoadedModel
    from taller_cnn.data import DigitsPlace
    from taller_cnn.errors import TallerError

__all__ = ["show_model_notices", "show_sample_notice"]


def show_sample_notice(
    terminal: Terminal, place: DigitsPlace, source: str, reason: TallerError | None = None
) -> None:
    """Tell that the digits are the sample, if they are, and how to get the full set.

    Args:
        terminal: where.
        place: where the reader wanted the digits from.
        source: of the digits.
        reason: why the full set could not be had.
    """
    if source != "sample":
        return
    say = terminal.messages
    key = "cli.sample.asked" if place.source == "sample" else "cli.sample.otherwise"
    lines = [say("cli.sample.what"), say(key, folder=place.data_dir)]
    terminal.notice("\n".join(lines + ([reason.text(say)] if reason else [])))


def show_model_notices(terminal: Terminal, loaded: LoadedModel) -> None:
    """Tell what is to be known about a model that was read."""
    for notice in loaded.notices:
        terminal.notice(terminal.messages(f"model.{notice}", wrapping=loaded.wrapping))
