"""Shape and tiling checks: the wording of every error that a layer raises."""

from torch import Tensor


class SymmetryError(ValueError):
    """A shape or size with which the reverse-complement guarantee cannot hold, and the nearest that works."""


def require_positive(layer: str, **sizes: int) -> None:
    """Refuse sizes that are not positive whole numbers."""
    for name, size in sizes.items():
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise ValueError(f"{layer}: got {name}={size!r}, expected a whole number of at least 1.")


def require_map(layer: str, x: Tensor, n_channels: int | None = None) -> None:
    """Refuse anything but a map (N, C, L), with C as given or else even."""
    wanted = "2F" if n_channels is None else n_channels
    if x.dim() != 3:
        raise ValueError(
            f"{layer}: got x of shape {tuple(x.shape)}, expected (N, {wanted}, L). "
            "A single sequence needs a batch axis: x[None]."
        )
    _require_channels(layer, x, n_channels, f"(N, {wanted}, L)")


def require_length(layer: str, x: Tensor, length: int) -> None:
    """Refuse a map of another length than a layer has weights for."""
    if x.shape[2] != length:
        raise ValueError(
            f"{layer}: got a map of {x.shape[2]} positions, expected {length}. Every position has a weight of its "
            f"own: give sequences of the length that the model was built for, or build the layer with "
            f"length={x.shape[2]}."
        )


def require_pairs(layer: str, x: Tensor) -> None:
    """Refuse anything but a map (N, 2F, L) or one value a channel, (N, 2F)."""
    if x.dim() not in (2, 3):
        raise ValueError(f"{layer}: got x of shape {tuple(x.shape)}, expected (N, 2F, L) or (N, 2F).")
    _require_channels(layer, x, None, "(N, 2F, ...)")


def require_strand_values(layer: str, x: Tensor, n_channels: int) -> None:
    """Refuse anything but one value a channel, (N, C)."""
    if x.dim() != 2:
        raise ValueError(
            f"{layer}: got x of shape {tuple(x.shape)}, expected (N, {n_channels}), one value a channel. "
            "Reduce the positions first, e.g. with RCWeightedSum1d, or x.sum(-1)."
        )
    _require_channels(layer, x, n_channels, f"(N, {n_channels})")


def _require_channels(layer: str, x: Tensor, n_channels: int | None, expected: str) -> None:
    given = x.shape[1]
    if n_channels is None:
        if given % 2:
            raise SymmetryError(
                f"{layer}: got {given} channels in x of shape {tuple(x.shape)}, expected an even number: each filter "
                "has a forward and a reverse-complement channel, as the output of RCConv1d has."
            )
        return
    if given == n_channels:
        return
    if x.dim() == 3 and x.shape[2] == n_channels:
        fix = f"If your one-hot is (N, L, {n_channels}), use x.transpose(1, 2)."
    elif given * 2 == n_channels:
        fix = "n_filters counts independent filters: a map of 2F channels needs n_filters=F."
    else:
        fix = f"Build the layer for the {given} channels of the map before it."
    raise ValueError(f"{layer}: got x of shape {tuple(x.shape)}, expected {expected}. {fix}")


def require_tiling(layer: str, length: int, window: int, stride: int, padding: int = 0) -> None:
    """Refuse a stride whose windows do not reach both ends of the map alike.

    Windows start at -padding, -padding + stride, ...; seen from the other strand they start at the other end. Both
    are the same set if (length + 2 padding - window) is a multiple of the stride.
    """
    excess = _excess(layer, length, window, stride, padding)
    if excess:
        raise SymmetryError(
            f"{layer}: windows of {window} with stride {stride} leave {excess} of {length} positions unread at one end "
            f"only{_padded(padding)}, which breaks the reverse-complement guarantee. Lengths that work: "
            f"{length - excess} or {length + stride - excess}; or use stride=1."
        )


def symmetric_trim(layer: str, length: int, window: int, stride: int) -> int:
    """Positions to leave out at *each* end so that the windows tile the rest; refuses an odd remainder."""
    excess = _excess(layer, length, window, stride, 0)
    if excess % 2:
        raise SymmetryError(
            f"{layer}: windows of {window} with stride {stride} leave {excess} of {length} positions over, an odd "
            f"number that cannot be shared between both ends, which breaks the reverse-complement guarantee. Lengths "
            f"that work: {length - 1} or {length + 1} (nothing is left over at {length - excess} or "
            f"{length + stride - excess})."
        )
    return excess // 2


def _excess(layer: str, length: int, window: int, stride: int, padding: int) -> int:
    room = length + 2 * padding - window
    if room < 0:
        raise ValueError(
            f"{layer}: got a map of {length} positions{_padded(padding)}, expected at least {window - 2 * padding} for "
            f"a window of {window}. Use longer sequences or a narrower window."
        )
    return room % stride


def _padded(padding: int) -> str:
    return f" (padded by {padding} on each side)" if padding else ""


def symmetric_padding(layer: str, padding: int | str, kernel_size: int, stride: int, dilation: int) -> int:
    """Positions of zeros on each side; refuses a padding that differs between the two ends."""
    if isinstance(padding, int) and not isinstance(padding, bool) and padding >= 0:
        return padding
    if padding == "valid":
        return 0
    if padding != "same":
        raise ValueError(
            f"{layer}: got padding={padding!r}, expected 'same', 'valid' or a whole number of at least 0 (zeros on "
            "each side)."
        )
    reach = dilation * (kernel_size - 1)
    if reach % 2:
        raise SymmetryError(
            f"{layer}: padding='same' with kernel_size={kernel_size} and dilation={dilation} needs one zero more at "
            f"one end than at the other, which breaks the reverse-complement guarantee. Use kernel_size="
            f"{kernel_size - 1} or {kernel_size + 1}, or padding={reach // 2} (one position shorter)."
        )
    if stride != 1:
        raise ValueError(
            f"{layer}: got padding='same' with stride={stride}, expected stride=1. Use padding={reach // 2} instead."
        )
    return reach // 2
