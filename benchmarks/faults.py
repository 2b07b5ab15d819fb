"""Does anything that stops a command lose or change a result? Kills, full disks; JSON, a line a fault.

    python benchmarks/faults.py [--kills 20] [--seed 0] [--only train ...]    # 20 minutes

Each command runs once undisturbed. Then it is stopped again and again at a moment drawn from the time that it took, by
SIGKILL, SIGTERM and SIGINT in turn, in an empty folder and in one with an older result of another seed. After each stop
the visible files must be those of the old result or of the new one, or a part of a training that can go on; then the
command runs again, and the folder must have the bytes of the undisturbed run. "lost" and "changed" count what does not
hold. The last rounds write to a file system that is full from the start (needs root: a tmpfs is mounted).
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
#: Files that a stopped training leaves on purpose.
GOES_ON = ("checkpoint.safetensors", "checkpoint.words-alone.safetensors")


def commands(data, seed):
    """Each command, without its --out, in a form that gives another result for another seed."""
    train, valid = (
        ["--positives", data / f"{part}.pos.fa.gz", "--negatives", data / f"{part}.neg.fa.gz"]
        for part in ("train", "valid")
    )
    held_out = [word.replace("--", "--valid-") if isinstance(word, str) else word for word in valid]
    sizes = ["--filters", 4, "--width", 21, "--pool", 20, "--epochs", 4]
    models, peaks = (
        [data / "model_0", data / "model_1"],
        ["--peaks", data / "peaks.bed", "--negatives", data / "open.bed"],
    )
    windows = ["--genome", data / "hg.fa", "--width", 40 + 20 * seed, "--split", "chr1/chr2"]
    return {
        "simulate": ["simulate", "--n", 200, "--length", 150, "--seed", seed],
        "train": ["train", *train, *held_out, *sizes, "--seed", seed],
        "interpret": ["interpret", models[seed], *valid],
        "compare-models": ["compare-models", *models, *valid, "--motifs-from", "sites" if seed else "weights"],
        "strands": ["strands", models[seed], "--sequences", data / "valid.pos.fa.gz"],
        "dataset build": ["dataset", "build", *peaks, *windows],
        "study": ["study", "fig3", "--small", "--seeds", 1 + seed, "--epochs", 1],
    }


def start(arguments, out):
    """The command as a process, on one thread."""
    words = [sys.executable, "-m", "rcinterp.cli", *map(str, arguments), "--out", str(out)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(words, env={**os.environ, "OMP_NUM_THREADS": "1"}, start_new_session=True, **quiet)


def finish(arguments, out):
    """Run a command to its end."""
    process = start(arguments, out)
    _, said = process.communicate(timeout=600)
    if process.returncode:
        raise RuntimeError(f"{arguments}: exit status {process.returncode}: {said}")


def files_of(folder):
    """Bytes of the files that a person sees."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()] if folder.is_dir() else []
    names = [path.relative_to(folder).as_posix() for path in paths]
    return {
        name: path.read_bytes()
        for name, path in zip(names, paths, strict=True)
        if not any(part.startswith(".") for part in Path(name).parts)
    }


def prepare(data):
    """Sequences, two models, and a small genome with peaks."""
    finish(["simulate", "--n", 200, "--length", 150], data)
    for seed in range(2):
        finish([*commands(data, seed)["train"]], data / f"model_{seed}")
    (data / "hg.fa").write_text("".join(f">{name}\n{'ACGGT' * 2000}\n" for name in ("chr1", "chr2")))
    for name, first in (("peaks", 200), ("open", 500)):
        rows = [f"{c}\t{x}\t{x + 50}\n" for c in ("chr1", "chr2") for x in range(first, 9000, 700)]
        (data / f"{name}.bed").write_text("".join(rows))


