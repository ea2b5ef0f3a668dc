#!/usr/bin/env bash
# Makes the pictures of docs/gallery.md anew, by the commands that it shows: about ten minutes on two cores.
set -euo pipefail
images="$(cd "$(dirname "$0")/../images" && pwd)"
results="$(cd "$(dirname "$0")/../../benchmarks/results/default" && pwd)"
python "$(dirname "$0")/draw_page.py"
cd "$(mktemp -d)"

seq2seq-zoo train digits_to_words --out runs/words
seq2seq-zoo predict runs/words "4 0 7 1 2" --alignments attention_map.png
cp attention_map.png "$images"
cp runs/words/curves.png "$images/curves.png"

seq2seq-zoo train forecast --out runs/forecast
cp runs/forecast/series.png "$images/forecast.png"

cp -r "$results" default # a copy: a report is written beside its records
seq2seq-zoo report default
for figure in few_pairs-x few_pairs-learning long_sequences-length long_sequences-attention-attention; do
  cp "default/figures/$figure.png" "$images/report-$figure.png"
done
