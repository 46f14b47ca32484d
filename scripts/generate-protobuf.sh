#!/bin/sh
# Generates the TypeScript of the .proto files (src/**/_*_pb.ts, which are committed) with Buf and protoc-gen-es.
# Run it in the repository's root after changing a .proto file.
set -eu

protos="src/data/example.proto src/report/event.proto src/onnx/onnx.proto src/checkpoint/tensorflow/tensor-bundle.proto"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/in" "$work/out"

cat > "$work/buf.gen.yaml" <<YAML
version: v2
plugins:
  - local: protoc-gen-es
    out: $work/out
    opt: target=ts
YAML

for proto in $protos; do
  cp "$proto" "$work/in/"
done
npx -y -p @bufbuild/buf@1 -p @bufbuild/protoc-gen-es@2 buf generate "$work/in" --template "$work/buf.gen.yaml"
for proto in $protos; do
  name=$(basename "$proto" .proto)
  cp "$work/out/${name}_pb.ts" "$(dirname "$proto")/_${name}_pb.ts"
done
