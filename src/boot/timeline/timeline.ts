/**
 * The course of one boot, computed from its sightings alone: `advance` takes one sighting and never looks at a clock or a
 * segment itself. boot-trouble.ts decides what a silence means.
 */
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { MachineId } from '../../model/machine.ts';
import { BOOT_STAGES, type BootStage, type BootTrouble } from '../../protocol/documents/timeline-view.ts';
import { LOADERS } from '../../services/dnsmasq/boot-loaders.ts';
import type {
  BootSighting,
  DhcpClientKind,
  DhcpSighting,
  HttpSighting,
  StageSighting,
  TftpSighting,
} from '../frames/sighting.ts';
import { stageOfPath } from './loaded-stage.ts';
import { lostDownload } from './lost-download.ts';
import type { Wait } from './own-time.ts';

interface Reached {
  readonly stage: BootStage;
  /** When it was reached first. */
  readonly atMs: number;
  /** What was seen last in this stage. */
  readonly detail?: string;
}

/** The state of one boot of one network card. All times are on the monotonic clock. */
export interface Timeline {
  readonly mac: Mac;
  /** host0's device on the machine's segment. */
  readonly device: string;
  readonly beganMs: number;
  /** When the last sighting of any kind was made. */
  readonly heardMs: number;
  readonly machine?: MachineId;
  readonly attempt?: string;
  readonly ipv4?: Ipv4;
  /** The stages reached so far, in the order of BOOT_STAGES. */
  readonly stages: readonly Reached[];
  /** The program that sent the last DHCP packet. */
  readonly client?: DhcpClientKind;
  /** Option 93 in the last packet that had it. */
  readonly architecture?: number;
  /** The best offer seen so far: its server, and the boot file in it. */
  readonly offer?: { readonly server: Ipv4; readonly ours: boolean; readonly bootFile?: string };
  /** The server whose address the client takes, as its REQUEST says. */
  readonly takes?: Ipv4;
  /** The address that the client asked for last, as its REQUEST says. */
  readonly wants?: Ipv4;
  /** The server that refused the address (NAK), and why; absent after a further offer. */
  readonly refusal?: { readonly server: Ipv4; readonly ours: boolean; readonly why: string };
  /** The file that was asked for last by TFTP. */
  readonly tftpFile?: string;
  /** What the running system fetched last of `/isos/`: an installer or another system, which reports no stages. */
  readonly fetched?: string;
  /** Alpine's initramfs has fetched packages, and the machine has reported nothing since. */
  readonly installs?: true;
  /** How many DISCOVERs were heard since the last answer. */
  readonly unanswered: number;
  /** Start of the download in progress; absent if there is none. Cleared by its `answered` or `broken off` sighting. */
  readonly loadingSinceMs?: number;
  /** When a queued machine was told to ask for its script again; absent once it has its script. */
  readonly queuedUntilMs?: number;
  /** Make and kind of firmware. Until iPXE tells them: those of the card's last boot. */
  readonly model?: string;
  /** The longest silence in each wait so far, in milliseconds. */
  readonly silences: Readonly<Partial<Record<Wait, number>>>;
  /** Trouble that a sighting named. A later stage clears it. */
  readonly trouble?: BootTrouble;
}

/** The last stage that a boot has reached. */
export function stageOf({ stages }: Timeline): BootStage {
  return stages.at(-1)?.stage ?? 'discover';
}

/**
 * What a boot waits for now, and since when it has been silent; undefined during a download, for a member, and for a system
 * that fetches from host0 and reports nothing.
 */
export function silenceOf(timeline: Timeline): { readonly wait: Wait; readonly sinceMs: number } | undefined {
  const stage = stageOf(timeline);
  // A download in progress ends with a sighting, also if it stands still.
  if (stage === 'mesh' || timeline.loadingSinceMs !== undefined || timeline.fetched !== undefined) return undefined;
  const wait =
    stage === 'offer' && timeline.client === 'ipxe'
      ? 'ipxe offer'
      : stage === 'packages' && timeline.installs
        ? 'installation'
        : stage;
  // A machine that asks for an address again and again is heard, but makes no progress: these count from the stage on.
  const reachedMs = stage === 'discover' || stage === 'offer' ? timeline.stages.at(-1)?.atMs : undefined;
  return { wait, sinceMs: reachedMs ?? Math.max(timeline.heardMs, timeline.queuedUntilMs ?? 0) };
}

