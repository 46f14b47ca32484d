"""Loads what zhbert has written with the library that it was written for, and compares every bit.

real_libraries.py has LIBRARY...          prints the version of each, null where it cannot be imported, as JSON
real_libraries.py CHECK FOLDER TRUTH      CHECK is a function below; prints {"tensors": N, ...} as JSON, or fails

TRUTH is a JSON file {name: {"shape", "dtype", "base64"}} with Transformers' names and little-endian row-major bytes.
Names and layouts of the other programs are written out here a second time, apart from zhbert's own table.
"""

import base64
import json
import os
import re
import subprocess
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

TIED = {
    "cls.predictions.decoder.weight": "bert.embeddings.word_embeddings.weight",
    "cls.predictions.decoder.bias": "cls.predictions.bias",
}


def read_truth(path):
    """name -> (shape, dtype, bytes)"""
    with open(path) as file:
        entries = json.load(file)
    return {n: (tuple(e["shape"]), e["dtype"], base64.b64decode(e["base64"])) for n, e in entries.items()}


def transposed(shape, data, element_bytes):
    rows, columns = shape
    pieces = (data[(r * columns + c) * element_bytes :][:element_bytes] for c in range(columns) for r in range(rows))
    return (columns, rows), b"".join(pieces)


def width(dtype):
    return {"float32": 4, "float16": 2, "bfloat16": 2}[dtype]


def same(name, expected, shape, data):
    assert tuple(shape) == expected[0], f"{name}: shape {tuple(shape)}, expected {expected[0]}"
    assert data == expected[1], f"{name}: other bytes"


def torch_bytes(tensor):
    import torch

    return tensor.contiguous().view(torch.uint8).numpy().tobytes() if tensor.numel() else b""


def compare_torch(tensors, truth, tied=()):
    assert set(tensors) == set(truth) | set(tied), sorted(set(tensors) ^ (set(truth) | set(tied)))
    for name, tensor in tensors.items():
        shape, dtype, data = truth[TIED.get(name, name)]
        assert str(tensor.dtype) == f"torch.{dtype}", f"{name}: {tensor.dtype}"
        same(name, (shape, data), tensor.shape, torch_bytes(tensor))


def torch_load(folder, truth):
    import torch

    path = os.path.join(folder, "pytorch_model.bin")
    for options in ({}, {"mmap": True}):
        tensors = torch.load(path, weights_only=True, map_location="cpu", **options)
        compare_torch(tensors, truth, TIED)
        for copy, original in TIED.items():
            assert tensors[copy].data_ptr() == tensors[original].data_ptr(), f"{copy} does not share its storage"
    return {}


def torch_shards(folder, truth):
    import torch

    with open(os.path.join(folder, "pytorch_model.bin.index.json")) as file:
        index = json.load(file)
    tensors = {}
    for shard in sorted(set(index["weight_map"].values())):
        loaded = torch.load(os.path.join(folder, shard), weights_only=True)
        assert all(index["weight_map"][name] == shard for name in loaded)
        tensors.update(loaded)
    compare_torch(tensors, truth)
    assert index["metadata"]["total_size"] == sum(len(data) for _, _, data in truth.values())
    return {"shards": len(set(index["weight_map"].values()))}


def safetensors_load(folder, truth):
    from safetensors import safe_open
    from safetensors.torch import load_file

    path = os.path.join(folder, "model.safetensors")
    compare_torch(load_file(path), truth)
    with safe_open(path, "pt") as file:
        assert file.metadata() == {"format": "pt"}, file.metadata()
    return {}


def tensorflow_name(name):
    """The variable's name in Google's code, and whether its matrix is [in, out]."""
    special = {
        "cls.predictions.bias": "cls/predictions/output_bias",
        "cls.seq_relationship.weight": "cls/seq_relationship/output_weights",
        "cls.seq_relationship.bias": "cls/seq_relationship/output_bias",
    }
    if name in special:
        return special[name], False
    name = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
    name = re.sub(r"_embeddings\.weight$", "_embeddings", name)
    is_kernel = name.endswith(".weight")
    name = re.sub(r"\.weight$", ".kernel", name)
    return re.sub(r"layer\.(\d+)", r"layer_\1", name).replace(".", "/"), is_kernel


def tensorflow_load(folder, truth):
    import tensorflow as tf

    reader = tf.train.load_checkpoint(os.path.join(folder, "bert_model.ckpt"))
    assert reader.get_tensor("global_step").dtype.name == "int64"
    names = {name: tensorflow_name(name) for name in truth}
    expected = {variable for variable, _ in names.values()} | {"global_step"}
    found = set(reader.get_variable_to_shape_map())
    assert found == expected, sorted(found ^ expected)
    for name, (shape, dtype, data) in truth.items():
        variable, is_kernel = names[name]
        value = reader.get_tensor(variable)
        assert value.dtype.name == dtype, f"{variable}: {value.dtype}"
        wanted = transposed(shape, data, width(dtype)) if is_kernel else (shape, data)
        same(variable, wanted, value.shape, value.tobytes())
    assert tf.train.latest_checkpoint(folder) == os.path.join(folder, "bert_model.ckpt")
    return {"global_step": int(reader.get_tensor("global_step"))}


PADDLE = [
    ("embeddings.LayerNorm", "embeddings.layer_norm"),
    ("encoder.layer.", "encoder.layers."),
    ("attention.self.query", "self_attn.q_proj"),
    ("attention.self.key", "self_attn.k_proj"),
    ("attention.self.value", "self_attn.v_proj"),
    ("attention.output.dense", "self_attn.out_proj"),
    ("attention.output.LayerNorm", "norm1"),
    ("intermediate.dense", "linear1"),
    ("output.dense", "linear2"),
    ("output.LayerNorm", "norm2"),
    ("predictions.transform.LayerNorm", "predictions.layer_norm"),
    ("predictions.transform.dense", "predictions.transform"),
    ("predictions.bias", "predictions.decoder_bias"),
]


