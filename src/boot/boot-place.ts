/** A wire with all that host0 does on it, and how that is told. */
import { readFile } from 'node:fs/promises';
import type { Clock } from '../model/clock.ts';
import type { MeshError } from '../model/error.ts';
import type { Ipv4Cidr } from '../model/ipv4.ts';
import type { LeaseView, SubnetView, WireView } from '../protocol/boot-views.ts';
import type { HealthFinding } from '../protocol/views.ts';
import { parseLeases } from '../services/lease-file.ts';
import type { Service } from '../services/service.ts';
import { foreignViews, rivalViews } from './boot-mode.ts';
import type { Wire } from './wire.ts';
import { findingFor, wireFindings } from './wire-note.ts';
import { leaseFile } from './wire-service.ts';

/** One group of ports at work. */
export interface Place {
  readonly ports: readonly string[];
  readonly wire: Wire;
  /** What would have been answered, in dry mode. */
  readonly would: string[];
  /** Why nothing serves there that should. */
  problem?: MeshError | undefined;
  /** What serves there. */
  subnet?: SubnetView | undefined;
}

export interface PlaceSurroundings {
  readonly clock: Clock;
  /** Where the leases are. */
  readonly directory: string;
  readonly dry: boolean;
}

export async function placeView(
  { ports, wire, would, subnet, problem }: Place,
  service: Service | undefined,
  { clock, directory, dry }: PlaceSurroundings,
): Promise<WireView> {
  const { device, wanted } = wire.input;
  const { state } = wire;
  const nowMs = clock.nowMs();
  const serves = subnet !== undefined && problem === undefined;
  const leases = state.mode === 'server' && !dry ? await leasesOf(device, directory, clock) : [];
  return {
    ports,
    device,
    wanted,
    mode: state.mode,
    reason: state.reason,
    sinceSec: Math.floor((nowMs - state.sinceMs) / 1000),
    ...(serves && { service: serviceView(dry, service) }),
    ...(subnet !== undefined && { subnet }),
    leases,
    foreignServers: foreignViews(state, nowMs),
    otherHost0s: rivalViews(state, nowMs),
    ...(problem !== undefined && { remark: problem.message }),
    ...(dry && { wouldHaveAnswered: would }),
  };
}

/** Whom our DHCP server has given addresses on a wire. */
export async function leasesOf(device: string, directory: string, clock: Clock): Promise<LeaseView[]> {
  const file = leaseFile(directory, device);
  return parseLeases(await readFile(file, 'utf8').catch(() => ''), clock.wallTime());
}

/** @param unmetWish a subnet that the settings wish for it, and that was not free */
export function placeFindings(
  { wire, subnet, problem }: Place,
  serviceError: MeshError | undefined,
  unmetWish: Ipv4Cidr | undefined,
): HealthFinding[] {
  const { device } = wire.input;
  const errors = [wire.error, problem, serviceError].filter((error) => error !== undefined);
  return [
    ...wireFindings(device, wire.state),
    ...errors.map((error) => findingFor(device, error)),
    ...(unmetWish === undefined ? [] : [unmet(device, unmetWish, subnet)]),
  ];
}

function serviceView(dry: boolean, service: Service | undefined): NonNullable<WireView['service']> {
  if (dry) return { state: 'would' };
  const { pid } = service?.running ?? {};
  return pid === undefined ? { state: 'restarting' } : { state: 'running', pid };
}

function unmet(device: string, wish: Ipv4Cidr, subnet: SubnetView | undefined): HealthFinding {
  return {
    code: 'MESH_BOOT_SUBNET_TAKEN',
    severity: 'warning',
    object: device,
    message: `${wish}, which host0.conf wishes for ${device}, overlaps another subnet; it has ${subnet?.subnet ?? 'none'}`,
    remedy: 'Choose another network in manual_subnets, or free this one and restart host0.',
  };
}
