"""ONNX Runtime with its oneDNN provider (`DnnlExecutionProvider`), as Debian builds it.

Threads: oneDNN's are OpenMP's, set by the provider option ``num_of_threads``; without that option this build takes
every core, whatever ``OMP_NUM_THREADS`` says. What took effect is asked of OpenMP's library. ``intra_op_num_threads``
covers the few nodes left to the CPU provider. oneDNN compiles its subgraphs for the first batch size that it sees, and
this release cannot run them at another: one session per batch size.

Two things come only as text on file descriptor 2, so what is written there is read: which nodes the provider took
(ONNX Runtime 1.21 says it in its verbose log alone), and thousands of complaints that operator schemas are registered
twice, since Debian's build shares the ONNX library; those are dropped.
"""

import contextlib
import ctypes
import os
import re
import sys
import tempfile

VERBOSE, WARNING = 0, 2
NOISE = re.compile(r"Schema error: Trying to register schema|\S+ \S+ \[[VI]:onnxruntime:|\s*$")
PLACED = re.compile(r"placed on \[(\w+)\]\. Number of nodes: (\d+)")


@contextlib.contextmanager
def filtered_stderr(lines):
    """Append to `lines` what is written to file descriptor 2 meanwhile; afterwards let through what is no noise."""
    sys.stderr.flush()
    original = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(original, 2)
            os.close(original)
            file.seek(0)
            lines.extend(file.read().decode("utf-8", "replace").splitlines())
            sys.stderr.writelines(line + "\n" for line in lines if not NOISE.match(line))


with filtered_stderr([]):
    import adapter
    import onnxruntime as ort


class Engine(adapter.Engine):
    """ONNX Runtime's session with the placement of its nodes read from its log."""

    def load(self, model, settings):
        effective = super().load(model, settings)
        return dict(effective, threads=ctypes.CDLL("libgomp.so.1").omp_get_max_threads())

    def configure(self, options):
        options.log_severity_level = VERBOSE
        self.run_options = ort.RunOptions()
        self.run_options.log_severity_level = WARNING

    def open_session(self, model, provider, settings):
        self.log = []
        with filtered_stderr(self.log):
            return super().open_session(model, provider, settings)

    def nodes_per_provider(self):
        """How many nodes run on each provider, counted after fusion: oneDNN's are whole subgraphs."""
        return {found[1]: int(found[2]) for found in map(PLACED.search, self.log) if found}

    def run(self, k):
        self.results = self.session.run(self.output_names, self.feeds[k], self.run_options)
