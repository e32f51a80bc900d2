"""What filters and layers do: a plan becomes a design of trials, which are run and kept.

    plan_of(["filters"], cross=False)  ->  Plan
    build(plan, available=..., checksum=...)  ->  Design
    run_study(design, settings, store, ...)  ->  events
    design.table(store.results(design))  ->  pandas.DataFrame

- `factors`, `regimes`: what is varied and how long it trains. `plan`, `plan_file`: what to find
  out, also from TOML. `design`: the trials. `table`: their results in rows.
- `store`: results on disk. `trial`: one training in a worker. `cluster`, `run`, `estimate`,
  `standing`: many of them.
"""

from taller_cnn.study.cluster import Worker, WorkerJoined, WorkerLost, WorkerRefused
from taller_cnn.study.design import TRAINING_REVISION, Cell, Design, Question, Trial, build
from taller_cnn.study.estimate import Evaluated
from taller_cnn.study.factors import FACTORS, Factor, Level
from taller_cnn.study.plan import (
    Plan,
    QuestionPlan,
    default_plan,
    plan_of,
    read_plan,
    thorough_plan,
)
from taller_cnn.study.regimes import DEFAULT_REGIMES, THOROUGH_REGIMES, Regime
from taller_cnn.study.run import (
    Calibrated,
    Event,
    StudyDone,
    StudyStarted,
    TrialDone,
    missing_trials,
    run_study,
)
from taller_cnn.study.standing import Standing
from taller_cnn.study.store import STORE_NAME, Store, StoreDigits
from taller_cnn.study.table import COLUMNS, EXPORTS, export
from taller_cnn.study.trial import TrialResult

__all__ = [
    "COLUMNS",
    "DEFAULT_REGIMES",
    "EXPORTS",
    "FACTORS",
    "STORE_NAME",
    "THOROUGH_REGIMES",
    "TRAINING_REVISION",
    "Calibrated",
    "Cell",
    "Design",
    "Evaluated",
    "Event",
    "Factor",
    "Level",
    "Plan",
    "Question",
    "QuestionPlan",
    "Regime",
    "Standing",
    "Store",
    "StoreDigits",
    "StudyDone",
    "StudyStarted",
    "Trial",
    "TrialDone",
    "TrialResult",
    "Worker",
    "WorkerJoined",
    "WorkerLost",
    "WorkerRefused",
    "build",
    "default_plan",
    "export",
    "missing_trials",
    "plan_of",
    "read_plan",
    "run_study",
    "thorough_plan",
]
