"""How much of what a machine can compute an engine gets out of it."""

from collections.abc import Sequence

from bakeoff.records import Peak, PeakShare, RunRecord, Summary


def shares(run: RunRecord, rows: Sequence[Summary], peak: Peak | None) -> list[PeakShare]:
    """For each row with a speed whose model's work is known; none without a peak.

    The work is the model's multiply-adds, times two. An engine that computes less, as Winograd's convolutions do with
    2.25 times fewer multiplications, may so reach more than the peak.
    """
    if peak is None:
        return []
    work = {model.name: model.flops for model in run.models}
    found = []
    for row in rows:
        of_sample = work.get(row.case.model, 0)
        if row.fps is not None and of_sample:
            flops = row.fps * of_sample
            found.append(PeakShare(case=row.case, flops=flops, share=flops / peak.flops))
    return found
