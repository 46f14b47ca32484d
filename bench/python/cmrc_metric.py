"""The CMRC 2018 evaluation by its official script, for bench/cmrc-metric.bench.ts.

    python cmrc_metric.py --peers ../shared/peers --script cmrc2018_evaluate.py --data DEV.json --predictions ANSWERS.json

The script is baseline/cmrc2018_evaluate.py of ymcui/cmrc2018, as it is; it needs nltk. Where nltk's sentence model is not
installed, its word tokeniser works without it: the two differ on runs of Latin words that hold several sentences.
"""
import importlib.util
import json
import sys
from pathlib import Path

sys.path.insert(0, sys.argv[sys.argv.index("--peers") + 1])

from common import Case, Skip, main, parser, start  # noqa: E402

p = parser(__doc__)
p.add_argument("--peers")
for name in ("script", "data", "predictions"):
    p.add_argument(f"--{name}", type=Path, required=True)


def make(args) -> Case:
    try:
        import nltk
    except ImportError as error:
        raise Skip(f"the official script needs nltk: {error}") from error
    try:
        nltk.word_tokenize("a b")
    except LookupError:
        from nltk.tokenize.destructive import NLTKWordTokenizer
        nltk.word_tokenize = NLTKWordTokenizer().tokenize
    spec = importlib.util.spec_from_file_location("cmrc2018_evaluate", args.script)
    official = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(official)
    data, predictions = (json.loads(path.read_text()) for path in (args.data, args.predictions))

    def run():
        f1, exact, *_ = official.evaluate(data, predictions)
        return {"f1": f1, "exactMatch": exact}

    first = run()
    questions = sum(len(paragraph["qas"]) for article in data["data"] for paragraph in article["paragraphs"])
    amounts = {"questions": questions, **{name: round(value, 6) for name, value in first.items()}}
    return Case("cmrc-metric", "cmrc2018_evaluate.py", f"nltk {nltk.__version__}", "", {}, run, amounts)


if __name__ == "__main__":
    args = start(p)
    main([lambda: make(args)], args)
