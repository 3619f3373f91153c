"""TensorFlow's threads: so many for the work within an operator, and so many to start operators, usually one."""

import tensorflow as tf


def use_threads(threads, inter_threads=1):
    """Today's TensorFlow: before its runtime starts, so once per process. Returns the numbers in force, and oneDNN.

    Asked for no threads, it takes as many as it likes of both kinds.
    """
    from tensorflow.python.util._pywrap_util_port import IsMklEnabled

    told = tf.config.threading
    if threads and told.get_intra_op_parallelism_threads() != threads:
        told.set_intra_op_parallelism_threads(threads)
        told.set_inter_op_parallelism_threads(inter_threads)
    return {
        "threads": told.get_intra_op_parallelism_threads() or None,
        "inter_threads": told.get_inter_op_parallelism_threads() or None,
        "onednn": IsMklEnabled(),
    }


POOL = []
"""What TensorFlow 1's first session asked for: it sizes the pool of all that follow in the process."""


def session(threads, graph=None):
    """TensorFlow 1: a session with so many threads. Raises NotImplementedError if an earlier one had another number."""
    POOL.append(threads)
    if threads != POOL[0]:
        raise NotImplementedError("this process has {} threads for good, not {}".format(POOL[0], threads))
    if threads is None:  # as many as it takes by itself
        return tf.Session(graph=graph)
    config = tf.ConfigProto(intra_op_parallelism_threads=threads, inter_op_parallelism_threads=1)
    config.use_per_session_threads = True
    return tf.Session(graph=graph, config=config)
