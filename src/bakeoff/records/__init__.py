"""The vocabulary as frozen types: what the store, the JSON and the protocol speak.

Nothing here imports anything else of bakeoff, and everything else may import this.
"""

from bakeoff.records.base import Record, Status
from bakeoff.records.contenders import (
    CANARY,
    FRAMEWORKS_OWN,
    THREADS,
    Case,
    Contender,
    ContenderName,
    Scalar,
    Settings,
    file_name,
    ordered,
    word,
)
from bakeoff.records.engines import (
    OWN,
    Condition,
    Converter,
    EngineSpec,
    EnvironmentSpec,
    Installed,
    Knob,
    ModelForm,
)
from bakeoff.records.models import FLOAT64, PRECISIONS, UNCALIBRATED, ModelRecord, Shaping, TensorSpec, Tolerances
from bakeoff.records.reports import BreakEven, Heat, Latencies, Lead, Peak, PeakShare, Recipe
from bakeoff.records.requests import INDIFFERENCE, Limits, Request, SearchRequest
from bakeoff.records.runs import EngineInfo, Plan, RunRecord, Scenario
from bakeoff.records.trials import Accuracy, CanaryFigure, Disturbance, Finding, Load, Measurement, Parity, Probe, Trial
from bakeoff.records.verdicts import Outcome, Standing, Summary, Verdict

__all__ = [
    "CANARY",
    "FLOAT64",
    "FRAMEWORKS_OWN",
    "INDIFFERENCE",
    "OWN",
    "PRECISIONS",
    "THREADS",
    "UNCALIBRATED",
    "Accuracy",
    "BreakEven",
    "CanaryFigure",
    "Case",
    "Condition",
    "Contender",
    "ContenderName",
    "Converter",
    "Disturbance",
    "EngineInfo",
    "EngineSpec",
    "EnvironmentSpec",
    "Finding",
    "Heat",
    "Installed",
    "Knob",
    "Latencies",
    "Lead",
    "Limits",
    "Load",
    "Measurement",
    "ModelForm",
    "ModelRecord",
    "Outcome",
    "Parity",
    "Peak",
    "PeakShare",
    "Plan",
    "Probe",
    "Recipe",
    "Record",
    "Request",
    "RunRecord",
    "Scalar",
    "Scenario",
    "SearchRequest",
    "Settings",
    "Shaping",
    "Standing",
    "Status",
    "Summary",
    "TensorSpec",
    "Tolerances",
    "Trial",
    "Verdict",
    "file_name",
    "ordered",
    "word",
]
