# What the scripts beside this one agree on. They read it; it does nothing by itself.
# shellcheck shell=bash disable=SC2034 # used where it is read
scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=$(sed -n 's|.*<kafka.version>\(.*\)</kafka.version>.*|\1|p' "$scripts/pom.xml")
cache=${XDG_CACHE_HOME:-$HOME/.cache}/foreshock-kafka
jars=$cache/jars-$version

fail() { echo "$*" >&2; exit 1; }
# need COMMAND PACKAGE
need() { command -v "$1" >/dev/null || fail "missing: $1; install $2 (Debian) or your system's, or run make test-tools"; }

# Classes as the JVM has them once they are loaded and checked (class data sharing), for this very java: with them a
# broker is up for half of the CPU seconds.
class_archive() { echo "$jars/classes-$(stat -Lc %Y-%s "$(command -v java)").jsa"; }

# running FOLDER: prints the pid of the node whose folder this is, while it runs. A pid of a file is believed only if
# the process is about this very folder: the number may be another's by now.
running() {
  local pid
  pid=$(cat "$1/pid" 2>/dev/null) && [ -n "$pid" ] || return 1
  { tr '\0' '\n' <"/proc/$pid/cmdline"; } 2>/dev/null | grep -qxF -e "$1" -e "$1/server.properties" || return 1
  echo "$pid"
}
