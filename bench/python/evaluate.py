"""Predictions of a fine-tuned model by Transformers, for bench/evaluate-qa.bench.ts and bench/evaluate-ner.bench.ts.

    python evaluate.py --peers ../shared/peers --task qa --model FOLDER --examples EXAMPLES.json --expected PREDICTIONS.json

From texts to answers or tags: tokenised by the Rust tokenizers, rows sorted by length, batches padded to their longest row,
decoded as run_qa.py and run_ner.py do. Timed and served as the other peers are; `differ` counts the predictions that are
not those of --expected.
"""
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, sys.argv[sys.argv.index("--peers") + 1])

from common import Case, main, parser, start, wordpiece  # noqa: E402

N_BEST = 20
MAX_ANSWER_TOKENS = 30

p = parser(__doc__)
p.add_argument("--peers")
p.add_argument("--task", choices=["qa", "ner"], required=True)
for name in ("model", "examples", "expected"):
    p.add_argument(f"--{name}", type=Path, required=True)
p.add_argument("--batch", type=int, default=32)
p.add_argument("--max-length", type=int, default=384)
p.add_argument("--overlap", type=int, default=128)


FIELDS = {"input_ids": "ids", "token_type_ids": "type_ids", "attention_mask": "attention_mask"}


def padded(torch, lists: list, width: int):
    return torch.tensor([values + [0] * (width - len(values)) for values in lists])


def scores_of(torch, model, rows: list, size: int, outputs: tuple) -> list:
    """The scores of each row, without padding."""
    order = sorted(range(len(rows)), key=lambda i: len(rows[i].ids))
    scores = [None] * len(rows)
    with torch.inference_mode():
        for at in range(0, len(order), size):
            places = order[at : at + size]
            width = len(rows[places[-1]].ids)
            batch = {name: padded(torch, [getattr(rows[i], field) for i in places], width) for name, field in FIELDS.items()}
            found = model(**batch)
            arrays = [found[name].numpy() for name in outputs]
            for row, place in enumerate(places):
                scores[place] = [array[row][: len(rows[place].ids)] for array in arrays]
    return scores


def best_span(np, window, start, end):
    offsets, sequences = window.offsets, window.sequence_ids
    starts = np.argsort(-start, kind="stable")[:N_BEST].tolist()
    ends = np.argsort(-end, kind="stable")[:N_BEST].tolist()
    ends = [e for e in ends if sequences[e] == 1]
    best = None
    for s in starts:
        if sequences[s] != 1:
            continue
        for e in ends:
            if s <= e < s + MAX_ANSWER_TOKENS and (best is None or start[s] + end[e] > best[0]):
                best = (start[s] + end[e], offsets[s][0], offsets[e][1])
    return best


def question_windows(tokenizer, examples: list) -> list:
    encoded = tokenizer.encode_batch([(e["question"], e["context"]) for e in examples])
    return [[first, *first.overflowing] for first in encoded]


def sentence_rows(tokenizer, examples: list) -> list:
    return [[row] for row in tokenizer.encode_batch(examples, is_pretokenized=True)]


def answers(np, torch, model, windows: list, examples: list, args) -> list:
    rows = [window for own in windows for window in own]
    scores = iter(scores_of(torch, model, rows, args.batch, ("start_logits", "end_logits")))
    found = []
    for example, own in zip(examples, windows):
        spans = [best_span(np, window, *next(scores)) for window in own]
        best = max((span for span in spans if span), default=(0, 0, 0), key=lambda span: span[0])
        found.append(example["context"][best[1] : best[2]])
    return found


def tags(np, torch, model, rows: list, examples: list, args) -> list:
    rows = [row for own in rows for row in own]
    names = [model.config.id2label[i] for i in range(model.config.num_labels)]
    found = []
    for example, row, (logits,) in zip(examples, rows, scores_of(torch, model, rows, args.batch, ("logits",))):
        own = [None] * len(example)
        best = logits.argmax(-1)
        for token, word in enumerate(row.word_ids):
            if word is not None and own[word] is None:
                own[word] = names[best[token]]
        found.append(own)
    return found


def differences(found: list, expected: list) -> int:
    """Of tags, those of words that have a token."""
    if isinstance(found[0], str):
        return sum(a != b for a, b in zip(found, expected, strict=True))
    pairs = [pair for own, other in zip(found, expected, strict=True) for pair in zip(own, other, strict=True)]
    return sum(a is not None and a != b for a, b in pairs)


def make(args) -> Case:
    import numpy as np
    import torch
    import transformers
    torch.set_num_threads(args.threads)
    kind = {"qa": transformers.BertForQuestionAnswering, "ner": transformers.BertForTokenClassification}[args.task]
    model = kind.from_pretrained(args.model, attn_implementation="sdpa").eval()
    tokenizer = wordpiece(Path(args.peers).parent)
    strategy = {"strategy": "only_second", "stride": args.overlap} if args.task == "qa" else {}
    tokenizer.enable_truncation(args.max_length, **strategy)
    examples = json.loads(args.examples.read_text())
    expected = json.loads(args.expected.read_text())
    encode, predict = {"qa": (question_windows, answers), "ner": (sentence_rows, tags)}[args.task]

    def run():
        began = time.perf_counter()
        found = predict(np, torch, model, encode(tokenizer, examples), examples, args)
        return {"seconds": time.perf_counter() - began, "differ": differences(found, expected)}

    tokens = sum(len(row.ids) for own in encode(tokenizer, examples) for row in own)
    version = f"torch {torch.__version__}, transformers {transformers.__version__}"
    params = {"task": args.task, "batch": args.batch, "max_length": args.max_length}
    return Case(f"evaluate/{args.task}", "torch", version, "fp32", params, run,
                {"examples": len(examples), "tokens": tokens})


if __name__ == "__main__":
    args = start(p)
    main([lambda: make(args)], args)
