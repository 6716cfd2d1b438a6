/**
 * What a silence in a boot means. Each stage has its own time (own-time.ts) after which the next one should have begun. If
 * it has not, the most likely cause is derived from what was seen so far.
 */

import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { ErrorCode, MeshError } from '../../model/error.ts';
import type { BootStage, BootTrouble } from '../../protocol/documents/timeline-view.ts';
import { BOOT_ARCHITECTURES } from '../../services/dnsmasq/boot-loaders.ts';
import { type OwnTime, ownTime, type Silences } from './own-time.ts';
import { silenceOf, stageOf, type Timeline } from './timeline.ts';

/** What host0 does on the segment where the machine is. */
export interface SegmentState {
  readonly mode: 'off' | 'observe' | 'proxy' | 'server' | 'dry';
  /** The reason of the mode, as text for people. */
  readonly why: string;
  /** What to do about the reason, if known. */
  readonly remedy?: string;
  /** Why no machine is answered although host0 serves the segment, if known. */
  readonly silence?: Pick<BootTrouble, 'code' | 'cause' | 'remedy'>;
}

/** A machine that was silent for this long has been switched off, or boots from its disk. */
const GIVEN_UP_SEC = 600;

/** Why host0 refuses the reports of the machine's agent. */
export type ReportRefusal = Pick<MeshError, 'code' | 'message' | 'rule' | 'remedy'>;

type Judge = (
  timeline: Timeline,
  segment: SegmentState,
  refusal: ReportRefusal | undefined,
) => Pick<BootTrouble, 'cause' | 'remedy'> & { readonly code?: ErrorCode };

const NO_SCRIPT = {
  cause: 'iPXE got its address, and has not asked host0 for a boot script: HTTP does not get through',
  remedy: 'Check that TCP port 80 of host0 is not filtered on the way, and that `mesh system boot` shows it listening.',
};

const NO_ARCHITECTURE = {
  code: 'MESH_BOOT_ARCHITECTURE',
  cause:
    'host0 gave the firmware an address and no boot file: the firmware does not say what it is (options 93 and 60)',
  remedy: 'Update the firmware of the network card, or boot iPXE from a USB stick: host0 boots every iPXE.',
} as const;

/** What a NAK means: the machine starts over with a DISCOVER, or some firmware gives up and boots from the disk. */
function refused({ server, ours, why }: NonNullable<Timeline['refusal']>, wants: Ipv4 | undefined) {
  const reason = why === '' ? '' : `: "${why}"`;
  return {
    cause: `${ours ? 'host0' : `the server ${server}`} refused ${wants ?? 'the address'} that the machine asked for (NAK${reason}), and the machine has not asked again`,
    remedy:
      'Boot the machine again: it gets another address. If it happens again, another DHCP server on the segment offered the ' +
      'address: see `mesh system boot`.',
  };
}

