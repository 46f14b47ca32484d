"""Vectors of texts by PyTorch fp32: the mean over the last layer's tokens, as ../shared/peers/infer.py pools them.

    python embed.py --peers ../shared/peers --model FOLDER --texts TEXTS.json --max-length 512 --output VECTORS.f32
"""
import argparse
import json
import sys

p = argparse.ArgumentParser()
for name in ("peers", "model", "texts", "output"):
    p.add_argument(f"--{name}", required=True)
p.add_argument("--max-length", type=int, default=512)
a = p.parse_args()
sys.path.insert(0, a.peers)

import torch  # noqa: E402
from common import SHARED, wordpiece  # noqa: E402
from transformers import BertModel  # noqa: E402

tokenizer = wordpiece(SHARED, a.max_length)
model = BertModel.from_pretrained(a.model).eval()
rows = []
with torch.inference_mode(), open(a.texts) as file:
    for text in json.load(file):
        ids = torch.tensor([tokenizer.encode(text).ids])
        rows.append(model(input_ids=ids).last_hidden_state[0].mean(0))
torch.stack(rows).numpy().astype("<f4").tofile(a.output)
