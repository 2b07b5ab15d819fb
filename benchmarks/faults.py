"""Does anything that stops a command lose or change a result? Kills, full disks; JSON, a line a fault.

    python benchmarks/faults.py [--kills 13] [--seed 0] [--only train ...]    # 30 minutes

Each command runs once undisturbed. Then it is stopped again and again at a moment drawn from the time that it took, by
SIGKILL, SIGTERM and SIGINT in turn, in an empty folder and in one with an older result of another seed. After each stop
the visible files must be those of the old result or of the new one, or a part of a training that can go on; then the
command runs again, and the folder must have the bytes of the undisturbed run, and nothing beside them. "lost" and
"changed" count what does not hold.

`dataset fetch` downloads from a slow server of this script; its cache is judged too: files are whole, or the beginning
of one with .part at the end of its name. Of a study with two processes, one of them is killed instead of the command,
which must say so in a line and end. The last rounds write to a file system that is full from the start (needs root: a
tmpfs is mounted).
"""

import argparse
import gzip
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
#: Files that a stopped training leaves on purpose.
GOES_ON = ("checkpoint.safetensors", "checkpoint.words-alone.safetensors")
FETCH, LOST = "dataset fetch", "study, a worker lost"
STUDIES = ("study", LOST)  # whose runs are kept one by one
#: Bytes that the server sends at a time, and seconds before each of them.
CHUNK, PAUSE = 2048, 0.03
#: Of each process: one thread, and no other server than the one named.
ALONE = {"OMP_NUM_THREADS": "1", "NO_PROXY": "*"}


@dataclass(frozen=True)
class Given:
    """What the commands work on: a folder of inputs, and the address of a server of chromosomes and peaks."""

    data: Path
    url: str

    @property
    def cache(self):
        return self.data / "cache"


def commands(given, seed):
    """Each command, without its --out, in a form that gives another result for another seed."""
    data = given.data
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
    width = ["--width", 40 + 20 * seed]
    study = ["study", "fig3", "--small", "--seeds", 1 + seed, "--epochs", 1]
    return {
        "simulate": ["simulate", "--n", 200, "--length", 150, "--seed", seed],
        "train": ["train", *train, *held_out, *sizes, "--seed", seed],
        "interpret": ["interpret", models[seed], *valid],
        "compare-models": ["compare-models", *models, *valid, "--motifs-from", "sites" if seed else "weights"],
        "strands": ["strands", models[seed], "--sequences", data / "valid.pos.fa.gz"],
        "dataset build": ["dataset", "build", *peaks, "--genome", data / "hg.fa", *width, "--split", "chr1/chr2"],
        FETCH: ["dataset", "fetch", "gm12878-ctcf", *width, "--mirror", given.url, "--cache", given.cache],
        "study": study,
        LOST: [*study, "--jobs", 2],
    }


# A server of what `dataset fetch` downloads.


class Mirror(BaseHTTPRequestHandler):
    """Sends files slowly, from the byte that is asked for."""

    def do_GET(self):
        data = self.server.files.get(self.path.lstrip("/"))
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        first = int(wanted[1]) if wanted else 0
        is_past = data is not None and wanted is not None and first >= len(data)
        self.send_response(404 if data is None else 416 if is_past else 206 if wanted else 200)
        body = b"" if data is None or is_past else data[first:]
        self.send_header("Content-Length", str(len(body)))
        if wanted and data is not None:
            sent = "*" if is_past else f"{first}-{len(data) - 1}"
            self.send_header("Content-Range", f"bytes {sent}/{len(data)}")
        self.end_headers()
        with suppress(ConnectionError):  # the command was stopped
            for start in range(0, len(body), CHUNK):
                time.sleep(PAUSE)
                self.wfile.write(body[start : start + CHUNK])

    def log_message(self, *_):
        pass


def served(draw):
    """Files of the server: two chromosomes of random bases, with peaks and open chromatin, and the MD5 of each."""
    peaks = "encodeDCC/wgEncodeAwgTfbsUniform/wgEncodeAwgTfbsBroadGm12878CtcfUniPk.narrowPeak.gz"
    opened = "encodeDCC/wgEncodeAwgDnaseUniform/wgEncodeAwgDnaseUwdukeGm12878UniPk.narrowPeak.gz"
    chromosomes, files = ("chr21", "chr22"), {}
    for chrom in chromosomes:
        bases = "".join(draw.choices("ACGT", k=120_000))
        files[f"chromosomes/{chrom}.fa.gz"] = gzip.compress(f">{chrom}\n{bases}\n".encode(), mtime=0)
    for name, first in ((peaks, 500), (opened, 1500)):
        rows = [
            f"{c}\t{x - 40}\t{x + 60}\t.\t0\t.\t1\t-1\t-1\t40\n"
            for c in chromosomes
            for x in range(first, 119_000, 2000)
        ]
        files[name] = gzip.compress("".join(rows).encode(), mtime=0)
    for folder in {name.rpartition("/")[0] for name in files}:
        own = [name for name in files if name.startswith(f"{folder}/")]
        lines = [f"{hashlib.md5(files[name]).hexdigest()}  ./{name.rpartition('/')[2]}\n" for name in own]
        files[f"{folder}/md5sum.txt"] = "".join(lines).encode()
    return files


