/**
 * The course of one boot, as a function of what was seen: `advance` takes a sighting up, and never looks at a clock or a
 * segment itself. What a silence means is the business of boot-trouble.ts.
 */
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { MachineId } from '../../model/machine.ts';
import { BOOT_STAGES, type BootStage, type BootTrouble } from '../../protocol/documents/timeline-view.ts';
import {
  type BootSighting,
  type DhcpClientKind,
  type DhcpSighting,
  type HttpSighting,
  STALL_SEC,
  type StageSighting,
} from '../frames/sighting.ts';
import type { Wait } from './own-time.ts';

export interface Reached {
  readonly stage: BootStage;
  readonly atMs: number;
  readonly detail?: string;
}

export interface Timeline {
  readonly mac: Mac;
  readonly device: string;
  readonly beganMs: number;
  /** Of the last sighting, whatever it was. */
  readonly heardMs: number;
  readonly machine?: MachineId;
  readonly attempt?: string;
  readonly ipv4?: Ipv4;
  readonly stages: readonly Reached[];
  /** Who spoke DHCP last. */
  readonly client?: DhcpClientKind;
  /** Option 93, as it was told last. */
  readonly architecture?: number;
  /** The server whose offer the client took up, and the boot file that it was given. */
  readonly offer?: { readonly server: Ipv4; readonly ours: boolean; readonly bootFile?: string };
  /** The server whose address it takes, by its own word. */
  readonly takes?: Ipv4;
  /** So many questions for an address were heard since the last answer. */
  readonly unanswered: number;
  /** When the download that it is at was asked for; absent while it is at none. It ends with a word of its own. */
  readonly loadingSinceMs?: number;
  /** Until when it was told to wait before it asks for its script again; absent once it has it. */
  readonly queuedUntilMs?: number;
  /** What kind of machine it is, as far as that is known: before iPXE says so, by its card. */
  readonly model?: string;
  /** The longest silence in each wait so far, milliseconds. */
  readonly silences: Readonly<Partial<Record<Wait, number>>>;
  /** What a sighting said in so many words; a later stage takes it back. */
  readonly trouble?: BootTrouble;
}

export function stageOf({ stages }: Timeline): BootStage {
  return stages.at(-1)?.stage ?? 'discover';
}

/** What a boot waits in now, and since when nothing was seen; undefined while it loads, and when it is a member. */
export function silenceOf(timeline: Timeline): { readonly wait: Wait; readonly sinceMs: number } | undefined {
  const stage = stageOf(timeline);
  // A download under way ends with a word of its own.
  if (stage === 'mesh' || timeline.loadingSinceMs !== undefined) return undefined;
  const wait = stage === 'offer' && timeline.client === 'ipxe' ? 'ipxe offer' : stage;
  // A machine that asks again for an address is heard, and yet stands still.
  const reachedMs = stage === 'discover' || stage === 'offer' ? timeline.stages.at(-1)?.atMs : undefined;
  return { wait, sinceMs: reachedMs ?? Math.max(timeline.heardMs, timeline.queuedUntilMs ?? 0) };
}

/** A boot begins with the first question of a machine that is not booting, or that was further on already. */
export function beginsBoot(timeline: Timeline | undefined, sighting: BootSighting): boolean {
  if (sighting.kind !== 'dhcp' || sighting.message !== 'DISCOVER' || sighting.client === 'system') return false;
  if (timeline === undefined) return true;
  const stage = stageOf(timeline);
  if (stage === 'discover' || stage === 'offer') {
    // A ROM that asks after its own iPXE did was switched on anew; otherwise it asks again.
    return timeline.client === 'ipxe' && sighting.client === 'firmware';
  }
  // iPXE, once it is loaded, asks for an address a second time.
  return !(stage === 'tftp' && sighting.client === 'ipxe');
}

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

