/**
 * What host0 is on one segment: a pure machine of states. It observes first, gives boot files only (`proxy`) beside a DHCP
 * server, and addresses too (`server`) only where nobody else does. It is `server` at no moment within QUIET_MS of having
 * heard another server there.
 */
import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import type {
  BootMode,
  ForeignServerView,
  ModeReason,
  RivalView,
  WantedMode,
} from '../../protocol/documents/boot-views.ts';
import type { Host0Mark, Installation } from '../frames/host0-mark.ts';
import type { HeardServer } from '../frames/observation.ts';

/** Probes without an answer after which a segment counts as one without a server. */
export const FIRST_PROBES = 3;
/** Probes without an answer, one a minute, after which a server that was there counts as gone for good. */
export const PARTING_PROBES = 10;
/** As long is another server remembered at the least. */
export const QUIET_MS = 600_000;
/** Another host0 speaks every minute: after more than two it is gone. */
export const RIVAL_MS = 150_000;

export interface Foreign extends HeardServer {
  /** It came while host0 gave out addresses. */
  readonly intruded: boolean;
  readonly lastMs: number;
}

export interface Rival {
  readonly installation: Installation;
  readonly ipv4?: Ipv4;
  /** It was here first. */
  readonly senior: boolean;
  readonly lastMs: number;
}

export interface ModeState {
  readonly wanted: WantedMode;
  readonly mode: BootMode;
  readonly sinceMs: number;
  readonly reason: ModeReason;
  /** Probes that nobody answered, since somebody did or since the start. */
  readonly silentProbes: number;
  /** When another server that gives addresses was last heard. */
  readonly lastForeignMs?: number;
  /** Servers that were heard, by address. */
  readonly foreign: ReadonlyMap<Ipv4, Foreign>;
  readonly rivals: ReadonlyMap<Installation, Rival>;
}

export type ModeEvent =
  /** The time of a probe is over. */
  | { readonly type: 'probed'; readonly answered: boolean }
  | { readonly type: 'server'; readonly heard: HeardServer }
  | { readonly type: 'host0'; readonly mark: Host0Mark; readonly senior: boolean }
  /** Somebody chose another mode, or what is around has changed. */
  | { readonly type: 'look'; readonly wanted?: WantedMode };

export interface Surroundings {
  /** The port has an address in the subnet of another server: it is a guest there. */
  readonly isGuest: boolean;
}

/** What happened, for the journal. */
export type ModeNote =
  | { readonly note: 'mode'; readonly from: BootMode }
  | { readonly note: 'server appeared'; readonly server: Foreign }
  | { readonly note: 'server silent'; readonly server: Foreign }
  | { readonly note: 'host0 appeared'; readonly rival: Rival }
  | { readonly note: 'host0 gone'; readonly rival: Rival };

export interface ModeJudgement {
  readonly state: ModeState;
  readonly notes: readonly ModeNote[];
}

/**
 * @param serving what a process that an earlier life of host0 left does on this segment: it goes on until something speaks
 * against it
 */
export function firstState(wanted: WantedMode, nowMs: number, serving?: 'proxy' | 'server'): ModeState {
  const blank = { wanted, sinceMs: nowMs, foreign: new Map(), rivals: new Map() };
  if (wanted === 'off') return { ...blank, mode: 'off', reason: 'configured', silentProbes: 0 };
  if (serving === 'server' && (wanted === 'auto' || wanted === 'server')) {
    return { ...blank, mode: 'server', reason: 'as before', silentProbes: FIRST_PROBES };
  }
  if (serving === 'proxy' && wanted !== 'observe') {
    return { ...blank, mode: 'proxy', reason: 'as before', silentProbes: 0, lastForeignMs: nowMs };
  }
  return { ...blank, mode: 'observe', reason: wanted === 'observe' ? 'configured' : 'probing', silentProbes: 0 };
}

