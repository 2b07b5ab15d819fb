"""Models as other projects write them: Basset, DeepSEA, BPNet and an Enformer-like stem, of any width."""

import torch
from torch import Tensor, nn
from torch.nn import functional


def basset(
    length: int = 100,
    n_tasks: int = 3,
    channels: tuple[int, ...] = (6, 7, 5),
    widths: tuple[int, ...] = (11, 7, 5),
    pools: tuple[int, ...] = (3, 2, 2),
    n_hidden: int = 8,
) -> nn.Sequential:
    """Kelley et al. 2016: convolution, batch norm, ReLU, pooling, three times; two dense layers. All modules."""
    layers: list[nn.Module] = []
    n_in = 4
    for n_out, width, pool in zip(channels, widths, pools, strict=True):
        layers += [nn.Conv1d(n_in, n_out, width, padding=width // 2), nn.BatchNorm1d(n_out), nn.ReLU()]
        layers += [nn.MaxPool1d(pool)]
        n_in, length = n_out, length // pool
    layers += [nn.Flatten(), nn.Linear(n_in * length, n_hidden), nn.ReLU(), nn.Dropout(0.3)]
    return nn.Sequential(*layers, nn.Linear(n_hidden, n_tasks))


class DeepSEA(nn.Module):
    """Zhou & Troyanskaya 2015 as first ported: Conv2d over (n, 4, 1, L), functional calls, a sigmoid at the end.

    The convolutions are registered in another order than they are called in.
    """

    def __init__(
        self,
        length: int = 100,
        n_tasks: int = 3,
        channels: tuple[int, int] = (6, 7),
        widths: tuple[int, int] = (8, 5),
        pool: int = 4,
    ) -> None:
        super().__init__()
        self.pool = pool
        self.fc = nn.Linear(channels[1] * ((length - widths[0] + 1) // pool - widths[1] + 1), n_tasks)
        self.conv2 = nn.Conv2d(*channels, (1, widths[1]))
        self.conv1 = nn.Conv2d(4, channels[0], (1, widths[0]))

    def forward(self, x: Tensor) -> Tensor:
        """Probabilities: (n, 4, L) -> (n, n_tasks)."""
        x = functional.max_pool2d(functional.relu(self.conv1(x[:, :, None])), (1, self.pool))
        x = functional.relu(self.conv2(functional.dropout(x, 0.2, self.training)))
        return torch.sigmoid(self.fc(x.view(len(x), -1)))


class BPNet(nn.Module):
    """Avsec et al. 2021 as bpnet-lite writes it: dilated residual layers, profile and counts, control tracks."""

    def __init__(self, n_filters: int = 6, n_layers: int = 2, width: int = 9, trimming: int = 20) -> None:
        super().__init__()
        self.trimming = trimming
        self.iconv = nn.Conv1d(4, n_filters, width, padding=width // 2)
        self.irelu = nn.ReLU()
        self.rconvs = nn.ModuleList(
            [nn.Conv1d(n_filters, n_filters, 3, padding=2**i, dilation=2**i) for i in range(1, n_layers + 1)]
        )
        self.rrelus = nn.ModuleList([nn.ReLU() for _ in range(n_layers)])
        self.fconv = nn.Conv1d(n_filters + 2, 2, 5, padding=2)
        self.linear = nn.Linear(n_filters + 1, 1)

    def forward(self, x: Tensor, control: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Profile logits (n, 2, L - 2 trimming) and log counts (n, 1) of (n, 4, L) and control reads (n, 2, L)."""
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

    def __init__(self, n_filters: int = 6, n_tasks: int = 3, width: int = 9, n_tower: int = 7) -> None:
        super().__init__()
        self.stem = nn.Conv1d(4, n_filters, width, padding=width // 2)
        self.block = nn.Sequential(nn.BatchNorm1d(n_filters), nn.GELU(), nn.Conv1d(n_filters, n_filters, 1))
        self.pool = nn.AvgPool1d(4)
        self.tower = nn.Sequential(nn.Conv1d(n_filters, n_tower, 5, padding=2), nn.GELU())
        self.head = nn.Linear(n_tower, n_tasks)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Logits (n, n_tasks) under "human", and an embedding (n, n_tower, L / 4), of (n, 4, L)."""
        x = self.stem(x)
        x = self.tower(self.pool(x + self.block(x)))
        return {"human": self.head(x.mean(2)), "embedding": x}
