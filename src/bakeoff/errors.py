"""One class per way to fail: its exit code, and a message that says what to do.

Exit codes, for scripts:

==== =======================================================================
0    no row of the table is wrong, failed or timed out; a gate is passed
1    some row is; nothing was measured; something could not be stored; a gate is failed
2    bad usage or input; nothing was changed
3    a gate is undecided: noise hides the answer
4    stopped by ``--strict``: the machine is not fit to measure
130  interrupted; what was measured is stored and shown
==== =======================================================================
"""

from bakeoff.printable import MOST_OF_A_LINE, shortened


class ExitCode:
    """The numbers of the table above."""

    OK = 0
    SOME_ROWS_BAD = 1
    BAD_INPUT = 2
    UNDECIDED = 3
    NOT_FIT = 4
    INTERRUPTED = 130


class BakeoffError(Exception):
    """What the user sees as one clear line; `advice`, if any, stands on a line of its own."""

    exit_code = ExitCode.BAD_INPUT
    """of the command that it ends"""

    def __init__(self, message: str, advice: str | None = None) -> None:
        super().__init__("\n".join(shortened(line, MOST_OF_A_LINE) for line in message.split("\n")))
        self.advice = advice
        """what to do about it, where there is anything to say"""


class UsageError(BakeoffError):
    """A flag, name or combination that cannot be meant: says which, and what would do."""


class ModelError(BakeoffError):
    """A model that cannot be read, fetched or brought into the form that an engine takes."""


class UnsupportedModelError(ModelError):
    """A sound model with something in it that one form cannot carry: a row of the table, not the end."""


class ModelTaskError(ModelError):
    """A task on a sound model that did not end: an unexpected error in it, or a limit of time or memory."""


class NoReferenceError(UnsupportedModelError):
    """A sound model that cannot be computed in float64: something else has to judge its answers."""


class EngineFolderError(BakeoffError):
    """An engine folder whose engine.toml is wrong: names the file and the field."""


class EnvironmentUnavailableError(BakeoffError):
    """An environment that cannot be had here: becomes the reason of its engines' rows."""


class StoreError(BakeoffError):
    """The results cannot be read or written."""


class RefusedError(StoreError):
    """The store works and will never take this: a run that it does not know, or values that it cannot hold."""


class NotFitError(BakeoffError):
    """The audit found something and ``--strict`` was asked for: the message has a line for each finding."""

    exit_code = ExitCode.NOT_FIT


class LostFilesError(BakeoffError):
    """Files that a race keeps for itself are gone or cannot be written: it ends, and no engine has failed by that."""

    exit_code = ExitCode.SOME_ROWS_BAD


class PackError(BakeoffError):
    """A pack that is not what it says, or does not answer as its certificate says."""

    exit_code = ExitCode.SOME_ROWS_BAD


class WorkerError(Exception):
    """Something a worker did instead of answering; becomes a row with this as its reason."""


class WorkerDiedError(WorkerError):
    """The worker's process ended, by itself or killed, before it answered."""


class WorkerTimedOutError(WorkerError):
    """The worker did not answer within its deadline; its process tree has been killed."""


class AdapterError(WorkerError):
    """The adapter raised: `kind` is the exception's class, `details` its traceback."""

    def __init__(self, kind: str, message: str, details: str = "") -> None:
        super().__init__(f"{kind}: {message}" if message else kind)
        self.kind = kind
        self.details = details


class WrongReplyError(WorkerError):
    """The adapter returned something else than its contract says; the message names the operation and the field."""


class UnsupportedError(WorkerError):
    """The adapter says that its framework cannot do this, or its Python or speed rules it out; the message says why."""


class WrongOutputsError(WorkerError):
    """The engine's outputs lie too far from the reference; the message says how far and when."""


class UntimedWorkError(WorkerError):
    """The engine works where the clock does not run; the message says where."""
