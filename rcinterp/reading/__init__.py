"""One layer of one model."""
