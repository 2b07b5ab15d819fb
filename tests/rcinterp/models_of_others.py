"""What is done to the models of examples/shapes.py: wrapped, called twice, with statistics moved as by training."""

import torch
from torch import nn


class Wrapped(nn.Module):
    """A model in a module, called twice: on the sequence and on its reverse complement."""

    def __init__(self, model):
        super().__init__()
        self.inside = nn.ModuleList([nn.Identity(), model])

    def forward(self, x):
        return (self.inside[1](x) + self.inside[1](x.flip(1, 2))) / 2


def with_moved_statistics(model, seed=0):
    """Give batch norms statistics and biases other than the initial ones; eval mode."""
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d):
            for values in (module.running_mean, module.bias.data):
                values.copy_(0.3 * torch.randn(values.shape, generator=generator))
            module.running_var.copy_(0.5 + torch.rand(module.running_var.shape, generator=generator))
    return model.eval()
