"""Does the study's order still hold? Published pairs, one by one, against what was measured here."""

from collections.abc import Iterable
from functools import cached_property
from itertools import combinations, pairwise
from typing import NamedTuple

from bakeoff.report.study.published import published_fps
from bakeoff.report.study.results import Ratio, StudyResults
from bakeoff.report.study.rows import ROWS, Row
from bakeoff.scorecards import Change


class Pair(NamedTuple):
    """Two rows in their published order, by title, and the ratio faster / slower as measured here."""

    slower: str
    faster: str
    ratio: Ratio

    @property
    def kept(self) -> bool:
        """What was faster still is, by more than the margin."""
        return self.ratio.outcome is Change.FASTER

    @property
    def swapped(self) -> bool:
        """What was faster is slower here, by more than the margin."""
        return self.ratio.outcome is Change.SLOWER


class Order:
    """One network and batch size: the published order of the rows that one release could rerun, and theirs here."""

    def __init__(self, results: StudyResults, model: str, batch_size: int, release: str) -> None:
        """`release` is "2019" or "today"."""
        self.model, self.batch_size = model, batch_size
        self._results, self._release = results, release
        rows = [row for row in ROWS if self._published(row) and self._measured(row)]
        self._rows = sorted(rows, key=self._published)

    @property
    def published(self) -> list[str]:
        """Titles, slowest first."""
        return [row.title for row in self._rows]

    @cached_property
    def pairs(self) -> list[Pair]:
        """Every pair of rows that have a round in common."""
        pairs = combinations(self._rows, 2)
        return [
            Pair(slower.title, faster.title, ratio)
            for slower, faster in pairs
            if (ratio := self._ratio(faster, slower)) is not None
        ]

    def here(self) -> list[tuple[str, bool]]:
        """Titles, slowest first, each with whether it is faster than the one before it beyond doubt."""
        ranked = sorted(self._rows, key=self._measured)
        apart = [False][: len(ranked)]
        for before, row in pairwise(ranked):
            ratio = self._ratio(row, before)
            apart.append(ratio is not None and ratio.outcome is Change.FASTER)
        return [(row.title, clear) for row, clear in zip(ranked, apart, strict=True)]

    def _engine(self, row: Row) -> str:
        return (row.then if self._release == "2019" else row.today) or ""

    def _published(self, row: Row) -> float:
        return published_fps(row.published, self.model, self.batch_size) or 0.0

    def _measured(self, row: Row) -> float:
        return self._results.ranked_fps(self._engine(row), self.model, self.batch_size) or 0.0

    def _ratio(self, row: Row, base: Row) -> Ratio | None:
        return self._results.ratio(self._engine(row), self._engine(base), self.model, self.batch_size)


class Tally:
    """How many published pairs stand, swapped, or cannot be told apart here."""

    def __init__(self, pairs: Iterable[Pair]) -> None:
        pairs = list(pairs)
        self.pairs = len(pairs)
        self.kept = sum(pair.kept for pair in pairs)
        self.swapped = sum(pair.swapped for pair in pairs)

    @property
    def open(self) -> int:
        """Pairs that are not told apart, or lie within the margin."""
        return self.pairs - self.kept - self.swapped

    @property
    def tau(self) -> float | None:
        """Kendall's tau-a, (concordant - discordant) / pairs, where a pair that is not told apart counts for neither.

        Kendall, "A New Measure of Rank Correlation", Biometrika 30 (1938). None without pairs.
        """
        return (self.kept - self.swapped) / self.pairs if self.pairs else None


def orders(results: StudyResults, release: str) -> list[Order]:
    """Every table in which the published order says something: at least two rows published and measured."""
    found = [Order(results, model, batch, release) for model in results.models for batch in results.batch_sizes]
    return [order for order in found if order.pairs]
