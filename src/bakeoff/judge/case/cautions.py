"""What a reader should know before believing a row: one short line each, its subject before the colon."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import geometric_mean, median

from bakeoff.judge.case import settings_check
from bakeoff.judge.case.disturbance import disturbed, last_tries
from bakeoff.printable import cut
from bakeoff.records import Measurement, Status, Summary, Trial

ENOUGH_ROUNDS = 5
SPREAD = 0.05
"""largest gap between median-latency throughput and mean throughput that passes without a word"""
NAMED = 3
"""tensors that the caution on denormals names"""
HIT = "disturbed: others used"
"""how the caution begins on rounds that had to count all the same"""


def cautions(
    row: Summary, trials: Sequence[Trial], good: Sequence[Trial], denormals: Mapping[str, int]
) -> tuple[str, ...]:
    """Every caution that a measured row deserves. `good` are those of its `trials` that the figures rest on.

    `denormals` has how many denormal numbers the model's weights hold, by tensor.
    """
    measured = [trial.measurement for trial in good if trial.measurement]
    every = [trial.measurement for trial in trials if trial.measurement]
    found = (
        _failures(trials),
        _missed(trials),
        _precision(row),
        _provisional(good),
        _disturbed(trials, good),
        _spread(row, measured),
        *_splits(every),
        *settings_check.mismatches(row, measured, [m.busy_without_spinning for m in every if m.busy_without_spinning]),
        _chatter(measured),
        _versions(good),
        _memory(row, measured),
        _denormals(row, denormals),
    )
    return tuple(line for line in found if line)


def _failures(trials: Sequence[Trial]) -> str:
    bad = [trial for trial in trials if trial.status not in (Status.OK, Status.NOT_RUN)]
    if not bad:
        return ""
    last = bad[-1]
    return f"failures: {len(bad)} of {len(trials)} trials {last.status.replace('_', ' ')}: {last.reason}"


def _missed(trials: Sequence[Trial]) -> str:
    missed = [trial for trial in trials if trial.status is Status.NOT_RUN]
    if not missed:
        return ""
    return f"missed: {len(missed)} round{'s' * (len(missed) > 1)} not run: {missed[-1].reason}"


def _precision(row: Summary) -> str:
    asked = row.case.contender.precision
    if row.league == asked or row.parity is None or row.parity.max_rel_error is None:
        return ""
    return f"precision: {asked} asked, error {row.parity.max_rel_error:.1e}: ranked in the {row.league} league"


def _provisional(good: Sequence[Trial]) -> str:
    rounds = len({trial.round for trial in good})
    return f"provisional: {rounds} round{'s' * (rounds != 1)}" if rounds < ENOUGH_ROUNDS else ""


def _disturbed(trials: Sequence[Trial], good: Sequence[Trial]) -> str:
    """Rounds left out, or those that have to count since too few others were undisturbed."""
    raced = {trial.round for trial in last_tries(trials) if trial.measurement}
    out = raced - {trial.round for trial in good}
    if out:
        return f"disturbed: {len(out)} of {len(raced)} rounds left out, since others used the CPUs in them"
    hit = {trial.round: trial.disturbance.share for trial in good if trial.disturbance and disturbed(trial)}
    if hit:
        return f"{HIT} up to {max(hit.values()):.0%} of the CPU time in {len(hit)} of {len(raced)} rounds"
    return ""


def rests_on_disturbed(cautions: Iterable[str]) -> bool:
    """Whether a row with these cautions rests on rounds in which others used the CPUs."""
    return any(line.startswith(HIT) for line in cautions)


def _spread(row: Summary, measured: Sequence[Measurement]) -> str:
    """Median latency against mean, within each trial, so that drift between trials does not count."""
    if not row.fps or row.load:
        return ""
    batch = row.case.batch_size
    by_median = geometric_mean(batch / median(x for burst in m.latencies for x in burst) for m in measured)
    if abs(by_median / row.fps - 1) <= SPREAD:
        return ""
    return f"spread: {by_median:.3g} images/s by the median latency, {row.fps:.3g} by the mean"


def _splits(measured: Sequence[Measurement]) -> list[str]:
    """Ways to share out the threads that were left out of the choice, since they did not run."""
    failed = {
        f"{probe.instances} x {probe.threads}": probe.reason
        for m in measured
        if m.load
        for probe in m.load.probes
        if probe.reason
    }
    return [f"split {split}: left out, {reason}" for split, reason in failed.items()]


def _chatter(measured: Sequence[Measurement]) -> str:
    written = median(m.log_bytes / max(1, sum(map(len, m.latencies))) for m in measured)
    return f"chatter: {written:.0f} bytes go to stdout or stderr with each inference while timed" if written else ""


def _versions(good: Sequence[Trial]) -> str:
    versions = sorted({trial.framework_version for trial in good})
    return f"versions: trials of {', '.join(versions)}" if len(versions) > 1 else ""


def _denormals(row: Summary, held: Mapping[str, int]) -> str:
    """Of a model on which processors may be slow, where the engine was not told to take its denormals for zero."""
    if not held or row.effective.get("flush_denormals") is True:
        return ""
    worst = sorted(held, key=lambda name: -held[name])[:NAMED]
    named = ", ".join(f"{cut(name, 60)} {held[name]}" for name in worst)
    more = f" and {len(held) - NAMED} more" if len(held) > NAMED else ""
    flush = "; flush_denormals=true takes them for zero" if "flush_denormals" in row.effective else ""
    return (
        f"denormals: {sum(held.values())} of the weights are denormal numbers, on which most processors are many times "
        f"slower ({named}{more}){flush}"
    )


def _memory(row: Summary, measured: Sequence[Measurement]) -> str:
    ran_first = any(measurement.cold for measurement in measured)
    return "memory: its peak is unknown on this platform" if ran_first and row.peak_rss_mb is None else ""
