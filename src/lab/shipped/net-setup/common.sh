# Sourced by the net set-ups that come with labs. They get: $1 the machine, $2 the net; LAB_DIR, LAB_MAC, LAB_BRIDGE, MESH_LAB, __mtu.
set -eu
node=$1 net=$2
device="virtio-net-pci,netdev=net$net,mac=$LAB_MAC,romfile="
name=$(printf 'vm-%03d' "$node")

# A tap on the bridge of the net, as without a net set-up.
tap_on_bridge() {
  tap=${LAB_BRIDGE}_t$node
  ip link show "$tap" >/dev/null 2>&1 || ip tuntap add "$tap" mode tap
  ip link set "$tap" mtu "$__mtu" master "$LAB_BRIDGE" up
  echo "-netdev tap,id=net$net,ifname=$tap,script=no,downscript=no -device $device"
}

# Everybody in the namespace hears everybody: sockets of one multicast group.
multicast() {
  ip link set lo up multicast on
  ip route replace 224.0.0.0/4 dev lo
  echo "-netdev socket,id=net$net,mcast=230.0.0.1:$((30000 + net)),localaddr=127.0.0.1 -device $device"
}
