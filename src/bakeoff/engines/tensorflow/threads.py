"""TensorFlow's threads: `threads` for the work within an operator, one to start operators."""

import tensorflow as tf


def use_threads(threads):
    """Today's TensorFlow: before its runtime starts, so once per process. Returns the number in force."""
    if tf.config.threading.get_intra_op_parallelism_threads() != threads:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    return tf.config.threading.get_intra_op_parallelism_threads()


POOL = []
"""What TensorFlow 1's first session asked for: it sizes the pool of all that follow in the process."""


def session(threads, graph=None):
    """TensorFlow 1: a session with so many threads. Raises NotImplementedError if an earlier one had another number."""
    POOL.append(threads)
    if threads != POOL[0]:
        raise NotImplementedError("this process has {} threads for good, not {}".format(POOL[0], threads))
    config = tf.ConfigProto(intra_op_parallelism_threads=threads, inter_op_parallelism_threads=1)
    config.use_per_session_threads = True
    return tf.Session(graph=graph, config=config)
