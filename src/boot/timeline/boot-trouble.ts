/**
 * What a silence in a boot means. Each stage has a time of its own (own-time.ts), after which the next one should have
 * begun; when it has not, the cause follows from what was seen so far.
 */

import type { ErrorCode } from '../../model/error.ts';
import type { BootStage, BootTrouble } from '../../protocol/documents/timeline-view.ts';
import { BOOT_ARCHITECTURES } from '../../services/dnsmasq/dnsmasq-conf.ts';
import { type OwnTime, ownTime, type Silences } from './own-time.ts';
import { silenceOf, stageOf, type Timeline } from './timeline.ts';

/** What host0 does on the segment where the machine is. */
export interface SegmentState {
  readonly mode: 'off' | 'observe' | 'proxy' | 'server' | 'dry';
  /** Why the mode is as it is, for people. */
  readonly why: string;
  /** What to do about that, where it is known. */
  readonly remedy?: string;
  /** Why nobody is answered although the mode says so, where it is known. */
  readonly silence?: Pick<BootTrouble, 'code' | 'cause' | 'remedy'>;
}

/** After so long without a word a machine has been switched off, or boots from its disk. */
const GIVEN_UP_SEC = 600;

type Judge = (
  timeline: Timeline,
  segment: SegmentState,
) => Pick<BootTrouble, 'cause' | 'remedy'> & { readonly code?: ErrorCode };

const NO_SCRIPT = {
  cause: 'iPXE got its address, and has not asked host0 for a boot script: HTTP does not get through',
  remedy: 'See that TCP port 80 of host0 is not filtered on the way, and that `mesh system boot` shows it listening.',
};

const CAUSES: Readonly<Record<Exclude<BootStage, 'mesh'>, Judge>> = {
  discover: (_, { mode, why, remedy, silence }) => {
    if (mode === 'server') {
      return (
        silence ?? {
          cause: 'host0 gives the addresses on this segment, and has not answered',
          remedy: 'See `mesh system boot`: dnsmasq may hear nothing, for a firewall (UDP port 67).',
        }
      );
    }
    if (mode === 'proxy') {
      return {
        cause: 'no DHCP server answers; host0 only adds the boot file on this segment, and gives no addresses',
        remedy: 'Start the DHCP server of this segment, or let host0 be it: boot_mode="PORT=server" in host0.conf.',
      };
    }
    return {
      cause: `host0 does not answer on this segment: its mode is ${mode} (${why})`,
      remedy:
        remedy ??
        'Wait until host0 has looked for other servers, or fix the mode with boot_mode="PORT=server" in host0.conf.',
    };
  },
  offer: ({ offer, client, takes }, { mode, why, remedy, silence }) => {
    if (silence !== undefined && offer?.ours !== true) return silence;
    if (mode !== 'server' && mode !== 'proxy') {
      const server = offer?.server ?? 'another server';
      return {
        cause: `${server} gives an address, and host0 adds no boot file: its mode is ${mode} (${why})`,
        remedy:
          remedy ??
          'Wait until host0 has looked for other servers, or fix the mode with boot_mode="PORT=proxy" in host0.conf.',
      };
    }
    if (client === 'ipxe') return NO_SCRIPT;
    if (takes !== undefined && offer?.ours === true && takes !== offer.server) {
      return {
        code: 'MESH_BOOT_FOREIGN',
        cause: `the firmware took the offer of the foreign server ${takes}, and asks host0 for no file: that server names one of its own, or the firmware takes no second answer`,
        remedy: `Take the boot file out of ${takes} (options 66 and 67), and see that UDP ports 69 and 4011 of host0 are not filtered.`,
      };
    }
    return {
      cause: 'the firmware got an offer, and asks for no file: it does not take the offer, or TFTP is filtered',
      remedy: 'See that UDP port 69 of host0 is not filtered, and that the firmware boots from this card by IPv4.',
    };
  },
  tftp: (timeline, segment) => {
    const { client, stages, unanswered } = timeline;
    if (client === 'ipxe') return unanswered > 0 ? CAUSES.discover(timeline, segment) : NO_SCRIPT;
    return {
      cause: `${stages.at(-1)?.detail ?? 'the boot file'} was asked for by TFTP, and iPXE has not started from it`,
      remedy:
        'A firewall lets the request through and not the data (UDP from a high port), or Secure Boot refuses the file: ' +
        'switch it off in the firmware setup.',
    };
  },
  script: ({ queuedUntilMs }) =>
    queuedUntilMs === undefined
      ? {
          cause: 'the machine has its boot script, and does not load the kernel',
          remedy: 'Look at its console: iPXE says there what it cannot do. It asks again by itself.',
        }
      : {
          cause: 'the machine was told to ask for its boot script again, since others load, and does not',
          remedy: 'It was switched off, or hangs: look at its console, and boot it again.',
        },
  kernel: () => ({
    cause: 'the machine has the kernel, and does not ask for the initrd',
    remedy: 'Look at its console: iPXE says there what it cannot do. The machine needs 2 GB of memory.',
  }),
  initrd: () => ({
    cause: 'the kernel was started and has not been heard of: it does not start, or has no driver for the card',
    remedy:
      'Look at the console. An image of the kernel package linux-image-amd64 has the drivers of real hardware: ' +
      '`mesh system image node --kernel linux-image-amd64`.',
  }),
  overlay: () => ({
    cause: 'the machine has its overlay, and does not report that it has taken it up',
    remedy: 'Look at its console. An overlay that fills the memory is one reason.',
  }),
  packages: () => ({
    cause: 'the machine is set up, and its agent has not started',
    remedy: 'Look at its console, and at /var/log/meshwork/agent.log there.',
  }),
  agent: () => ({
    cause: 'the agent runs and has not joined a mesh: UDP port 4789 is filtered, or the overlay has no network file',
    remedy: 'Run `mesh doctor` on host0, and `mesh node preview` to see that a file goes to /var/pxen/networks.',
  }),
};

