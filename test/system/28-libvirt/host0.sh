# host0 with the folder $1 as its root, in the network namespace of this shell, and then the command in the further arguments.
root=$1
program=$2
shift 2
ip link set lo up
mkdir -p "$root/host0/network" "$root/etc/meshwork"
echo "libvirt=${LIBVIRT:-own}" >"$root/host0/host0.conf"
echo 0a0b0c0d >"$root/etc/meshwork/machine"
node --disable-warning=ExperimentalWarning "$program" --root "$root" >"$root/log" 2>&1 &
daemon=$!
tries=0
while ! [ -S "$root/run/meshwork/libvirt/network-sock-ro" ] && [ $tries -lt 300 ]; do
  tries=$((tries + 1))
  sleep 0.1
done
"$@"
kill $daemon
wait $daemon