/** Whether a sighting begins a new boot: a DISCOVER of a machine that is not booting, or that was further on already. */
export function beginsBoot(timeline: Timeline | undefined, sighting: BootSighting): boolean {
  if (sighting.kind !== 'dhcp' || sighting.message !== 'DISCOVER' || sighting.client === 'system') return false;
  if (timeline === undefined) return true;
  const stage = stageOf(timeline);
  if (stage === 'discover' || stage === 'offer') {
    // If the ROM asks after its iPXE has asked, the machine was switched on again. Otherwise the same client repeats itself.
    return timeline.client === 'ipxe' && sighting.client === 'firmware';
  }
  // Once iPXE is loaded, it asks for an address, too. That is the same boot.
  return !(stage === 'tftp' && sighting.client === 'ipxe');
}

/** The timeline of a new boot. @param model of the card's last boot */
export function begin({ mac, device, atMs }: DhcpSighting, model?: string): Timeline {
  return {
    mac,
    device,
    beganMs: atMs,
    heardMs: atMs,
    stages: [{ stage: 'discover', atMs }],
    ...(model !== undefined && { model }),
    unanswered: 0,
    silences: {},
  };
}

/** The timeline after one more sighting of its machine. */
export function advance(timeline: Timeline, sighting: BootSighting): Timeline {
  const heard: Timeline = { ...withSilence(timeline, sighting.atMs), heardMs: sighting.atMs };
  switch (sighting.kind) {
    case 'dhcp':
      return takeDhcp(heard, sighting);
    case 'tftp':
      return takeTftp(heard, sighting);
    case 'http':
      return sighting.askedMs < timeline.beganMs ? timeline : takeHttp(heard, sighting);
    case 'identified': {
      const { machine, attempt, ipv4, model } = sighting;
      const reached = atScript(heard, sighting.atMs, `machine ${machine}`);
      return { ...reached, machine, attempt, ipv4, ...(model !== undefined && { model }) };
    }
    case 'refused': {
      const { machine, error } = sighting;
      // Another host named this card. The card itself is further on.
      if (error.code === 'MESH_BOOT_FORGED' && BOOT_STAGES.indexOf(stageOf(timeline)) > BOOT_STAGES.indexOf('script'))
        return timeline;
      const { code, message, remedy = error.rule ?? '' } = error;
      return {
        ...reach(heard, 'script', sighting.atMs, 'refused'),
        ...(machine !== undefined && { machine }),
        trouble: { code, stage: 'script', cause: message, remedy },
      };
    }
    case 'queued': {
      const { atMs, ahead, againSec } = sighting;
      return { ...atScript(heard, atMs, `waits, ${ahead} before it`), queuedUntilMs: atMs + againSec * 1000 };
    }
    case 'stage':
      return takeStage(heard, sighting);
    case 'member':
      return reach(withNodeStages(heard, sighting.atMs), 'mesh', sighting.atMs, sighting.mesh);
  }
}

/** The stages between the overlay of a machine and its membership, which only its own reports tell. */
const NODE_STAGES = ['packages', 'agent'] as const satisfies readonly BootStage[];

/**
 * The timeline of a machine that is a member now, with every stage that such a machine has gone through. Its reports are
 * sent in the background, and a busy machine may be listed as a member before the report of its agent arrives. A machine
 * without an overlay of host0 runs another system, which has no such stages.
 */
function withNodeStages(timeline: Timeline, atMs: number): Timeline {
  if (BOOT_STAGES.indexOf(stageOf(timeline)) < BOOT_STAGES.indexOf('overlay')) return timeline;
  const reported = new Set(timeline.stages.map(({ stage }) => stage));
  return NODE_STAGES.filter((stage) => !reported.has(stage)).reduce(
    (before, stage) =>
      BOOT_STAGES.indexOf(stage) < BOOT_STAGES.indexOf(stageOf(before))
        ? overtaken(before, stage, '')
        : reach(before, stage, atMs, undefined),
    timeline,
  );
}

/**
 * The machine has its script or a place in the queue, so an earlier refusal is over. Trouble of a later stage stays: iPXE
 * fetches the script again after a failed load.
 */
function atScript(timeline: Timeline, atMs: number, detail: string): Timeline {
  const { queuedUntilMs, ...reached } = reach(timeline, 'script', atMs, detail);
  return stageOf(reached) === 'script' ? withoutTrouble(reached) : reached;
}

/** Notes how long the silence was that a sighting ends. */
function withSilence(timeline: Timeline, untilMs: number): Timeline {
  const silence = silenceOf(timeline);
  if (silence === undefined) return timeline;
  const { wait, sinceMs } = silence;
  const longest = Math.max(timeline.silences[wait] ?? 0, untilMs - sinceMs);
  return { ...timeline, silences: { ...timeline.silences, [wait]: longest } };
}

