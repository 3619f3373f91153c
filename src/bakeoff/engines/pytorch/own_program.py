"""A user's own exported program (.pt2) as a module that takes its tensors by position and returns a tuple of them."""

import torch
from torch.utils import _pytree as trees


def network(path):
    program = torch.export.load(path)
    of_inputs = program.call_spec.in_spec
    if of_inputs.num_leaves != len(program.graph_signature.user_inputs):
        raise NotImplementedError("the program takes arguments that are no tensors")
    module = program.module()
    for each in module.modules():  # `eval` refuses: exporting has settled it, and TorchScript wants to be told
        each.training = False
    takes_positions = trees.tree_structure((tuple(range(of_inputs.num_leaves)), {})) == of_inputs
    gives_one = trees.tree_structure(0) == program.call_spec.out_spec
    return module if takes_positions and gives_one else Flat(module, of_inputs)


class Flat(torch.nn.Module):
    """A module with its tensors put into the arguments that it wants, and taken out of what it returns."""

    def __init__(self, module, of_inputs):
        super().__init__()
        self.module = module
        self.of_inputs = of_inputs

    def forward(self, *tensors):
        args, kwargs = trees.tree_unflatten(list(tensors), self.of_inputs)
        return tuple(trees.tree_leaves(self.module(*args, **kwargs)))
