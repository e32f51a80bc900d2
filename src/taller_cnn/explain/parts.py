"""The parts of an explanation, in reading order; each is imported when it is made."""

from __future__ import annotations

from importlib import import_module

from taller_cnn.explain.section import Section, Subject, Tick

_MODULES = {
    "data": "overview",
    "network": "overview",
    "learning": "overview",
    "accuracy": "overview",
    "classes": "classes",
    "filters": "filters",
    "feature_maps": "feature_maps",
    "attribution": "attribution",
    "errors": "mistakes",
    "trust": "trust",
    "embedding": "embedding",
    "robustness": "robustness",
    "labels": "labels",
}
"""The module that has the function of a part's name."""

PARTS = tuple(_MODULES)


def make_part(name: str, subject: Subject, tick: Tick) -> Section:
    """Compute one of `PARTS`.

    Raises:
        MissingExtraError: the part needs a library that is not installed.
    """
    module = import_module(f"taller_cnn.explain.{_MODULES[name]}")
    section: Section = getattr(module, name)(subject, tick)
    return section
