/** One boot segment with everything that host0 does on it, and what host0 reports about it. */

import type { Ipv4Cidr } from '../../model/address/ipv4.ts';
import type { Clock } from '../../model/clock.ts';
import type { MeshError } from '../../model/error.ts';
import type { SegmentView, SubnetView } from '../../protocol/documents/boot-views.ts';
import { type Finding, findingOf } from '../../protocol/documents/finding.ts';
import type { Service } from '../../services/process/service.ts';
import type { SegmentState } from '../timeline/boot-trouble.ts';
import type { AddressGiver } from './address-giver.ts';
import { foreignViews, rivalViews, settlesInSec } from './boot-mode.ts';
import type { Leases } from './leases.ts';
import { leasesFinding, modeFindings, SETTLING, unmetFinding, usedFinding } from './segment-note.ts';
import { leaseRange } from './segment-service.ts';
import type { SegmentWatch } from './segment-watch.ts';

/** A group of host0's NICs on one segment. `Serving.serve` sets the last three fields. */
export interface BootSegment {
  /** The names of all NICs of the group; only `watch.input.device` is used. */
  readonly nics: readonly string[];
  readonly watch: SegmentWatch;
  readonly leases: Leases;
  /** In dry mode: what host0 would have answered, newest last. */
  readonly dryAnswers: string[];
  /** Why host0 does not serve the segment although its mode says so. */
  problem?: MeshError | undefined;
  /** The subnet that host0 serves, or would serve in dry mode. */
  subnet?: SubnetView | undefined;
  /** A dnsmasq has been told to run there. */
  served?: boolean;
}

interface SegmentSurroundings {
  readonly clock: Clock;
  readonly dry: boolean;
  /** The dnsmasq of the segment's NIC. */
  readonly service: Service | undefined;
  /** The choice of its addresses, where host0 gives them. */
  readonly giver: AddressGiver | undefined;
}

/** The segment as a document. Reads the lease file. */
export async function segmentView(
  segment: BootSegment,
  { clock, dry, service, giver }: SegmentSurroundings,
): Promise<SegmentView> {
  const { nics, watch, leases, dryAnswers, subnet, problem } = segment;
  const { device, wanted } = watch.input;
  const { state } = watch;
  const nowMs = clock.nowMs();
  const serves = subnet !== undefined && problem === undefined;
  const settling = settlesInSec(state, nowMs);
  const [error] = errorsOf(segment, service, giver);
  return {
    nics,
    device,
    wanted,
    mode: state.mode,
    reason: state.reason,
    sinceSec: Math.floor((nowMs - state.sinceMs) / 1000),
    ...(settling > 0 && { settlesInSec: settling }),
    ...(serves && { service: serviceView(dry, service) }),
    ...(subnet !== undefined && { subnet }),
    leases: state.mode === 'server' && !dry ? await leases.read() : [],
    foreignServers: foreignViews(state, nowMs),
    otherHost0s: rivalViews(state, nowMs),
    ...(error !== undefined && { remark: error.message }),
    ...(error?.remedy !== undefined && { remedy: error.remedy }),
    ...(dry && { wouldHaveAnswered: dryAnswers }),
  };
}

/** What is wrong on a segment. @param unmetWish the subnet that the settings wish for it, if that was not free */
export function segmentFindings(
  segment: BootSegment,
  { dry, service, giver }: Omit<SegmentSurroundings, 'clock'>,
  unmetWish: Ipv4Cidr | undefined,
): Finding[] {
  const { watch, subnet } = segment;
  const { device } = watch.input;
  const full = dry ? undefined : fullFinding(segment, giver);
  const used = subnet && giver && usedFinding(device, leaseRange(subnet), giver.used);
  return [
    ...modeFindings(device, watch.state),
    ...(used === undefined ? [] : [used]),
    ...errorsOf(segment, service, giver).map((error) => findingOf(error, { object: device })),
    ...(full === undefined ? [] : [full]),
    ...(unmetWish === undefined ? [] : [unmetFinding(device, unmetWish, subnet)]),
  ];
}

/** What a booting machine can expect on the segment; the boot log explains the machine's silence with this. */
export function segmentState(segment: BootSegment, { clock, dry, service, giver }: SegmentSurroundings): SegmentState {
  const { problem, watch } = segment;
  if (problem !== undefined) {
    const { message, remedy } = problem;
    return { mode: 'observe', why: message, ...(remedy !== undefined && { remedy }) };
  }
  const { mode, reason } = watch.state;
  if (settlesInSec(watch.state, clock.nowMs()) > 0) return { mode, ...SETTLING };
  if (dry) return { mode: 'dry', why: reason };
  const [failed] = errorsOf(segment, service, giver).map((error) => findingOf(error, { object: watch.input.device }));
  const full = fullFinding(segment, giver);
  const silence = causeOfSilence(failed, full, service);
  return {
    mode,
    why: reason,
    ...(silence !== undefined && {
      silence: { code: silence.code, cause: silence.message, remedy: silence.remedy },
    }),
  };
}

/**
 * Why machines on the segment get no answer. A dnsmasq that ends again and again answers nobody, and runs for a moment each time:
 * so its failure is the cause also in such a moment. One that keeps running is silent because it has no address to give.
 * @param failed what keeps dnsmasq from its work
 * @param full how few addresses are left
 */
export function causeOfSilence(
  failed: Finding | undefined,
  full: Finding | undefined,
  service: Pick<Service, 'running' | 'error'> | undefined,
): Finding | undefined {
  const refusing = full?.severity === 'error' ? full : undefined;
  const keepsRunning = service?.running !== undefined && service.error === undefined;
  return keepsRunning ? (refusing ?? failed) : (failed ?? refusing);
}

function errorsOf(
  { watch, problem }: BootSegment,
  service: Service | undefined,
  giver: AddressGiver | undefined,
): MeshError[] {
  return [watch.error, problem, service?.error, giver?.error].filter((error) => error !== undefined);
}

function fullFinding({ watch, subnet, leases }: BootSegment, giver: AddressGiver | undefined): Finding | undefined {
  if (watch.state.mode !== 'server' || subnet === undefined) return undefined;
  const range = leaseRange(subnet);
  return leasesFinding(watch.input.device, subnet, range, leases.room(range, giver?.used.size));
}

function serviceView(dry: boolean, service: Service | undefined): NonNullable<SegmentView['service']> {
  if (dry) return { state: 'would' };
  const { pid } = service?.running ?? {};
  return pid === undefined ? { state: 'restarting' } : { state: 'running', pid };
}
