"""What filters and layers do: a plan becomes a design of trials, which are run and kept.

    plan_of(["filters"], cross=False)  ->  Plan
    build(plan, StudyDigits.of(digits))  ->  Design
    run_study(design, place, store, ...)  ->  events
    analyse(gather(design, store.results))  ->  StudyAnalysis
    write_report(design, analysis, folder, messages)  ->  the page and its pictures

- `trial`: value types: the digits, one training, the trainings of a level, what one came to.
- `tables`, `factors`, `plan`: what is varied, how long it trains, what to find out, also from TOML.
  `design`: the trials.
- `worker`: one trial in a worker process. `cluster`, `run`: many of them. `store`: results on disk.
- `gather`, `results`: what came out, as arrays. `analysis`: effects and their intervals.
- `conclusions`, `claims`, `pictures`, `report`: words and pages. `table`: rows for other programs.
"""

from taller_cnn.study.design import Design, Question, Results, build
from taller_cnn.study.factors import FACTORS, Factor, Level
from taller_cnn.study.plan import (
    REGIMES,
    Plan,
    QuestionPlan,
    Regime,
    default_plan,
    plan_of,
    read_plan,
    thorough_plan,
)
from taller_cnn.study.run import (
    Event,
    StudyDone,
    StudyStarted,
    TrialDone,
    WorkerJoined,
    WorkerLost,
    WorkerRefused,
    run_study,
)
from taller_cnn.study.store import Store
from taller_cnn.study.table import EXPORTS, export, tabulate
from taller_cnn.study.trial import TRAINING_REVISION, Cell, StudyDigits, Trial, TrialResult

__all__ = [
    "EXPORTS",
    "FACTORS",
    "REGIMES",
    "TRAINING_REVISION",
    "Cell",
    "Design",
    "Event",
    "Factor",
    "Level",
    "Plan",
    "Question",
    "QuestionPlan",
    "Regime",
    "Results",
    "Store",
    "StudyDigits",
    "StudyDone",
    "StudyStarted",
    "Trial",
    "TrialDone",
    "TrialResult",
    "WorkerJoined",
    "WorkerLost",
    "WorkerRefused",
    "build",
    "default_plan",
    "export",
    "plan_of",
    "read_plan",
    "run_study",
    "tabulate",
    "thorough_plan",
]
