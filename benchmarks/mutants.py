"""Would the tests see it if the code were wrong? The score of `make mutants`, by area; JSON, a line an area.

    make mutants [SAMPLE=100] [SEED=0]    # mutmut makes and runs the mutants: all take a day on two cores
    python benchmarks/mutants.py [--survivors] [--least 0.85] [--sample 100 --seed 0 [--names]]

mutmut changes one thing at a time (an operator, a number, an argument, a string) and runs the tests that reach it. A
mutant is killed if a test fails, or takes far too long. pyproject.toml names what is changed, the tests, and those left
out, which are too slow to be run thousands of times, or look at their own frames and files. mutmut keeps the results in
the folder mutants, and goes on where it was stopped. With --sample, so many of each area count, drawn at random;
--names prints them, for mutmut. The exit status is 1 if an area has a lower score than --least.
"""

import argparse
import json
import random
import sys
from collections import Counter
from pathlib import Path

from mutmut.stats import status_by_exit_code

#: What a file belongs to, by the beginning of its path.
AREAS = {
    "rclayers/": "rclayers",
    "rcinterp/comparison/": "comparison",
    "rcinterp/reading/statistics": "statistics",
    "rcinterp/reading/sites": "sites",
    "rcinterp/reading/contributing_sites": "sites",
}
KILLED = ("killed", "timeout", "caught by type check", "segfault")


def results(folder):
    """The status of each mutant, by its area and name."""
    found = {}
    for path in sorted(folder.rglob("*.py.meta")):
        name = path.relative_to(folder).as_posix()
        area = next((area for begins, area in AREAS.items() if name.startswith(begins)), None)
        for mutant, code in json.loads(path.read_text())["exit_code_by_key"].items():
            found[area, mutant] = status_by_exit_code[code]
    return found


def draw(found, size, seed):
    """So many mutants of each area, at random: the same for the same code and seed."""
    by_area = {area: sorted(mutant for own, mutant in found if own == area) for area, _ in found}
    return {
        (area, mutant): found[area, mutant]
        for area, mutants in sorted(by_area.items())
        for mutant in random.Random(seed).sample(mutants, min(size, len(mutants)))
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("mutants"))
    parser.add_argument("--least", type=float, default=0.85)
    parser.add_argument("--survivors", action="store_true", help="Name those that no test kills.")
    parser.add_argument("--sample", type=int, help="Only so many of each area, at random.")
    parser.add_argument("--seed", type=int, default=0, help="Of the sample.")
    parser.add_argument("--names", action="store_true", help="Print the names alone.")
    arguments = parser.parse_args()
    found = results(arguments.folder)
    if arguments.sample:
        found = draw(found, arguments.sample, arguments.seed)
    if arguments.names:
        print(*(mutant for _, mutant in found), sep="\n")
        return
    counts = {area: Counter(status for (own, _), status in found.items() if own == area) for area, _ in found}
    scores = {}
    for area, count in sorted(counts.items()):
        scores[area] = sum(count[status] for status in KILLED) / count.total()
        print(json.dumps({"area": area, "mutants": count.total(), "score": round(scores[area], 3), **count}))
    if arguments.survivors:
        for (_, mutant), status in sorted(found.items()):
            if status not in KILLED:
                print(f"{status}: {mutant}")
    if not scores or min(scores.values()) < arguments.least:
        sys.exit(1)


if __name__ == "__main__":
    main()
