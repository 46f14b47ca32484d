"""Loads a model that zhbert saved for a task with Transformers, classifies with it, and saves it as Transformers does.

task_models.py FOLDER CLASS TEXTS SAVED

TEXTS is JSON: a list of texts and pairs, or for BertForMultipleChoice of lists of pairs. Prints as JSON: {"logits", "scores"
(what the pipeline gives, label by label; null for choices), "problem_type", "id2label", "unexpected", "missing"}.
"""

import json
import os
import sys

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
import transformers

folder, class_name, texts, saved = sys.argv[1:]
texts = json.loads(texts)
tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
model, info = getattr(transformers, class_name).from_pretrained(folder, output_loading_info=True)
model.eval()


def first_and_second(items):
    pairs = [[item, None] if isinstance(item, str) else item for item in items]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


logits, scores = [], None
with torch.no_grad():
    for item in texts:
        if class_name == "BertForMultipleChoice":
            inputs = {k: v[None] for k, v in tokenizer(*first_and_second(item), padding=True, return_tensors="pt").items()}
        else:
            text, pair = first_and_second([item])
            inputs = tokenizer(text[0], pair[0], return_tensors="pt")
        logits.append(model(**inputs).logits[0].tolist())
if class_name != "BertForMultipleChoice":
    classify = transformers.pipeline("text-classification", model=model, tokenizer=tokenizer, top_k=None)
    named = [item if isinstance(item, str) else {"text": item[0], "text_pair": item[1]} for item in texts]
    found = [classify(item) for item in named]
    found = [item[0] if isinstance(item[0], list) else item for item in found]
    scores = [{one["label"]: one["score"] for one in item} for item in found]

model.save_pretrained(saved)
tokenizer.save_pretrained(saved)
print(
    json.dumps(
        {
            "logits": logits,
            "scores": scores,
            "problem_type": model.config.problem_type,
            "id2label": {str(i): label for i, label in model.config.id2label.items()},
            "missing": sorted(info["missing_keys"]),
            "unexpected": sorted(info["unexpected_keys"]),
        }
    )
)
