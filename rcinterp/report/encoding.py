"""Numbers of a page that its script draws: twelve bits each, two characters."""

import numpy as np
from numpy.typing import NDArray

_ALPHABET = np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", np.uint8)
_STEPS = 4095


def encode_shares(values: NDArray[np.float64]) -> str:
    """Matrix (4, W) of values in [0, 1], position by position, A, C, G, T: 8 W characters, steps of 1/4095."""
    whole = np.rint(np.clip(np.nan_to_num(values), 0, 1).T.ravel() * _STEPS).astype(np.int64)
    return _ALPHABET[np.stack([whole // 64, whole % 64], axis=1)].tobytes().decode()


def encode_signed(values: NDArray[np.float64]) -> tuple[str, float]:
    """Matrix (4, W) as the shares of [-most, most] that its values are, and that most."""
    finite = np.nan_to_num(values, posinf=0, neginf=0)
    most = float(np.abs(finite).max(initial=0))
    return encode_shares(0.5 + finite / (2 * most) if most else np.full_like(finite, 0.5)), most
