"""``taller-cnn study``."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

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
    import threading

    from taller_cnn.data import Digits, DigitsPlace
    from taller_cnn.messages import Messages
    from taller_cnn.study import Design, Event, Plan, Store, StudyDone

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

    @property
    def store_path(self) -> Path:
        """The file with all results."""
        from taller_cnn.study import STORE_NAME

        return self.folder / STORE_NAME

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

    def command(self) -> str:
        """The command that goes on with the study."""
        return next_command(
            "study",
            *self.factors,
            cross=self.cross or None,
            thorough=self.thorough or None,
            seeds=self.seeds,
            design=self.design,
            scheduler=self.scheduler,
            source=self.source,
            data_dir=self.data_dir,
            workdir=self.workdir,
            lang=self.language,
        )


def _study(terminal: Terminal, asked: _Asked, *, dry_run: bool, yes: bool) -> None:
    """Show the study that was asked for, or run it and tell what came out."""
    from taller_cnn.study import Store, StoreDigits, build

    plan = asked.plan()
    digits = load(terminal, asked.place)
    held_out = len(digits.validation)
    design = build(plan, available=len(digits.train), checksum=digits.checksum, held_out=held_out)
    _show_notices(terminal, design)
    if dry_run:
        done = _already_done(asked.store_path, design)
        show_design(terminal, design, done)
        terminal.result(design_json(design, done))
        return
    trials = len(design.trials())
    if trials > MOST_TRIALS and not yes:
        raise UsageError("study_many_trials", n=trials, most=MOST_TRIALS)
    identity = StoreDigits(
        name=digits.name,
        checksum=digits.checksum,
        train_n=len(digits.train),
        source=digits.source,
        held_out=held_out,
    )
    with Store(asked.store_path, identity) as store:
        for notice in store.notices:
            terminal.notice(notice.text(terminal.messages))
        ended = _run(terminal, asked, design, digits, store)
        files = _write(terminal, asked, design, store)
    terminal.say("cli_study.finished", "bold", n=ended.trials, **_without(ended, "trials"))
    _show_files(terminal, files)
    terminal.result(_summary(design, ended.trials, ended.failed, files))


def _run(
    terminal: Terminal, asked: _Asked, design: Design, digits: Digits, store: Store
) -> StudyDone:
    """Run what is missing, and show how it goes."""
    from taller_cnn.study import StudyDone

    with (
        stop_on_signals() as stop,
        board(terminal, stop=stop, stopping="cli_study.stopping") as shown,
        closing(_events(asked, design, digits, store, stop)) as events,
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


def _events(
    asked: _Asked, design: Design, digits: Digits, store: Store, stop: threading.Event
) -> Generator[Event, None, None]:
    """What happens while the missing trials are run."""
    from taller_cnn.study import Evaluated, run_study

    place = replace(
        asked.place,
        source=digits.source,
        data_dir=asked.place.data_dir.resolve(),
        sample_dir=asked.place.sample_dir.resolve(),
    )
    return run_study(
        design,
        place,
        store,
        evaluated=Evaluated(
            validation=len(digits.validation), test=len(digits.test), train=len(digits.train)
        ),
        stop=stop,
        scheduler=asked.scheduler,
    )


def _report_again(terminal: Terminal, asked: _Asked) -> None:
    """Write the report of what is in the store."""
    from taller_cnn.study import Store

    store = Store.existing(asked.store_path)
    if store is None:
        raise TallerError("study_no_results", path=asked.store_path, again=asked.command())
    with store:
        latest = None if asked.names_a_plan else store.latest_plan()
        plan = asked.plan() if latest is None else latest.with_seeds(asked.seeds)
        design = store.design(plan)
        results = store.results(design)
        if not results:
            raise TallerError("study_no_results", path=asked.store_path, again=asked.command())
        missing = len(design.trials()) - len(results)
        if missing:
            terminal.notice(terminal.messages("cli_study.missing", n=missing))
        files = _write(terminal, asked, design, store)
    _show_files(terminal, files)
    failed = sum(result.status != "ok" for result in results.values())
    terminal.result(_summary(design, len(results), failed, files))


def _write(terminal: Terminal, asked: _Asked, design: Design, store: Store) -> dict[str, Path]:
    """Analyse what there is, write the report and, if asked for, the table."""
    from taller_cnn.study import export
    from taller_cnn.study.analysis import analyse
    from taller_cnn.study.report import write_report

    table = design.table(store.results(design))
    files: dict[str, Path] = {}
    if asked.export is not None:
        files["study_table"] = asked.folder / f"estudio.{asked.export}"
        export(table, files["study_table"])
    terminal.say("cli_study.writing", "dim")
    analysis = analyse(table, {q.name: q.factors for q in design.questions})
    say = terminal.messages
    sampled = store.digits.source == "sample"
    report = write_report(
        design,
        table,
        analysis,
        asked.folder,
        say,
        command=asked.command(),
        note=say("cli_study.note_sample", n=store.digits.train_n) if sampled else None,
        origin=store.origin(design),
        tables=tuple(files.values()),
    )
    return {**report, **files}


def _already_done(path: Path, design: Design) -> frozenset[str]:
    """Keys of the design's trials that are in the store, if there is one."""
    from taller_cnn.study import Store

    try:
        store = Store.existing(path)
    except TallerError:
        # A file that cannot be used will be told of when the study is run.
        return frozenset()
    if store is None:
        return frozenset()
    with store:
        return frozenset(store.results(design))


def _show_notices(terminal: Terminal, design: Design) -> None:
    say = terminal.messages
    for notice in design.notices:
        terminal.notice(notice.text(say))
    if len(design.seeds) == 1:
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


def _summary(design: Design, done: int, failed: int, files: dict[str, Path]) -> dict[str, object]:
    """The study as a JSON object."""
    return {
        "study": design.name,
        "design": design.hash,
        "trials": len(design.trials()),
        "done": done,
        "failed": failed,
        "files": {name: str(path) for name, path in files.items()},
    }