@contextmanager
def serving(files):
    """The address of a server of these files."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Mirror) as server:
        server.files = files
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


# Commands that are stopped.


def start(arguments, out):
    """The command as a process, on one thread."""
    words = [sys.executable, "-m", "rcinterp.cli", *map(str, arguments), "--out", str(out)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(words, env={**os.environ, **ALONE}, start_new_session=True, **quiet)


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


def hidden_in(folder):
    """Names of what a person does not see, but for the locks of caches, which stay."""
    return [path.name for path in sorted(folder.rglob(".*")) if path.name != ".lock"]


def prepare(given):
    """Sequences, two models, and a small genome with peaks."""
    data = given.data
    finish(["simulate", "--n", 200, "--length", 150], data)
    for seed in range(2):
        finish([*commands(given, seed)["train"]], data / f"model_{seed}")
    (data / "hg.fa").write_text("".join(f">{name}\n{'ACGGT' * 2000}\n" for name in ("chr1", "chr2")))
    for name, first in (("peaks", 200), ("open", 500)):
        rows = [f"{c}\t{x}\t{x + 50}\n" for c in ("chr1", "chr2") for x in range(first, 9000, 700)]
        (data / f"{name}.bed").write_text("".join(rows))


def judge(seen, old, new, command):
    """What is wrong with what a stop left: "lost" or "changed"; empty if nothing is."""
    if command in STUDIES:
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


def judge_cache(seen, whole):
    """What is wrong with a cache that a stop left: "changed"; empty if its files are whole, or the beginning of one."""
    for name, content in seen.items():
        stem = name.removesuffix(".part").removesuffix(".arrived")
        if stem not in whole or not (whole[stem] == content if stem == name else whole[stem].startswith(content)):
            return f"changed: {name} in the cache"
    return ""


def workers_of(process):
    """Processes that a study has started for its runs."""
    found = []
    with suppress(OSError):  # it has ended
        for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
            if b"popen_loky" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(int(pid))
    return found


def kill_one_worker(process, draw):
    """Kill one of the processes of a study, once there is one; nothing if it ends before."""
    while process.poll() is None:
        if workers := workers_of(process):
            with suppress(ProcessLookupError):
                os.kill(draw.choice(workers), signal.SIGKILL)
            return
        time.sleep(0.02)


def stop_once(command, given, out, sent, after, draw):
    """Start a command and stop it after some seconds; gives its exit status, and what it said if it failed."""
    process = start(commands(given, 0)[command], out)
    try:
        _, said = process.communicate(timeout=after)
    except subprocess.TimeoutExpired:
        if command == LOST:
            threading.Thread(target=kill_one_worker, args=(process, draw)).start()
        else:
            os.killpg(process.pid, sent)
        _, said = process.communicate(timeout=600)
    return process.returncode, said.splitlines() if process.returncode else []


def stop_again_and_again(command, given, kills, draw, base):
    """One command: lines of what came of each stop."""
    results = {}
    for seed in range(2):
        shutil.rmtree(given.cache, ignore_errors=True)
        place = base / f"undisturbed_{seed}"
        begun = time.perf_counter()
        finish(commands(given, seed)[command], place)
        seconds = time.perf_counter() - begun
        results[seed] = files_of(place)
    cached = files_of(given.cache)
    for number in range(kills):
        out, over_old = base / f"stopped_{number}", number % 2 == 1 and command not in STUDIES
        shutil.rmtree(given.cache, ignore_errors=True)
        if over_old:
            shutil.copytree(base / "undisturbed_1", out)
            for name in GOES_ON:  # of another seed, which a training refuses
                (out / name).unlink(missing_ok=True)
        sent = SIGNALS[number % len(SIGNALS)]
        after = draw.uniform(0, 1.05 * seconds)
        status, said = stop_once(command, given, out, sent, after, draw)
        old = without(results[1]) if over_old else {}
        wrong = judge(files_of(out), old, results[0], command) or judge_cache(files_of(given.cache), cached)
        finish(commands(given, 0)[command], out)
        again = {**files_of(out), **{f"cache/{name}": data for name, data in files_of(given.cache).items()}}
        wanted = {**results[0], **{f"cache/{name}": data for name, data in cached.items()}}
        other = [name for name in sorted(again.keys() | wanted) if again.get(name) != wanted.get(name)]
        other += hidden_in(out) + hidden_in(given.cache)
        yield {
            "command": command,
            "signal": "SIGKILL of a worker" if command == LOST else sent.name,
            "after_seconds": round(after, 2),
            "over_an_older_result": over_old,
            "left": wrong or "old or new",
            "again": "the same bytes" if not other else f"other bytes: {other}",
            **({"exit_status": status, "said": said} if command == LOST else {}),
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


def fill(command, given, base):
    """One command on disks that are full at once, and after a while, over an older result; a cache is there too."""
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
            words = [disk / "cache" if word == given.cache else word for word in commands(given, 0)[command]]
            process = start(words, out)
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
    with tempfile.TemporaryDirectory() as folder, serving(served(random.Random(0))) as url:
        given = Given(Path(folder) / "data", url)
        prepare(given)
        for command in options.only or commands(given, 0):
            base = Path(folder) / command.replace(" ", "_")
            base.mkdir()
            for line in stop_again_and_again(command, given, options.kills, draw, base):
                print(json.dumps(line), flush=True)
            if command not in STUDIES:
                for line in fill(command, given, base):
                    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
