/**
 * What a cluster costs, as formulas of its size: messages, bytes, kernel operations, memory. Pure. The size of a document
 * and the kernel operations of a member come from the product's own code, so that the model follows it. The rest is the
 * protocol (DESIGN §6) written as formulas. docs/performance.md explains the model; test/sim/cost-model.test.ts compares it
 * with simulated clusters.
 */
import { meshAttachment } from '../src/agent/desired/assignment.ts';
import { desiredItems } from '../src/agent/desired/desired.ts';
import { kindOf } from '../src/agent/items/item.ts';
import { MOMENT_MS } from '../src/controller/membership/coalescing-broadcaster.ts';
import type { Ipv4, Ipv4Cidr } from '../src/model/address/ipv4.ts';
import type { Member } from '../src/model/network/member.ts';
import type { Mesh } from '../src/model/network/mesh.ts';
import {
  type MembershipEvent,
  REPORT_INTERVAL_MS,
  reportIntervalMs,
  type SelfReport,
  type SelfReportAnswer,
  STREAM_COMMENT_MS,
} from '../src/protocol/documents/membership.ts';
import { nodeDocument } from '../test/kit/desired-input.ts';
import { board, member, meshNumber } from '../test/kit/networks.ts';

/** The size of a cluster, and how it starts. */
export interface Shape {
  /** Number of nodes besides host0. */
  readonly nodes: number;
  /** Number of meshes; every node is in all of them. */
  readonly networks: number;
  /** The time within which all nodes start. */
  readonly bootSec: number;
  /** The time of one pass of a node's loop; changes that come during a pass share the next one. */
  readonly passSec: number;
}

/** What a cluster does in some time, all machines together. */
export interface Cost {
  /** Reports, their answers, and messages on the streams. */
  readonly messages: number;
  /** Bytes of the messages' contents: HTTP bodies, and the data of events. */
  readonly bytes: number;
  /** Kernel operations of all agents, with host0's. */
  readonly operations: number;
}

/** The size of each document in bytes, as the product writes it. */
export interface Weights {
  readonly report: number;
  readonly answer: number;
  readonly join: number;
  /** A snapshot without members. */
  readonly snapshot: number;
  /** Each member in a snapshot. */
  readonly snapshotMember: number;
}

const SEGMENT = '10.1.0.0/16' as Ipv4Cidr;
/** host0's segment, with host0 itself. */
const HOST0_SEGMENT = { device: 'eth0', ipv4: '10.1.0.1' as Ipv4, subnet: SEGMENT };
const MEAN_REPORT_SEC = meanReportSec();

/** The sizes of documents in a cluster of this many nodes. */
export function weightsOf({ nodes }: Pick<Shape, 'nodes'>): Weights {
  const network = meshNumber(0);
  // The names of members have one to five digits; most have as many as the last one.
  const member = memberNumber(network, nodes);
  const machine = board(nodes);
  const version = { epoch: '0123456789abcdef', revision: nodes };
  const report: SelfReport = {
    machine,
    name: member.name,
    instance: `boot-${member.name}-1`,
    ipv4: member.ipv4,
    state: { phase: 'ready' },
  };
  const answer: SelfReportAnswer = { accepted: true, version, segments: [SEGMENT] };
  const join: MembershipEvent = { type: 'join', version, member };
  const snapshot = (members: readonly Member[]): MembershipEvent => {
    return { type: 'snapshot', version, members, segments: [SEGMENT] };
  };
  const [none, one, two] = [[], [member], [member, member]].map((members) => bytesOf(snapshot(members)));
  const each = (two ?? 0) - (one ?? 0);
  return {
    report: bytesOf(report),
    answer: bytesOf(answer),
    join: bytesOf(join),
    snapshot: none ?? 0,
    snapshotMember: each,
  };
}

/** The cost of the start: all nodes start within `bootSec`, join all networks, and are told of all others. */
export function bootCost(shape: Shape): Cost {
  const { nodes, networks } = shape;
  const weights = weightsOf(shape);
  const pairs = (nodes * (nodes - 1)) / 2;
  // Three messages of each node: a report, its answer and a snapshot. Each earlier member is told of a join, together
  // with others within the same moment.
  const messages = networks * (3 * nodes + pairs / joinsPerMessage(shape));
  // The k-th snapshot has host0 and k members in it.
  const snapshots = nodes * weights.snapshot + weights.snapshotMember * (pairs + 2 * nodes);
  const bytes = networks * (nodes * (weights.report + weights.answer) + snapshots + pairs * weights.join);
  return { messages, bytes, operations: bootOperations(shape) };
}

