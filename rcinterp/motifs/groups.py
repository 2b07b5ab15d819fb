"""Groups of motifs that say the same: redundant entries of a catalogue, and families by name."""

import re
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from rcinterp.errors import InputError
from rcinterp.motifs import Motif, MotifSource, load_motifs, load_motifs_with_sites
from rcinterp.motifs.centring import is_dead
from rcinterp.motifs.similarity import similarity_matrix

#: Motifs are put in one group down to this mean similarity; see `group_motifs`.
MIN_SIMILARITY = 0.8

_ENCODE = re.compile(r"_(known|disc)?\d+$")
_HOCOMOCO = re.compile(r"(_(HUMAN|MOUSE))?\.H\d+(MO|CORE|INVIVO|INVITRO|RSNP)\.\d.*$")
_JASPAR = re.compile(r"[A-Z]{2}\d{4}(\.\d+)?$")
#: ENCODE's names for a motif that was discovered in an experiment, and for a motif that was known of some factor, which
#: the first word of its description names.
_DISCOVERED, _KNOWN = re.compile(r"_disc\d+$"), re.compile(r"_known\d+$")


def group_motifs(motifs: MotifSource = "encode", *, min_similarity: float = MIN_SIMILARITY) -> dict[str, str]:
    r"""Put motifs that say the same in one group.

    Parameters
    ----------
    motifs : "encode", path, or mapping of str to array-like (4, W), default "encode"
        Whatever `rcinterp.motifs.load_motifs` takes.
    min_similarity : float, default 0.8
        Mean similarity of two groups down to which they become one, in (0, 1].

    Returns
    -------
    dict of str to str
        Name of each motif to that of its group's central motif, the one most similar to the others on average (of
        equals the first); in the order given.

    Raises
    ------
    InputError
        If the motifs cannot be loaded, or `min_similarity` is out of range.

    See Also
    --------
    name_families : Groups by name instead.
    best_groups : The best match of each group.

    Notes
    -----
    Similarity is that of `compare_matrices`, with a uniform motif like no other. Groups are joined from single motifs
    on, those first whose members' mean similarity is largest (average linkage, UPGMA). With 0.8 the 2,067 ENCODE motifs
    make 560 groups.

    Examples
    --------
    >>> from rcinterp.motifs import load_motifs, reverse_complement_motif
    >>> known = load_motifs("encode")
    >>> some = {name: known[name] for name in ("CTCF_known1", "CTCF_known2", "SRF_known1")}
    >>> group_motifs(some | {"other strand": reverse_complement_motif(some["CTCF_known1"])})["other strand"]
    'CTCF_known1'
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    if not 0 < min_similarity <= 1:
        raise InputError(f"group_motifs: got min_similarity {min_similarity:g}, expected it in (0, 1], e.g. 0.8.")
    known = load_motifs(motifs)
    centre = {name: name for name, ppm in known.items() if is_dead(ppm)}  # uniform: like no other
    names = [name for name in known if name not in centre]
    if len(names) < 2:
        return {name: name for name in known}
    similarity = similarity_matrix([known[name] for name in names])
    tree = linkage(squareform(1 - similarity, checks=False), method="average")
    labels = fcluster(tree, 1 - min_similarity + 1e-9, criterion="distance")
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        means = similarity[np.ix_(members, members)].mean(axis=0).round(6)  # rounding must not break ties
        centre |= dict.fromkeys((names[member] for member in members), names[members[int(np.argmax(means))]])
    return {name: centre[name] for name in known}


def name_families(motifs: MotifSource | Iterable[str] = "encode") -> dict[str, str]:
    """Tell the family of each motif from its name.

    Parameters
    ----------
    motifs : "encode", path, mapping of str to motif, or iterable of str, default "encode"
        Whatever `rcinterp.motifs.load_motifs` takes, or names alone.

    Returns
    -------
    dict of str to str
        Name to family, in the order given: ``CTCF`` for ENCODE's ``CTCF_known1`` and ``CTCF_disc10`` and for HOCOMOCO's
        ``CTCF_HUMAN.H11MO.0.A`` and ``CTCF.H12CORE.0.P.B``; for JASPAR's ``MA0139.1`` its other name, ``CTCF``, or
        without one ``MA0139``; other names are their own family.

    Raises
    ------
    InputError
        As `rcinterp.motifs.load_motifs`.

    Examples
    --------
    >>> name_families(["CTCF_known1", "AHR.H12CORE.0.P.B", "MA0139.1", "filter_x"])
    {'CTCF_known1': 'CTCF', 'AHR.H12CORE.0.P.B': 'AHR', 'MA0139.1': 'MA0139', 'filter_x': 'filter_x'}
    """
    if isinstance(motifs, Mapping):
        others = {name: m.other_name if isinstance(m, Motif) else "" for name, m in motifs.items()}
    elif isinstance(motifs, Iterable) and not isinstance(motifs, str):
        others = dict.fromkeys(motifs, "")
    else:
        others = {name: motif.other_name for name, motif in load_motifs_with_sites(motifs).items()}
    return {name: _family(name, other) for name, other in others.items()}


def name_factors(motifs: Mapping[str, Motif]) -> dict[str, str | None]:
    """Tell which factor binds each motif, by what its source says of it.

    Parameters
    ----------
    motifs : mapping of str to Motif
        As `rcinterp.motifs.load_motifs_with_sites` returns them.

    Returns
    -------
    dict of str to str or None
        Name to factor, in the order given. ENCODE's ``MYC_known22`` is ``USF1`` by its own description, and
        ``CTCF_known1`` is ``CTCF``; ``EGR1_disc4`` was discovered in peaks of EGR1, which does not say who binds it:
        None. JASPAR's ``MA0526.5`` is ``USF2`` by its other name. Other names are as `name_families` has them.

    Examples
    --------
    >>> from rcinterp.motifs import load_motifs_with_sites
    >>> factors = name_factors(load_motifs_with_sites("encode"))
    >>> [factors[name] for name in ("CTCF_known1", "MYC_known22", "TEAD4_1", "EGR1_disc4")]
    ['CTCF', 'USF1', 'TEAD4', None]
    """
    families = name_families(motifs)
    return {name: _factor(name, motif, families[name]) for name, motif in motifs.items()}


def name_in_full(name: str, factor: object, known: object) -> str:
    """A motif by its name and, where that does not say it, by its factor.

    Parameters
    ----------
    name : str
    factor : str, or None or NaN if it is not known
        As `name_factors` has it, of `known`.
    known : str
        The motif itself, or another one that says whose it is.

    Examples
    --------
    >>> name_in_full("MYC_known22", "USF1", "MYC_known22"), name_in_full("EGR1_disc4", "ZNF143", "ZNF143_known2")
    ('MYC_known22 (USF1)', 'EGR1_disc4 (ZNF143, as ZNF143_known2)')
    """
    if not isinstance(factor, str) or name.startswith(factor):
        return name
    return f"{name} ({factor})" if known == name else f"{name} ({factor}, as {known})"


def _factor(name: str, motif: Motif, family: str) -> str | None:
    if is_discovered(name):
        return None
    described = motif.other_name.split() if _KNOWN.search(name) else []
    return re.sub(r"_\d+$", "", described[0]) if described else family


def is_discovered(name: str) -> bool:
    """Whether an ENCODE motif's name says in which experiment it was discovered, and not which factor binds it."""
    return bool(_DISCOVERED.search(name))


