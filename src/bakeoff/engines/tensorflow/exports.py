"""TensorFlow's own files, made from plain graphs once and kept under the worker's home."""

import hashlib
import os
import shutil
import tempfile
import zipfile

MAKERS = ("translator.py", "builder.py", "layout.py", "images.py", "arithmetic.py", "axes.py", "old_math.py")
"""What a translation hangs on."""
HERE = os.path.dirname(os.path.abspath(__file__))


def exported(plain_graph, kind, write):
    """The folder that ``write(folder)`` filled for `plain_graph`, written now if it never was.

    `kind` names what it holds and the release that wrote it. The key is what the folder is made from: the graph, the
    checksums of its weights, and the translator.
    """
    digest = hashlib.sha256(kind.encode())
    ours = [os.path.join(HERE, name) for name in MAKERS]
    for path in [os.path.join(plain_graph, "graph.json"), *ours]:
        with open(path, "rb") as f:
            digest.update(f.read())
    with zipfile.ZipFile(os.path.join(plain_graph, "weights.npz")) as archive:
        digest.update(repr([(entry.filename, entry.CRC) for entry in archive.infolist()]).encode())
    home = os.path.join(os.path.expanduser("~"), ".cache", "tensorflow-exports")
    folder = os.path.join(home, digest.hexdigest()[:32])
    if not os.path.isdir(folder):
        os.makedirs(home, exist_ok=True)
        unfinished = tempfile.mkdtemp(dir=home)
        try:
            write(unfinished)
            os.rename(unfinished, folder)
        except OSError:
            if not os.path.isdir(folder):  # else another worker was quicker
                raise
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return folder
