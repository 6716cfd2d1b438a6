/** How a workload is shown: what host0 has decided, and what its node has told of it. */
import type { MachineWord } from '../../model/machine.ts';
import type { WorkloadNetwork } from '../../model/workload/network.ts';
import { workloadIdOf } from '../../model/workload/workload.ts';
import type { WorkloadPortView, WorkloadState, WorkloadView } from '../../protocol/documents/workload/workload-view.ts';
import type { PortBook } from '../ports/port-book.ts';
import type { MoveNotes } from './move-notes.ts';
import type { WorkloadRecord } from './workload-record.ts';
import { isAlive, type WorkloadReports } from './workload-reports.ts';

/** Where the views take their parts from. */
export interface WorkloadViewsInput {
  readonly reports: WorkloadReports;
  readonly ports: Pick<PortBook, 'all'>;
  /** The present name of a node. */
  readonly nameOf: (machine: MachineWord) => string;
  readonly notes: Pick<MoveNotes, 'of'>;
  /** Whether host0 knows a network of this name or number. */
  readonly hasNetwork: (wanted: string) => boolean;
}

/** The view of one workload. */
export function workloadView(
  record: WorkloadRecord,
  { reports, ports, nameOf, notes, hasNetwork }: WorkloadViewsInput,
): WorkloadView {
  const { workload, wanted, generation, at, moving } = record;
  const id = workloadIdOf(workload.uuid);
  const run = at && reports.runOn(at.machine, id);
  const alsoOn = reports.runningOn(id).filter((machine) => machine !== at?.machine);
  return {
    name: workload.name,
    id,
    workload,
    wanted,
    generation,
    ...withoutNetwork(
      record,
      hasNetwork,
      withoutPort(record, ports, stateOf(record, reports, notes.of(workload.name))),
    ),
    ...(at !== undefined && { node: nameOf(at.machine), machine: at.machine }),
    ...(moving !== undefined && { movesTo: nameOf(moving.machine) }),
    ports: cardViews(record, ports),
    ...(run !== undefined && { run }),
    ...(alsoOn.length > 0 && { alsoOn: alsoOn.map(nameOf) }),
  };
}

type Stated = Pick<WorkloadView, 'state' | 'ageSec' | 'why' | 'error'>;

function stateOf(
  { workload, wanted, generation, at, moving }: WorkloadRecord,
  reports: WorkloadReports,
  moveNote: string | undefined,
): Stated {
  if (at === undefined) return { state: 'new' };
  const id = workloadIdOf(workload.uuid);
  const run = reports.runOn(at.machine, id);
  const toldAgoSec = reports.toldAgoSec(at.machine);
  const age = run === undefined ? {} : { ageSec: run.ageSec };
  const why = run?.why === undefined ? {} : { why: run.why };
  const error = run?.error === undefined ? {} : { error: run.error };
  if (!reports.isReached(at.machine)) {
    const last = run === undefined ? '' : `; it was ${run.state} when the node told last`;
    return {
      state: 'lost',
      ...(toldAgoSec !== undefined && { ageSec: toldAgoSec }),
      why: `its node has no channel to host0${last}`,
    };
  }
  if (moving !== undefined)
    return { state: 'moving', ...age, ...why, ...(moveNote !== undefined && { why: moveNote }) };
  const object = reports.stateOn(at.machine, id);
  if (run === undefined) {
    if (object?.state === 'failed') {
      const { code, message, remedy } = object;
      return { state: 'failed', error: { code, message, remedy } };
    }
    if (wanted === 'stopped') return { state: 'stopped' };
    return { state: 'waiting', why: object?.state === 'pending' ? object.why : 'the node has not told of it yet' };
  }
  if (run.generation < generation && wanted !== 'stopped')
    return { state: 'waiting', why: 'the node has not taken it up yet' };
  const state: WorkloadState = run.state;
  return { state, ...age, ...why, ...error };
}

/** A workload whose network was deleted cannot be started, and one that runs is cut off: either way the network is named. */
function withoutNetwork({ workload }: WorkloadRecord, hasNetwork: (wanted: string) => boolean, stated: Stated): Stated {
  const card = workload.networks.find(({ network }) => !hasNetwork(network));
  if (card === undefined || ['lost', 'moving'].includes(stated.state)) return stated;
  const { id, network } = card;
  const why = `the network ${network} of its card ${id} is gone: make it again (\`mesh network create ${network}\`), or name another one in the file of the workload`;
  return { ...stated, why };
}

/** A card without its port keeps its guest from starting, whatever its node says of it. */
function withoutPort(record: WorkloadRecord, ports: Pick<PortBook, 'all'>, stated: Stated): Stated {
  const [card] = lostCards(record, ports);
  const { wanted, workload } = record;
  if (card === undefined || wanted === 'stopped' || ['lost', 'moving'].includes(stated.state)) return stated;
  const { name } = workload;
  const why = `the port of its card ${card.id} in ${card.network} was deleted: \`mesh workload restart -w ${name}\` makes a new one`;
  return { ...stated, why };
}

/** The cards whose ports host0 does not have any more. */
export function lostCards(
  { workload, ports, at }: WorkloadRecord,
  book: Pick<PortBook, 'all'>,
): readonly WorkloadNetwork[] {
  if (at === undefined) return [];
  const known = new Set(book.all.map(({ id }) => id));
  return workload.networks.filter(({ id }) => !known.has(ports[id] ?? ''));
}

/** Whether a workload has memory of its node. */
export function holdsMemory({ workload, wanted, at }: WorkloadRecord, reports: WorkloadReports): boolean {
  if (at === undefined) return false;
  return wanted !== 'stopped' || isAlive(reports.runOn(at.machine, workloadIdOf(workload.uuid)));
}

function cardViews({ workload, ports }: WorkloadRecord, book: Pick<PortBook, 'all'>): WorkloadPortView[] {
  return workload.networks.map(({ id, network, mac, addresses }) => {
    const port = book.all.find((placed) => placed.id === ports[id]);
    const known = port?.mac ?? mac;
    return {
      id,
      network,
      ...(port !== undefined && { port: port.id }),
      ...(known !== undefined && { mac: known }),
      addresses: addresses.map(({ address, length }) => `${address}/${length}`),
    };
  });
}