/**
 * What is wrong with a boot now; undefined while it goes on as it should.
 * @param dueMs when a silence begins to mean something (`dueOf`)
 */
export function troubleOf(
  timeline: Timeline,
  segment: SegmentState,
  nowMs: number,
  dueMs: number | undefined,
): BootTrouble | undefined {
  const stage = stageOf(timeline);
  if (stage === 'mesh') return undefined;
  if (timeline.trouble !== undefined) return timeline.trouble;
  const foreign = unbootable(timeline);
  if (foreign !== undefined) return foreign;
  if (dueMs === undefined || nowMs < dueMs) return undefined;
  return { code: 'MESH_BOOT_SILENT', stage, ...CAUSES[stage](timeline, segment) };
}

/** By number (RFC 4578 §2.1, IANA's registry), those that are met. */
const ARCHITECTURES: Readonly<Record<number, string>> = {
  1: 'NEC PC-98',
  2: 'Itanium',
  6: '32-bit x86 UEFI',
  10: '32-bit ARM UEFI',
  11: '64-bit ARM UEFI',
  15: '32-bit x86 UEFI, by HTTP',
  18: '32-bit ARM UEFI, by HTTP',
  19: '64-bit ARM UEFI, by HTTP',
  27: '64-bit RISC-V UEFI',
  28: '64-bit RISC-V UEFI, by HTTP',
};

/** Its first packet says what it is, and that there is nothing here for it. */
function unbootable(timeline: Timeline): BootTrouble | undefined {
  const { architecture } = timeline;
  const stage = stageOf(timeline);
  if (architecture === undefined || BOOT_ARCHITECTURES.includes(architecture)) return undefined;
  if (stage !== 'discover' && stage !== 'offer') return undefined;
  const name = ARCHITECTURES[architecture];
  return {
    code: 'MESH_BOOT_ARCHITECTURE',
    stage,
    cause: `the firmware is of architecture ${architecture}${name === undefined ? '' : ` (${name})`}, for which host0 has no boot file`,
    remedy:
      'host0 boots machines with x86-64 processors, by BIOS or 64-bit UEFI. If it is one, choose that in the firmware setup.',
  };
}

/** How long a boot may be silent now, and until when that is; undefined while silence means nothing, or more is known. */
export function dueOf(
  timeline: Timeline,
  silences: Silences | undefined,
): (OwnTime & { readonly atMs: number }) | undefined {
  const silence = silenceOf(timeline);
  if (silence === undefined || timeline.trouble !== undefined) return undefined;
  const own = ownTime(silence.wait, silences);
  return { ...own, atMs: silence.sinceMs + own.ms };
}

export function isGivenUp(timeline: Timeline, nowMs: number): boolean {
  return stageOf(timeline) !== 'mesh' && nowMs - timeline.heardMs > GIVEN_UP_SEC * 1000;
}
