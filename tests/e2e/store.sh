#!/usr/bin/env bash
# Both images in a containerd's data, which every node then begins with. It runs in namespaces of its own.
# usage: store.sh FOLDER CONTAINERD-BIN ARCHIVE...
set -eu
folder=$1 containerd=$2
shift 2
export PATH="$containerd:$PATH"
mount -t tmpfs -o mode=755 tmpfs /run
containerd --config "$folder/containerd.toml" > "$folder/containerd.log" 2>&1 &
until ctr --address /run/containerd/containerd.sock version > /dev/null 2>&1; do sleep 0.2; kill -0 $!; done
for archive in "$@"; do
  ctr --address /run/containerd/containerd.sock --namespace k8s.io images import --local "$archive"
done
kill $!
wait $! || true
