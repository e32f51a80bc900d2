"""``taller-cnn study``."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taller_cnn.cli.board import board
from taller_cnn.cli.command import Argument, Option, refuse_together
from taller_cnn.cli.loading import load
from taller_cnn.cli.options import DATA_DIR, SOURCE, WORKDIR, command, next_command
from taller_cnn.cli.results import show_rows
from taller_cnn.cli.signals import stop_on_signals
from taller_cnn.cli.study_view import design_json, list_factors, show_design, tell
from taller_cnn.cli.terminal import Terminal
from taller_cnn.cli.values import COUNT, FILE, Key, Value, one_of
from taller_cnn.errors import InterruptedRunError, TallerError, UsageError

if TYPE_CHECKING:
    from taller_cnn.data import Digits, DigitsPlace
    from taller_cnn.messages import Messages
    from taller_cnn.study import Design, Plan, Store, StudyDone

MOST_TRIALS = 1000
"""Trials of a study that nobody starts by mistake."""


@command(
    Argument(
        ["factor"],
        help="cli_study.argument.factors",
        type=Value(str, Key("cli_study.metavar.factor")),
        nargs=-1,
    ),
    Option("--cross", panel="training", help="cli_study.option.cross"),
    Option(
        "--seeds",
        panel="training",
        help="cli_study.option.seeds",
        type=COUNT,
        show_default=Key("cli_study.option.seeds_default"),
    ),
    Option("--design", panel="training", help="cli_study.option.design", type=FILE),
    Option("--thorough", panel="training", help="cli_study.option.thorough"),
    Option(
        "--scheduler",
        panel="training",
        help="cli_study.option.scheduler",
        type=Value(str, Key("cli_study.metavar.address")),
    ),
    Option("--yes", panel="training", help="cli_study.option.yes"),
    Option("--list", "list_", panel="output", help="cli_study.option.list"),
    Option("--dry-run", panel="output", help="cli_study.option.dry_run"),
    Option("--report", panel="output", help="cli_study.option.report"),
    Option(
        "--export", panel="output", help="cli_study.option.export", type=one_of("csv", "parquet")
    ),
    SOURCE,
    DATA_DIR,
    WORKDIR,
)
def study(
    terminal: Terminal,
    *,
    factor: tuple[str, ...],
    cross: bool,
    seeds: int | None,
    design: Path | None,
    thorough: bool,
    scheduler: str | None,
    yes: bool,
    list_: bool,
    dry_run: bool,
    report: bool,
    export: str | None,
    source: str,
    data_dir: Path | None,
    workdir: Path,
) -> None:
    """Measure what filters, layers and the rest do."""
    _refuse_contradictions()
    asked = _Asked(
        factors=factor,
        cross=cross,
        seeds=seeds,
        design=design,
        thorough=thorough,
        scheduler=scheduler,
        export=export,
        source=source,
        data_dir=data_dir,
        workdir=workdir,
        language=terminal.messages.tag,
    )
    if list_:
        list_factors(terminal)
    elif report:
        _report_again(terminal, asked)
    else:
        _study(terminal, asked, dry_run=dry_run, yes=yes)


def _refuse_contradictions() -> None:
    """Refuse options of which one would be ignored."""
    refuse_together("design", "thorough", "factor", "cross")
    refuse_together("thorough", "factor", "cross")
    plan = ("factor", "cross", "seeds", "design", "thorough")
    refuse_together("list_", "report", "dry_run", "export", "scheduler", "yes", *plan)
    refuse_together("report", "dry_run", "scheduler", "yes")
    refuse_together("dry_run", "export", "scheduler", "yes")


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """What the reader wants to know, and where things are."""

    factors: tuple[str, ...]
    cross: bool
    seeds: int | None
    design: Path | None
    thorough: bool
    scheduler: str | None
    export: str | None
    source: str
    data_dir: Path | None
    workdir: Path
    language: str

    @property
    def place(self) -> DigitsPlace:
        """Where the digits are."""
        from taller_cnn.data import DigitsPlace

        return DigitsPlace.in_workdir(self.workdir, self.data_dir, source=self.source)

    @property
    def names_a_plan(self) -> bool:
        """Whether any word says which study is meant."""
        return bool(self.factors or self.cross or self.design or self.thorough)

    @property
    def folder(self) -> Path:
        """Where the study's files are."""
        from taller_cnn.runs import RunFiles

        return RunFiles.in_workdir(self.workdir).results / "estudio"

    def plan(self) -> Plan:
        """What to find out.

        Raises:
            UsageError: a word names what there is not.
        """
        from taller_cnn.study import default_plan, plan_of, read_plan, thorough_plan

        if self.design is not None:
            plan = read_plan(self.design)
        elif self.thorough:
            plan = thorough_plan()
        else:
            asked_for_some = self.factors or self.cross
            plan = plan_of(self.factors, cross=self.cross) if asked_for_some else default_plan()
        return plan.with_seeds(self.seeds)

    def typed(self) -> dict[str, Any]:
        """What was typed that says which study it is and of which digits, as JSON types."""
        return {
            "factors": list(self.factors),
            "cross": self.cross,
            "thorough": self.thorough,
            "seeds": self.seeds,
            "design": None if self.design is None else str(self.design),
            "source": self.source,
            "data_dir": None if self.data_dir is None else str(self.data_dir),
        }

    def command(self, typed: Mapping[str, Any] | None = None) -> str:
        """The command of a study in this folder: of this one, or of what was typed earlier."""
        values = {**self.typed(), **(typed or {})}
        return next_command(
            "study",
            *values["factors"],
            cross=values["cross"] or None,
            thorough=values["thorough"] or None,
            seeds=values["seeds"],
            design=values["design"],
            scheduler=self.scheduler,
            source=values["source"],
            data_dir=values["data_dir"],
            workdir=self.workdir,
            lang=self.language,
        )


