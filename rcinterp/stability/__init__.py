"""Patterns that return in models of other seeds or architectures, and those that do not."""

from rcinterp.stability.comparing import compare_models
from rcinterp.stability.result import ModelComparison

__all__ = ["ModelComparison", "compare_models"]