function takeDhcp(timeline: Timeline, sighting: DhcpSighting): Timeline {
  const { atMs, message, client, architecture, server, ours = false, address, bootFile, why = '' } = sighting;
  if (client === 'system') return timeline;
  if (message === 'DISCOVER') {
    return {
      ...timeline,
      unanswered: timeline.unanswered + 1,
      ...(client !== undefined && { client }),
      ...(architecture !== undefined && { architecture }),
    };
  }
  if (message === 'REQUEST') {
    const wants = address === undefined ? {} : { wants: address };
    return server === undefined ? { ...timeline, ...wants } : { ...timeline, ...wants, takes: server };
  }
  if (message === 'NAK' && server !== undefined) return { ...timeline, refusal: { server, ours, why } };
  if ((message !== 'OFFER' && message !== 'ACK') || server === undefined) return timeline;
  const offer = { server, ours, ...(bootFile !== undefined && { bootFile }) };
  // Of several answers, host0's own counts most, then one with a boot file.
  const better = timeline.offer === undefined || ours || (bootFile !== undefined && !timeline.offer.ours);
  const detail = `${address ?? 'a boot file'} from ${server}${ours ? '' : ', a foreign server'}`;
  const { refusal, ...accepted } = timeline;
  const reached = reach(accepted, 'offer', atMs, detail);
  const answered = { ...reached, unanswered: 0, ...(better && { offer }) };
  return message === 'ACK' && !ours && bootFile !== undefined && stageOf(reached) === 'offer'
    ? { ...answered, trouble: foreignBootFile(server, bootFile) }
    : answered;
}

function foreignBootFile(server: Ipv4, bootFile: string): BootTrouble {
  return {
    code: 'MESH_BOOT_FOREIGN',
    stage: 'offer',
    cause: `the foreign server ${server} names the boot file ${bootFile}, and the machine takes that`,
    remedy: 'Take the boot file out of that server (options 66 and 67): one network has one PXE server.',
  };
}

/** Files that boot loaders look for, and do without: iPXE's own script, and what shim adds to Secure Boot. */
const OPTIONAL = /(?:^|[/ ])(?:autoexec\.ipxe|revocations(?:_sbat|_sku)?\.efi|shim_certificate\w*\.efi)(?: |$)/i;

/** A refusal has no field for its file, and belongs to the file that was asked for last. dnsmasq names the file in its text. */
function takeTftp(timeline: Timeline, { atMs, file, outcome }: TftpSighting): Timeline {
  const name = outcome.type === 'asked' ? file : (timeline.tftpFile ?? file);
  const asking = { ...timeline, tftpFile: name };
  if (OPTIONAL.test(name) || (outcome.type === 'refused' && OPTIONAL.test(outcome.why))) return asking;
  const reached = reach(asking, 'tftp', atMs, name);
  if (outcome.type === 'asked' || stageOf(reached) !== 'tftp') return reached;
  return { ...reached, trouble: tftpRefused(name, outcome.why) };
}

function tftpRefused(file: string, why: string): BootTrouble {
  const loader = Object.values(LOADERS).find((name) => file.startsWith(name));
  return {
    code: 'MESH_BOOT_PATH_UNKNOWN',
    stage: 'tftp',
    cause: `TFTP refused ${file}: ${why}`,
    remedy:
      loader === file
        ? 'See `mesh system boot` for the boot files that host0 serves, and reinstall the package ipxe.'
        : loader !== undefined
          ? `The firmware asks for another name than ${loader}, which it was told: update the firmware, or choose UEFI in its setup.`
          : `host0 serves by TFTP only ${Object.values(LOADERS).join(' and ')}: take the name out of the server that told it (option 67), or out of the firmware setup.`,
  };
}

/** An installer or another system, which fetches its files from host0 and reports no stages. */
const SYSTEM_FILES = '/isos/';

function takeHttp(timeline: Timeline, { atMs, askedMs, path, outcome }: HttpSighting): Timeline {
  if (path.startsWith(SYSTEM_FILES)) {
    const isLater = BOOT_STAGES.indexOf(stageOf(timeline)) >= BOOT_STAGES.indexOf('script');
    return isLater ? { ...timeline, fetched: path } : timeline;
  }
  const stage = stageOfPath(path);
  if (stage === undefined) return timeline;
  const reached = reach(timeline, stage, atMs, outcome.type === 'answered' ? 'loaded' : 'loading');
  // The machine is in a later stage already, so this download does not matter any more.
  if (stageOf(reached) !== stage) return timeline;
  const seen = stage === 'packages' ? { ...reached, installs: true as const } : reached;
  if (outcome.type === 'asked') return { ...seen, loadingSinceMs: askedMs };
  const { loadingSinceMs, ...rest } = seen;
  // The machine has asked again since: this is the end of an older download.
  if (loadingSinceMs !== undefined && loadingSinceMs > askedMs) return timeline;
  if (outcome.type === 'answered' && outcome.status < 400) return withoutTrouble(rest);
  return { ...rest, trouble: { stage, ...lostDownload(path, outcome) } };
}

