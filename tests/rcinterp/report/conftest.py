"""Interpretations for pages: of 24 filters made by hand, and of as many as are asked for."""

import string
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from rcinterp.data.sequences import decode
from rcinterp.interpretation import interpret
from rcinterp.motifs import load_motifs, reverse_complement_motif

N, LENGTH, WIDTH = 150, 120, 19
NAMES = ("CTCF_known1", "SPI1_known3", "MYC_known1", "GATA_known1")


class Bank(nn.Module):
    """Filters whose best activation counts, on either strand."""

    def __init__(self, weight, read_out):
        super().__init__()
        self.conv = nn.Conv1d(4, len(weight), WIDTH)
        self.head = nn.Linear(len(weight), 1)
        with torch.no_grad():
            self.conv.weight.copy_(torch.tensor(weight))
            self.conv.bias.copy_(-0.5 * torch.tensor(weight).amax(1).sum(1))
            self.head.weight.copy_(torch.tensor(read_out)[None])
            self.head.bias.zero_()

    def forward(self, x):
        return self.head(torch.relu(self.conv(x)).amax(2))


@pytest.fixture(scope="session")
def decode_shares():
    """Give ``decode_shares(text)``: the matrix (4, W) that `encode_shares` made it of."""
    alphabet = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"

    def decode(text):
        digits = np.array([alphabet.index(letter) for letter in text]).reshape(-1, 2)
        return ((64 * digits[:, 0] + digits[:, 1]) / 4095).reshape(-1, 4).T

    return decode


@pytest.fixture(scope="session")
def found():
    """Filters of four motifs, blurred and shifted, of noise, dead, and an artefact."""
    rng, known = np.random.default_rng(0), load_motifs("encode")

    def log_odds(name):
        weight = np.log2(0.95 * known[name] / 0.25 + 0.05)[:, :WIDTH]
        left = (WIDTH - weight.shape[1]) // 2
        return np.pad(weight, ((0, 0), (left, WIDTH - weight.shape[1] - left)))

    weights = [np.roll(log_odds(NAMES[i % 4]), i // 8, axis=1) + 0.2 * rng.normal(size=(4, WIDTH)) for i in range(18)]
    half = log_odds("CTCF_known1")[:, 3:12]
    weights.append(np.concatenate([half, np.zeros((4, 1)), reverse_complement_motif(half)], axis=1))
    weights += [rng.normal(size=(4, WIDTH)) for _ in range(3)] + [np.zeros((4, WIDTH))] * 2
    read_out = [1.0, -0.6, 0.5, 0.8] * 4 + [0.3, -0.2, 1.0, 0.01, 0.02, 0.03, 1.0, 1.0]
    classes = []
    for names in (("CTCF_known1", "MYC_known1", "GATA_known1"), ("SPI1_known3",)):
        codes = rng.integers(4, size=(N, LENGTH))
        for slot, name in enumerate(names):
            for row in codes:
                site = np.array([rng.choice(4, p=column) for column in known[name].T])
                start = 40 * slot + rng.integers(40 - len(site))
                row[start : start + len(site)] = site
        x = nn.functional.one_hot(torch.tensor(codes), 4).transpose(1, 2)
        where = [f"chr{1 + len(classes)}:{1000 * i}-{1000 * i + LENGTH}" for i in range(N)]
        classes.append(pd.Series(decode(x), index=where))
    return interpret(Bank(np.stack(weights), read_out).eval(), *classes)


@pytest.fixture(scope="session")
def of_size(found):
    """Give ``of_size(n)``: the interpretation with n filters, some or copies of its own."""

    def make(n):
        old = list(found.table["filter"])
        new = {f"filter_{i}": old[i % len(old)] for i in range(n)}
        origins = pd.DataFrame({"filter": new.keys(), "old": new.values()})

        def copied(table, column="filter"):
            rows = origins.merge(table.rename(columns={column: "old"}), on="old", how="inner")
            return rows.rename(columns={"filter": column}).drop(columns="old")[list(table.columns)]

        rng = np.random.default_rng(0)
        table = copied(found.table)
        table = table.assign(contribution=table["contribution"] * rng.uniform(0.9, 1.1, len(table)))
        return replace(
            found,
            table=table.sort_values("contribution", ascending=False, kind="stable", ignore_index=True),
            contributions=copied(found.contributions),
            palindromes=copied(found.palindromes),
            triage=copied(found.triage),
            matches=copied(found.matches, "Query_ID"),
            sites=copied(found.sites),
            best_sites=copied(found.best_sites),
            filters={
                name: found.filters[own] + 0.05 * rng.normal(size=found.filters[own].shape) for name, own in new.items()
            },
            ppms={name: found.ppms[own] for name, own in new.items()},
            distributions={name: found.distributions[own] for name, own in new.items()},
        )

    return make