def _study(terminal: Terminal, asked: _Asked, *, dry_run: bool, yes: bool) -> None:
    """Show the study that was asked for, or run it and tell what came out."""
    from taller_cnn.study import Store, StudyDigits, build

    plan = asked.plan()
    digits = load(terminal, asked.place)
    design = build(plan, StudyDigits.of(digits))
    _show_notices(terminal, design)
    if dry_run:
        with Store(asked.folder) as store:
            show_design(terminal, design, store.results)
            terminal.result(design_json(design, store.results))
        return
    trials = len(design.expected_trials({}))
    if trials > MOST_TRIALS and not yes:
        raise UsageError("study_many_trials", n=trials, most=MOST_TRIALS)
    with Store(asked.folder, is_writer=True) as store:
        for notice in store.notices:
            terminal.notice(notice.text(terminal.messages))
        store.remember(design, asked.typed())
        ended = _run(terminal, asked, design, digits, store)
        files = _write(terminal, asked, design, store, asked.command())
    terminal.say("cli_study.finished", "bold", n=ended.trials, **_without(ended, "trials"))
    _show_files(terminal, files)
    terminal.result(_summary(design, ended.trials, ended.trials, ended.failed, files))


def _run(
    terminal: Terminal, asked: _Asked, design: Design, digits: Digits, store: Store
) -> StudyDone:
    """Run what is missing, and show how it goes."""
    from taller_cnn.study import StudyDone, run_study

    place = replace(
        asked.place,
        source=digits.source,
        data_dir=asked.place.data_dir.resolve(),
        sample_dir=asked.place.sample_dir.resolve(),
    )
    with (
        stop_on_signals() as stop,
        board(terminal, stop=stop, stopping="cli_study.stopping") as shown,
        closing(run_study(design, place, store, stop=stop, scheduler=asked.scheduler)) as events,
    ):
        try:
            for event in events:
                tell(terminal, shown, design, event)
                if isinstance(event, StudyDone):
                    return event
        except InterruptedRunError as error:
            raise InterruptedRunError(
                "study_stopped", **error.values, again=asked.command()
            ) from error
    raise AssertionError("a study that is not interrupted ends with StudyDone")


