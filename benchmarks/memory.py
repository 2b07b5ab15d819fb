"""Does memory stay flat from ten thousand to a million sequences, statistics included? JSON, a line a run.

    python benchmarks/memory.py [--most 1000000] [--length 200]    # 10 minutes

Each run is a process of its own that reads codes of one byte a base from a file on disk (np.load, mmap_mode="r") and
calls `filter_contributions`, with bootstrap and permutations. "own" is the peak of the memory that belongs to the
process alone (RssAnon; pages of the file, which the system may take back at any time, do not count), beyond what
it had before the call; "results" is what a caller who wants the numbers has to hold: contributions of every filter to
every sequence (float64). The last run scores a million sequences of 1,000 bp with `predict`; "whole" counts the pages
of the file too.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import torch

from rcinterp import compact_model, filter_contributions, predict
from rcinterp.data.coded import CodedSequences

N_FILTERS = 8


def memory(kind):
    """MB of this process, now or at its peak."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines[kind].split()[0]) / 1024


class Peak(threading.Thread):
    """The largest RssAnon, looked at every 5 ms."""

    def __init__(self):
        super().__init__(daemon=True)
        self.most, self.over = 0.0, False

    def run(self):
        while not self.over:
            self.most = max(self.most, memory("RssAnon"))
            time.sleep(0.005)


def one_run(path, what):
    """One process: read, score, tell."""
    torch.set_num_threads(2)
    codes = np.load(path, mmap_mode="r")
    torch.manual_seed(0)
    model = compact_model(1, N_FILTERS, codes.shape[1]).eval()
    half = len(codes) // 2
    before, peak = memory("RssAnon"), Peak()
    peak.start()
    start = time.perf_counter()
    if what == "predict":
        results = predict(model, CodedSequences(codes)).numel() * 4
    else:
        filter_contributions(model, CodedSequences(codes[:half]), CodedSequences(codes[half:]))
        results = len(codes) * N_FILTERS * 8
    taken = time.perf_counter() - start
    peak.over = True
    peak.join()
    found = {
        "what": what,
        "sequences": len(codes),
        "bp": codes.shape[1],
        "seconds": round(taken, 1),
        "own_MB": round(peak.most - before),
        "results_MB": round(results / 2**20),
        "before_MB": round(before),
        "whole_MB": round(memory("VmHWM")),
    }
    print(json.dumps(found), flush=True)


def write_codes(path, n, length):
    """Random codes, written a block at a time."""
    codes = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(n, length))
    rng = np.random.default_rng(0)
    for start in range(0, n, 10_000):
        block = codes[start : start + 10_000]
        block[:] = rng.integers(0, 4, size=block.shape, dtype=np.uint8)
    codes.flush()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=1_000_000)
    parser.add_argument("--length", type=int, default=200)
    parser.add_argument("--run", nargs=2, metavar=("FILE", "WHAT"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.run:
        one_run(*given.run)
        return
    sizes = [n for n in (10_000, 100_000, 1_000_000) if n <= given.most]
    runs = [(n, given.length, "filter_contributions") for n in sizes] + [(given.most, 1000, "predict")]
    with tempfile.TemporaryDirectory() as folder:
        for n, length, what in runs:
            path = Path(folder) / "codes.npy"
            write_codes(path, n, length)
            subprocess.run([sys.executable, __file__, "--run", str(path), what], check=True)


if __name__ == "__main__":
    main()
