/**
 * The state machine that decides host0's mode on one segment. Pure. host0 observes first. Beside another DHCP server it gives
 * boot files only (`proxy`). It gives addresses, too (`server`) only where no other server does, and never within QUIET_MS after
 * it has heard one.
 */
import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import type { Mac } from '../../model/address/mac.ts';
import type {
  BootMode,
  ForeignServerView,
  ModeReason,
  RivalView,
  WantedMode,
} from '../../protocol/documents/boot-views.ts';
import type { Installation } from '../frames/host0-mark.ts';
import type { HeardMark, HeardServer } from '../frames/observation.ts';

/** After this many unanswered probes, a segment counts as one without a DHCP server, once its ports have settled. */
export const FIRST_PROBES = 3;
/** After this many unanswered probes, one a minute, a server that was heard counts as gone. */
export const PARTING_PROBES = 10;
/** For this long at least, a server that was heard is remembered. */
export const QUIET_MS = 600_000;
/** After this long without a probe of another host0, it counts as gone: each host0 sends one a minute. */
export const RIVAL_MS = 150_000;

/** The most servers, and the most host0s, that are remembered of a segment. A stranger can make up any number of them. */
export const OTHERS_MAX = 16;

/** Another DHCP or PXE server on the segment. */
export interface Foreign extends HeardServer {
  /** It appeared while host0 gave addresses on the segment. */
  readonly intruded: boolean;
  readonly lastMs: number;
}

/** Another host0 on the segment, known by the mark in its probes (host0-mark.ts). */
export interface Rival {
  readonly installation: Installation;
  /** Of the sender of its last probe. */
  readonly mac: Mac;
  readonly ipv4?: Ipv4;
  /** It was on the segment before this host0, which therefore stays passive. */
  readonly senior: boolean;
  readonly lastMs: number;
}

/** The mode of one segment, with everything that it follows from. Times are in ms of the clock given to `judge`. */
export interface ModeState {
  /** What the settings say. */
  readonly wanted: WantedMode;
  readonly mode: BootMode;
  readonly sinceMs: number;
  readonly reason: ModeReason;
  /** From then on, the switch passes frames: before, silence says nothing about DHCP servers. */
  readonly settlesMs: number;
  /** A probe after `settlesMs` got no answer. */
  readonly settled: boolean;
  /** How many probes in a row got no answer. */
  readonly silentProbes: number;
  /** When another server that gives addresses was last heard; absent if never. */
  readonly lastForeignMs?: number;
  /** The other servers that are remembered, by their address. */
  readonly foreign: ReadonlyMap<Ipv4, Foreign>;
  readonly rivals: ReadonlyMap<Installation, Rival>;
}

/** What a segment's mode may depend on. */
export type ModeEvent =
  /** The time to answer a probe is over. */
  | { readonly type: 'probed'; readonly answered: boolean }
  /** A packet of another server was heard. */
  | { readonly type: 'server'; readonly heard: HeardServer }
  /** A probe of another host0 was heard. */
  | { readonly type: 'host0'; readonly mark: HeardMark; readonly senior: boolean }
  /** The addresses of the NIC may have changed. */
  | { readonly type: 'look' };

interface Surroundings {
  /** The NIC has an address, not allocated by host0, in the subnet of another server. */
  readonly isGuest: boolean;
}

/** What happened on a segment; segment-note.ts words it for the journal. */
export type ModeNote =
  | { readonly note: 'mode'; readonly from: BootMode }
  | { readonly note: 'server appeared'; readonly server: Foreign }
  | { readonly note: 'server silent'; readonly server: Foreign }
  | { readonly note: 'host0 appeared'; readonly rival: Rival }
  | { readonly note: 'host0 gone'; readonly rival: Rival };

interface ModeJudgement {
  readonly state: ModeState;
  readonly notes: readonly ModeNote[];
}

