#!/usr/bin/env bash
# The server's launcher, with the official image's switches: zkServer.sh [--config DIR] {start-foreground|status|version}
# It reads ZOOCFGDIR, ZOOCFG, ZK_SERVER_HEAP (MiB), JVMFLAGS and SERVER_JVMFLAGS, as ZooKeeper's own does.
set -eu
config=${ZOOCFGDIR:-/conf}
if [ "${1:-}" = --config ]; then config=$2; shift 2; fi
classpath="$config:${ZOOKEEPER_HOME:?}/lib/*"
configuration=$config/${ZOOCFG:-zoo.cfg}
# A dozen servers share two cores here, and start hundreds of times: half of what a start costs is optimizing for a long
# life. Flags of the pod's own come later, and win.
light="-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
# shellcheck disable=SC2206  # flags are words
flags=($light -Xmx"${ZK_SERVER_HEAP:-1000}"m ${JVMFLAGS:-} ${SERVER_JVMFLAGS:-} -Dzookeeper.log.dir="${ZOO_LOG_DIR:-/logs}")
case "${1:-}" in
  start-foreground)
    exec java "${flags[@]}" -cp "$classpath" org.apache.zookeeper.server.quorum.QuorumPeerMain "$configuration" ;;
  status)
    port=$(sed -n 's/^ *clientPort=//p' "$configuration")
    exec 3<> "/dev/tcp/127.0.0.1/${port:-2181}" || { echo "Error contacting service. It is probably not running."; exit 1; }
    echo srvr >&3
    grep '^Mode: ' <&3 || { echo "Error contacting service. It is probably not running."; exit 1; } ;;
  version)
    exec java -cp "$classpath" org.apache.zookeeper.version.VersionInfoMain ;;
  *)
    echo "Usage: zkServer.sh [--config DIR] {start-foreground|status|version}" >&2; exit 1 ;;
esac
