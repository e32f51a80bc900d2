"""Which factors can be crossed: those whose levels stay different whatever the other one does."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Hashable, Mapping, Sequence

from taller_cnn.errors import UsageError
from taller_cnn.study.factors import Factor, Level, at_odds


def refuse_undoing(factors: Sequence[Factor], levels: Sequence[tuple[Level, ...]]) -> None:
    """Refuse crossed factors of which one would undo what the other does.

    Raises:
        UsageError: two levels do.
    """
    if len(factors) < 2:
        return
    for one, other in itertools.product(*levels):
        found = at_odds(one.changes, other.changes)
        if found:
            mine, theirs = found
            raise UsageError(
                "study_same_change" if mine == theirs else "study_undone",
                one=factors[0].name,
                other=factors[1].name,
                change=mine,
                undone=theirs,
            )


def refuse_same_trials(
    factors: Sequence[Factor], trials: Mapping[tuple[str, ...], Collection[Hashable]]
) -> None:
    """Refuse crossed levels that come to the same trials: they would be compared as different.

    It happens where a change has nothing left to change, as that of the filters with one
    convolution whose filters are held.

    Args:
        factors: one, or two that are crossed.
        trials: of each combination of their levels.

    Raises:
        UsageError: two combinations have the same.
    """
    if len(factors) < 2:
        return
    seen: dict[frozenset[Hashable], tuple[str, ...]] = {}
    for levels, own in trials.items():
        twin = seen.setdefault(frozenset(own), levels)
        if twin != levels:
            raise UsageError(
                "study_same_trials",
                one=factors[0].name,
                other=factors[1].name,
                first=" + ".join(twin),
                second=" + ".join(levels),
            )
