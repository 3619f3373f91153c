"""How many labelled pictures an engine puts into the right class: asked in the first round, after timing."""

import numpy as np

from bakeoff.errors import WorkerError
from bakeoff.race.heats.attempt import Attempt
from bakeoff.race.ready.runnable import answers_in
from bakeoff.records import Accuracy


def count_right(attempt: Attempt) -> None:
    """Let the engine classify the labelled pictures, if there are any. Raises `WorkerError`."""
    labelled = attempt.inputs.labelled
    if labelled is None:
        return
    model, batch_size = attempt.worker.context.model, attempt.case.batch_size
    right = 0
    with attempt.worker.awake() as session:
        for path, labels in zip(labelled.paths, labelled.labels, strict=True):
            session.prepare([[path]])
            scores, *_ = [*answers_in(session.outputs(0, attempt.worker.scratch), model, batch_size), np.empty(0)]
            if scores.ndim != 2 or len(scores) < len(labels) or scores.dtype.kind not in "fiu":  # noqa: PLR2004
                raise WorkerError(f"the scores of {len(labels)} pictures are {scores.dtype} {list(scores.shape)}")
            right += int(np.count_nonzero(scores[: len(labels)].argmax(axis=1) == labels))
    attempt.accuracy = Accuracy(right=right, pictures=sum(map(len, labelled.labels)))
