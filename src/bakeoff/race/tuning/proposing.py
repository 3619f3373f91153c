"""Which points of a large space to race next, proposed by Optuna from those that have raced.

Optuna's tree-structured Parzen estimator (Bergstra et al., "Algorithms for Hyper-Parameter Optimization", NIPS 2011)
proposes by ask and tell; it judges nothing and prunes nothing. bakeoff[tune] has it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from bakeoff.errors import UsageError
from bakeoff.judge.tuning.found import Point
from bakeoff.records import Scalar, word

if TYPE_CHECKING:
    from optuna.trial import Trial

ASKS = 5
"""for each new point; where these only bring known ones, the next of the space's order is taken"""
FAILED = -3.0
"""the value of a point that is no candidate: a twentieth of the reference's speed"""

Key = tuple[str, tuple[tuple[str, str], ...]]


class Proposer:
    """Proposes points of a space; a point's value is its log throughput over that of the search's reference."""

    def __init__(self, points: Sequence[Point], seed: int, reason: str, known: Mapping[str, float]) -> None:
        """`known` has the values of points that have raced. Raises `UsageError`, for `reason`, without Optuna."""
        try:
            import optuna  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise UsageError(
                reason, "or install Optuna, which proposes points of it: pip install 'bakeoff[tune]'"
            ) from error
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
        self._failed = optuna.trial.TrialState.FAIL
        self._at = {_key(point.default, dict(point.values)): point for point in points}
        self._choices: dict[str, dict[str, list[Scalar]]] = {}
        for point in points:
            knobs = self._choices.setdefault(point.default, {})
            for knob, value in point.values:
                listed = knobs.setdefault(knob, [])
                if word(value) not in map(word, listed):
                    listed.append(value)
        self._waiting: dict[str, Trial] = {}
        for point in points:
            if point.name in known:
                self._study.enqueue_trial(_parameters(point))
                trial, _ = self._ask()
                self._study.tell(trial, known[point.name])
        for point in points:  # what turns one knob first: that much is known of every knob before any guess
            if len(point.turned) <= 1 and point.name not in known:
                self._study.enqueue_trial(_parameters(point))

    def propose(self, count: int, known: Mapping[str, float]) -> list[Point]:
        """Up to `count` points without a value in `known`; fewer where there are no more."""
        found: list[Point] = []
        asked = 0
        while len(found) < count:
            asked += 1
            if asked > ASKS * count:
                new = (each for each in self._at.values() if each.name not in known and each.name not in self._waiting)
                if (following := next(new, None)) is None:
                    break
                self._study.enqueue_trial(_parameters(following))
            trial, point = self._ask()
            if point is None or point.name in self._waiting:
                self._study.tell(trial, state=self._failed)
            elif point.name in known:
                self._study.tell(trial, known[point.name])
            else:
                self._waiting[point.name] = trial
                found.append(point)
        return found

    def _ask(self) -> tuple["Trial", Point | None]:
        """The study's next trial, and its point; None where a knob says nothing without another."""
        trial = self._study.ask()
        engine = str(trial.suggest_categorical("engine", [*self._choices]))
        knobs = self._choices[engine]
        values = {knob: trial.suggest_categorical(f"{engine}.{knob}", each) for knob, each in knobs.items()}
        return trial, self._at.get(_key(engine, values))

    def tell(self, names: Iterable[str], known: Mapping[str, float]) -> None:
        """What those of `names` that were proposed came to; those that are not `known` had no turn."""
        for name in names:
            if trial := self._waiting.pop(name, None):
                value = known.get(name)
                self._study.tell(trial, value, state=self._failed if value is None else None)


def _key(engine: str, values: Mapping[str, Scalar | None]) -> Key:
    return engine, tuple(sorted((knob, word(value)) for knob, value in values.items() if value is not None))


def _parameters(point: Point) -> dict[str, Scalar]:
    return {"engine": point.default} | {f"{point.default}.{knob}": value for knob, value in point.values}
