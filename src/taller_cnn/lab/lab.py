"""A lab: its models, its digits and its trainings in one working folder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from starlette.requests import Request

from taller_cnn.config import ModelConfig
from taller_cnn.data import DigitsPlace
from taller_cnn.lab.gallery import Gallery
from taller_cnn.lab.model_store import ModelStore
from taller_cnn.lab.predicting import Batcher
from taller_cnn.lab.problems import wanted_messages
from taller_cnn.lab.runs import Runs
from taller_cnn.messages import DEFAULT_LANGUAGE, Messages
from taller_cnn.runs import RunFiles


@dataclass(frozen=True, kw_only=True, eq=False)
class Lab:
    """What the routes work with."""

    models: ModelStore
    galleries: dict[str, Gallery]
    """By data set; those that nobody has asked for are not there."""
    runs: Runs
    batcher: Batcher
    study_folder: Path
    language: str

    def gallery_of(self, dataset: str) -> Gallery:
        """The digits of a data set; they are looked for when they are first asked for."""
        place = replace(self.gallery.place, dataset=dataset)
        return self.galleries.setdefault(dataset, Gallery(place))

    @property
    def gallery(self) -> Gallery:
        """The digits that the lab trains with."""
        return self.galleries["mnist"]

    def messages(self, request: Request) -> Messages:
        """The texts in the language that a request asks for."""
        return wanted_messages(request.headers.get("accept-language", ""), self.language)

    @property
    def page_language(self) -> str:
        """The language that the page begins with, ``es`` or ``en``."""
        return Messages(self.language).language

    @classmethod
    def in_folder(
        cls,
        workdir: Path,
        data_dir: Path | None = None,
        language: str = DEFAULT_LANGUAGE,
        config: ModelConfig | None = None,
        model: Path | None = None,
    ) -> Lab:
        """The lab of a working folder.

        Args:
            workdir: the folder with ``modelo`` and ``resultados``.
            data_dir: where the full data set is looked for; None for ``<workdir>/data``.
            language: language tag of what is said, where a request asks for none.
            config: architecture of the folder's own network, or of `model`, if it has no
                description.
            model: a network or an ensemble elsewhere, to begin with.
        """
        where = RunFiles.in_workdir(workdir)
        # No mirrors: a page that is opened without a network must not wait for one.
        place = DigitsPlace.in_workdir(workdir, data_dir, mirrors=())
        models = ModelStore(where.model.parent, config, model)
        return cls(
            models=models,
            galleries={"mnist": Gallery(place)},
            runs=Runs(models, place),
            batcher=Batcher(),
            study_folder=where.results / "estudio",
            language=language,
        )
