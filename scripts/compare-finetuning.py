"""Fine-tunes with Transformers on what scripts/compare-finetuning.ts wrote: the same weights, rows, order and settings.

    python compare-finetuning.py FOLDER

FOLDER holds config.json, initial.safetensors, rows.safetensors (the rows of both splits, one after the other) and plan.json
(the rows of each update, and the settings). Written: scores.safetensors, the scores of every row to evaluate without its
padding, one after the other; result.json, the loss of each update and the seconds that training took.
"""
import json
import sys
import time
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file, save_file

IGNORED = -100
EVALUATED_ROWS = 64

folder = Path(sys.argv[1])
plan = json.loads((folder / "plan.json").read_text())
torch.set_num_threads(plan["threads"])
transformers.set_seed(plan["seed"])


def load_rows(split: str) -> list[dict]:
    """Each row: ids, type_ids, and its labels by name: a number, or one for each token."""
    stored = {name.removeprefix(f"{split}."): t.long() for name, t in tensors.items() if name.startswith(f"{split}.")}
    bounds = stored.pop("offsets").tolist()
    rows = []
    for i, (begin, end) in enumerate(zip(bounds, bounds[1:])):
        rows.append({name: t[i] if plan["labels"].get(name) == "row" else t[begin:end] for name, t in stored.items()})
    return rows


def batch_of(rows: list[dict], width: int, labels: bool) -> dict:
    def padded(name: str, fill: int):
        return torch.stack([torch.nn.functional.pad(row[name], (0, width - len(row[name])), value=fill) for row in rows])
    batch = {"input_ids": padded("ids", 0), "token_type_ids": padded("type_ids", 0)}
    lengths = torch.tensor([len(row["ids"]) for row in rows])
    batch["attention_mask"] = (torch.arange(width) < lengths[:, None]).long()
    for name, axis in plan["labels"].items() if labels else ():
        batch[name] = torch.stack([row[name] for row in rows]) if axis == "row" else padded(name, IGNORED)
    return batch


config = transformers.AutoConfig.from_pretrained(folder, attn_implementation="sdpa")
model = getattr(transformers, config.architectures[0])(config)
missing, unexpected = model.load_state_dict(load_file(folder / "initial.safetensors"), strict=False)
if missing or unexpected:
    sys.exit(f"weights do not fit {config.architectures[0]}: missing {missing}, unexpected {unexpected}")
tensors = load_file(folder / "rows.safetensors")
train, evaluated = load_rows("train"), load_rows("evaluated")

decayed = [w for n, w in model.named_parameters() if not n.endswith("bias") and "LayerNorm" not in n]
others = [w for n, w in model.named_parameters() if n.endswith("bias") or "LayerNorm" in n]
groups = [{"params": decayed, "weight_decay": plan["weightDecay"]}, {"params": others, "weight_decay": 0.0}]
optimizer = torch.optim.AdamW(groups, lr=plan["learningRate"], fused=True)
steps = plan["steps"]
schedule = transformers.get_linear_schedule_with_warmup(optimizer, plan["warmupSteps"], len(steps))

model.train()
losses = []
began = time.perf_counter()
for step in steps:
    loss = model(**batch_of([train[row] for row in step["rows"]], step["width"], labels=True)).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), plan["maxGradientNorm"])
    optimizer.step()
    schedule.step()
    optimizer.zero_grad(set_to_none=True)
    losses.append(loss.item())
seconds = time.perf_counter() - began

model.eval()
order = sorted(range(len(evaluated)), key=lambda i: len(evaluated[i]["ids"]))
scores = {name: [None] * len(evaluated) for name in plan["scores"]}
with torch.inference_mode():
    for at in range(0, len(order), EVALUATED_ROWS):
        places = order[at : at + EVALUATED_ROWS]
        rows = [evaluated[i] for i in places]
        out = model(**batch_of(rows, max(len(row["ids"]) for row in rows), labels=False))
        for name, axis in plan["scores"].items():
            for place, row, values in zip(places, rows, out[name]):
                scores[name][place] = (values if axis == "row" else values[: len(row["ids"])]).reshape(-1).clone()
save_file({name: torch.cat(values) for name, values in scores.items()}, folder / "scores.safetensors")
version = f"torch {torch.__version__}, transformers {transformers.__version__}"
(folder / "result.json").write_text(json.dumps({"version": version, "seconds": seconds, "losses": losses}))
