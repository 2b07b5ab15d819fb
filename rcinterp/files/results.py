"""Names of the files in folders of results, of which a command must know before its work which ones it may replace."""

#: Of `save_model`: what decides what a model says.
MODEL_FILES = ("model.json", "model.safetensors", "baseline.safetensors")
#: Of `rcinterp train`, beside the checkpoint, from which a stopped run goes on.
TRAINING = (*MODEL_FILES, "history.tsv")
#: Of `Interpretation.save`.
INTERPRETATION = (
    *("filters.tsv", "contributions.tsv", "palindromes.tsv", "triage.tsv", "sites.tsv", "sites.bed"),
    *("faithfulness.tsv", "matches.tsv", "filters.meme", "logos.png", "logos.svg", "report.html"),
)
#: Of `ModelComparison.save`.
PATTERNS = (
    *("patterns.tsv", "members.tsv", "left_out.tsv", "models.tsv", "pattern_contributions.tsv"),
    *("consensus.meme", "patterns.png", "patterns.svg", "report.html"),
)
#: Of `rcinterp simulate`.
SIMULATION = (*(f"{part}.{label}.fa.gz" for part in ("train", "valid") for label in ("pos", "neg")), "sites.tsv")
#: Of `rcinterp.data.building.build_dataset`.
DATASET = (
    *(f"{part}.{label}.fa.gz" for part in ("train", "valid", "test") for label in ("pos", "neg")),
    "dataset.json",
)
#: Of a study, whichever of the tables it has; beside them its figure.
STUDY = (
    *("results.tsv", "summary.tsv", "claims.tsv", "curves.tsv", "filters.tsv", "top_filters.tsv"),
    *("rankings.tsv", "naming.tsv", "names.tsv", "classes.tsv", "verdict.txt"),
)
#: Of `rcinterp strands`; patterns of names.
STRANDS = ("strands.tsv", "strand_logits.tsv", "strands_*.png", "strands_*.svg")
#: What the beginning of a file has by which it is known that it was written from Python, without a record.
SIGNS = {
    "model.json": b'{\n "format": "rcinterp model',
    "report.html": (
        b'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<meta name="generator" content="rcinterp">'
    ),
    "dataset.json": b'{\n  "rcinterp": ',
    "results.tsv": b"\tseed\tn_parameters\tn_epochs\tbest_epoch\t",
}
