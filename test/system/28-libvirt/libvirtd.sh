# Debian's libvirtd with its run directories in the mount namespace of this shell, and then the command in "$@".
mount --make-rprivate /
ip link set lo up
mkdir -p /var/lib/libvirt /var/cache/libvirt /var/log/libvirt /etc/libvirt
for directory in /run /var/lib/libvirt /var/cache/libvirt /var/log/libvirt /etc/libvirt; do
  mount -t tmpfs tmpfs "$directory" || exit 1
done
mkdir -p /run/libvirt /var/lib/libvirt/dnsmasq
printf 'auth_unix_rw="none"\nauth_unix_ro="none"\nunix_sock_group="root"\n' >/etc/libvirt/libvirtd.conf
libvirtd -f /etc/libvirt/libvirtd.conf >/run/libvirtd.log 2>&1 &
daemon=$!
tries=0
while ! [ -S /run/libvirt/libvirt-sock ] && [ $tries -lt 300 ]; do
  tries=$((tries + 1))
  sleep 0.1
done
"$@"
kill $daemon
wait $daemon
