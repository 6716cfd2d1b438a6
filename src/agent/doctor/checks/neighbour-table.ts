/** The kernel's neighbour tables, one for each family. The whole machine has one of each for all network namespaces. */
import type { Severity } from '../../../protocol/documents/finding.ts';
import type { Check, CheckFinding, Evidence } from '../evidence.ts';

/**
 * Entries for each member: other machines on the same segments need some too.
 */
const ROOM = 2;
/** gc_thresh3 unless an administrator has changed it. */
const DEFAULT_HARD = 1024;
/** The table is nearly full. */
const NEARLY = 0.9;
const HALF = 0.5;
const MATTERS =
  'When it is full, packets to changing members are dropped, no new machine joins, and the kernel logs «neighbour table overflow».';

/**
 * Finds a table that is too small for the underlay addresses of all members, or that the guests of the meshes fill.
 * Neighbour entries that Meshwork makes are set with extern_learn, and those do not count (net/core/neighbour.c,
 * neigh_alloc): they cost memory only.
 */
export const neighbourTable: Check = {
  name: 'gc-thresh',
  find: (evidence) => [...forMembers(evidence), ...forGuests(evidence)],
};

function forMembers({ networks, setting }: Evidence): CheckFinding[] {
  const members = new Set(networks.flatMap(({ members }) => members.map(({ ipv4 }) => ipv4))).size;
  const hard = Number(setting(path('ipv4', 3)) ?? Infinity);
  if (members * ROOM <= hard) return [];
  const saw = `the neighbour table holds ${hard} entries (gc_thresh3), and the meshes have ${members} members`;
  return [finding('ipv4', { severity: members >= hard ? 'error' : 'warning', saw, wanted: members * ROOM })];
}

/** Each neighbour solicitation of a guest makes an entry in the IPv6 table of the node that it asks. */
function forGuests({ neighbours, setting, tableFulls }: Evidence): CheckFinding[] {
  const hard = Number(setting(path('ipv6', 3)) ?? Infinity);
  const ours = neighbours.filter(({ family, externLearn }) => family === 6 && externLearn).length;
  const used = neighbours.filter(
    ({ family, externLearn, state }) => family === 6 && !externLearn && state !== 'permanent' && state !== 'noarp',
  ).length;
  // The kernel counts since boot: a table that was made larger may have been full before.
  const fulls = hard > DEFAULT_HARD ? 0 : (tableFulls.ipv6 ?? 0);
  if (used < hard * HALF && fulls === 0) return [];
  const was = fulls === 0 ? '' : `; it was full ${fulls} times since boot`;
  const saw = `the IPv6 neighbour table of the machine holds ${hard} entries (gc_thresh3), and ${used} are used here${was} (the ${ours} of Meshwork do not count)`;
  return [finding('ipv6', { severity: used >= hard * NEARLY ? 'error' : 'warning', saw, wanted: hard * 4 })];
}

interface Shortage {
  readonly severity: Severity;
  readonly saw: string;
  /** The number of entries that the table should hold, at least. */
  readonly wanted: number;
}

function finding(family: 'ipv4' | 'ipv6', { severity, saw, wanted }: Shortage): CheckFinding {
  const size = 2 ** Math.ceil(Math.log2(wanted));
  const [soft, hard] = [path(family, 2), path(family, 3)];
  return {
    code: 'MESH_MACHINE_UNFIT',
    severity,
    object: family === 'ipv4' ? 'neighbour table' : 'IPv6 neighbour table',
    saw,
    matters: MATTERS,
    remedy: `\`sysctl ${soft}=${size / 2} ${hard}=${size}\`, and in /etc/sysctl.d to keep it.${
      family === 'ipv6' ? ' `ip -6 neighbour` shows which interface they are on.' : ''
    }`,
    fix: [
      { name: hard, value: String(size) },
      { name: soft, value: String(size / 2) },
    ],
  };
}

function path(family: 'ipv4' | 'ipv6', threshold: 2 | 3): string {
  return `net/${family}/neigh/default/gc_thresh${threshold}`;
}
