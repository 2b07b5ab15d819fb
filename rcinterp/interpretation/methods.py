"""What was done, in sentences that can be pasted into a paper, with the settings that were used."""

from collections.abc import Iterable

import pandas as pd

from rcinterp.interpretation.findings import Findings
from rcinterp.interpretation.verdicts import MATCH_Q_VALUE, MIN_SITES, SHUFFLED_P_VALUE, SITES_P_VALUE
from rcinterp.palindromes.finding import PALINDROMIC_FILTER
from rcinterp.reading.contributing_sites import TOP_QUANTILE
from rcinterp.reading.statistics import N_RESAMPLES, PERMUTATIONS_A_COLUMN

_REFERENCES = {
    "rcinterp": (
        "Shrikumar A, Greenside P, Kundaje A (2017). Reverse-complement parameter sharing improves deep "
        "learning models for genomics. bioRxiv 103663."
    ),
    "integrated_gradients": ("Sundararajan M, Taly A, Yan Q (2017). Axiomatic attribution for deep networks. ICML 34."),
    "deeplift": (
        "Shrikumar A, Greenside P, Kundaje A (2017). Learning important features through propagating "
        "activation differences. ICML 34."
    ),
    "tomtom": (
        "Gupta S, Stamatoyannopoulos JA, Bailey TL, Noble WS (2007). Quantifying similarity between motifs. "
        "Genome Biology 8:R24."
    ),
    "encode": (
        "Kheradpour P, Kellis M (2014). Systematic discovery and characterization of regulatory motifs in "
        "ENCODE TF binding experiments. Nucleic Acids Research 42:2976-2987."
    ),
    "q": (
        "Benjamini Y, Hochberg Y (1995). Controlling the false discovery rate. Journal of the Royal "
        "Statistical Society B 57:289-300."
    ),
    "bootstrap": ("Efron B, Tibshirani R (1993). An Introduction to the Bootstrap. Chapman & Hall."),
    "welch": (
        "Welch BL (1947). The generalization of 'Student's' problem when several different population "
        "variances are involved. Biometrika 34:28-35."
    ),
    "torch": (
        "Paszke A et al. (2019). PyTorch: an imperative style, high-performance deep learning library. NeurIPS 32."
    ),
}


def list_references(found: Iterable[Findings]) -> list[str]:
    """What the paragraphs on these results cite."""
    used = {"rcinterp", "tomtom", "q", "bootstrap", "welch", "torch"}
    for one in found:
        used.add(str(one.contributions.iloc[0]["method"]))
        if one.origin is None or one.origin.motifs == "encode":
            used.add("encode")
    return [text for name, text in _REFERENCES.items() if name in used]


_METHODS = {
    "gradient_x_activation": "the gradient of the output with respect to the filter's activation times that activation",
    "ablation": "what the output loses when the filter's activation is set to its baseline",
    "integrated_gradients": "integrated gradients of the filter's activation",
    "deeplift": "DeepLIFT (rescale rule) of the filter's activation",
}


def describe_methods(found: Findings) -> list[str]:
    """Paragraphs on contributions, on motifs and on symmetry."""
    settings, row = found.settings, found.contributions.iloc[0]
    version = "" if found.origin is None else f" {found.origin.versions.get('rcinterp', '')}"
    torch = "" if found.origin is None else f", PyTorch {found.origin.versions.get('torch', '')}"
    output = "" if row["output"] == "as returned" else f", taken {row['output']}"
    versus = "" if row["method"] == "gradient_x_activation" else f" (baseline: {row['baseline']})"
    n_filters = len(found.table)
    permutations = max(N_RESAMPLES, PERMUTATIONS_A_COLUMN * n_filters)
    where = "after the layer's nonlinearity" if row["cut_at"] == "activation" else "at the convolution's output"
    contributions = (
        f"The {n_filters} filters of layer {found.layer} were read with rcinterp{version}{torch} (Shrikumar et al. "
        f"2017). The contribution of a filter to a sequence is {_METHODS[row['method']]}{versus}, {where}, summed over "
        f"positions{output}. A filter's contribution is its mean over the positive sequences minus its mean over the "
        f"negative ones, with a 95 % bootstrap-t interval ({N_RESAMPLES:,} resamples of either class; Efron & "
        "Tibshirani 1993), no narrower than Welch's (1947) and widened by 1 + 4/n, where n is the number of sequences "
        f"of the smaller class, and a two-sided p-value from {permutations:,} permutations of the class labels, "
        f"corrected over the filters (Benjamini & Hochberg 1995). Seed: {settings.seed}."
    )
    return [contributions, _describe_motifs(found), _describe_symmetry(found), *_describe_checks(found)]


def _describe_motifs(found: Findings) -> str:
    settings = found.settings
    motifs = "the known motifs" if found.origin is None else f"the known motifs ({found.origin.motifs})"
    if found.origin is not None and found.origin.motifs == "encode":
        motifs = "the ENCODE motifs (Kheradpour & Kellis 2014)"
    if settings.motifs_from == "sites":
        flank = f", with {settings.flank} bp on either side" if settings.flank else ""
        made = f"the letters of its sites{flank}"
    else:
        made = "its weights" if settings.motifs_from == "weights" else "its weights, scaled to its sites' likelihood"
    return (
        f"A filter's site in a sequence is where it contributes most, if that is at least {settings.threshold:g} of "
        f"its top contribution (the {100 * TOP_QUANTILE:g} % quantile over the sequences). A filter's motif was made "
        f"of {made}, in the class for which it speaks, and compared with {motifs} by Tomtom's method (Gupta et al. "
        f"2007; {settings.distance} distance, complete scores). Motifs of fewer than {MIN_SITES} sites, or whose sites "
        f"are not enriched in one class (Fisher's exact test, p > {SITES_P_VALUE:g}), were not compared. A filter was "
        f"named after its best match up to q = {MATCH_Q_VALUE:g} if at most {100 * SHUFFLED_P_VALUE:g} % of the copies "
        "of its motif with shuffled columns were as similar to any known motif."
    )


def _describe_symmetry(found: Findings) -> str:
    what = "mean-centred weights" if found.unit == "weight" else "motif"
    return (
        f"A filter was called palindromic if the cosine of its {what} with their own reverse complement, at the best "
        f"shift, reached {PALINDROMIC_FILTER:g}. A palindromic filter was called an artefact if a mixture of both "
        "strands of one known motif explains it, and no single motif does."
    )


def _describe_checks(found: Findings) -> list[str]:
    said = []
    own = found.performance
    said.append(
        f"On these sequences the model reaches an area under the ROC curve of {own['auroc']:.4f} and an average "
        f"precision of {own['auprc']:.4f}"
        + (
            "."
            if found.baseline is None
            else f"; a logistic regression on counts of 6-mers reaches {found.baseline['auroc']:.4f} and "
            f"{found.baseline['auprc']:.4f}."
        )
    )
    if found.faithfulness is not None and not pd.isna(found.faithfulness.pearson):
        said.append(f"Agreement of the contributions with exact ablation: {found.faithfulness}.")
    return [" ".join(said)]
