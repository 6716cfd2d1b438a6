# The addresses of a machine in a lab, from the number of the net and the number of the machine. The host has the same formula.
# Sourced by each script of the guest: LAB_PREFIX is the prefix of IPv6 addresses.

# The number of this machine. Two sources: the word lab.host= of the kernel command line, or the last byte of the MAC of eth0.
lab_number() {
  case ${LAB_HOST:-} in
    vm-[0-9][0-9][0-9])
      number=${LAB_HOST#vm-}
      number=${number#0}
      echo "${number#0}"
      ;;
    *)
      read -r mac </sys/class/net/eth0/address
      echo "$((0x${mac##*:}))"
      ;;
  esac
}

# The net of a card: the last but one byte of its MAC.
lab_net_of() {
  read -r mac <"/sys/class/net/$1/address"
  mac=${mac%:*}
  echo "$((0x${mac##*:}))"
}

# The card in a net; nothing where there is none.
lab_card_of() {
  lab_find_card "$1" && echo "$card"
}

# Sets card to the card in a net. A start of a program, and each $( ), takes long without acceleration: this needs neither.
lab_find_card() {
  hex=$(lab_hex "$1")
  for card in /sys/class/net/eth*; do
    [ -e "$card/address" ] || continue
    read -r mac <"$card/address"
    card=${card##*/}
    case $mac in *:"$hex":??) return 0 ;; esac
  done
  card=
  return 1
}
lab_hex() { printf '%02x' "$1"; }

lab_name() { printf 'vm-%03d\n' "$1"; }
lab_mac() { printf '02:00:00:01:%02x:%02x\n' "$1" "$2"; }
lab_ipv4() { echo "192.168.$1.$2"; }
lab_ipv6() { printf '%sc0a8:%x\n' "${LAB_PREFIX:-fd00::}" "$(($1 * 256 + $2))"; }

# Routes a net, or default, by a machine in another net: lab_route NET VIA_NET VIA_NUMBER
lab_route() {
  if [ "$1" = default ]; then
    [ -n "${LAB_IPV6_ONLY:-}" ] || ip route replace default via "$(lab_ipv4 "$2" "$3")"
    ip -6 route replace default via "$(lab_ipv6 "$2" "$3")"
  else
    [ -n "${LAB_IPV6_ONLY:-}" ] || ip route replace "$(lab_ipv4 "$1" 0)/24" via "$(lab_ipv4 "$2" "$3")"
    ip -6 route replace "$(lab_ipv6 "$1" 0)/120" via "$(lab_ipv6 "$2" "$3")"
  fi
}

lab_role() {
  if [ "$1" -le 200 ]; then echo node; elif [ "$1" -le 220 ]; then echo router; else echo tester; fi
}

# Sets the address of this machine on the card of a net, and the MTU that the lab gives the net.
lab_configure() {
  lab_find_card "$1" || return 0
  eval "mtu=\${LAB_MTU_$1:-}"
  echo 0 >"/proc/sys/net/ipv6/conf/$card/accept_dad"
  ip link set "$card" ${mtu:+mtu "$mtu"} up
  [ -n "${LAB_IPV6_ONLY:-}" ] && [ "$1" != 0 ] || ip address add "192.168.$1.$LAB_NUMBER/24" dev "$card"
  ip address add "${LAB_PREFIX:-fd00::}192.168.$1.$LAB_NUMBER/120" dev "$card"
}
