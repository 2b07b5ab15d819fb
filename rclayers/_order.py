"""The layers of a plain model in the order of their calls, and a model made of layers in order."""

import copy
import warnings
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


@dataclass(frozen=True)
class Step:
    """One call of a layer, and the layer's path in the model."""

    path: str
    module: nn.Module

    def refuse(self, why: str) -> ValueError:
        """The error that names the layer."""
        return ValueError(f"to_rc: cannot turn {self.path} ({type(self.module).__name__}): {why}")


def trace(model: nn.Module, length: int) -> list[Step]:
    """Calls of the layers of a copy of the model, each of which must read what the one before it wrote."""
    inner = copy.deepcopy(model).cpu().eval()
    dtype = next((p.dtype for p in inner.parameters() if p.is_floating_point()), torch.float32)
    calls: list[tuple[str, nn.Module, Any, Any]] = []
    running = [type(model).__name__]
    handles = []
    for path, module in _leaves(inner):
        handles.append(module.register_forward_pre_hook(lambda *_, path=path: running.__setitem__(0, path)))
        handles.append(
            module.register_forward_hook(
                lambda m, args, y, path=path: calls.append((path, m, args[0] if args else None, y))
            )
        )
    # Random, so that the code between layers shows; all letters alike would hide it.
    x = torch.rand(1, 4, length, generator=torch.Generator().manual_seed(0)).to(dtype)
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the model's own, e.g. of an even kernel with padding="same"
            last = inner(x)
    except Exception as error:
        raise ValueError(
            f"to_rc: the model itself fails on one-hot (1, 4, {length}), at {running[0]}: {error}. Give the length "
            "that the model is for."
        ) from error
    finally:
        for handle in handles:
            handle.remove()
    return _chain(calls, x, last)


def _leaves(model: nn.Module, path: str = "") -> list[tuple[str, nn.Module]]:
    """Layers to be turned as a whole: those without parts, and torch's own, whose parts may never be called."""
    is_container = isinstance(model, _CONTAINERS)
    is_torch_s_own = type(model).__module__.startswith("torch.nn")
    if not is_container and (is_torch_s_own or not any(True for _ in model.children())):
        return [(path or type(model).__name__, model)]
    below = f"{path}." if path else ""
    return [leaf for name, child in model.named_children() for leaf in _leaves(child, f"{below}{name}")]


def _chain(calls: list[tuple[str, nn.Module, Any, Any]], x: Tensor, last: Any) -> list[Step]:
    steps: list[Step] = []
    before, written = "its input", x
    for path, module, read, y in [*calls, ("its output", nn.Identity(), last, last)]:
        if read is not written:
            if not (isinstance(read, Tensor) and written.dim() == 3 and torch.equal(written.flatten(1), read)):
                raise ValueError(
                    f"to_rc: between {before} and {path} the model computes something itself, which cannot be turned; "
                    "write it as a module (nn.ReLU, nn.Flatten, ...) in nn.Sequential, or, for x + f(x), build the "
                    "twin with rclayers.RCResidual."
                )
            parent = f"{before.rpartition('.')[0]}." if "." in before else ""
            steps.append(Step(_free_name(steps, f"{parent}flatten"), nn.Flatten()))
        if not isinstance(y, Tensor):
            raise Step(path, module).refuse(
                f"it returns {type(y).__name__}. Recurrent layers and the like go into rclayers.Strandwise, in a twin "
                "built by hand."
            )
        steps.append(Step(path, module))
        before, written = path, y
    return _without_repeats(steps[:-1])


def _without_repeats(steps: list[Step]) -> list[Step]:
    """Layers that are called twice share their weights, which their twins would not; without weights they may."""
    kept: list[Step] = []
    for step in steps:
        if any(step.module is other.module for other in kept):
            if any(True for _ in step.module.parameters()):
                raise step.refuse("it is called twice, and its twins would not share weights; give each its own layer.")
            step = Step(_free_name(kept, step.path), step.module)
        kept.append(step)
    return kept


def _free_name(steps: list[Step], wanted: str) -> str:
    taken = {step.path for step in steps}
    return next(name for name in [wanted, *(f"{wanted}_{i}" for i in range(1, 1000))] if name not in taken)


def nest(layers: list[tuple[str, nn.Module]]) -> nn.Sequential:
    """Layers in their order, those below one name in an `nn.Sequential` of that name."""
    groups: OrderedDict[str, nn.Module | list[tuple[str, nn.Module]]] = OrderedDict()
    last = None
    for path, layer in layers:
        head, _, rest = path.partition(".")
        if not rest:
            groups[head] = layer
        else:
            group = groups.setdefault(head, [])
            if not isinstance(group, list) or (group and last != head):
                raise ValueError(
                    f"to_rc: the layers below {head} are not called one after the other; put them in nn.Sequential in "
                    "the order of their calls."
                )
            group.append((rest, layer))
        last = head
    return nn.Sequential(
        OrderedDict((name, nest(part) if isinstance(part, list) else part) for name, part in groups.items())
    )