/** The timeline with one more sighting of its machine. */
export function advance(timeline: Timeline, sighting: BootSighting): Timeline {
  const heard: Timeline = { ...withSilence(timeline, sighting.atMs), heardMs: sighting.atMs };
  switch (sighting.kind) {
    case 'dhcp':
      return takeDhcp(heard, sighting);
    case 'tftp': {
      const reached = reach(heard, 'tftp', sighting.atMs, sighting.file);
      if (sighting.outcome.type === 'asked') return reached;
      return {
        ...reached,
        trouble: {
          code: 'MESH_BOOT_PATH_UNKNOWN',
          stage: 'tftp',
          cause: `TFTP refused ${sighting.file}: ${sighting.outcome.why}`,
          remedy: 'See `mesh system boot` for the boot files that host0 serves, and reinstall the package ipxe.',
        },
      };
    }
    case 'http':
      return sighting.askedMs < timeline.beganMs ? timeline : takeHttp(heard, sighting);
    case 'identified': {
      const { machine, attempt, ipv4, model } = sighting;
      const reached = atScript(heard, sighting.atMs, `machine ${machine}`);
      return { ...reached, machine, attempt, ipv4, ...(model !== undefined && { model }) };
    }
    case 'refused': {
      const { machine, error } = sighting;
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
      return reach(heard, 'mesh', sighting.atMs, sighting.mesh);
  }
}

/** It may go on, or will: what kept it from its script is over. What is wrong with a later stage, iPXE asks again for. */
function atScript(timeline: Timeline, atMs: number, detail: string): Timeline {
  const { queuedUntilMs, ...reached } = reach(timeline, 'script', atMs, detail);
  return stageOf(reached) === 'script' ? withoutTrouble(reached) : reached;
}

function withSilence(timeline: Timeline, untilMs: number): Timeline {
  const silence = silenceOf(timeline);
  if (silence === undefined) return timeline;
  const { wait, sinceMs } = silence;
  const longest = Math.max(timeline.silences[wait] ?? 0, untilMs - sinceMs);
  return { ...timeline, silences: { ...timeline.silences, [wait]: longest } };
}

function takeDhcp(timeline: Timeline, sighting: DhcpSighting): Timeline {
  const { atMs, message, client, architecture, server, ours = false, address, bootFile } = sighting;
  if (client === 'system') return timeline;
  if (message === 'DISCOVER') {
    return {
      ...timeline,
      unanswered: timeline.unanswered + 1,
      ...(client !== undefined && { client }),
      ...(architecture !== undefined && { architecture }),
    };
  }
  if (message === 'REQUEST') return server === undefined ? timeline : { ...timeline, takes: server };
  if ((message !== 'OFFER' && message !== 'ACK') || server === undefined) return timeline;
  const offer = { server, ours, ...(bootFile !== undefined && { bootFile }) };
  // Of several answers the one with a boot file counts, and ours before another's.
  const better = timeline.offer === undefined || ours || (bootFile !== undefined && !timeline.offer.ours);
  const detail = `${address ?? 'a boot file'} from ${server}${ours ? '' : ', a foreign server'}`;
  const reached = reach(timeline, 'offer', atMs, detail);
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

const LOADED = { vmlinuz: 'kernel', 'initrd.img': 'initrd' } as const satisfies Record<string, BootStage>;

function takeHttp(timeline: Timeline, { atMs, askedMs, path, outcome }: HttpSighting): Timeline {
  const file = path.split('/').at(-1) ?? '';
  const stage = path.startsWith('/overlay/') ? 'overlay' : LOADED[file as keyof typeof LOADED];
  if (stage === undefined) return timeline;
  const reached = reach(timeline, stage, atMs, outcome.type === 'answered' ? 'loaded' : 'loading');
  // A machine that is further on has begun no download of this, and hardly waits for the one that ends.
  if (stageOf(reached) !== stage) return timeline;
  if (outcome.type === 'asked') return { ...reached, loadingSinceMs: askedMs };
  const { loadingSinceMs, ...rest } = reached;
  // It has asked once more meanwhile.
  if (loadingSinceMs !== undefined && loadingSinceMs > askedMs) return timeline;
  if (outcome.type === 'answered' && outcome.status < 400) return withoutTrouble(rest);
  return { ...rest, trouble: { stage, ...lostDownload(path, outcome) } };
}

function lostDownload(
  path: string,
  outcome: Exclude<HttpSighting['outcome'], { type: 'asked' }>,
): Omit<BootTrouble, 'stage'> {
  if (outcome.type === 'answered') {
    return {
      code: 'MESH_BOOT_PATH_UNKNOWN',
      cause: `the download of ${path} was answered with ${outcome.status}`,
      remedy: 'Build the image anew with `mesh system image node`, and boot the machine again.',
    };
  }
  const code = 'MESH_BOOT_SILENT';
  if (outcome.stalled) {
    return {
      code,
      cause: `the download of ${path} stood still: the machine took nothing of it for ${STALL_SEC} s, and host0 broke it off`,
      remedy:
        'Look at whether it is still on, at its cable, and at its console: it needs 2 GB of memory, ' +
        'and iPXE 1.0 is known to stall on some 10 Gbit/s cards.',
    };
  }
  return {
    code,
    cause: `the download of ${path} broke off`,
    remedy: 'If it happens again, look for a loose cable or a full disk on the way.',
  };
}

/** What the node's init and iPXE's script report: a stage that was reached, or with a detail what is wrong in it. */
function takeStage(timeline: Timeline, { atMs, stage, detail = '' }: StageSighting): Timeline {
  // What host0 saw itself says more than a number.
  if (stage === 'failed') return { trouble: loadFailed(stageOf(timeline), detail), ...timeline };
  if (stage === 'secrets') return { ...timeline, trouble: noSecrets(stageOf(timeline), detail) };
  const known = BOOT_STAGES.find((candidate) => candidate === stage);
  if (known === undefined) return timeline;
  if (BOOT_STAGES.indexOf(known) < BOOT_STAGES.indexOf(stageOf(timeline))) return overtaken(timeline, known, detail);
  if (detail === '') return withoutTrouble(reach(timeline, known, atMs, undefined));
  return { ...reach(timeline, known, atMs, detail), trouble: saidByNode(known, detail) };
}

const NODE_REMEDIES: Partial<Record<BootStage, string>> = {
  overlay: 'See `mesh node preview` for what the machine should get; compile it anew with `mesh system configure`.',
  packages:
    'The Debian image holds what it was built with. Build another with these packages, or take them out of the world file.',
  agent: 'The agent is started again every two seconds; its log on the machine is /var/log/meshwork/agent.log.',
};

function saidByNode(stage: BootStage, detail: string): BootTrouble {
  const remedy = NODE_REMEDIES[stage] ?? "The words are the machine's own; its console shows what came before.";
  return { code: 'MESH_BOOT_FAILED', stage, cause: `the machine reports from stage ${stage}: ${detail}`, remedy };
}

/** They are no stage: a machine that has them goes on at once, and one that has not does not get on. */
function noSecrets(stage: BootStage, why: string): BootTrouble {
  return {
    code: 'MESH_BOOT_FAILED',
    stage,
    cause: `the machine did not get its secrets: ${why}`,
    remedy:
      'It starts anew by itself, and may have them then. If it is refused again and again, somebody on its segment asks ' +
      'first: see `mesh events`.',
  };
}

/** iPXE says by number (https://ipxe.org/err/…) why it could not load what its script told it to. */
function loadFailed(stage: BootStage, errno: string): BootTrouble {
  const page = /^0x([0-9a-f]{6})/.exec(errno)?.[1];
  return {
    code: 'MESH_BOOT_FAILED',
    stage,
    cause: `iPXE could not load the kernel or the initrd: error ${errno}${page === undefined ? '' : ` (ipxe.org/${page})`}`,
    remedy: 'See that the image is whole: `mesh system image list`. Not enough memory in the machine looks the same.',
  };
}

/** A stage that was passed is not gone back to; of the present one the last detail is kept. A new one ends a trouble. */
function reach(timeline: Timeline, stage: BootStage, atMs: number, detail: string | undefined): Timeline {
  const present = BOOT_STAGES.indexOf(stageOf(timeline));
  const wanted = BOOT_STAGES.indexOf(stage);
  if (wanted < present) return timeline;
  const reached = { stage, atMs, ...(detail !== undefined && { detail }) };
  if (wanted > present) {
    const { loadingSinceMs, queuedUntilMs, ...rest } = withoutTrouble(timeline);
    return { ...rest, stages: [...timeline.stages, reached] };
  }
  const atFirst = timeline.stages.at(-1)?.atMs ?? atMs;
  return { ...timeline, stages: [...timeline.stages.slice(0, -1), { ...reached, atMs: atFirst }] };
}

/** A machine does not wait until a report is taken: of two, the later may come first. The stage was reached no later. */
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
