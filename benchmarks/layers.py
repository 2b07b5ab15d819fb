"""How fast are RC models next to plain ones of as many channels, next to peers, and to what a convolution allows?

    python benchmarks/layers.py > layers.json
    python benchmarks/layers.py --threads 1 > layers.json  # CPU seconds, which a busy machine disturbs far less

Training steps and inference of two of the paper's models, on batches of 100 in float32: three layers (RC-16 and
plain-32 on 1,000 bp) and one (RC-20 and plain-40 on 200 bp). Everything is measured in turn, round after round, so that
what else the machine does falls on all alike; the figures are medians over the rounds. The limit is the best that
oneDNN's convolution reaches in the same rounds, in GFLOP/s; a share counts the model's convolutions alone, as if all
else were free. The peers, equirc and rcps-pytorch, are measured if they can be imported.
"""

import argparse
import importlib.util
import json
import time

import torch
from timing import machine, medians
from torch import nn
from torch.nn import functional

from rcinterp.training.models import compact_model
from rcinterp.training.recipes import find_recipe
from rclayers import exact_strands, reverse_complement

BATCH, WARM_UP = 100, 3

#: Channels in and out, width and positions of the convolutions among which the limit is sought.
LIMIT_SIZES = ((32, 32, 14, 973), (64, 64, 14, 512), (64, 64, 3, 512), (128, 128, 3, 256))


class Model:
    """The sizes of a model of the paper, in filters, and the models that have them."""

    def __init__(self, n_filters, length, widths, pool, stride):
        self.n_filters, self.length, self.widths, self.pool, self.stride = n_filters, length, widths, pool, stride
        self.pooled = (length - sum(width - 1 for width in widths) - pool) // stride + 1

    def rc(self):
        sizes = {"widths": self.widths, "pool": self.pool, "stride": self.stride}
        return compact_model(len(self.widths), self.n_filters, self.length, **sizes)

    def plain(self):
        """As a user writes it."""
        layers, channels = [], 4
        for width in self.widths:
            layers += [nn.Conv1d(channels, 2 * self.n_filters, width), nn.BatchNorm1d(2 * self.n_filters), nn.ReLU()]
            channels = 2 * self.n_filters
        return nn.Sequential(*layers, *self.dense(channels))

    def equirc(self):
        peer = importlib.import_module("equirc.pytorch_rclayers")
        layers, n_filters = [], 2
        for width in self.widths:
            layers += [peer.RegToRegConv(n_filters, self.n_filters, width), peer.RegBatchNorm(self.n_filters)]
            layers += [nn.ReLU()]
            n_filters = self.n_filters
        return nn.Sequential(*layers, peer.RegConcatLayer(n_filters), *self.dense(n_filters))

    def rcps(self):
        peer = importlib.import_module("rcps.core")
        layers = []
        for width in self.widths:
            sizes = {"out_kernels": self.n_filters, "kernel_size": width}
            layers += [peer.RCPS(self.n_filters, **sizes) if layers else peer.RCPSInput(**sizes)]
            layers += [peer.RCPSBatchNorm(self.n_filters), nn.ReLU()]
        return nn.Sequential(*layers, *self.dense(2 * self.n_filters))

    def dense(self, channels):
        return nn.MaxPool1d(self.pool, self.stride), nn.Flatten(), nn.Linear(channels * self.pooled, 1)

    def gflop(self, training):
        """Of the convolutions, a batch: training takes each three times, but that the sequences need no gradient."""
        total, channels, length = 0, 4, self.length
        for width in self.widths:
            length -= width - 1
            passes = (3 if channels != 4 else 2) if training else 1
            total += passes * 2 * channels * 2 * self.n_filters * width * length
            channels = 2 * self.n_filters
        return BATCH * total / 1e9


MODELS = {
    "three_layers": Model(16, 1000, (15, 14, 14), pool=40, stride=20),
    "one_layer": Model(20, 200, (21,), pool=20, stride=20),
}
PEERS = {"equirc": "equirc", "rcps-pytorch": "rcps"}


def calls(net, length):
    """A training step and an inference of a batch."""
    x = functional.one_hot(torch.randint(4, (BATCH, length)), 4).transpose(1, 2).float().contiguous()
    y = torch.randint(2, (BATCH, 1)).float()
    optimiser = find_recipe("paper").optimiser(p for p in net.parameters() if p.requires_grad)

    def train():
        net.train()
        loss = functional.binary_cross_entropy_with_logits(net(x), y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    def infer():
        net.eval()
        with torch.no_grad():
            net(x)

    return {"train": train, "infer": infer}


def convolution(channels, n_kernels, width, length):
    x = torch.randn(BATCH, channels, 1, length).to(memory_format=torch.channels_last)
    kernels = torch.randn(n_kernels, channels, 1, width)
    return lambda: functional.conv2d(x, kernels)


def strand_difference(model):
    """Largest difference between a sequence and its reverse complement in eval mode, over ten fresh models."""
    of_logit, of_probability = 0.0, 0.0
    for seed in range(10):
        torch.manual_seed(seed)
        net = model.rc().eval()
        x = functional.one_hot(torch.randint(4, (BATCH, model.length)), 4).transpose(1, 2).float()
        with torch.no_grad():
            forward, reverse = net(x), net(reverse_complement(x))
        of_logit = max(of_logit, float((forward - reverse).abs().max() / forward.abs().max()))
        of_probability = max(of_probability, float((forward.sigmoid() - reverse.sigmoid()).abs().max()))
    return {"share_of_largest_logit": of_logit, "probability": of_probability}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(options.threads)
    clock = time.thread_time if options.threads == 1 else time.perf_counter
    missing = [name for name, module in PEERS.items() if importlib.util.find_spec(module) is None]
    makers = ["rc", "plain", *(module for name, module in PEERS.items() if name not in missing)]
    timed = {("limit", sizes): convolution(*sizes) for sizes in LIMIT_SIZES}
    for size, model in MODELS.items():
        for maker in makers:
            both = calls(getattr(model, maker)(), model.length)
            timed |= {(size, maker, what): call for what, call in both.items()}
            if maker == "rc":
                timed[size, "rc exact_strands", "infer"] = exact_strands()(both["infer"])
    seconds = medians(timed, options.rounds, WARM_UP, clock)
    limit = max(
        BATCH * 2 * channels * n_kernels * width * (length - width + 1) / 1e9 / seconds["limit", sizes]
        for sizes in LIMIT_SIZES
        for channels, n_kernels, width, length in [sizes]
    )
    found = {}
    for size, model in MODELS.items():
        for what in ("train", "infer"):
            took = {key[1]: value for key, value in seconds.items() if key[0] == size and key[2] == what}
            gflop = model.gflop(training=what == "train")
            found.setdefault(size, {})[what] = {
                "samples_per_second": {name: round(BATCH / value) for name, value in took.items()},
                "speed_over_plain": {name: round(took["plain"] / value, 3) for name, value in took.items()},
                "share_of_limit": {name: round(gflop / value / limit, 3) for name, value in took.items()},
            }
    found["strand_difference"] = {size: strand_difference(model) for size, model in MODELS.items()}
    found["limit_gflop_per_second"] = round(limit, 1)
    found["not_installed"] = missing
    found |= {"machine": machine(), "rounds": options.rounds, "clock": clock.__name__}
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
