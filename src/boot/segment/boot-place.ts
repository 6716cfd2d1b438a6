/** A wire with all that host0 does on it, and how that is told. */

import type { Ipv4Cidr } from '../../model/address/ipv4.ts';
import type { Clock } from '../../model/clock.ts';
import type { MeshError } from '../../model/error.ts';
import type { SubnetView, WireView } from '../../protocol/documents/boot-views.ts';
import { type Finding, findingOf } from '../../protocol/documents/finding.ts';
import type { Service } from '../../services/process/service.ts';
import type { WireState } from '../timeline/boot-trouble.ts';
import { foreignViews, rivalViews } from './boot-mode.ts';
import type { Leases } from './leases.ts';
import type { Wire } from './wire.ts';
import { leasesFinding, unmetFinding, wireFindings } from './wire-note.ts';
import { leaseRange } from './wire-service.ts';

/** One group of ports at work. */
export interface Place {
  readonly ports: readonly string[];
  readonly wire: Wire;
  readonly leases: Leases;
  /** What would have been answered, in dry mode. */
  readonly would: string[];
  /** Why nothing serves there that should. */
  problem?: MeshError | undefined;
  /** What serves there. */
  subnet?: SubnetView | undefined;
  /** A process does. */
  served?: boolean;
}

export interface PlaceSurroundings {
  readonly clock: Clock;
  readonly dry: boolean;
  /** What runs at the port of the wire. */
  readonly service: Service | undefined;
}

export async function placeView(place: Place, { clock, dry, service }: PlaceSurroundings): Promise<WireView> {
  const { ports, wire, leases, would, subnet, problem } = place;
  const { device, wanted } = wire.input;
  const { state } = wire;
  const nowMs = clock.nowMs();
  const serves = subnet !== undefined && problem === undefined;
  const [wrong] = errorsOf(place, service);
  return {
    ports,
    device,
    wanted,
    mode: state.mode,
    reason: state.reason,
    sinceSec: Math.floor((nowMs - state.sinceMs) / 1000),
    ...(serves && { service: serviceView(dry, service) }),
    ...(subnet !== undefined && { subnet }),
    leases: state.mode === 'server' && !dry ? await leases.read() : [],
    foreignServers: foreignViews(state, nowMs),
    otherHost0s: rivalViews(state, nowMs),
    ...(wrong !== undefined && { remark: wrong.message }),
    ...(wrong?.remedy !== undefined && { remedy: wrong.remedy }),
    ...(dry && { wouldHaveAnswered: would }),
  };
}

/** @param unmetWish a subnet that the settings wish for it, and that was not free */
export function placeFindings(
  place: Place,
  { dry, service }: Omit<PlaceSurroundings, 'clock'>,
  unmetWish: Ipv4Cidr | undefined,
): Finding[] {
  const { wire, subnet } = place;
  const { device } = wire.input;
  const full = dry ? undefined : fullFinding(place);
  return [
    ...wireFindings(device, wire.state),
    ...errorsOf(place, service).map((error) => findingOf(error, { object: device })),
    ...(full === undefined ? [] : [full]),
    ...(unmetWish === undefined ? [] : [unmetFinding(device, unmetWish, subnet)]),
  ];
}

/** What a machine that boots there is to expect. */
export function placeState(place: Place, { dry, service }: Omit<PlaceSurroundings, 'clock'>): WireState {
  const { problem, wire } = place;
  if (problem !== undefined) {
    const { message, remedy } = problem;
    return { mode: 'observe', why: message, ...(remedy !== undefined && { remedy }) };
  }
  const { mode, reason } = wire.state;
  if (dry) return { mode: 'dry', why: reason };
  const [wrong] = errorsOf(place, service).map((error) => findingOf(error, { object: wire.input.device }));
  const full = fullFinding(place);
  const isRefusing = full?.severity === 'error' && service?.running !== undefined;
  const silence = isRefusing ? full : wrong;
  return {
    mode,
    why: reason,
    ...(silence !== undefined && {
      silence: { code: silence.code, cause: silence.message, remedy: silence.remedy },
    }),
  };
}

function errorsOf({ wire, problem }: Place, service: Service | undefined): MeshError[] {
  return [wire.error, problem, service?.error].filter((error) => error !== undefined);
}

function fullFinding({ wire, subnet, leases }: Place): Finding | undefined {
  if (wire.state.mode !== 'server' || subnet === undefined) return undefined;
  const range = leaseRange(subnet);
  return leasesFinding(wire.input.device, subnet, range, leases.room(range));
}

function serviceView(dry: boolean, service: Service | undefined): NonNullable<WireView['service']> {
  if (dry) return { state: 'would' };
  const { pid } = service?.running ?? {};
  return pid === undefined ? { state: 'restarting' } : { state: 'running', pid };
}