def _report_again(terminal: Terminal, asked: _Asked) -> None:
    """Write the report of what is in the store."""
    from taller_cnn.study import Store

    with Store(asked.folder) as store:
        for notice in store.notices:
            terminal.notice(notice.text(terminal.messages))
        design, command = _design_to_report(terminal, asked, store)
        results = store.results
        trials = design.expected_trials(results)
        done = [results[key] for key in map(design.key, trials) if key in results]
        if not done:
            raise TallerError("study_no_results", path=asked.folder, again=command)
        missing = len(trials) - len(done)
        if missing:
            terminal.notice(terminal.messages("cli_study.missing", n=missing))
        files = _write(terminal, asked, design, store, command)
    _show_files(terminal, files)
    failed = sum(result.status != "ok" for result in done)
    terminal.result(_summary(design, len(trials), len(done), failed, files))


def _design_to_report(terminal: Terminal, asked: _Asked, store: Store) -> tuple[Design, str]:
    """The study that is named, or the one that was run last; and the command to get it again.

    Its digits are those of the last study, unless others are asked for.
    """
    from taller_cnn.study import StudyDigits, build

    last = store.last_study()
    if last is None and not store.trials:
        raise TallerError("study_no_results", path=asked.folder, again=asked.command())
    typed = asked.typed()
    if last is None or asked.names_a_plan:
        plan = asked.plan()
    else:
        plan = last.design.plan.with_seeds(asked.seeds)
        typed |= {**last.command, "seeds": asked.seeds or last.command.get("seeds")}
    if last is not None and asked.source in ("auto", last.design.digits.source):
        digits = last.design.digits
        typed |= {name: last.command.get(name) or typed[name] for name in ("source", "data_dir")}
    else:
        digits = StudyDigits.of(load(terminal, asked.place))
        typed |= {"source": asked.source, "data_dir": asked.typed()["data_dir"]}
    return build(plan, digits), asked.command(typed)


def _write(
    terminal: Terminal, asked: _Asked, design: Design, store: Store, command: str
) -> dict[str, Path]:
    """Analyse what there is, write the report and, if asked for, the table."""
    from taller_cnn.study import export, tabulate
    from taller_cnn.study.analysis import analyse
    from taller_cnn.study.gather import gather
    from taller_cnn.study.report import write_report

    results = store.results
    files: dict[str, Path] = {}
    if asked.export is not None:
        files["study_table"] = asked.folder / f"estudio.{asked.export}"
        export(tabulate(design, results), files["study_table"])
    terminal.say("cli_study.writing", "dim")
    say = terminal.messages
    sampled = design.digits.source == "sample"
    written = write_report(
        design,
        analyse(gather(design, results)),
        asked.folder,
        say,
        command=command,
        note=say("cli_study.note_sample", n=design.digits.train_n) if sampled else None,
        origin=store.origin(design),
        tables=tuple(files.values()),
    )
    for problem in written.problems:
        terminal.notice(problem.text(say))
    return {**written.files, **files}


def _show_notices(terminal: Terminal, design: Design) -> None:
    say = terminal.messages
    for notice in design.notices:
        terminal.notice(notice.text(say))
    if design.seeds == 1:
        terminal.notice(say("cli_study.one_seed"))


def _show_files(terminal: Terminal, files: dict[str, Path]) -> None:
    rows = [(_file_title(terminal.messages, name), str(path)) for name, path in files.items()]
    show_rows(terminal, rows, terminal.messages("cli.file.title"))


def _file_title(say: Messages, name: str) -> str:
    """What a file is: of a picture its kind, and its question or its number."""
    if say.has(f"cli_study.file.{name}"):
        return say(f"cli_study.file.{name}")
    kind, _, of = name.partition("_")
    return say(f"cli_study.picture.{kind}") + (f": {of}" if of else "")


def _without(ended: StudyDone, name: str) -> dict[str, object]:
    return {key: value for key, value in vars(ended).items() if key != name}


def _summary(
    design: Design, trials: int, done: int, failed: int, files: dict[str, Path]
) -> dict[str, object]:
    """The study as a JSON object."""
    return {
        "study": design.name,
        "design": design.hash,
        "trials": trials,
        "done": done,
        "failed": failed,
        "files": {name: str(path) for name, path in files.items()},
    }