/** What is known of a segment when its watch begins. */
export interface Foreknowledge {
  /** When the switch passes frames. Absent: now. */
  readonly settlesMs?: number;
  /**
   * The mode of the dnsmasq that an earlier host0 process left running on the segment: the mode is kept until an event speaks
   * against it.
   */
  readonly serving?: 'proxy' | 'server';
  /** The other servers that an earlier host0 process knew there: they count as heard now. */
  readonly servers?: readonly HeardServer[];
}

/** The state at the start. */
export function firstState(
  wanted: WantedMode,
  nowMs: number,
  { settlesMs = nowMs, serving, servers = [] }: Foreknowledge = {},
): ModeState {
  const foreign = new Map(servers.map((heard) => [heard.server, { ...heard, intruded: false, lastMs: nowMs }]));
  const blank = { wanted, sinceMs: nowMs, settlesMs, settled: false, foreign, rivals: new Map() };
  const isBeside = servers.some(({ gives }) => gives === 'addresses');
  if (wanted === 'off') return { ...blank, mode: 'off', reason: 'configured', silentProbes: 0 };
  if (isBeside && wanted !== 'observe') {
    return { ...blank, mode: 'proxy', reason: 'as before', silentProbes: 0, lastForeignMs: nowMs };
  }
  if (serving === 'server' && (wanted === 'auto' || wanted === 'server')) {
    return { ...blank, mode: 'server', reason: 'as before', settled: true, silentProbes: FIRST_PROBES };
  }
  if (serving === 'proxy' && wanted !== 'observe') {
    return { ...blank, mode: 'proxy', reason: 'as before', silentProbes: 0, lastForeignMs: nowMs };
  }
  return { ...blank, mode: 'observe', reason: wanted === 'observe' ? 'configured' : 'probing', silentProbes: 0 };
}

/** Computes the state after an event, with notes on everything that happened. The states are immutable. */
export function judge(before: ModeState, event: ModeEvent, nowMs: number, around: Surroundings): ModeJudgement {
  const notes: ModeNote[] = [];
  const known = takeEvent(before, event, nowMs, notes);
  const { mode, reason } = decide(known, nowMs, around);
  const changed = mode !== before.mode;
  if (changed) notes.push({ note: 'mode', from: before.mode });
  return { state: { ...known, mode, reason, sinceMs: changed ? nowMs : before.sinceMs }, notes };
}

/** Takes in what an event says, without deciding the mode. */
function takeEvent(before: ModeState, event: ModeEvent, nowMs: number, notes: ModeNote[]): ModeState {
  const rivals = new Map(before.rivals);
  for (const [installation, rival] of rivals) {
    if (nowMs - rival.lastMs < RIVAL_MS) continue;
    rivals.delete(installation);
    notes.push({ note: 'host0 gone', rival });
  }
  const state = { ...before, rivals };
  switch (event.type) {
    case 'look':
      return state;
    case 'probed':
      return probed(state, event.answered, nowMs, notes);
    case 'server':
      return heardServer(state, event.heard, nowMs, notes);
    case 'host0': {
      const { mark, senior } = event;
      const { installation, mac, ipv4 } = mark;
      const rival = { installation, mac, senior, lastMs: nowMs, ...(ipv4 !== undefined && { ipv4 }) };
      if (!rivals.has(installation) && rivals.size >= OTHERS_MAX) return state;
      if (!rivals.has(installation)) notes.push({ note: 'host0 appeared', rival });
      rivals.set(installation, rival);
      return state;
    }
  }
}

function probed(state: ModeState, answered: boolean, nowMs: number, notes: ModeNote[]): ModeState {
  if (answered) return { ...state, silentProbes: 0 };
  const silentProbes = state.silentProbes + 1;
  const settled = state.settled || nowMs >= state.settlesMs;
  const isGone = silentProbes >= PARTING_PROBES;
  const foreign = new Map(state.foreign);
  for (const [address, server] of foreign) {
    // A server that gives boot files only answers no probe.
    if (server.gives === 'addresses' && silentProbes === 2) notes.push({ note: 'server silent', server });
    if (isGone && nowMs - server.lastMs >= QUIET_MS) foreign.delete(address);
  }
  return { ...state, silentProbes, settled, foreign };
}

