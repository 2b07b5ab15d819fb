"""Read one layer of one model: what its filters contribute, where they match, what activates them.

`Reader` binds a model, a layer, an output and a device once. The functions of `rcinterp.reading.functions` ask it in
one call.
"""

from rcinterp.reading.layer import FilterLayer, find_layer
from rcinterp.reading.model import BATCH_SIZE
from rcinterp.reading.reader import Reader, Reading

__all__ = ["BATCH_SIZE", "FilterLayer", "Reader", "Reading", "find_layer"]
