/**
 * Counters of the echo requests of a host's guests: as they enter by a tap, before any rule of Meshwork, and as they leave by one. An
 * emulator whose guest is late loses none of them: its tap keeps a thousand frames.
 */
import { netnsPath } from '../../src/kernel/netns.ts';
import type { LabHost } from '../../src/lab/hosts/lab-host.ts';
import { inside } from '../kit/namespaces.ts';

/**
 * From now on, the kernel of the host counts.
 * @param taps the devices of the guests
 * @param to the IPv6 addresses whose echo requests count; without it, all do
 */
export function countEchoesOn({ netns }: LabHost, taps: readonly string[], to: readonly string[] = []): void {
  const list = taps.map((tap) => `"${tap}"`).join(', ');
  const only = to.length === 0 ? '' : `ip6 daddr { ${to.join(', ')} } `;
  const types = to.length === 0 ? ['icmp', 'icmpv6'] : ['icmpv6'];
  const chainOf = (hook: string, way: string, name: string) => [
    `add counter bridge echoes ${name}`,
    `add chain bridge echoes ${hook} { type filter hook ${hook} priority -450; }`,
    ...types.map(
      (type) =>
        `add rule bridge echoes ${hook} ${way} { ${list} } ${only}${type} type echo-request counter name ${name}`,
    ),
  ];
  const table = [
    'add table bridge echoes',
    ...chainOf('prerouting', 'iifname', 'sent'),
    ...chainOf('postrouting', 'oifname', 'came'),
  ];
  inside(netnsPath(netns), 'nft', table.join(';'));
}

/** How many have left the guests of the host, and how many have come to them, since `countEchoesOn`. */
export function echoesOn({ netns }: LabHost): Record<'sent' | 'came', number> {
  const text = inside(netnsPath(netns), 'nft', 'list', 'counters', 'table', 'bridge', 'echoes');
  const count = (name: string) =>
    Number(new RegExp(`counter ${name} {\\s*packets (\\d+)`).exec(text)?.[1] ?? Number.NaN);
  return { sent: count('sent'), came: count('came') };
}

/** Ends the counting. */
export function countNoEchoesOn({ netns }: LabHost): void {
  inside(netnsPath(netns), 'nft', 'delete', 'table', 'bridge', 'echoes');
}
