/** Settings of the kernel's IP layer that mesh traffic needs, and that other software often changes. */
import type { Check } from '../evidence.ts';

/**
 * net.ipv4.conf.*.rp_filter: 1 is strict, 2 accepts any route to the sender (Documentation/networking/ip-sysctl.rst).
 */
const STRICT = 1;
const LOOSE = '2';

/**
 * Finds strict rp_filter. It is a good setting on most machines, so it is a finding only where it has dropped packets.
 */
export const reversePath: Check = {
  name: 'rp-filter',
  find({ underlay, setting, counters }) {
    if (counters.reversePathDrops === 0) return [];
    const all = Number(setting('net/ipv4/conf/all/rp_filter') ?? 0);
    return underlay.flatMap(({ link: { name } }) => {
      const path = `net/ipv4/conf/${name}/rp_filter`;
      // The kernel takes the larger of the two.
      if (Math.max(all, Number(setting(path) ?? 0)) !== STRICT) return [];
      return [
        {
          code: 'MESH_MACHINE_UNFIT' as const,
          severity: 'warning' as const,
          object: name,
          saw: `rp_filter is strict on ${name}, and ${counters.reversePathDrops} packets were dropped by it since boot`,
          matters: 'VXLAN packets are dropped silently when the route to their sender uses another interface.',
          remedy: `Make it loose: \`sysctl net/ipv4/conf/${name}/rp_filter=${LOOSE}\`, and in /etc/sysctl.d to keep it.`,
          fix: [{ name: path, value: LOOSE }],
        },
      ];
    });
  },
};

/** Finds segments of host0 that IPv4 packets are not forwarded from. A single segment needs no forwarding. */
export const segmentForwarding: Check = {
  name: 'ip-forward',
  find({ role, underlay, setting }) {
    if (role !== 'host0' || underlay.length < 2) return [];
    return underlay.flatMap(({ link: { name } }) => {
      const path = `net/ipv4/conf/${name}/forwarding`;
      if (setting(path) !== '0') return [];
      return [
        {
          code: 'MESH_MACHINE_UNFIT' as const,
          severity: 'error' as const,
          object: name,
          saw: `IPv4 forwarding is off on ${name}, one of ${underlay.length} segments of host0`,
          matters: 'Members on different segments do not reach each other.',
          remedy: `\`sysctl ${path}=1\`; if it is turned off again, look for the program in /etc/sysctl.d.`,
          fix: [{ name: path, value: '1' }],
        },
      ];
    });
  },
};

/** Finds bridges on which IPv6 is turned off, for example by a line for all interfaces in /etc/sysctl.d. */
export const ipv6Disabled: Check = {
  name: 'ipv6-disabled',
  find({ networks, links, setting }) {
    return networks.flatMap(({ network: { name, bridge } }) => {
      const path = `net/ipv6/conf/${bridge.name}/disable_ipv6`;
      if (!links.some((link) => link.name === bridge.name) || setting(path) !== '1') return [];
      return [
        {
          code: 'MESH_MACHINE_UNFIT' as const,
          severity: 'error' as const,
          object: bridge.name,
          saw: `IPv6 is turned off on ${bridge.name}`,
          matters: `This machine has no address in ${name}, and cannot speak to host0 there.`,
          remedy: `\`sysctl ${path}=0\`, and take disable_ipv6 out of /etc/sysctl.d.`,
          fix: [{ name: path, value: '0' }],
        },
      ];
    });
  },
};
