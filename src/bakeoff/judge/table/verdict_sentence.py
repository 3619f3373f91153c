"""A verdict in plain words."""

from collections.abc import Sequence

from bakeoff.judge.table.answer import between, bounds
from bakeoff.records import Record

FEW = 3
"""so many losers are named one by one; more are given as a range"""


TOO_FEW = "too few rounds"
"""what an engine waits for that has no two rounds in common with the leader"""


class Share(Record, frozen=True):
    """What a sentence says of one contender; the fields mean what they mean in `Standing`."""

    contender: str
    """its name"""
    outcome: str
    ratio: float | None
    interval: tuple[float, float] | None
    wait: str = ""


def sentence(shares: Sequence[Share]) -> str:
    """The verdict on `shares`, the leader first: who is fastest, who ties, what is open, how far the rest lie behind.

    "openvino is 1.12x [1.08-1.16] faster than onnxruntime; keras is 2.10x [1.90-2.33] slower." where the lead is
    certain, else "openvino leads; onnxruntime is equivalent to it; jax is undecided: between 3% slower and 6% faster
    (about 9 more minutes); the other 5 are 1.45x (mnn) to 4.10x (keras) slower." (with en dashes in the intervals).
    """
    leader, *others = shares
    if not others:
        return f"{leader.contender} is the only engine with a speed here."
    if all(share.wait == TOO_FEW for share in others):
        return f"{leader.contender} is ahead so far; a single round decides nothing."
    slower = [share for share in others if share.outcome == "slower"]
    equal = [share.contender for share in others if share.outcome == "equivalent"]
    open_ = [share for share in others if share.outcome == "undecided"]
    if slower and not equal and not open_:
        second, *rest = slower
        return _join(f"{leader.contender} is {_factor(second)} faster than {second.contender}", *_rest(rest))
    head = f"{leader.contender} leads" if open_ else f"{leader.contender} is fastest"
    return _join(head, *_equal(equal), *_open(open_), *_rest(slower))


def _join(*clauses: str) -> str:
    return "; ".join(clauses) + "."


def _equal(contenders: Sequence[str]) -> list[str]:
    return [f"{_list(contenders)} {'is' if len(contenders) == 1 else 'are'} equivalent to it"] if contenders else []


def _open(shares: Sequence[Share]) -> list[str]:
    """Each with its interval, as far as it has one, and what it waits for."""
    return [
        f"{share.contender} is undecided{f': {between(*share.interval)}' if share.interval else ''} ({share.wait})"
        for share in shares
    ]


def _rest(shares: Sequence[Share]) -> list[str]:
    """How far the slower ones lie behind, nearest first."""
    if not shares:
        return []
    if len(shares) <= FEW:
        return [f"{_list([f'{share.contender} is {_factor(share)}' for share in shares])} slower"]
    first, last = shares[0], shares[-1]
    how_far = f"{first.ratio:.2f}x ({first.contender}) to {last.ratio:.2f}x ({last.contender})"
    return [f"the other {len(shares)} are {how_far} slower"]


def _factor(share: Share) -> str:
    return f"{share.ratio:.2f}x {bounds(share.interval)}".rstrip()


def _list(words: Sequence[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last
