"""The vector of one text by Transformers from a fresh process: import, load, run; for bench/start.bench.ts.

    python first-vector.py --model FOLDER --text TEXT --threads 2

--serve speaks the protocol of bench/side-process.ts: each run is this script again, without --serve, in a process of its own.
"""
import argparse
import json
import math
import os
import resource
import subprocess
import sys
import time

p = argparse.ArgumentParser()
p.add_argument("--model", required=True)
p.add_argument("--text", required=True)
p.add_argument("--threads", type=int, default=2)
p.add_argument("--serve", action="store_true")
a = p.parse_args()


def once() -> None:
    os.environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error", "OMP_NUM_THREADS": str(a.threads)}
    import torch
    from transformers import BertModel, BertTokenizerFast

    torch.set_num_threads(a.threads)
    tokenizer = BertTokenizerFast.from_pretrained(a.model)
    model = BertModel.from_pretrained(a.model, add_pooling_layer=False).eval()
    with torch.inference_mode():
        hidden = model(**tokenizer(a.text, return_tensors="pt")).last_hidden_state
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    version = f"torch {torch.__version__}"
    print(json.dumps({"vector": hidden[0].mean(0).tolist(), "version": version, "peak_rss_mb": peak}))


def timed() -> tuple[dict, dict]:
    command = [sys.executable, __file__] + [argument for argument in sys.argv[1:] if argument != "--serve"]
    began = time.perf_counter()
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    seconds = time.perf_counter() - began
    told = json.loads(done.stdout)
    return {"seconds": seconds, "peak_rss_mb": told["peak_rss_mb"]}, told


def serve() -> None:
    timed()
    _, told = timed()
    length = float(f"{math.hypot(*told['vector']):.4g}")
    print(json.dumps({"ready": True, "version": told["version"], "amounts": {"starts": 1, "length": length}}), flush=True)
    for line in sys.stdin:
        if line.strip() != "run":
            return
        print(json.dumps(timed()[0]), flush=True)


serve() if a.serve else once()
