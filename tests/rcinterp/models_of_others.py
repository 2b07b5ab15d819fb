"""Models as other projects write them: Basset, DeepSEA, BPNet, a residual stem, and what wrappers do to them."""

import torch
from torch import nn
from torch.nn import functional


def basset(length=100, n_tasks=3):
    """Kelley et al. 2016, narrower: convolution, batch norm, ReLU, pooling, three times; two dense layers."""
    layers = []
    sizes = ((4, 6, 11, 3), (6, 7, 7, 2), (7, 5, 5, 2))
    for n_in, n_out, width, pool in sizes:
        layers += [nn.Conv1d(n_in, n_out, width, padding=width // 2), nn.BatchNorm1d(n_out), nn.ReLU()]
        layers += [nn.MaxPool1d(pool)]
        length //= pool
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(5 * length, 8), nn.ReLU(), nn.Linear(8, n_tasks))


class DeepSEA(nn.Module):
    """Zhou & Troyanskaya 2015 as first ported: Conv2d over (n, 4, 1, L), functional calls, a sigmoid at the end."""

    def __init__(self, length=100, n_tasks=3):
        super().__init__()
        self.fc = nn.Linear(7 * ((length - 7) // 4 - 4), n_tasks)
        self.conv2 = nn.Conv2d(6, 7, (1, 5))
        self.conv1 = nn.Conv2d(4, 6, (1, 8))

    def forward(self, x):
        x = functional.max_pool2d(functional.relu(self.conv1(x[:, :, None])), (1, 4))
        x = functional.relu(self.conv2(functional.dropout(x, 0.2, self.training)))
        return torch.sigmoid(self.fc(x.view(len(x), -1)))


class BPNet(nn.Module):
    """Avsec et al. 2021 as bpnet-lite writes it: dilated residual layers, profile and counts, control tracks."""

    def __init__(self, n_filters=6, n_layers=2, trimming=20):
        super().__init__()
        self.trimming = trimming
        self.iconv = nn.Conv1d(4, n_filters, 9, padding=4)
        self.irelu = nn.ReLU()
        self.rconvs = nn.ModuleList(
            [nn.Conv1d(n_filters, n_filters, 3, padding=2**i, dilation=2**i) for i in range(1, n_layers + 1)]
        )
        self.rrelus = nn.ModuleList([nn.ReLU() for _ in range(n_layers)])
        self.fconv = nn.Conv1d(n_filters + 2, 2, 5, padding=2)
        self.linear = nn.Linear(n_filters + 1, 1)

    def forward(self, x, control=None):
        control = x.new_zeros(len(x), 2, x.shape[2]) if control is None else control
        x = self.irelu(self.iconv(x))
        for conv, relu in zip(self.rconvs, self.rrelus, strict=True):
            x = torch.add(x, relu(conv(x)))
        inner = slice(self.trimming, x.shape[2] - self.trimming)
        profile = self.fconv(torch.cat([x, control], 1))[:, :, inner]
        counts = torch.cat([x[:, :, inner].mean(2), control.sum((1, 2))[:, None].log1p()], 1)
        return profile, self.linear(counts)


class ResidualStem(nn.Module):
    """As Enformer begins: a convolution, then x + block(x) with GELU, then pooling; a dict of outputs."""

    def __init__(self, n_filters=6, n_tasks=3):
        super().__init__()
        self.stem = nn.Conv1d(4, n_filters, 9, padding=4)
        self.block = nn.Sequential(nn.BatchNorm1d(n_filters), nn.GELU(), nn.Conv1d(n_filters, n_filters, 1))
        self.pool = nn.AvgPool1d(4)
        self.tower = nn.Sequential(nn.Conv1d(n_filters, 7, 5, padding=2), nn.GELU())
        self.head = nn.Linear(7, n_tasks)

    def forward(self, x):
        x = self.stem(x)
        x = self.tower(self.pool(x + self.block(x)))
        return {"human": self.head(x.mean(2)), "embedding": x}


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
