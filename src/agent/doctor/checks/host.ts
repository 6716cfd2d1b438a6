/** The disk and the Node.js of the machine. */
import type { Check } from '../evidence.ts';

const OLDEST_NODE = 24;
/** The agent writes a few kilobytes, but other programs on the same disk write more. */
const FEW_BYTES = 32 * 1024 * 1024;
const FEW_INODES = 1_000;

/** Finds a disk of the state directory that has few bytes or inodes left; an error when it has none. */
export const disk: Check = {
  name: 'disk',
  find({ disk: { directory, freeBytes, totalBytes, freeInodes, totalInodes } }) {
    // Some file systems have no fixed number of inodes, and say 0 of 0.
    const noInodes = totalInodes > 0 && freeInodes === 0;
    const fewInodes = totalInodes > 0 && freeInodes < FEW_INODES && freeInodes < totalInodes / 20;
    const fewBytes = freeBytes < FEW_BYTES && freeBytes < totalBytes / 5;
    if (!fewBytes && !fewInodes) return [];
    const left = fewBytes
      ? `${Math.floor(freeBytes / 1024)} kB of ${Math.floor(totalBytes / 1024)} kB`
      : `${freeInodes} of ${totalInodes} inodes`;
    return [
      {
        code: 'MESH_MACHINE_UNFIT',
        severity: freeBytes === 0 || noInodes ? 'error' : 'warning',
        object: directory,
        saw: `${left} are free where ${directory} is`,
        matters: 'Networks, ports and members that are accepted now would be forgotten at the next start.',
        remedy: `Make room: \`du -xh ${directory} | sort -h | tail\`, and look at /var/log on the same disk.`,
      },
    ];
  },
};

/** Finds a host0 that accepts no connections, or will not when all its members connect. */
export const openFiles: Check = {
  name: 'open-files',
  find: ({ health }) =>
    health
      .filter(({ code }) => code === 'MESH_HOST0_DEAF')
      .map((finding) => ({
        ...finding,
        saw: finding.message,
        matters:
          'Members that must connect again are not heard, no machine joins, and no command gets an answer of host0.',
      })),
};

/** Finds a Node.js that is older than the supported version. */
export const nodeRuntime: Check = {
  name: 'node',
  find({ nodeVersion }) {
    if (Number.parseInt(nodeVersion, 10) >= OLDEST_NODE) return [];
    return [
      {
        code: 'MESH_MACHINE_UNFIT',
        severity: 'warning',
        object: 'Node.js',
        saw: `the agent runs on Node.js ${nodeVersion}`,
        matters: `Meshwork is built for Node.js ${OLDEST_NODE}; older versions are not tested and may fail.`,
        remedy: `Run \`scripts/setup\`, install Node.js ${OLDEST_NODE}, or name one in MESH_NODE; then restart the agent.`,
      },
    ];
  },
};
