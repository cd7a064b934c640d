#!/usr/bin/env bash
# The main job from end to end: model, knowledge base, check, cited draft, label.
set -euo pipefail
cd "$(dirname "$0")/.."
BINGLI=${BINGLI:-bingli}
OUT=${OUT:-demo-output}
step() { printf '\n\033[1m%s\033[0m\n' "$1"; }

mkdir -p "$OUT"
step "1/5 取得语言模型（首次约 1.1 GB，只取一次）"
"$BINGLI" models pull

step "2/5 建立知识库索引并检索一条依据"
"$BINGLI" kb search "抢救记录应在几小时内补记" -k 2

step "3/5 检查四份示例病历"
"$BINGLI" check examples/*.json | tee "$OUT/检查结果.txt"

step "4/5 起草出院记录（每句都有出处）"
"$BINGLI" draft examples/01-*.json --out "$OUT/出院记录.docx"
"$BINGLI" draft examples/01-*.json --out "$OUT/出院记录.json"

step "5/5 核验生成内容标识"
"$BINGLI" label verify "$OUT/出院记录.docx" "$OUT/出院记录.json"

step "完成。文件在 $OUT/："
ls -1 "$OUT"