/** The cause of a silence in each stage. */
const CAUSES: Readonly<Record<Exclude<BootStage, 'mesh'>, Judge>> = {
  discover: (_, { mode, why, remedy, silence }) => {
    if (mode === 'server') {
      return (
        silence ?? {
          cause: 'host0 gives the addresses on this segment, and has not answered',
          remedy: 'See `mesh system boot`. A firewall may keep the requests from dnsmasq (UDP port 67).',
        }
      );
    }
    if (mode === 'proxy') {
      return {
        cause: 'no DHCP server answers; host0 only adds the boot file on this segment, and gives no addresses',
        remedy: 'Start the DHCP server of this segment, or let host0 be it: boot_mode="NIC=server" in host0.conf.',
      };
    }
    return {
      cause: `host0 does not answer on this segment: its mode is ${mode} (${why})`,
      remedy:
        remedy ??
        'Wait until host0 has looked for other servers, or fix the mode with boot_mode="NIC=server" in host0.conf.',
    };
  },
  offer: ({ offer, client, takes, wants, refusal }, { mode, why, remedy, silence }) => {
    if (refusal !== undefined) return refused(refusal, wants);
    if (silence !== undefined && offer?.ours !== true) return silence;
    if (mode !== 'server' && mode !== 'proxy') {
      const server = offer?.server ?? 'another server';
      return {
        cause: `${server} gives an address, but host0 adds no boot file: its mode is ${mode} (${why})`,
        remedy:
          remedy ??
          'Wait until host0 has looked for other servers, or fix the mode with boot_mode="NIC=proxy" in host0.conf.',
      };
    }
    if (client === 'ipxe') return NO_SCRIPT;
    if (takes !== undefined && offer?.ours === true && takes !== offer.server) {
      return {
        code: 'MESH_BOOT_FOREIGN',
        cause: `the firmware took the offer of the foreign server ${takes}, and asks host0 for no file: that server names a boot file, too, or the firmware takes no second answer`,
        remedy: `Take the boot file out of ${takes} (options 66 and 67), and check that UDP ports 69 and 4011 of host0 are not filtered.`,
      };
    }
    if (offer?.ours === true && offer.bootFile === undefined) return NO_ARCHITECTURE;
    return {
      cause: 'the firmware got an offer, but asks for no file: it does not take the offer, or TFTP is filtered',
      remedy: 'Check that UDP port 69 of host0 is not filtered, and that the firmware boots from this card by IPv4.',
    };
  },
  tftp: (timeline, segment) => {
    const { client, stages, unanswered } = timeline;
    if (client === 'ipxe') return unanswered > 0 ? CAUSES.discover(timeline, segment, undefined) : NO_SCRIPT;
    return {
      cause: `${stages.at(-1)?.detail ?? 'the boot file'} was asked for by TFTP, but iPXE has not started from it`,
      remedy:
        'A firewall lets the request through but not the data (UDP from a high port), or Secure Boot refuses the file: ' +
        'switch Secure Boot off in the firmware setup.',
    };
  },
  script: ({ queuedUntilMs }) =>
    queuedUntilMs === undefined
      ? {
          cause: 'the machine has its boot script, but does not load the kernel',
          remedy: 'Look at its console: iPXE shows its error there. It asks again automatically.',
        }
      : {
          cause: 'the machine was told to ask for its boot script again, since others load, but it has not asked',
          remedy: 'It was switched off, or hangs: look at its console, and boot it again.',
        },
  kernel: () => ({
    cause: 'the machine has the kernel, but does not ask for the initrd',
    remedy: 'Look at its console: iPXE shows its error there. The machine needs 2 GB of memory.',
  }),
  initrd: () => ({
    cause: 'the kernel was started and has not been heard of: it does not start, or has no driver for the card',
    remedy:
      'Look at the console. An image of the kernel package linux-image-amd64 has the drivers of real hardware: ' +
      '`mesh system image node --kernel linux-image-amd64`.',
  }),
  overlay: () => ({
    cause: 'the machine has its overlay, but does not report that it has unpacked it',
    remedy: 'Look at its console. An overlay that fills the memory is one reason.',
  }),
  packages: () => ({
    cause: 'the machine is set up, but its agent has not started',
    remedy: 'Look at its console, and at /var/log/meshwork/agent.log there.',
  }),
  agent: (_timeline, _segment, refusal) =>
    refusal === undefined
      ? {
          cause:
            'the agent runs, but has not joined a mesh: UDP port 4789 is filtered, or the overlay has no network file',
          remedy: 'Run `mesh doctor` on host0, and `mesh node preview` to see that a file goes to /var/pxen/networks.',
        }
      : {
          code: refusal.code,
          cause: `the agent runs, and host0 refuses its reports: ${refusal.message}`,
          remedy: refusal.remedy ?? refusal.rule ?? 'See `mesh status` on host0.',
        },
};

/**
 * What is wrong with a boot now; undefined while it proceeds normally.
 * @param dueMs after this time a silence is trouble (`dueOf`)
 * @param refusal of the machine's last report
 */
export function troubleOf(
  timeline: Timeline,
  segment: SegmentState,
  nowMs: number,
  dueMs: number | undefined,
  refusal?: ReportRefusal,
): BootTrouble | undefined {
  const stage = stageOf(timeline);
  if (stage === 'mesh') return undefined;
  if (timeline.trouble !== undefined) return timeline.trouble;
  const foreign = unbootable(timeline);
  if (foreign !== undefined) return foreign;
  if (dueMs === undefined || nowMs < dueMs) return undefined;
  return { code: 'MESH_BOOT_SILENT', stage, ...CAUSES[stage](timeline, segment, refusal) };
}

/** The names of option 93's numbers that occur in practice (RFC 4578 §2.1 and IANA's registry). */
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

/** The trouble of a machine whose first packet names an architecture for which host0 has no boot file. */
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
      'host0 boots machines with x86-64 processors, by BIOS or 64-bit UEFI. If this is one, choose that in the firmware setup.',
  };
}

/** How long a boot may be silent now, and until when; undefined while a silence means nothing, or trouble is known. */
export function dueOf(
  timeline: Timeline,
  silences: Silences | undefined,
): (OwnTime & { readonly atMs: number }) | undefined {
  const silence = silenceOf(timeline);
  if (silence === undefined || timeline.trouble !== undefined) return undefined;
  const own = ownTime(silence.wait, silences);
  return { ...own, atMs: silence.sinceMs + own.ms };
}

/** Whether a boot that is not a member has been silent for so long that host0 no longer looks at it. */
export function isGivenUp(timeline: Timeline, nowMs: number): boolean {
  return stageOf(timeline) !== 'mesh' && nowMs - timeline.heardMs > GIVEN_UP_SEC * 1000;
}
