"""Every filter of a layer: what it contributes, looks like and is known as; `interpret` and what it returns."""

from rcinterp.interpretation.interpreting import interpret
from rcinterp.interpretation.report import write_report
from rcinterp.interpretation.result import Interpretation

__all__ = ["Interpretation", "interpret", "write_report"]