/** The cost per second of a cluster in which nothing changes. */
export function steadyCostPerSec({ nodes, networks }: Shape): Cost & { readonly reportsPerSec: number } {
  const { report, answer } = weightsOf({ nodes });
  const reportsPerSec = (nodes * networks) / MEAN_REPORT_SEC;
  const commentsPerSec = (nodes * networks) / (STREAM_COMMENT_MS / 1_000);
  return {
    messages: 2 * reportsPerSec + commentsPerSec,
    bytes: reportsPerSec * (report + answer),
    operations: 0,
    reportsPerSec,
  };
}

/** The cost of the first `sec` seconds from the first start, without faults. */
export function costUntil(shape: Shape, sec: number): Cost {
  const boot = bootCost(shape);
  const steady = steadyCostPerSec(shape);
  // On average a node starts half of `bootSec` late, and at the end half of its current interval is still to come.
  const steadySec = sec - shape.bootSec / 2 - REPORT_INTERVAL_MS / 2_000;
  return {
    messages: boot.messages + steady.messages * steadySec,
    bytes: boot.bytes + steady.bytes * steadySec,
    operations: boot.operations,
  };
}

function bootOperations(shape: Shape): number {
  const { nodes, networks } = shape;
  const own = operationsOf('node', networks, 0);
  const ownOfHost0 = operationsOf('host0', networks, 0);
  // The k-th member costs the same as the first. host0 is a member for every node, too.
  const entriesPerMember = operationsOf('node', networks, 1) - own;
  const entriesOnHost0 = operationsOf('host0', networks, 1) - ownOfHost0;
  const entries = nodes * nodes * entriesPerMember + nodes * entriesOnHost0;
  return nodes * own + ownOfHost0 + entries + nodes * rulesetChanges(shape);
}

/** The average number of joins in one message of host0 while all nodes start. */
export function joinsPerMessage({ nodes, bootSec }: Shape): number {
  return gathered(nodes / bootSec, MOMENT_MS / 1_000);
}

/** How often a node changes its filter for new members: for its first list, and for each message after its own start. */
function rulesetChanges(shape: Shape): number {
  const { nodes, networks, bootSec, passSec } = shape;
  const perMessage = joinsPerMessage(shape);
  // On average half of all other nodes join after this one.
  const changes = networks * (1 + (nodes - 1) / 2 / perMessage);
  return changes / gathered((nodes * networks) / bootSec / perMessage, passSec);
}

/**
 * The average number of events that are handled together. Events come at a rate; the first is handled at once, which takes
 * some time, and all that come in that time are handled together next. Such passes begin at the rate
 * 1 / (while + e^(−rate · while) / rate).
 */
function gathered(ratePerSec: number, whileSec: number): number {
  const meanwhile = ratePerSec * whileSec;
  return meanwhile + Math.exp(-meanwhile);
}

/** The number of kernel operations that make all items of a machine with this many members in each network. */
function operationsOf(role: 'host0' | 'node', networks: number, members: number): number {
  // No member's address: a machine at a node's own address is behind a port of the node.
  const local = '10.1.255.254' as Ipv4;
  const items = desiredItems({
    machine: role === 'host0' ? 'host0' : board(0),
    routes: false,
    host0:
      role === 'host0'
        ? { role, segments: [HOST0_SEGMENT], nics: [] }
        : { role, ipv4: '10.1.0.1' as Ipv4, local, onLink: true, segments: [SEGMENT], reachable: [SEGMENT] },
    document: nodeDocument(
      Array.from({ length: networks }, (_, number) => {
        const network = meshNumber(number);
        const others = Array.from({ length: members }, (_member, index) => memberNumber(network, index + 1));
        return meshAttachment({ network, members: others, host0Answers: true });
      }),
      { segments: role === 'host0' ? [HOST0_SEGMENT] : [] },
    ),
    ports: [],
  });
  return items.values().reduce((sum, item) => sum + kindOf(item).create(item).length, 0);
}

function memberNumber(network: Mesh, number: number): Member {
  return member(network, board(number), `10.1.${(number + 1) >> 8}.${(number + 1) & 255}`, `node${number}`);
}

function bytesOf(document: unknown): number {
  return Buffer.byteLength(JSON.stringify(document));
}

function meanReportSec(): number {
  const sample = Array.from({ length: 256 }, (_, number) => reportIntervalMs(board(number)));
  return sample.reduce((sum, ms) => sum + ms, 0) / sample.length / 1_000;
}
