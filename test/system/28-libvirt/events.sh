# What virsh hears of changes by mesh, and what `net-edit` keeps: $1 is the socket, $2 a folder for files, $3 mesh, $4 host0's root.
uri="network+unix:///system?socket=$1"
cd "$2" || exit 1
virsh -c "$uri" net-event --event lifecycle --loop --timeout 60 >events 2>&1 &
listener=$!
program=$3
root=$4
m() {
  node --disable-warning=ExperimentalWarning "$program" --root "$root" "$@" >/dev/null 2>>errors || echo "failed: $*"
}
tries=0
# The listener has registered once it hears of a network.
while ! grep -q "network warm" events && [ $tries -lt 100 ]; do
  tries=$((tries + 1))
  m network create warm$tries
  sleep 0.1
done
m network create green
m network stop green
m network start green
m network delete green
m network create blue
virsh -c "$uri" net-dumpxml --inactive blue >before
printf '#!/bin/sh\nexec sed -i "s#<mesh:span#<!-- changed --><mesh:span#" "$1"\n' >editor
chmod 755 editor
EDITOR="$PWD/editor" virsh -c "$uri" net-edit blue
virsh -c "$uri" net-dumpxml --inactive blue >after
sed s/^/before:/ before
sed s/^/after:/ after
kill $listener
wait $listener 2>/dev/null
grep -a green events
cat errors 2>/dev/null
