"""The network of a run in the form a reader runs: logits and features, in 32 bits or in 8."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from naturalize.classify.network import Views
from naturalize.errors import MissingExtraError, NaturalizeError

Precision = Literal["fp32", "int8"]
_BATCH, _SHOWN = 8, 128


def reader_onnx(exported: Path, views: Views, *, precision: Precision) -> bytes:
    """Return ``exported`` (written by ``export --as onnx``) with the outputs a reader needs.

    For ``int8``, weights and activations are rounded to 8 bits, the latter to the range they take
    on some of ``views``, uint8 (N, S, S, 3) of train images; the last layer stays as it is. Weights
    keep to 7 bits, so that processors without 8-bit dot products cannot overflow.
    """
    import onnx

    model = onnx.load(exported)
    last = _with_features(model)
    if precision == "fp32":
        return bytes(model.SerializeToString())
    return _rounded(model, last, views[:: -(-len(views) // _SHOWN)])


def _with_features(model: Any) -> str:
    """Put ``features`` in the place of ``probabilities`` among the outputs; name the last layer."""
    from onnx import TensorProto, helper

    graph = model.graph
    last = next(node for node in graph.node if "logits" in node.output)
    if last.op_type != "Gemm":
        raise NaturalizeError(
            f"a reader needs a network that ends in a linear layer: {last.op_type}"
        )
    inner = last.input[0]
    for node in graph.node:
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                if name == inner:
                    names[place] = "features"
    for found in [node for node in graph.node if "probabilities" in node.output]:
        graph.node.remove(found)
    for kept in (graph.output, graph.value_info):
        for found in [one for one in kept if one.name in ("probabilities", inner)]:
            kept.remove(found)
    width = max(next(one.dims for one in graph.initializer if one.name == last.input[1]))
    shape = ["batch", width]
    graph.output.append(helper.make_tensor_value_info("features", TensorProto.FLOAT, shape))
    return str(last.name)


def _rounded(model: Any, last: str, views: Views) -> bytes:
    if find_spec("onnxruntime") is None:
        raise MissingExtraError("train", "onnxruntime")
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    class Batches:
        """Feeds views, as onnxruntime's quantiser asks for them."""

        def __init__(self) -> None:
            starts = range(0, len(views), _BATCH)
            self._coming = iter([views[start : start + _BATCH] for start in starts])

        def get_next(self) -> dict[str, Any] | None:
            some = next(self._coming, None)
            return None if some is None else {"images": some.transpose(0, 3, 1, 2).astype("f4")}

    with tempfile.TemporaryDirectory() as folder, _silence():
        whole, small = Path(folder) / "whole.onnx", Path(folder) / "small.onnx"
        onnx.save(model, whole)
        quantize_static(
            whole,
            small,
            Batches(),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,
            nodes_to_exclude=[last],
        )
        return small.read_bytes()


@contextmanager
def _silence() -> Iterator[None]:
    """Keep the quantiser's advice to itself."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
