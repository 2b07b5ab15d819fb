"""Does interpret name the filters of models that others trained, and only those? (docs/other-models.md)

    python benchmarks/published.py MODELS DATA --out docs/results/published-models [--only NAME ...]

MODELS holds published weights and DATA sequences, each as its README says: DeepBind's models of five factors (one
layer), a BPNet of CTCF (nine layers) and an ExplaiNN of three factors (grouped convolutions over repeated letters).
Writes a row a filter (filters.tsv) and a row a model and layer (models.tsv), which it prints as Markdown. A layer that
stands in models.tsv is not run again.

Right is a name of a group that the factor's own motif belongs to, or a partner's, `TRUTH`; wrong is every other name.
Three nulls stand beside it: the names that a layer gets if labels are shuffled, the names that its filters get from
the class that they do not speak for, and those that its filters get with their columns in another order.
"""

import argparse
import re
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors import safe_open
from torch import nn
from torch.nn import functional

import rcinterp

N = 500
#: Families of motifs (as `name_families` has them, of known motifs or of the similar ones beside a "disc") that a
#: model of each factor may show: its own, and those whose sites lie in its peaks.
"""


"""
