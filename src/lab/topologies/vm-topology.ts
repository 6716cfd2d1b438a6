/** A topology: which machines a lab has, in which nets they are, and what they run. Plain data. */
import * as form from '../../model/form.ts';
import { DEFAULT_PREFIX, NET_MAX, VM_ROLES, type VmRole, vmNumberOf } from './vm-address.ts';

/** The machines of one role. */
export interface RoleSettings {
  readonly count: number;
  /** In the order of their cards. The first is 0, the internal net. */
  readonly nets: readonly number[];
  readonly memoryMib?: number;
  /** Behind those of all machines. */
  readonly overlays: readonly string[];
}

/** What is different on one machine. */
export interface VmSettings {
  readonly nets?: readonly number[];
  readonly memoryMib?: number;
}

/** A net that is not as nets are by themselves. */
export interface NetSettings {
  readonly net: number;
  readonly mtuBytes?: number;
  /** Whether this machine has an address in the net. By itself it has one in all nets but net 1. */
  readonly hostAddress?: boolean;
}

/** How the link between machines and a net is, in both directions. */
export interface LinkSettings {
  readonly net: number;
  /** Absent: each machine of the net. */
  readonly machine?: string;
  readonly mtuBytes?: number;
  readonly lossPercent?: number;
  readonly delayMs?: number;
  readonly rateMbit?: number;
}

/** A whole topology. */
export interface VmTopology {
  readonly description?: string;
  readonly prefix: string;
  /** Absent: as much as the overlays of a machine need. */
  readonly memoryMib?: number;
  readonly roles: Readonly<Partial<Record<VmRole, RoleSettings>>>;
  readonly machines: Readonly<Record<string, VmSettings>>;
  readonly nets: readonly NetSettings[];
  /** By name or path, for all machines, in this order. */
  readonly overlays: readonly string[];
  readonly links: readonly LinkSettings[];
  /** A kernel and an initramfs in place of the guest that comes with labs. */
  readonly images?: { readonly kernel: string; readonly initrd: string };
}

const LIST_MAX = 256;
/** With less memory, the guest's kernel does not boot. */
const MEMORY_MIN_MIB = 80;
const MEMORY_MAX_MIB = 65_536;

const NetShape = form.int(0, NET_MAX);
const NetsShape = form.worded(
  form.refined(form.listOf(NetShape, NET_MAX + 1), (nets) => nets[0] === 0 && new Set(nets).size === nets.length),
  `The nets of a machine are different numbers from 0 to ${NET_MAX}, and the first is 0: its first card, eth0, is in the internal net.`,
  'Write nets: [0, 1]',
);
const MemoryShape = form.int(MEMORY_MIN_MIB, MEMORY_MAX_MIB);
const MtuShape = form.int(1_280, 65_535);
const OverlaysShape = form.listOf(form.string({ max: 4_096, pattern: /^[^\0\n]+$/ }), LIST_MAX);
const VmNameShape = form.worded(
  form.refined(form.string({ max: 16 }), (name) => vmNumberOf({ hostName: name }) !== undefined),
  'A machine is named by its number, with three digits: vm-001 to vm-200 are nodes, vm-201 to vm-220 routers, vm-221 to vm-240 testers.',
  'Write vm-001',
);

const RoleShape: form.Shape<RoleSettings> = form.object({
  count: form.int(0, 1_000),
  nets: NetsShape,
  memoryMib: form.exactOptional(MemoryShape),
  overlays: form.defaulted(OverlaysShape, []),
});

/** The form of a topology. */
export const VmTopologyShape: form.Shape<VmTopology> = form.object({
  description: form.exactOptional(form.string({ max: 1_000 })),
  prefix: form.defaulted(
    form.worded(
      form.string({ pattern: /^f[cd][0-9a-f]{2}(?::[0-9a-f]{1,4}){0,4}::$/ }),
      'The prefix is the first half of unique local addresses (RFC 4193), of at most 80 bits, and ends with ::. The IPv4 address stands behind it.',
      `Write prefix: "${DEFAULT_PREFIX}"`,
    ),
    DEFAULT_PREFIX,
  ),
  memoryMib: form.exactOptional(MemoryShape),
  roles: form.object({
    node: form.exactOptional(RoleShape),
    router: form.exactOptional(RoleShape),
    tester: form.exactOptional(RoleShape),
  }),
  machines: form.defaulted(
    form.recordOf(
      VmNameShape,
      form.object({ nets: form.exactOptional(NetsShape), memoryMib: form.exactOptional(MemoryShape) }),
      LIST_MAX,
    ),
    {},
  ),
  nets: form.defaulted(
    form.listOf(
      form.object({
        net: NetShape,
        mtuBytes: form.exactOptional(MtuShape),
        hostAddress: form.exactOptional(form.boolean()),
      }),
      NET_MAX + 1,
    ),
    [],
  ),
  overlays: form.defaulted(OverlaysShape, []),
  links: form.defaulted(
    form.listOf(
      form.object({
        net: NetShape,
        machine: form.exactOptional(VmNameShape),
        mtuBytes: form.exactOptional(MtuShape),
        lossPercent: form.exactOptional(form.worded(between(0, 100), 'A number from 0 to 100.')),
        delayMs: form.exactOptional(form.worded(between(0, 10_000), 'Milliseconds, from 0 to 10000.')),
        rateMbit: form.exactOptional(form.worded(between(0.01, 100_000), 'Mbit/s, from 0.01 to 100000.')),
      }),
      LIST_MAX,
    ),
    [],
  ),
  images: form.exactOptional(form.object({ kernel: form.string({ max: 4_096 }), initrd: form.string({ max: 4_096 }) })),
});

function between(least: number, most: number): form.Shape<number> {
  return form.refined(form.number(), (value) => value >= least && value <= most);
}

/** How many machines of a role a topology has. */
export function countOf({ roles }: VmTopology, role: VmRole): number {
  return roles[role]?.count ?? 0;
}

/** The same topology with other numbers of machines. */
export function withCounts(topology: VmTopology, counts: Readonly<Partial<Record<VmRole, number>>>): VmTopology {
  const roles = { ...topology.roles };
  for (const role of VM_ROLES) {
    const count = counts[role];
    if (count !== undefined) roles[role] = { nets: DEFAULT_NETS[role], overlays: [], ...roles[role], count };
  }
  return { ...topology, roles };
}

/** The nets of a role that a topology does not name: nodes signal on net 1, routers join it to net 2, where testers are. */
const DEFAULT_NETS: Readonly<Record<VmRole, readonly number[]>> = { node: [0, 1], router: [0, 1, 2], tester: [0, 2] };
