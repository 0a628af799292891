#!/usr/bin/env bash
# One node: process 1 of its own PID, mount, network and UTS namespaces. When it ends, whatever runs or is mounted
# on the node ends with it. The bridge's cable is plugged in from outside (network.py) before the kubelet needs it.
# usage: node.sh NAME FOLDER KUBELET-BIN CONTAINERD-BIN NODE-ADDRESS ARCHIVE...
set -eu
name=$1 folder=$2 kubernetes=$3 containerd=$4 address=$5
logs=$folder/../log/$name
shift 5
trap 'exit 0' TERM INT
export PATH="$containerd:$kubernetes:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
hostname "$name"
# What containerd, CNI and the kubelet keep at fixed places is this node's own, and gone with it.
for shared in /run /var/lib /var/log; do mount -t tmpfs -o mode=755 tmpfs "$shared"; done
until ip -4 -oneline address show dev eth0 2>/dev/null | grep -q "$address/"; do sleep 0.05; done
containerd --config "$folder/containerd.toml" > "$logs-containerd.log" 2>&1 &
until ctr --address /run/containerd/containerd.sock version > /dev/null 2>&1; do sleep 0.2; kill -0 $!; done
for archive in "$@"; do
  ctr --address /run/containerd/containerd.sock --namespace k8s.io images import --local "$archive"
done
kubelet --config "$folder/kubelet.json" --kubeconfig "$folder/kubeconfig" --root-dir "$folder/kubelet" \
  --cert-dir "$folder/pki" --hostname-override "$name" --node-ip "$address" > "$logs-kubelet.log" 2>&1 &
wait -n
