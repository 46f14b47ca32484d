#!/bin/sh
# Makes assets/vocab.txt, the package's own vocabulary, from Chinese corpora in a folder of *.txt.xz files.
# Use: scripts/make-vocab.sh ../shared/data/corpus
set -eu
cd "$(dirname "$0")/.."
corpora=${1:?the folder of the corpora}
texts=$(mktemp -d)
trap 'rm -rf "$texts"' EXIT
for packed in "$corpora"/*.txt.xz; do
  xz -dc "$packed" > "$texts/$(basename "$packed" .xz)"
done
npx tsx src/cli/main.ts vocab "$texts/*.txt" -o assets/vocab.txt \
  --size 12000 --min-frequency 2 --min-character-frequency 5 --require chinese --unused 10
