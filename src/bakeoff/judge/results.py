"""A run with all that follows from its trials."""

from collections.abc import Sequence
from functools import cached_property

import msgspec

from bakeoff.judge.between_runs.scorecard import scorecard
from bakeoff.judge.case.disturbance import counted
from bakeoff.judge.case.summary import summarise
from bakeoff.judge.figures import canary
from bakeoff.judge.table.answer import UNADVISED, Answer, answers
from bakeoff.judge.table.verdict import judge, seconds_per_round, zone
from bakeoff.records import CanaryFigure, RunRecord, Summary, Trial, Verdict
from bakeoff.scorecards import Scorecard


class Results:
    """What a run found: each part is computed when it is first asked for, and kept."""

    def __init__(self, run: RunRecord, trials: Sequence[Trial], indifference: float | None = None) -> None:
        """Judged at `indifference`, or what the race was sized for; raises `UsageError` if that was a wider one."""
        self.run = run
        self.indifference = zone(indifference, run.plan)
        self.trials = tuple(trials)
        """every trial, the canary's and those that failed included"""

    @cached_property
    def rows(self) -> tuple[Summary, ...]:
        """A row per case, in the order of the plan, whether it could be measured or not."""
        return tuple(summarise(self.run, self.trials))

    @cached_property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Per model, batch size and league, in the order of the plan: who leads, and how everybody else stands."""
        models = self.run.plan.models
        found = judge(self.run, self.rows, self.trials, self.indifference)
        return tuple(sorted(found, key=lambda verdict: (models.index(verdict.model), verdict.batch_size)))

    @cached_property
    def answers(self) -> tuple[Answer, ...]:
        """Per model: what to use, in one sentence; of a model that nobody judged, that nothing is recommended."""
        unjudged = {model.name for model in self.run.models if model.unjudged}
        return tuple(
            msgspec.structs.replace(answer, sentence=UNADVISED) if answer.model in unjudged else answer
            for answer in answers(self.verdicts, self.indifference)
        )

    @property
    def seconds_per_round(self) -> float | None:
        """How long a round of the whole race took; None before the first."""
        return seconds_per_round(self.run, self.trials)

    @cached_property
    def canary(self) -> tuple[CanaryFigure, ...]:
        """How fast the canary ran in each heat."""
        return tuple(canary.figures(self.trials))

    @cached_property
    def remarks(self) -> tuple[str, ...]:
        """Cautions on the run as a whole."""
        return canary.remarks(canary.figures(counted(self.trials)))

    @cached_property
    def scorecard(self) -> Scorecard:
        """What comparisons with other runs need of it."""
        return scorecard(self.run, self.rows, self.trials)

    @cached_property
    def releases(self) -> dict[str, str]:
        """Of each build of an engine: "today", or "2019"."""
        return {engine.name: engine.release for engine in self.run.engines}
