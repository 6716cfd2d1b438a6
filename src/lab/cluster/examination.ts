/** Examines the mesh of a lab: whether every pair answers, whether the member list is complete, and the throughput. */
import { setTimeout as sleep } from 'node:timers/promises';
import { MeshError } from '../../model/error.ts';
import { formatMemberLine, type NetworkState } from '../../protocol/documents/membership.ts';
import { measureInflow } from '../checks/inflow.ts';
import type { Pair } from '../checks/pairs.ts';
import { silenceError } from '../checks/silence.ts';
import { measureThroughput, throughputEnds } from '../checks/throughput.ts';
import type { LabHost } from '../hosts/lab-host.ts';
import type { Ends, HostPlan } from '../hosts/topology.ts';
import type { Lab, OnStage } from './lab.ts';

/** The results of one examination. A part that was not examined is absent. */
export interface Examination {
  readonly pairs: readonly Pair[];
  readonly memberList?: { readonly from: HostPlan; readonly text: string };
  readonly throughput?: { readonly from: HostPlan; readonly to: HostPlan; readonly gbps: number };
  /** The first failure; the examination stopped there. */
  readonly failure?: MeshError;
}

/** What `mesh lab up --json` prints. */
export interface LabReport {
  readonly ok: boolean;
  readonly hosts: readonly {
    readonly name: string;
    /** The machine id. */
    readonly id: string;
    readonly ipv4: string;
    readonly mac: string;
    readonly ipv6: string;
    /** `ready`: all pairs with this host answer; `pending`: some do; `failed`: none does. */
    readonly state: NetworkState['phase'];
  }[];
  readonly pairs: readonly {
    readonly from: string;
    readonly to: string;
    readonly ok: boolean;
    readonly rttMs: number | null;
  }[];
  /** One TCP stream over the mesh; null when it could not be measured. */
  readonly throughputGbps: number | null;
  readonly tookMs: number;
}

const THROUGHPUT_SEC = 1;
/** host0 lists a node that answers within milliseconds, and after a pause of its process when the node reports again. */
const LISTED_DEADLINE_MS = 30_000;
const LISTED_POLL_MS = 250;

/** Examines the lab. A fault of the mesh is returned as `failure`, not thrown. */
export async function examine(lab: Lab, onStage: OnStage, signal?: AbortSignal): Promise<Examination> {
  let found: Examination = { pairs: await lab.awaitPairs({ onStage, signal }) };
  try {
    refuseSilence(lab, found.pairs);
    onStage('reading the member list inside the mesh');
    const from = lab.host('node1');
    found = { ...found, memberList: { from, text: await completeList(lab, from, signal) } };
    onStage('measuring the round trip of every pair');
    found = { ...found, pairs: await lab.allPairs() };
    refuseSilence(lab, found.pairs);
    const ends = throughputEnds(lab.topology);
    onStage(`measuring the throughput from ${ends.from.name} to ${ends.to.name}`);
    found = { ...found, throughput: { ...ends, gbps: await gbpsOf(lab, ends, signal) } };
    return found;
  } catch (error) {
    signal?.throwIfAborted();
    return { ...found, failure: MeshError.from(error) };
  }
}

async function gbpsOf(lab: Lab, ends: Ends, signal?: AbortSignal): Promise<number> {
  if (ends.from.emulated === undefined) return await measureThroughput(ends, THROUGHPUT_SEC, signal);
  return await measureInflow(ends, THROUGHPUT_SEC, (argv) => lab.exec(lab.host(ends.from.name), argv));
}

/** The document that `mesh lab up --json` prints. @param tookMs since the command began */
export function reportOf(lab: Lab, { pairs, throughput, failure }: Examination, tookMs: number): LabReport {
  return {
    ok: failure === undefined,
    hosts: lab.hosts.map(({ name, machine, member }) => ({
      name,
      id: machine,
      ipv4: member.ipv4,
      mac: member.mac,
      ipv6: member.ipv6,
      state: phaseOf(pairs.filter(({ from, to }) => from.name === name || to.name === name)),
    })),
    pairs: pairs.map(({ from, to, rttMs }) => ({
      from: from.name,
      to: to.name,
      ok: rttMs !== undefined,
      rttMs: rttMs === undefined ? null : Math.round(rttMs * 1000) / 1000,
    })),
    throughputGbps: throughput?.gbps ?? null,
    tookMs: Math.round(tookMs),
  };
}

function phaseOf(pairs: readonly Pair[]): NetworkState['phase'] {
  if (pairs.every(({ rttMs }) => rttMs !== undefined)) return 'ready';
  return pairs.some(({ rttMs }) => rttMs !== undefined) ? 'pending' : 'failed';
}

function refuseSilence(lab: Lab, pairs: readonly Pair[]): void {
  const silent = pairs.filter(({ rttMs }) => rttMs === undefined);
  if (silent.length > 0) throw silenceError(lab.hosts, silent);
}

/** Reads the member list until every host is in it. @throws MESH_LAB_FAILED with the hosts that it lacks after the deadline */
async function completeList(lab: Lab, from: LabHost, signal?: AbortSignal): Promise<string> {
  for (const giveUpAt = performance.now() + LISTED_DEADLINE_MS; ; await sleep(LISTED_POLL_MS)) {
    signal?.throwIfAborted();
    const text = await lab.memberList(from);
    try {
      refuseAbsence(lab.hosts, from, text);
      return text;
    } catch (error) {
      if (performance.now() > giveUpAt) throw error;
    }
  }
}

/** Every host must be listed exactly as the topology says; host0 with its address on the asker's segment. */
function refuseAbsence(hosts: readonly HostPlan[], asker: HostPlan, list: string): void {
  const lines = new Set(list.split('\n'));
  const missing = hosts
    .map(({ role, member }) => (role === 'host0' ? { ...member, ipv4: asker.host0 } : member))
    .map(formatMemberLine)
    .filter((line) => !lines.has(line));
  if (missing.length === 0) return;
  throw new MeshError('MESH_LAB_FAILED', `the member list lacks: ${missing.join(', ')}`, {
    operation: 'read the member list',
    object: asker.name,
    remedy: 'Keep the lab with --keep, and compare `mesh lab exec host0 -- mesh node list`.',
  });
}
