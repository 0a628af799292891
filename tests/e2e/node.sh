#!/usr/bin/env bash
# One node: process 1 of its own PID, mount, network and UTS namespaces. When it ends, whatever runs or is mounted
# on the node ends with it. The bridge's cable is plugged in from outside (network.py) before the kubelet needs it.
# usage: node.sh NAME FOLDER KUBELET-BIN CONTAINERD-BIN NODE-ADDRESS STORE
set -eu
name=$1 folder=$2 kubernetes=$3 containerd=$4 address=$5 store=$6
logs=$folder/../log/$name
trap 'exit 0' TERM INT
export PATH="$containerd:$kubernetes:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
hostname "$name"
# What containerd, CNI and the kubelet keep at fixed places is this node's own, and gone with it.
for shared in /run /var/lib /var/log; do mount -t tmpfs -o mode=755 tmpfs "$shared"; done
if [ ! -e "$folder/containerd" ]; then
  # Hard links where both are on one disk. What is written to, the databases, is the node's own; its identity as well.
  rm -rf "$folder/new"
  cp -al "$store/containerd" "$folder/new" 2> /dev/null || { rm -rf "$folder/new"; cp -a "$store/containerd" "$folder/new"; }
  find "$store/containerd" -name '*.db' -printf '%P\n' | while read -r db; do
    cp --remove-destination "$store/containerd/$db" "$folder/new/$db"
  done
  rm -rf "$folder/new/io.containerd.grpc.v1.introspection"
  mv "$folder/new" "$folder/containerd"
fi
until ip -4 -oneline address show dev eth0 2>/dev/null | grep -q "$address/"; do sleep 0.05; done
containerd --config "$folder/containerd.toml" > "$logs-containerd.log" 2>&1 &
until ctr --address /run/containerd/containerd.sock version > /dev/null 2>&1; do sleep 0.2; kill -0 $!; done
kubelet --config "$folder/kubelet.json" --kubeconfig "$folder/kubeconfig" --root-dir "$folder/kubelet" \
  --cert-dir "$folder/pki" --hostname-override "$name" --node-ip "$address" > "$logs-kubelet.log" 2>&1 &
wait -n
