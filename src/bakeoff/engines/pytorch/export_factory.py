"""Exports what a user's own code builds: ``python export_factory.py FOLDER/package.module:factory TARGET``.

Runs on the user's own interpreter, FOLDER in front of the import path. The factory takes nothing and returns a
`torch.nn.Module` and a tuple of example inputs. Every first axis of the inputs is the batch, if the module allows it.
TARGET becomes an exported program (.pt2) that has answered like the module it came from.
"""

import importlib
import os
import sys
import warnings

CLOSE = 1e-5
"""relative error that exporting may make: it changes no arithmetic"""


def export(factory, target):
    module, examples = built(factory)
    program = exported(module.eval(), examples)
    check(module, program, examples)
    torch.export.save(program, target)


def built(factory):
    """What the factory returns: a module and its example inputs."""
    folder, name = os.path.split(factory)
    module_name, _, function = name.partition(":")
    sys.path.insert(0, folder)
    try:
        make = getattr(importlib.import_module(module_name), function)
    except ImportError as error:
        sys.exit("{} cannot be imported: {}".format(module_name, error))
    except AttributeError:
        sys.exit("{} has no {}".format(module_name, function))
    torch.manual_seed(0)
    made = make()
    if not (isinstance(made, tuple) and len(made) == 2 and isinstance(made[0], torch.nn.Module)):  # noqa: PLR2004
        sys.exit("{} must return a torch.nn.Module and a tuple of example inputs, not {}".format(name, type(made)))
    examples = made[1] if isinstance(made[1], tuple) else (made[1],)
    if not all(isinstance(example, torch.Tensor) for example in examples):
        sys.exit("{}: every example input must be a tensor".format(name))
    return made[0], examples


def exported(module, examples):
    """With an open batch axis where that works. An axis of size 1 would be taken for a constant, so there are two."""
    if not all(example.dim() for example in examples):
        return torch.export.export(module, examples)
    twice = tuple(torch.cat([x, x]) if x.shape[0] == 1 else x for x in examples)
    batch = torch.export.Dim("batch")
    try:
        return torch.export.export(module, twice, dynamic_shapes=[{0: batch} for _ in twice])
    except Exception:  # noqa: BLE001 - many classes, all meaning that the module fixes its batch size
        return torch.export.export(module, examples)


def check(module, program, examples):
    """End with a line if the exported program answers otherwise than the module."""
    leaves = torch.utils._pytree.tree_leaves  # noqa: SLF001 - PyTorch's own way to flatten outputs, and no public one
    with torch.no_grad():
        pairs = zip(leaves(module(*examples)), leaves(program.module()(*examples)))
        for expected, got in pairs:
            scale = max(float(expected.abs().max()), 1e-30)
            error = float((expected - got).abs().max()) / scale
            if not error <= CLOSE:
                sys.exit("the exported program answers otherwise than the module: error {:.1e}".format(error))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    try:
        import torch
    except ImportError:
        sys.exit("there is no PyTorch in {}".format(sys.executable))
    export(*sys.argv[1:])
