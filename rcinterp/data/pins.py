"""What hg19's chromosomes are, whichever server they come from: digests of their letters, kept in this package.

A server's own list tells whether a file arrived as it was sent. It does not tell whether it is hg19.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from rcinterp.files.reading import CHUNK

#: GA4GH refget identifiers of GRCh37's chromosomes, without "SQ.": SHA-512 of the letters in upper case, the first 24
#: bytes in base64url. gnomAD's and GATK's published tables agree on every one (2026-11-29).
SHA512 = {
    "chr1": "S_KjnFVz-FE7M0W6yoaUDgYxLPc1jyWU",
    "chr2": "9KdcA9ZpY1Cpvxvg8bMSLYDUpsX6GDLO",
    "chr4": "iy7Zfceb5_VGtTQzJ-v5JpPbpeifHD_V",
    "chr5": "vbjOdMfHJvTjK_nqvFvpaSKhZillW0SX",
    "chr6": "KqaUhJMW3CDjhoVtBetdEKT1n6hM-7Ek",
    "chr7": "IW78mgV5Cqf6M24hy52hPjyyo5tCCd86",
    "chr8": "tTm7wmhz0G4lpt8wPspcNkAD_qiminj6",
    "chr9": "HBckYGQ4wYG9APHLpjoQ9UUe9v7NxExt",
    "chr10": "-BOZ8Esn8J88qDwNiSEwUr5425UXdiGX",
    "chr11": "XXi2_O1ly-CCOi3HP5TypAw7LtC6niFG",
    "chr12": "105bBysLoDFQHhajooTAUyUkNiZ8LJEH",
    "chr13": "Ewb9qlgTqN6e_XQiRVYpoUfZJHXeiUfH",
    "chr14": "5Ji6FGEKfejK1U6BMScqrdKJK8GqmIGf",
    "chr15": "zIMZb3Ft7RdWa5XYq0PxIlezLY2ccCgt",
    "chr16": "W6wLoIFOn4G7cjopxPxYNk2lcEqhLQFb",
    "chr17": "AjWXsI7AkTK35XW9pgd3UbjpC3MAevlz",
    "chr18": "BTj4BDaaHYoPhD3oY2GdwC_l0uqZ92UD",
    "chr19": "ItRDD47aMoioDCNW_occY5fWKZBKlxCX",
    "chr20": "iy_UbUrvECxFRX5LPTH_KPojdlT7BKsf",
    "chr21": "LpTaNW-hwuY_yARP0rtarCnpCQLkgVCg",
    "chr22": "XOgHwwR3Upfp5sZYk6ZKzvV25a4RBVu8",
    "chrX": "v7noePfnNpK8ghYXEqZ9NukMXW7YeNsm",
}

#: UCSC writes N for the three letters of chromosome 3 that are no base in GRCh37, so that its identifier is another;
#: the MD5 of the letters, as SAM headers of hg19 give it (M5).
MD5 = {"chr3": "641e4338fa8d52a5b781bd2a2c08d3c3"}


def letters_digest(path: Path, algorithm: str) -> str:
    """Digest of the letters of a FASTA file's first record, in upper case.

    Parameters
    ----------
    path : path
        Plain FASTA.
    algorithm : str
        "sha512" for the refget identifier, or "md5" in hexadecimal digits.

    Notes
    -----
    GA4GH refget 2.0, "Sequence digests"; for md5, the SAM format's M5.
    """
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as file:
        file.readline()
        while chunk := file.read(CHUNK):
            letters, begins_another, _ = chunk.partition(b">")
            digest.update(letters.translate(None, b"\r\n \t").upper())
            if begins_another:
                break
    if algorithm == "md5":
        return digest.hexdigest()
    return base64.urlsafe_b64encode(digest.digest()[:24]).decode()


def is_hg19(chrom: str, path: Path) -> bool | None:
    """Whether a chromosome's FASTA has the letters of hg19; None for one of which no digest is known."""
    for pins, algorithm in ((SHA512, "sha512"), (MD5, "md5")):
        if chrom in pins:
            return letters_digest(path, algorithm) == pins[chrom]
    return None
