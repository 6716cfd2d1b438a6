/** A segment with all that host0 does on it, and how that is told. */

import type { Ipv4Cidr } from '../../model/address/ipv4.ts';
import type { Clock } from '../../model/clock.ts';
import type { MeshError } from '../../model/error.ts';
import type { SegmentView, SubnetView } from '../../protocol/documents/boot-views.ts';
import { type Finding, findingOf } from '../../protocol/documents/finding.ts';
import type { Service } from '../../services/process/service.ts';
import type { SegmentState } from '../timeline/boot-trouble.ts';
import { foreignViews, rivalViews } from './boot-mode.ts';
import type { Leases } from './leases.ts';
import { leasesFinding, modeFindings, unmetFinding } from './segment-note.ts';
import { leaseRange } from './segment-service.ts';
import type { SegmentWatch } from './segment-watch.ts';

/** One group of ports at work. */
export interface BootSegment {
  readonly nics: readonly string[];
  readonly watch: SegmentWatch;
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

export interface SegmentSurroundings {
  readonly clock: Clock;
  readonly dry: boolean;
  /** What runs at the port of the segment. */
  readonly service: Service | undefined;
}

export async function segmentView(
  segment: BootSegment,
  { clock, dry, service }: SegmentSurroundings,
): Promise<SegmentView> {
  const { nics, watch, leases, would, subnet, problem } = segment;
  const { device, wanted } = watch.input;
  const { state } = watch;
  const nowMs = clock.nowMs();
  const serves = subnet !== undefined && problem === undefined;
  const [wrong] = errorsOf(segment, service);
  return {
    nics,
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
export function segmentFindings(
  segment: BootSegment,
  { dry, service }: Omit<SegmentSurroundings, 'clock'>,
  unmetWish: Ipv4Cidr | undefined,
): Finding[] {
  const { watch, subnet } = segment;
  const { device } = watch.input;
  const full = dry ? undefined : fullFinding(segment);
  return [
    ...modeFindings(device, watch.state),
    ...errorsOf(segment, service).map((error) => findingOf(error, { object: device })),
    ...(full === undefined ? [] : [full]),
    ...(unmetWish === undefined ? [] : [unmetFinding(device, unmetWish, subnet)]),
  ];
}

/** What a machine that boots there is to expect. */
export function segmentState(segment: BootSegment, { dry, service }: Omit<SegmentSurroundings, 'clock'>): SegmentState {
  const { problem, watch } = segment;
  if (problem !== undefined) {
    const { message, remedy } = problem;
    return { mode: 'observe', why: message, ...(remedy !== undefined && { remedy }) };
  }
  const { mode, reason } = watch.state;
  if (dry) return { mode: 'dry', why: reason };
  const [wrong] = errorsOf(segment, service).map((error) => findingOf(error, { object: watch.input.device }));
  const full = fullFinding(segment);
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

function errorsOf({ watch, problem }: BootSegment, service: Service | undefined): MeshError[] {
  return [watch.error, problem, service?.error].filter((error) => error !== undefined);
}

function fullFinding({ watch, subnet, leases }: BootSegment): Finding | undefined {
  if (watch.state.mode !== 'server' || subnet === undefined) return undefined;
  const range = leaseRange(subnet);
  return leasesFinding(watch.input.device, subnet, range, leases.room(range));
}

function serviceView(dry: boolean, service: Service | undefined): NonNullable<SegmentView['service']> {
  if (dry) return { state: 'would' };
  const { pid } = service?.running ?? {};
  return pid === undefined ? { state: 'restarting' } : { state: 'running', pid };
}
