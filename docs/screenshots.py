"""Pictures of reports for these pages: light, dark and on a phone; of 3, 24 and 300 filters, and of the demo.

    python docs/screenshots.py docs/images    # about five minutes

It needs Chromium (apt-get install chromium) and its client (pip install ".[browser]"). The models are trained here, on
simulated sites of four motifs, so that the pictures show what the code of today writes.
"""

import argparse
import shutil
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

import rcinterp
from rcinterp.data.simulation import simulate_background, simulate_motifs
from rcinterp.demo import run_demo

MOTIFS = ("CTCF_known1", "SPI1_known3", "GATA_known1", "MYC_known1")
N_PER_MOTIF, LENGTH, WIDTH = 600, 200, 21
#: Filters, kind and recipe: random filters where there are hundreds, as started from words most of them would be idle.
MODELS = {3: (True, "seeded"), 24: (True, "seeded"), 300: (False, "quiet")}
VIEWS: dict[str, dict[str, Any]] = {
    "light": {"viewport": {"width": 1180, "height": 900}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1180, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light"},
}


def main() -> None:
    """Write report.png, of the demo, and report-<filters>-<view>.png."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        pages = {f"report-{n}": write_page(n, place / f"{n}.html") for n in MODELS}
        pages["report"] = run_demo(place / "demo")
        take_pictures(pages, out)


def write_page(n_filters: int, path: Path) -> Path:
    """Write the report of a model of so many filters, which tells sites of four motifs from background."""
    known = rcinterp.load_motifs("encode")
    n = N_PER_MOTIF * len(MOTIFS)
    positives = simulate_motifs({name: known[name] for name in MOTIFS}, N_PER_MOTIF, LENGTH, seed=0).x
    negatives = simulate_background(n, LENGTH, seed=0)
    n_train = round(0.7 * n)
    train = rcinterp.load_dataset(positives[:n_train], negatives[:n_train])
    valid = rcinterp.load_dataset(positives[n_train:], negatives[n_train:])
    rc, recipe = MODELS[n_filters]
    model = rcinterp.compact_model(1, n_filters, LENGTH, rc=rc, widths=(WIDTH,), pool=20, stride=20)
    rcinterp.fit(model, train, valid, seed=0, recipe=recipe)
    found = rcinterp.interpret(model, valid.positives(), valid.negatives())
    found.to_html(path, f"Four motifs, {n_filters} filters")
    return path


def take_pictures(pages: dict[str, Path], out: Path) -> None:
    """Write the top of each page in each view, the first row open in the dark; of the demo in the light alone."""
    from playwright.sync_api import sync_playwright

    names = ("chromium", "chromium-browser", "google-chrome")
    program = next(filter(None, map(shutil.which, names)), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for name, path in pages.items():
            for view, options in VIEWS.items() if name != "report" else [("light", VIEWS["light"])]:
                context = browser.new_context(**options)
                page = context.new_page()
                page.goto(path.as_uri())
                if view == "dark":
                    row = page.locator("tbody.f").first
                    row.locator("button").first.click()
                    row.scroll_into_view_if_needed()
                    row.evaluate("row => window.scrollTo(0, row.getBoundingClientRect().top + scrollY - 60)")
                picture = out / (f"{name}-{view}.png" if name != "report" else "report.png")
                page.screenshot(path=picture)
                context.close()
                Image.open(picture).convert("RGB").quantize(256).save(picture, optimize=True)
        browser.close()


if __name__ == "__main__":
    main()
