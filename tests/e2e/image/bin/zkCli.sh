#!/usr/bin/env bash
# ZooKeeper's own command line client, as the official image starts it.
set -eu
# shellcheck disable=SC2086  # flags are words
exec java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xmx"${ZK_CLIENT_HEAP:-256}"m ${JVMFLAGS:-} ${CLIENT_JVMFLAGS:-} \
  -cp "${ZOOCFGDIR:-/conf}:${ZOOKEEPER_HOME:?}/lib/*" org.apache.zookeeper.ZooKeeperMain "$@"
