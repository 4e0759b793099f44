"""PyTorch running our net descriptions: an independent engine for the same net."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F  # noqa: N812

if TYPE_CHECKING:
    from fcnlite.description.spec import LayerSpec
    from fcnlite.net import Net

Tensor = torch.Tensor
Options = dict[str, Any]


def _pair(options: Options, name: str, default: int = 0) -> tuple[int, ...]:
    """The option for rows and columns; one number, or a list of one, is for both."""
    value = options.get(name, default)
    return (tuple(value) * 2)[:2] if isinstance(value, (list, tuple)) else (value, value)


def _convolution(o: Options, x: list[Tensor], p: list[Tensor]) -> Tensor:
    how = {"stride": _pair(o, "stride", 1), "padding": _pair(o, "pad"), "groups": o.get("group", 1)}
    return F.conv2d(x[0], *p, dilation=_pair(o, "dilation", 1), **how)


def _deconvolution(o: Options, x: list[Tensor], p: list[Tensor]) -> Tensor:
    how = {"stride": _pair(o, "stride", 1), "padding": _pair(o, "pad"), "groups": o.get("group", 1)}
    return F.conv_transpose2d(x[0], *p, **how)


def _pooling(o: Options, x: list[Tensor], p: list[Tensor]) -> Tensor | tuple[Tensor, Tensor]:
    """The pooled values; also the places of the maxima if the layer has a second top (`run_layers`)."""
    window, stride, pad = x[0].shape[2:], 1, 0
    if not o.get("global_pooling"):
        window, stride, pad = o["kernel_size"], o.get("stride", 1), o.get("pad", 0)
    if o.get("pool", "MAX") == "AVE":
        return F.avg_pool2d(x[0], window, stride, pad, ceil_mode=True)
    return F.max_pool2d(x[0], window, stride, pad, ceil_mode=True, return_indices=o.get("places", False))


def _interp(o: Options, x: list[Tensor], p: list[Tensor]) -> Tensor:
    zoom = o.get("zoom_factor")
    size = [zoom * (each - 1) + 1 for each in x[0].shape[2:]] if zoom else (o["height"], o["width"])
    return F.interpolate(x[0], size=size, mode="bilinear", align_corners=True)


def _upsample(o: Options, x: list[Tensor], p: list[Tensor]) -> Tensor:
    scale = o.get("scale")
    size = [scale * each for each in x[0].shape[2:]] if scale else (o["upsample_h"], o["upsample_w"])
    return F.max_unpool2d(x[0], x[1], 2, output_size=size)


def _crop(o: Options, x: list[Tensor], p: list[Tensor]) -> Tensor:
    assert o["axis"] == 2
    dy, dx = (list(o["offset"]) * 2)[:2]
    return x[0][:, :, dy : dy + x[1].shape[2], dx : dx + x[1].shape[3]]


def _lrn(o: Options, x: list[Tensor], p: list[Tensor]) -> Tensor:
    return F.local_response_norm(x[0], o["local_size"], o["alpha"], o["beta"], o.get("k", 1.0))


def _batch_norm(o: Options, x: list[Tensor], p: list[Tensor]) -> Tensor:
    """Batch normalisation in training, with the parameters of the following Scale if `_with_scales` added them."""
    mean_sum, variance_sum, _, *affine = p
    weight, bias = affine or (None, None)
    momentum = 1 - o.get("moving_average_fraction", 0.999)
    return F.batch_norm(x[0], mean_sum, variance_sum, weight, bias, True, momentum, o.get("eps", 1e-5))


def _scale(o: Options, x: list[Tensor], p: list[Tensor]) -> Tensor:
    factor, *shift = (each[:, None, None] for each in p)
    return x[0] * factor + shift[0] if shift else x[0] * factor


def _loss(o: Options, x: list[Tensor], p: list[Tensor]) -> Tensor:
    score, label = x
    label = label[:, 0] if label.ndim == 4 else label
    mean = o.get("normalization", "VALID") == "VALID" and o.get("normalize", True)
    how = {"ignore_index": o.get("ignore_label", -100), "reduction": "mean" if mean else "sum"}
    loss = F.cross_entropy(score, label.long(), **how)
    pictures = "normalization" not in o and not o.get("normalize", True)
    return loss / len(score) if pictures else loss


_LAYERS: dict[str, Callable[[Options, list[Tensor], list[Tensor]], Any]] = {
    "Convolution": _convolution,
    "Deconvolution": _deconvolution,
    "Pooling": _pooling,
    "ReLU": lambda o, x, p: F.relu(x[0], inplace=True),
    "ReLU6": lambda o, x, p: F.relu6(x[0], inplace=True),
    "PReLU": lambda o, x, p: F.prelu(x[0], *p),
    "Interp": _interp,
    "Upsample": _upsample,
    "LRN": _lrn,
    "BatchNorm": _batch_norm,
    "Scale": _scale,
    "Crop": _crop,
    "Dropout": lambda o, x, p: x[0],
    "Eltwise": lambda o, x, p: sum(x[1:], x[0]),
    "Concat": lambda o, x, p: torch.cat(x, 1),
    "InnerProduct": lambda o, x, p: F.linear(x[0].flatten(1), *p),
    "Softmax": lambda o, x, p: F.softmax(x[0], 1),
    "SoftmaxWithLoss": _loss,
}


def run_layers(
    layers: Sequence[LayerSpec],
    params: Mapping[str, Sequence[Tensor]],
    outputs: Sequence[str],
    values: dict[str, Tensor],
) -> list[Tensor]:
    """The blobs `outputs`, given the input blobs. Every other blob is released after its last use."""
    known = set(values)
    running = []
    for layer in layers:
        if known.issuperset(layer.bottom):
            known.update(layer.top)
            running.append(layer)
    last = {name: i for i, layer in enumerate(running) for name in layer.bottom if name not in outputs}
    for i, layer in enumerate(running):
        bottom = [values[name] for name in layer.bottom]
        options = {**layer.options, "places": len(layer.top) > 1}
        made = _LAYERS[layer.type](options, bottom, list(params.get(layer.name, ())))
        values.update(zip(layer.top, made if len(layer.top) > 1 else [made], strict=True))
        for name in layer.bottom:
            if last.get(name) == i:
                values.pop(name, None)
        del bottom
    return [values[name] for name in outputs]


def _with_scales(layers: Sequence[LayerSpec], params: dict[str, list[Tensor]]) -> list[LayerSpec]:
    """The layers, each Scale with a bias merged into the BatchNorm before it, since PyTorch computes both in one."""
    found: list[LayerSpec] = []
    for layer in layers:
        before = found[-1] if found else None
        follows = before is not None and before.type == "BatchNorm" and layer.bottom == before.top == layer.top
        if follows and layer.type == "Scale" and layer.options.get("bias_term"):
            params[found[-1].name] += params.pop(layer.name)
        else:
            found.append(layer)
    return found


def _folded(layers: Sequence[LayerSpec], params: dict[str, list[Tensor]]) -> list[LayerSpec]:
    """The layers of `_with_scales` for inference, each BatchNorm merged into the convolution before it, if there is.

    Another BatchNorm becomes a Scale.
    """
    found: list[LayerSpec] = []
    for layer in layers:
        if layer.type != "BatchNorm":
            found.append(layer)
            continue
        before = next(each for each in reversed(found) if layer.bottom[0] in each.top)
        mean, variance, count, *affine = params.pop(layer.name)
        factor = 1 / torch.sqrt(variance / count + layer.options.get("eps", 1e-5))
        shift = -mean / count * factor
        if affine:
            factor, shift = affine[0] * factor, affine[0] * shift + affine[1]
        if before.type in ("Convolution", "Deconvolution"):
            weight, *bias = params[before.name]
            shape = (-1, 1, 1, 1) if before.type == "Convolution" else (1, -1, 1, 1)
            folded = [weight * factor.reshape(shape), shift + (factor * bias[0] if bias else 0)]
            params[before.name] = [each.detach() for each in folded]
        else:
            params[layer.name] = [factor.detach(), shift.detach()]
            found.append(replace(layer, type="Scale"))
    return found


class InTorch:
    """`net` in PyTorch, with copies of its parameters and SGD with Caffe's multipliers.

    Dropout is the identity. `layout`: that of pictures and weights, torch.contiguous_format or torch.channels_last.
    """

    def __init__(
        self,
        net: Net,
        base_lr: float = 0.0,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        layout: torch.memory_format = torch.contiguous_format,
    ) -> None:
        self.layout = layout
        self.params: dict[str, list[Tensor]] = {}
        groups = []
        for name, parameters in net.params.items():
            self.params[name] = [self._laid(torch.tensor(each.array)) for each in parameters]
            for tensor, parameter in zip(self.params[name], parameters, strict=True):
                if parameter.lr_mult:
                    tensor.requires_grad_()
                    rate, decay = base_lr * parameter.lr_mult, weight_decay * parameter.decay_mult
                    groups.append({"params": [tensor], "lr": rate, "weight_decay": decay})
        layers = [layer for layer in net.spec.for_phase(net.phase) if layer.type != "Input"]
        self.layers = _with_scales(layers, self.params)
        if net.phase == "TEST":
            self.layers = _folded(self.layers, self.params)
        self._optimizer = torch.optim.SGD(groups, lr=base_lr, momentum=momentum)

    def _laid(self, tensor: Tensor) -> Tensor:
        return tensor.contiguous(memory_format=self.layout) if tensor.ndim == 4 else tensor

    def forward(self, outputs: Sequence[str], **blobs: Any) -> list[Tensor]:
        """The blobs `outputs`, given the inputs. Layers whose bottoms are missing do not run."""
        values = {name: self._laid(torch.from_numpy(array)) for name, array in blobs.items()}
        return run_layers(self.layers, self.params, outputs, values)

    def step(self, **blobs: Any) -> float:
        """Run forward, backward and update; return the loss before the update."""
        (loss,) = self.forward(["loss"], **blobs)
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()
        return loss.item()