def best_groups(table: pd.DataFrame, groups: Mapping[str, str]) -> pd.DataFrame:
    """Return the best match of each query in each group of targets.

    Parameters
    ----------
    table : pandas.DataFrame
        What `rcinterp.compare_motifs` returned.
    groups : mapping of str to str
        Target to group, as `group_motifs` and `name_families` return it.

    Returns
    -------
    pandas.DataFrame
        The first row of each query and group, in the same order, with the table's columns and two more:
        ``Target_group``, and ``Group_matches``, the number of rows that it stands for.

    Raises
    ------
    InputError
        If a target has no group; it names the first.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"Query_ID": ["q"] * 3, "Target_ID": ["CTCF_1", "RAD21_2", "CTCF_3"]})
    >>> best = best_groups(table, name_families(table["Target_ID"]))
    >>> best[["Target_ID", "Target_group", "Group_matches"]].values.tolist()
    [['CTCF_1', 'CTCF', 2], ['RAD21_2', 'RAD21', 1]]
    """
    without = [target for target in table["Target_ID"] if target not in groups]
    if without:
        raise InputError(
            f"best_groups: target {without[0]} has no group, expected one for every target. Group the same motifs: "
            "group_motifs(targets), or name_families(targets)."
        )
    grouped = table.assign(Target_group=table["Target_ID"].map(dict(groups)).astype(str))
    keys = ["Query_ID", "Target_group"]
    grouped["Group_matches"] = grouped.groupby(keys, sort=False)["Target_ID"].transform("size").astype(np.int64)
    return grouped.groupby(keys, sort=False).head(1).reset_index(drop=True)


def _family(name: str, other_name: str) -> str:
    if _JASPAR.match(name):
        return other_name or name.partition(".")[0]
    return _HOCOMOCO.sub("", _ENCODE.sub("", name)) or name