/** Takes a report of the node's init or of iPXE's script: a stage that it has reached, and in `detail` what is wrong there. */
function takeStage({ installs, ...timeline }: Timeline, { atMs, stage, detail = '' }: StageSighting): Timeline {
  // Trouble that host0 saw itself is kept: it says more than iPXE's error number.
  if (stage === 'failed') return { trouble: loadFailed(stageOf(timeline), detail), ...timeline };
  if (stage === 'secrets') return { ...timeline, trouble: noSecrets(stageOf(timeline), detail) };
  const known = BOOT_STAGES.find((candidate) => candidate === stage);
  if (known === undefined) return timeline;
  if (BOOT_STAGES.indexOf(known) < BOOT_STAGES.indexOf(stageOf(timeline))) return overtaken(timeline, known, detail);
  if (detail === '') return withoutTrouble(reach(timeline, known, atMs, undefined));
  return { ...reach(timeline, known, atMs, detail), trouble: saidByNode(known, detail) };
}

const NODE_REMEDIES: Partial<Record<BootStage, string>> = {
  overlay: 'See `mesh node preview` for what the machine should get; compile it again with `mesh system configure`.',
  packages:
    'On Alpine: run `mesh system download`, and boot the machine again. The Debian image holds what it was built with. Build another with these packages, or take them out of the world file.',
  agent: 'The agent is started again every two seconds. Its log on the machine is /var/log/meshwork/agent.log.',
};

/** How programs and the kernel say that memory is short; the files of a node are in memory, too. */
const NO_MEMORY = /out of memory|cannot allocate memory|ENOMEM|ENOSPC|no space left/i;

function saidByNode(stage: BootStage, detail: string): BootTrouble {
  const remedy =
    (NO_MEMORY.test(detail)
      ? 'Give the machine more memory, or fewer packages and files: it needs 2 GB.'
      : undefined) ??
    NODE_REMEDIES[stage] ??
    'This is the message of the machine itself. Its console shows what came before.';
  return { code: 'MESH_BOOT_FAILED', stage, cause: `the machine reports from stage ${stage}: ${detail}`, remedy };
}

/** Secrets are not a stage of their own: with them a machine goes on at once, and without them it stops where it is. */
function noSecrets(stage: BootStage, why: string): BootTrouble {
  return {
    code: 'MESH_BOOT_FAILED',
    stage,
    cause: `the machine did not get its secrets: ${why}`,
    remedy:
      'The machine restarts automatically and asks again. If it is refused each time, another machine on its segment asks ' +
      'first: see `mesh events`.',
  };
}

/** iPXE reports by an error number (https://ipxe.org/err/…) why it could not load a file that its script names. */
function loadFailed(stage: BootStage, errno: string): BootTrouble {
  const page = /^0x([0-9a-f]{6})/.exec(errno)?.[1];
  return {
    code: 'MESH_BOOT_FAILED',
    stage,
    cause: `iPXE could not load the kernel or the initrd: error ${errno}${page === undefined ? '' : ` (ipxe.org/${page})`}`,
    remedy: 'Check that the image is complete: `mesh system image list`. Too little memory gives the same error.',
  };
}

/**
 * Moves the timeline to a stage. An earlier stage changes nothing. The present stage gets the new detail. A later stage
 * clears trouble, download and queue.
 */
function reach(timeline: Timeline, stage: BootStage, atMs: number, detail: string | undefined): Timeline {
  const present = BOOT_STAGES.indexOf(stageOf(timeline));
  const wanted = BOOT_STAGES.indexOf(stage);
  if (wanted < present) return timeline;
  const reached = { stage, atMs, ...(detail !== undefined && { detail }) };
  if (wanted > present) {
    const { loadingSinceMs, queuedUntilMs, fetched, ...rest } = withoutTrouble(timeline);
    return { ...rest, stages: [...timeline.stages, reached] };
  }
  const firstMs = timeline.stages.at(-1)?.atMs ?? atMs;
  return { ...timeline, stages: [...timeline.stages.slice(0, -1), { ...reached, atMs: firstMs }] };
}

/**
 * Inserts a stage whose report comes after that of a later stage: a machine does not wait for the answer to a report. The
 * stage gets the time of the stage after it, since it was reached no later.
 */
function overtaken(timeline: Timeline, stage: BootStage, detail: string): Timeline {
  const { stages } = timeline;
  const at = stages.findIndex((later) => BOOT_STAGES.indexOf(later.stage) >= BOOT_STAGES.indexOf(stage));
  const next = stages[at];
  if (next === undefined || next.stage === stage) return timeline;
  const reached = { stage, atMs: next.atMs, ...(detail !== '' && { detail }) };
  return { ...timeline, stages: stages.toSpliced(at, 0, reached) };
}

function withoutTrouble({ trouble, ...timeline }: Timeline): Timeline {
  return timeline;
}
