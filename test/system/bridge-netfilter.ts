/** Turns br_netfilter on or off: whether bridged frames also pass the IP rules. Each namespace has its own setting. */
import { netnsPath } from '../../src/kernel/netns.ts';
import type { LabHost } from '../../src/lab/hosts/lab-host.ts';
import { inside } from '../kit/namespaces.ts';

/** The state of all three bridge-nf-call settings. */
export type BridgeNetfilter = 'on' | 'off';

/** Sets bridge-nf-call-iptables, -ip6tables and -arptables on all `hosts`. */
export function setBridgeNetfilter(hosts: readonly LabHost[], state: BridgeNetfilter): void {
  const value = state === 'on' ? 1 : 0;
  const settings = ['iptables', 'ip6tables', 'arptables'].map((name) => `net.bridge.bridge-nf-call-${name}=${value}`);
  for (const { netns } of hosts) inside(netnsPath(netns), 'sysctl', '-qw', ...settings);
}