function heardServer(state: ModeState, heard: HeardServer, nowMs: number, notes: ModeNote[]): ModeState {
  const known = state.foreign.get(heard.server);
  if (known === undefined && state.foreign.size >= OTHERS_MAX) {
    return heard.gives === 'addresses' ? { ...state, silentProbes: 0, lastForeignMs: nowMs } : state;
  }
  const gives = known?.gives === 'addresses' ? 'addresses' : heard.gives;
  const intruded = known?.intruded ?? (gives === 'addresses' && state.mode === 'server');
  const server: Foreign = { ...known, ...heard, gives, intruded, lastMs: nowMs };
  const foreign = new Map(state.foreign).set(heard.server, server);
  if (known === undefined) notes.push({ note: 'server appeared', server });
  return gives === 'addresses' ? { ...state, foreign, silentProbes: 0, lastForeignMs: nowMs } : { ...state, foreign };
}

function decide(state: ModeState, nowMs: number, { isGuest }: Surroundings): { mode: BootMode; reason: ModeReason } {
  const { wanted, silentProbes, lastForeignMs } = state;
  if (wanted === 'off') return { mode: 'off', reason: 'configured' };
  if ([...state.rivals.values()].some(({ senior }) => senior)) return { mode: 'observe', reason: 'another host0' };
  if (wanted === 'observe') return { mode: 'observe', reason: 'configured' };
  if (lastForeignMs === undefined) {
    // No other server was heard, but too few probes were sent to be sure.
    if (silentProbes < FIRST_PROBES) return { mode: 'observe', reason: 'probing' };
    if (wanted === 'proxy') return { mode: 'proxy', reason: 'configured' };
    if (!state.settled) return { mode: 'observe', reason: 'probing' };
    return { mode: 'server', reason: wanted === 'server' ? 'configured' : 'nobody else answers' };
  }
  if (wanted === 'proxy') return { mode: 'proxy', reason: 'configured' };
  const quiet = silentProbes >= PARTING_PROBES && nowMs - lastForeignMs >= QUIET_MS;
  if (!quiet) return { mode: 'proxy', reason: silentProbes >= 2 ? 'server silent' : 'another server answers' };
  if (isGuest && wanted === 'auto') return { mode: 'proxy', reason: 'server silent' };
  return { mode: 'server', reason: wanted === 'server' ? 'configured' : 'nobody else answers' };
}

/** The other servers, as documents. @param nowMs of the clock that the state was made with */
export function foreignViews(state: ModeState, nowMs: number): ForeignServerView[] {
  return [...state.foreign.values()].map(({ server, mac, gives, subnet, lastMs }) => ({
    server,
    mac,
    gives,
    heardSecAgo: Math.floor((nowMs - lastMs) / 1000),
    ...(subnet !== undefined && { subnet }),
  }));
}

/** The other host0s, as documents. @param nowMs of the clock that the state was made with */
export function rivalViews(state: ModeState, nowMs: number): RivalView[] {
  return [...state.rivals.values()].map(({ installation, mac, ipv4, senior, lastMs }) => ({
    installation,
    mac,
    senior,
    heardSecAgo: Math.floor((nowMs - lastMs) / 1000),
    ...(ipv4 !== undefined && { ipv4 }),
  }));
}

/** For how many seconds more host0 only listens on the segment, since its ports may pass nothing yet. 0: no longer. */
export function settlesInSec({ mode, reason, settled, settlesMs }: ModeState, nowMs: number): number {
  if (mode !== 'observe' || reason !== 'probing' || settled) return 0;
  return Math.max(0, Math.ceil((settlesMs - nowMs) / 1000));
}

/** The subnets in which other servers give addresses, as far as these are known. */
export function foreignSubnets(state: ModeState): Ipv4Cidr[] {
  return [...state.foreign.values()].flatMap(({ gives, subnet }) =>
    gives === 'addresses' && subnet !== undefined ? [subnet] : [],
  );
}