def paddle_name(name):
    """The parameter's name in PaddleNLP, and whether its matrix is [in, out]."""
    renamed = name
    for old, new in PADDLE:
        renamed = renamed.replace(old, new)
    is_norm = "norm" in renamed.lower()
    return renamed, name.endswith(".weight") and "embeddings" not in name and not is_norm


def paddle_load(folder, truth):
    import paddle

    loaded = paddle.load(os.path.join(folder, "model_state.pdparams"), return_numpy=True)
    loaded = {name: value for name, value in loaded.items() if hasattr(value, "tobytes")}
    names = {name: paddle_name(name) for name in truth}
    names["copy"] = ("cls.predictions.decoder_weight", False)
    found, expected = set(loaded), {name for name, _ in names.values()}
    assert found == expected, sorted(found ^ expected)
    for name, (parameter, is_linear) in names.items():
        shape, dtype, data = truth["bert.embeddings.word_embeddings.weight" if name == "copy" else name]
        value = loaded[parameter]
        # NumPy has no bfloat16: Paddle keeps its bits in uint16.
        assert value.dtype.name in (dtype, "uint16" if dtype == "bfloat16" else ""), f"{parameter}: {value.dtype}"
        wanted = transposed(shape, data, width(dtype)) if is_linear else (shape, data)
        same(parameter, wanted, value.shape, value.tobytes())
    return {}


def transformers_load(folder, truth):
    import torch
    from transformers import AutoTokenizer, BertForPreTraining

    model, info = BertForPreTraining.from_pretrained(folder, output_loading_info=True, dtype="auto")
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        assert not info[kind], f"{kind}: {info[kind]}"
    state = {n: t for n, t in model.state_dict().items() if n != "bert.embeddings.position_ids"}
    compare_torch(state, truth, [name for name in TIED if name in state])
    assert model.get_output_embeddings().weight.data_ptr() == model.get_input_embeddings().weight.data_ptr()
    tokens = AutoTokenizer.from_pretrained(folder).tokenize("今天[MASK]气")
    assert tokens == ["今", "天", "[MASK]", "气"], tokens
    assert torch.isfinite(model(torch.tensor([[2, 5, 6, 3]])).prediction_logits).all()
    return {}


def onnx_outputs(path, inputs):
    import numpy
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    feeds = {name: numpy.array(value, dtype="int64") for name, value in inputs.items()}
    return dict(zip([output.name for output in session.get_outputs()], session.run(None, feeds)))


INPUTS = {
    "input_ids": [[2, 5, 6, 4, 8, 3], [2, 9, 3, 0, 0, 0]],
    "attention_mask": [[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0]],
    "token_type_ids": [[0, 0, 0, 1, 1, 1], [0, 0, 0, 0, 0, 0]],
}


def onnx_check(folder, truth):
    """Every model under the folder: checked, run, and set against the numbers of zhbert in outputs.json."""
    import numpy
    import onnx

    with open(os.path.join(folder, "outputs.json")) as file:
        expected = json.load(file)
    checked = 0
    worst = 0.0
    for base, _, names in sorted(os.walk(folder)):
        for name in sorted(name for name in names if name.endswith(".onnx")):
            path = os.path.join(base, name)
            onnx.checker.check_model(path, full_check=True)
            for output, value in onnx_outputs(path, INPUTS).items():
                wanted = numpy.array(expected[output]["data"], dtype="float32").reshape(expected[output]["shape"])
                # A value on the border of two of 256 levels may fall to either side.
                tolerance = 2e-2 if "fp16" in name or "quantized" in name else 1e-5
                difference = float(numpy.abs(value - wanted).max() / numpy.abs(wanted).max())
                assert value.shape == wanted.shape and difference < tolerance, f"{path}: {output} off by {difference}"
                worst = max(worst, difference if name == "model.onnx" else 0)
            checked += 1
    return {"models": checked, "worst": worst}


def onnx_transformers(folder, truth):
    """The exported pre-training model against Transformers itself, over the safetensors beside it."""
    import numpy
    import torch
    from transformers import BertForPreTraining

    model = BertForPreTraining.from_pretrained(folder).eval()
    with torch.no_grad():
        wanted = model(**{name: torch.tensor(value) for name, value in INPUTS.items()})
    outputs = onnx_outputs(os.path.join(folder, "onnx", "model.onnx"), INPUTS)
    differences = {}
    for name, value in outputs.items():
        reference = wanted[name].numpy()
        differences[name] = float(numpy.abs(value - reference).max() / numpy.abs(reference).max())
        assert differences[name] < 1e-5, differences
    return differences


MODULES = {"tensorflow-cpu": "tensorflow", "paddlepaddle": "paddle"}


def versions(names):
    """Imports each in a process of its own: one that was installed by half, or quarrels with another, counts as absent."""
    from importlib.metadata import PackageNotFoundError, version

    found = dict.fromkeys(names)
    running = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
        command = [sys.executable, "-c", f"import {MODULES.get(name, name)}"]
        running[name] = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for name, process in running.items():
        if process.wait() != 0:
            found[name] = None
    return found


if __name__ == "__main__":
    if sys.argv[1] == "has":
        print(json.dumps(versions(sys.argv[2:])))
    else:
        check, folder, truth_file = sys.argv[1:]
        truth = read_truth(truth_file)
        result = globals()[check](folder, truth)
        print(json.dumps({"tensors": len(truth), **result}))
