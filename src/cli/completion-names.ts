/** Where completion takes its suggestions from: the processes of this machine, its interfaces, and its labs. */
import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { LABS_DIRECTORY, labRecords, readRecord, stateOfLab } from '../lab/cluster/record.ts';
import { planTopology } from '../lab/hosts/topology.ts';
import { claimedDevices } from '../model/network/network-conflicts.ts';
import { agentClient, bestClient, host0Client } from '../protocol/calls/control-client.ts';
import { subjectOfOrder } from '../protocol/documents/order/order.ts';
import type { Context } from './context.ts';
import { fetchNodes, type ListedNode, nameOf, nodeStateText } from './node/node-list.ts';

/** One suggestion. */
export interface Suggestion {
  readonly name: string;
  /** zsh and fish show this beside the name. */
  readonly about: string;
}

/** Asks for the suggestions of one argument or option. It may throw: then there are none. */
export type SuggestionSource = (context: Context, words: readonly string[]) => Promise<readonly Suggestion[]>;

const nodes: SuggestionSource = async (context) =>
  (await fetchNodes(context)).filter(({ role }) => role !== 'machine').map(suggestionOf);

const machines: SuggestionSource = async (context) =>
  (await fetchNodes(context)).filter(({ role }) => role !== 'host0').map(suggestionOf);

const networks: SuggestionSource = async ({ paths }) =>
  (await networksHere({ paths })).map(({ network }) => ({ name: network.name, about: network.hostAddress.prefix }));

/** The network cards that boot, or have tried to. */
const cards: SuggestionSource = async ({ paths }) => {
  const boots = await host0Client(paths).ask('GET /v1/boots');
  return boots.map(({ mac, device, machine }) => ({ name: mac, about: `${machine ?? 'a machine'} on ${device}` }));
};

const owners: SuggestionSource = async ({ paths }) => {
  const known = await host0Client(paths).ask('GET /v1/owners');
  return known.map(({ name, description }) => ({ name, about: description ?? 'owner' }));
};

const orders: SuggestionSource = async ({ paths }) => {
  const known = await host0Client(paths).ask('GET /v1/orders');
  return known
    .filter(({ state }) => state !== 'undone')
    .map((order) => ({ name: String(order.id), about: `${order.wish.kind} ${subjectOfOrder(order)}` }));
};

/** What `mesh explain` knows by name: networks, their devices, and members. */
const objects: SuggestionSource = async ({ paths }) => {
  const views = await networksHere({ paths });
  const ofNetworks = views.flatMap(({ network }) => [
    { name: network.name, about: 'network' },
    ...claimedDevices(network).map((name) => ({ name, about: `device of ${network.name}` })),
  ]);
  const members = views.flatMap(({ members }) => members.map(({ name, ipv4 }) => ({ name, about: ipv4 })));
  return [...ofNetworks, ...members];
};

/** The interfaces that may be plugged: not the loopback, not those of Meshwork, and none with an IPv4 address of its own. */
const pluggable: SuggestionSource = async ({ paths }) => {
  const agent = agentClient(paths);
  const [views, ports] = await Promise.all([agent.ask('GET /v1/networks'), agent.ask('GET /v1/ports')]);
  const addressed = Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
    addresses.some(({ family }) => family === 'IPv4') ? [name] : [],
  );
  const taken = new Set([
    'lo',
    ...addressed,
    ...views.flatMap(({ network }) => claimedDevices(network)),
    ...ports.map((port) => port.interface),
  ]);
  return interfaceNames()
    .filter((name) => !taken.has(name))
    .map((name) => ({ name, about: 'interface' }));
};

const plugged: SuggestionSource = async ({ paths }) => {
  const ports = await agentClient(paths).ask('GET /v1/ports');
  return ports.map(({ interface: name, state }) => ({ name, about: state }));
};

const labs: SuggestionSource = async () =>
  labRecords().map((record) => ({ name: record.name, about: stateOfLab(record) }));

const workloads: SuggestionSource = async ({ paths }) => {
  const views = await host0Client(paths).ask('GET /v1/workloads');
  return views.map(({ name, state, node }) => ({ name, about: node === undefined ? state : `${state} on ${node}` }));
};

/** The hosts of the lab that --name names. */
const labHosts: SuggestionSource = async (_, words) => {
  const named = words.lastIndexOf('--name');
  const lab = (named < 0 ? undefined : words[named + 1]) || 'default';
  const record = readRecord(join(LABS_DIRECTORY, lab));
  return record === undefined ? [] : planTopology(record).hosts.map(({ name, role }) => ({ name, about: role }));
};

/** Members after `--nodes`: those that the list before the cursor lacks, each behind that list. */
const memberLists: SuggestionSource = async (context, words) => {
  const before = (words.at(-1) ?? '').split(',').slice(0, -1);
  const rest = (await nodes(context, words)).filter(({ name }) => !before.includes(name));
  return rest.map(({ name, about }) => ({ name: [...before, name].join(','), about }));
};

/**
 * The source by what is completed: an argument by its name, an option with its dashes. Behind the words of a noun, or of a
 * noun and a verb, it counts for that command alone.
 */
export const SOURCES: Readonly<Record<string, SuggestionSource>> = {
  network: networks,
  node: nodes,
  from: nodes,
  to: nodes,
  machine: machines,
  owner: owners,
  order: orders,
  '--owner': owners,
  object: objects,
  '--node': nodes,
  '--card': cards,
  '--workload': workloads,
  'capture --nodes': memberLists,
  'port plug interface': pluggable,
  'port unplug interface': plugged,
  'lab --name': labs,
  'lab host': labHosts,
};

function suggestionOf(node: ListedNode): Suggestion {
  return { name: nameOf(node), about: nodeStateText(node) };
}

async function networksHere({ paths }: Pick<Context, 'paths'>) {
  return await (await bestClient(paths)).ask('GET /v1/networks');
}

/** All interfaces of this network namespace. `os.networkInterfaces` leaves out those without an address. */
function interfaceNames(): string[] {
  const lines = readFileSync('/proc/net/dev', 'utf8').split('\n').slice(2);
  return lines.flatMap((line) => /^\s*(\S+):/.exec(line)?.[1] ?? []);
}