export function judge(before: ModeState, event: ModeEvent, nowMs: number, around: Surroundings): ModeJudgement {
  const notes: ModeNote[] = [];
  const heard = take(before, event, nowMs, notes);
  const { mode, reason } = decide(heard, nowMs, around);
  const changed = mode !== before.mode;
  if (changed) notes.push({ note: 'mode', from: before.mode });
  return { state: { ...heard, mode, reason, sinceMs: changed ? nowMs : before.sinceMs }, notes };
}

function take(before: ModeState, event: ModeEvent, nowMs: number, notes: ModeNote[]): ModeState {
  const rivals = new Map(before.rivals);
  for (const [installation, rival] of rivals) {
    if (nowMs - rival.lastMs < RIVAL_MS) continue;
    rivals.delete(installation);
    notes.push({ note: 'host0 gone', rival });
  }
  const state = { ...before, rivals };
  switch (event.type) {
    case 'look':
      return event.wanted === undefined || event.wanted === before.wanted
        ? state
        : { ...state, wanted: event.wanted, silentProbes: 0 };
    case 'probed':
      return probed(state, event.answered, nowMs, notes);
    case 'server':
      return heardServer(state, event.heard, nowMs, notes);
    case 'host0': {
      const { mark, senior } = event;
      const { installation, ipv4 } = mark;
      const rival = { installation, senior, lastMs: nowMs, ...(ipv4 !== undefined && { ipv4 }) };
      if (!rivals.has(installation)) notes.push({ note: 'host0 appeared', rival });
      rivals.set(installation, rival);
      return state;
    }
  }
}

function probed(state: ModeState, answered: boolean, nowMs: number, notes: ModeNote[]): ModeState {
  if (answered) return { ...state, silentProbes: 0 };
  const silentProbes = state.silentProbes + 1;
  const parted = silentProbes >= PARTING_PROBES;
  const foreign = new Map(state.foreign);
  for (const [address, server] of foreign) {
    // A server of boot files answers no probe.
    if (server.gives === 'addresses' && silentProbes === 2) notes.push({ note: 'server silent', server });
    if (parted && nowMs - server.lastMs >= QUIET_MS) foreign.delete(address);
  }
  return { ...state, silentProbes, foreign };
}

function heardServer(state: ModeState, heard: HeardServer, nowMs: number, notes: ModeNote[]): ModeState {
  const known = state.foreign.get(heard.server);
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
    // Heard nobody, and asked too seldom to be sure.
    if (silentProbes < FIRST_PROBES) return { mode: 'observe', reason: 'probing' };
    if (wanted === 'proxy') return { mode: 'proxy', reason: 'configured' };
    return { mode: 'server', reason: wanted === 'server' ? 'configured' : 'nobody else answers' };
  }
  if (wanted === 'proxy') return { mode: 'proxy', reason: 'configured' };
  const quiet = silentProbes >= PARTING_PROBES && nowMs - lastForeignMs >= QUIET_MS;
  if (!quiet) return { mode: 'proxy', reason: silentProbes >= 2 ? 'server silent' : 'another server answers' };
  if (isGuest && wanted === 'auto') return { mode: 'proxy', reason: 'server silent' };
  return { mode: 'server', reason: wanted === 'server' ? 'configured' : 'nobody else answers' };
}

export function foreignViews(state: ModeState, nowMs: number): ForeignServerView[] {
  return [...state.foreign.values()].map(({ server, mac, gives, subnet, lastMs }) => ({
    server,
    mac,
    gives,
    heardSecAgo: Math.floor((nowMs - lastMs) / 1000),
    ...(subnet !== undefined && { subnet }),
  }));
}

export function rivalViews(state: ModeState, nowMs: number): RivalView[] {
  return [...state.rivals.values()].map(({ installation, ipv4, senior, lastMs }) => ({
    installation,
    senior,
    heardSecAgo: Math.floor((nowMs - lastMs) / 1000),
    ...(ipv4 !== undefined && { ipv4 }),
  }));
}

/** The subnets that other servers give addresses of. */
export function foreignSubnets(state: ModeState): Ipv4Cidr[] {
  return [...state.foreign.values()].flatMap(({ gives, subnet }) =>
    gives === 'addresses' && subnet !== undefined ? [subnet] : [],
  );
}
