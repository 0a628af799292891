#!/usr/bin/env bash
# With no configuration given: a standalone server on /conf, as a plain `docker run zookeeper` is.
set -eu
if [ ! -e "$ZOOCFGDIR/zoo.cfg" ]; then
  printf '%s\n' clientPort=2181 dataDir=/data dataLogDir=/datalog > "$ZOOCFGDIR/zoo.cfg"
fi
exec "$@"
