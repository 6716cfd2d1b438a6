/** Whether frames that a host's bridges pass on go through its IP rules too (br_netfilter); a setting of each namespace. */
import { netnsPath } from '../../src/kernel/netns.ts';
import type { LabHost } from '../../src/lab/hosts/lab-host.ts';
import { inside } from '../kit/namespaces.ts';

export type BridgeNetfilter = 'on' | 'off';

export function setBridgeNetfilter(hosts: readonly LabHost[], state: BridgeNetfilter): void {
  const value = state === 'on' ? 1 : 0;
  const settings = ['iptables', 'ip6tables', 'arptables'].map((name) => `net.bridge.bridge-nf-call-${name}=${value}`);
  for (const { netns } of hosts) inside(netnsPath(netns), 'sysctl', '-qw', ...settings);
}
