/** Foreign devices, entries and rules on a host, beside Meshwork's and on its bridge: no fault may change them. */
import type { Lab } from '../../../src/lab/cluster/lab.ts';
import { EXAMPLE_MESH } from '../../../src/lab/hosts/example-mesh.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { agentClient } from '../../../src/protocol/calls/control-client.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';

const MAKE = `set -e
ip link add theirs0 type bridge
ip link add theirs1 master theirs0 type veth peer name theirs2
ip link add theirs3 type vxlan id 77 dstport 8472 local 192.0.2.1 nolearning
ip link add put0 mtu 1380 type veth peer name put1 mtu 1380
for link in theirs0 theirs1 theirs2 theirs3 put0 put1; do ip link set $link up; done
ip link set theirs1 alias 'made by hand' group 7
ip address add 192.0.2.1/24 dev theirs0
ip address add fd99::1/64 dev theirs0 nodad
ip route add 198.51.100.0/24 via 192.0.2.2
ip route add 203.0.113.0/24 via 192.0.2.3 table 77 proto 200
ip -6 route add fd98::/64 via fd99::2
ip rule add to 203.0.113.0/24 lookup 77 protocol 200
ip neighbour add 192.0.2.2 lladdr 0a:00:00:00:00:02 dev theirs0 nud permanent
ip -6 neighbour add fd99::2 lladdr 0a:00:00:00:00:03 dev theirs0 nud permanent protocol 200
bridge fdb add 0a:00:00:00:00:04 dev theirs3 dst 192.0.2.4 self extern_learn
bridge fdb append 00:00:00:00:00:00 dev theirs3 dst 192.0.2.5 self
bridge fdb add 0a:00:00:00:00:06 dev theirs1 master static
nft 'table inet theirs { set hosts { type ipv4_addr; elements = { 192.0.2.6 }; }
  chain input { type filter hook input priority 10; policy accept; ip saddr @hosts tcp dport 4 drop; }; }'
nft 'table bridge theirs { chain forward { type filter hook forward priority 0; policy accept; }; }'`;

/** Without link-local addresses, timers and counters, and without the bridge-port state of put0, which the kernel changes. */
const SHOW = `
for link in theirs0 theirs1 theirs2 theirs3 put1; do
  ip -oneline -details link show $link | sed 's/ [a-z_]*timer *[0-9.]*//g'
  ip -oneline address show dev $link scope global
done
ip route show dev theirs0; ip route show table 77; ip rule show table 77; ip -6 route show dev theirs0
ip neighbour show dev theirs0 nud permanent; ip -6 neighbour show dev theirs0 nud permanent
bridge fdb show dev theirs3 | sort; bridge fdb show dev theirs1 | grep -v permanent | sort
nft list table inet theirs; nft list table bridge theirs`;

/** Makes them. The mesh must be up, since put0 is plugged into it. */
export async function makeBelongings(lab: Lab, host: LabHost): Promise<void> {
  const { code, stderr } = await lab.exec(host, ['sh', '-c', MAKE]);
  if (code !== 0) throw new Error(`the belongings of ${host.name}: ${stderr}`);
  await agentClient(pathsBelow(host.root)).ask('PUT /v1/ports/{interface}', {
    path: { interface: 'put0' },
    body: { network: EXAMPLE_MESH.name },
  });
}

/** All of them as text, to compare with an earlier state. */
export async function belongings(lab: Lab, host: LabHost): Promise<string> {
  const { code, stdout, stderr } = await lab.exec(host, ['sh', '-c', SHOW]);
  if (code !== 0 || stderr !== '') throw new Error(`the belongings of ${host.name}: ${stderr}`);
  return stdout;
}
