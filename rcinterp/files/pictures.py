"""Pictures of matplotlib that are written whole or not at all; only those who draw import it."""

import os
from pathlib import Path
from typing import Any

from matplotlib import rcParams
from matplotlib.figure import Figure

from rcinterp.files.writing import whole_file


class WholeFigure(Figure):
    """A figure whose files are written whole: an older picture stays as it was until the new one is on the disk."""

    def savefig(self, fname: Any, **options: Any) -> None:
        """Save as any figure is saved.

        Raises
        ------
        OSError
            Of the file that cannot be written.
        InputError
            If a text in it cannot be written in UTF-8.
        """
        if not isinstance(fname, str | os.PathLike):
            super().savefig(fname, **options)
            return
        path = Path(fname)
        kind = options.pop("format", None) or path.suffix[1:]
        if not kind:  # matplotlib's rule
            kind = rcParams["savefig.format"]
            path = path.with_name(f"{path.name.rstrip('.')}.{kind}")
        with whole_file(path) as part:
            super().savefig(part, format=kind, **options)