def judge(seen, old, new, command):
    """What is wrong with what a stop left: "lost" or "changed"; empty if nothing is."""
    if command == "study":  # its runs are kept one by one
        return (
            "changed" if any(new.get(name) != content for name, content in seen.items() if "runs/" not in name) else ""
        )
    rest = {name: content for name, content in seen.items() if name not in (*GOES_ON, "run.toml")}
    if rest in ({}, without(old), without(new)):
        return "lost" if old and not rest else ""
    return "changed"


def without(files):
    """The files but those that a training leaves, and the record, which is written last."""
    return {name: content for name, content in files.items() if name not in (*GOES_ON, "run.toml")}


def stop_again_and_again(command, data, kills, draw, base):
    """One command: lines of what came of each stop."""
    results = {}
    for seed in range(2):
        place = base / f"undisturbed_{seed}"
        begun = time.perf_counter()
        finish(commands(data, seed)[command], place)
        seconds = time.perf_counter() - begun
        results[seed] = files_of(place)
    for number in range(kills):
        out, over_old = base / f"stopped_{number}", number % 2 == 1 and command != "study"
        if over_old:
            shutil.copytree(base / "undisturbed_1", out)
            for name in GOES_ON:  # of another seed, which a training refuses
                (out / name).unlink(missing_ok=True)
        sent = SIGNALS[number % len(SIGNALS)]
        process = start(commands(data, 0)[command], out)
        after = draw.uniform(0, 1.05 * seconds)
        try:
            process.communicate(timeout=after)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, sent)
            process.communicate()
        old = without(results[1]) if over_old else {}
        wrong = judge(files_of(out), old, results[0], command)
        finish(commands(data, 0)[command], out)
        again = files_of(out)
        same = {name: again.get(name) == content for name, content in results[0].items()}
        yield {
            "command": command,
            "signal": sent.name,
            "after_seconds": round(after, 2),
            "over_an_older_result": over_old,
            "left": wrong or "old or new",
            "again": "the same bytes" if all(same.values()) else f"other bytes: {[n for n in same if not same[n]]}",
        }
        shutil.rmtree(out)


@contextmanager
def full_disk(folder, kilobytes):
    """A file system of that size; None where none can be mounted."""
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", folder], capture_output=True)
    try:
        yield None if mounted.returncode else folder
    finally:
        if not mounted.returncode:
            subprocess.run(["umount", "-l", folder], check=False)


def fill(command, data, base):
    """One command on disks that are full at once, and after a while, over an older result."""
    old_run = base / "undisturbed_1"
    size = sum(path.stat().st_size for path in old_run.rglob("*") if path.is_file()) // 1024 + 64
    for room in (0, 24):
        with full_disk(base / f"full_{room}", 4 * size + 400) as disk:
            if disk is None:
                return
            out = disk / "out"
            shutil.copytree(old_run, out)
            for name in GOES_ON:
                (out / name).unlink(missing_ok=True)
            before = files_of(out)
            with (disk / "filler").open("wb", buffering=0) as file, suppress(OSError):
                while file.write(bytes(1024)) == 1024:
                    pass
            os.truncate(disk / "filler", max(0, (disk / "filler").stat().st_size - room * 1024))
            process = start(commands(data, 0)[command], out)
            _, said = process.communicate(timeout=600)
            whole = without(before), without(files_of(base / "undisturbed_0")) if process.returncode == 0 else None
            errors = [line for line in said.splitlines() if line.startswith("Error: ")]
            yield {
                "command": command,
                "signal": f"full disk, {room} kB left",
                "over_an_older_result": True,
                "left": "old or new" if without(files_of(out)) in whole else "changed",
                "again": "-",
                "exit_status": process.returncode,
                "said": [line.replace(str(disk), "DISK") for line in errors],
            }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=None)
    options = parser.parse_args()
    draw = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        prepare(data)
        for command in options.only or commands(data, 0):
            base = Path(folder) / command.replace(" ", "_")
            base.mkdir()
            for line in stop_again_and_again(command, data, options.kills, draw, base):
                print(json.dumps(line), flush=True)
            if command != "study":
                for line in fill(command, data, base):
                    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
