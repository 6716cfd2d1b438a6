/** Features that this kernel lacks, and devices that another program changes. */
import { missing } from '../../loop/missing-features.ts';
import type { Check, Evidence } from '../evidence.ts';

/** Without these there is no mesh at all. */
const VITAL: ReadonlySet<string> = new Set(['bridge', 'vxlan', 'nft inet']);

/** Finds missing kernel features, each with its consequence. */
export const kernelFeatures: Check = {
  name: 'kernel-features',
  find: ({ features }) =>
    missing(features).map((feature) => ({
      code: 'MESH_KERNEL_UNSUPPORTED',
      severity: VITAL.has(feature.name) ? 'error' : 'warning',
      object: feature.name,
      saw: `this kernel cannot do «${feature.name}»${feature.why === undefined ? '' : `: ${feature.why}`}`,
      matters: feature.costs,
      remedy:
        feature.remedy ??
        'Load the module (`modprobe`), install the full kernel of the distribution, or build it with this feature.',
    })),
};

/** How to make each program leave Meshwork's devices alone, by the program's name in /proc. */
const KEEP_OFF: Readonly<Record<string, (devices: string) => string>> = {
  NetworkManager: (devices) =>
    `Write \`[keyfile]\` and \`unmanaged-devices=${devices}\` to /etc/NetworkManager/conf.d/90-meshwork.conf, and \`systemctl reload NetworkManager\`.`,
  'systemd-network': () =>
    'Give systemd-networkd a file for them in /etc/systemd/network with `[Link]` and `Unmanaged=yes`.',
};

/** Finds changes that do not stay in the kernel, since another program undoes them (MESH_KERNEL_NOT_KEPT). */
export const stolenDevices: Check = {
  name: 'stolen-device',
  find({ failures, rivals, networks }) {
    return failures
      .filter(({ error }) => error.code === 'MESH_KERNEL_NOT_KEPT')
      .map(({ item, error }) => ({
        code: error.code,
        severity: 'error' as const,
        object: item,
        saw: error.message,
        matters: 'Two programs change the same device in turn. Whether it works depends on which of them was last.',
        remedy: `${remedyAgainst(rivals, networks)} \`ip monitor\` shows the changes as they come.`,
      }));
  },
};

function remedyAgainst(rivals: readonly string[], networks: Evidence['networks']): string {
  const devices = networks
    .flatMap(({ network: { bridge, type } }) => [bridge.name, type.device])
    .map((name) => `interface-name:${name}`)
    .join(';');
  const known = rivals.flatMap((rival) => KEEP_OFF[rival]?.(devices) ?? []);
  if (known.length > 0) return known.join(' ');
  const suspects = rivals.length === 0 ? 'a udev rule or a script' : `${rivals.join(', ')}, a udev rule or a script`;
  return `Find what else configures this device (${suspects}), and let it leave Meshwork's devices alone.`;
}
