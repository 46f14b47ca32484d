"""Loads and converts checkpoints as their own libraries do, for bench/load.bench.ts and bench/convert.bench.ts.

--serve speaks the protocol of bench/side-process.ts: each run is this script again, without --serve, in a fresh process.
"""

import argparse
import importlib
import json
import os
import subprocess
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

PAGE = 4096
# Stored a second time, or no weight: not counted.
EXTRA = ("cls.predictions.decoder.weight", "cls.predictions.decoder.bias", "cls.predictions.decoder_weight", "global_step")


def touch(array):
    """Reads a byte of every page: a file that is only mapped is not loaded yet."""
    import numpy

    flat = numpy.ascontiguousarray(array).reshape(-1).view(numpy.uint8)
    return int(flat[::PAGE].sum(dtype=numpy.int64))


def load_safetensors(path):
    from safetensors import safe_open
    from safetensors.torch import load_file

    began = time.perf_counter()
    with safe_open(path, "pt") as file:
        list(file.keys())
    yield time.perf_counter() - began
    yield {name: tensor.numpy() for name, tensor in load_file(path).items()}


def load_torch(path, mmap=False):
    import torch

    began = time.perf_counter()
    tensors = torch.load(path, weights_only=True, mmap=mmap)
    yield time.perf_counter() - began
    yield {name: tensor.numpy() for name, tensor in tensors.items()}


def load_torch_mmap(path):
    yield from load_torch(path, mmap=True)


def load_tensorflow(path):
    import tensorflow as tf

    began = time.perf_counter()
    reader = tf.train.load_checkpoint(path)
    names = list(reader.get_variable_to_shape_map())
    yield time.perf_counter() - began
    yield {name: reader.get_tensor(name) for name in names}


def load_paddle(path):
    import paddle

    began = time.perf_counter()
    loaded = paddle.load(path, return_numpy=True)
    yield time.perf_counter() - began
    yield {name: value for name, value in loaded.items() if hasattr(value, "dtype")}


LOADERS = {
    "safetensors": (load_safetensors, "safetensors.torch", "safetensors"),
    "torch": (load_torch, "torch", "torch"),
    "torch-mmap": (load_torch_mmap, "torch", "torch"),
    "tensorflow": (load_tensorflow, "tensorflow", "tensorflow"),
    "paddle": (load_paddle, "paddle", "paddlepaddle"),
}


def status(field):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith(field + ":"))


def load(kind, path):
    loader, module, _ = LOADERS[kind]
    importlib.import_module(module)
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # the high-water mark begins here
    resident, private = status("VmRSS"), status("RssAnon")
    began = time.perf_counter()
    opening = loader(path)
    open_seconds = next(opening)
    tensors = next(opening)
    for array in tensors.values():
        touch(array)
    seconds = time.perf_counter() - began
    bytes_ = sum(array.nbytes for name, array in tensors.items() if name not in EXTRA)
    return {
        "seconds": seconds,
        "open_seconds": open_seconds,
        "growth_mb": status("VmHWM") - resident,
        "private_mb": status("RssAnon") - private,
        "peak_rss_mb": status("VmHWM"),
        "bytes": bytes_,
    }


def write_synced(path, write):
    write(path)
    with open(path, "r+b") as file:
        os.fsync(file.fileno())


def convert(kind, path, output):
    """kind: FROM-TO. The files are synced, as zhbert does, so that both are on the disk."""
    import torch
    from safetensors.torch import load_file, save_file

    source, target = kind.split(":")
    began = time.perf_counter()
    if source == "safetensors":
        tensors = load_file(path)
    else:
        tensors = torch.load(path, weights_only=True, mmap=True)
        tensors = {name: tensor.contiguous() for name, tensor in tensors.items() if name not in EXTRA}
    if target == "pytorch":
        write_synced(output, lambda name: torch.save(tensors, name))
    else:
        write_synced(output, lambda name: save_file(tensors, name, metadata={"format": "pt"}))
    seconds = time.perf_counter() - began
    bytes_ = sum(tensor.nbytes for tensor in tensors.values())
    os.remove(output)
    return {"seconds": seconds, "peak_rss_mb": status("VmHWM"), "bytes": bytes_}


def version_of(package):
    from importlib.metadata import PackageNotFoundError, version

    for name in (package, f"{package}-cpu"):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return "of unknown version"


def serve(arguments):
    package = "torch" if ":" in arguments.kind else LOADERS[arguments.kind][2]
    once = [sys.executable, __file__] + [argument for argument in sys.argv[1:] if argument != "--serve"]
    run = lambda: json.loads(subprocess.run(once, check=True, capture_output=True, text=True).stdout)
    first = run()
    shown = {"ready": True, "version": f"{package} {version_of(package)}", "amounts": {"bytes": first["bytes"]}}
    print(json.dumps(shown), flush=True)
    for line in sys.stdin:
        if line.strip() != "run":
            return
        print(json.dumps(run()), flush=True)


parser = argparse.ArgumentParser()
parser.add_argument("--kind", required=True)
parser.add_argument("--path", required=True)
parser.add_argument("--output")
parser.add_argument("--serve", action="store_true")
arguments = parser.parse_args()
if arguments.serve:
    serve(arguments)
elif arguments.output:
    print(json.dumps(convert(arguments.kind, arguments.path, arguments.output)))
else:
    print(json.dumps(load(arguments.kind, arguments.path)))
