/**
 * What a cluster costs, as formulas of its size: messages, bytes, kernel operations, memory. Pure. What a document weighs
 * and what a member means to a kernel is asked of the product's own code, so that the model follows it; the rest is the
 * protocol (DESIGN §6) written as sums. docs/performance.md explains it; test/sim/cost-model.test.ts holds it to what
 * simulated clusters do.
 */
import { desiredItems } from '../src/agent/desired/desired.ts';
import { kindOf } from '../src/agent/items/item.ts';
import { MOMENT_MS } from '../src/controller/membership/coalescing-broadcaster.ts';
import type { Ipv4, Ipv4Cidr } from '../src/model/address/ipv4.ts';
import type { Member } from '../src/model/network/member.ts';
import type { Network } from '../src/model/network/network.ts';
import {
  type MembershipEvent,
  REPORT_INTERVAL_MS,
  reportIntervalMs,
  type SelfReport,
  type SelfReportAnswer,
  STREAM_COMMENT_MS,
} from '../src/protocol/documents/membership.ts';
import { board, member, meshNumber } from '../test/kit/networks.ts';

export interface Shape {
  /** Besides host0. */
  readonly nodes: number;
  /** Meshes that every node is in. */
  readonly networks: number;
  /** Within how long all nodes start. */
  readonly bootSec: number;
  /** How long a node's loop takes for one change; what comes meanwhile shares the next turn. */
  readonly turnSec: number;
}

export interface Cost {
  /** Reports, their answers, and what goes down the streams. */
  readonly messages: number;
  /** Of their contents: HTTP bodies, and the data of events. */
  readonly bytes: number;
  /** What agents ask of kernels, host0's among them. */
  readonly operations: number;
}

/** Bytes of each document, as the product makes it. */
export interface Weights {
  readonly report: number;
  readonly answer: number;
  readonly join: number;
  /** A snapshot is this, and so much more for each member in it. */
  readonly snapshot: number;
  readonly snapshotMember: number;
}

const SEGMENT = '10.1.0.0/16' as Ipv4Cidr;
const MEAN_REPORT_SEC = meanReportSec();

export function weightsOf({ nodes }: Pick<Shape, 'nodes'>): Weights {
  const network = meshNumber(0);
  // Names have a digit more from ten, a hundred … on; most have as many as the last.
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

/** Everybody starts within `bootSec`, becomes a member of all networks, and hears of all others. */
export function bootCost(shape: Shape): Cost {
  const { nodes, networks } = shape;
  const weights = weightsOf(shape);
  const pairs = (nodes * (nodes - 1)) / 2;
  // A node reports, is answered, opens a stream and gets a snapshot; and whoever is there already hears of it, and of
  // others that joined in the same moment.
  const messages = networks * (3 * nodes + pairs / joinsPerMessage(shape));
  // The k-th snapshot has host0 and k members.
  const snapshots = nodes * weights.snapshot + weights.snapshotMember * (pairs + 2 * nodes);
  const bytes = networks * (nodes * (weights.report + weights.answer) + snapshots + pairs * weights.join);
  return { messages, bytes, operations: bootOperations(shape) };
}

/** What goes on while nothing happens, each second. */
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

/** From the first start until `sec` later, without faults. */
export function costUntil(shape: Shape, sec: number): Cost {
  const boot = bootCost(shape);
  const steady = steadyCostPerSec(shape);
  // Nodes start half of `bootSec` late in the mean, and of an interval that has begun half is still to come.
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
  // Of the k-th member the same as of the first, and host0 is one of them to every node.
  const entriesPerMember = operationsOf('node', networks, 1) - own;
  const entriesOnHost0 = operationsOf('host0', networks, 1) - ownOfHost0;
  const entries = nodes * nodes * entriesPerMember + nodes * entriesOnHost0;
  return nodes * own + ownOfHost0 + entries + nodes * rulesetChanges(shape);
}

/** How many joins host0 tells of in one message, in the mean, while all nodes start. */
export function joinsPerMessage({ nodes, bootSec }: Shape): number {
  return gathered(nodes / bootSec, MOMENT_MS / 1_000);
}

/** How often a node lets new members through its filter: for its first list, and for each message after its own start. */
function rulesetChanges(shape: Shape): number {
  const { nodes, networks, bootSec, turnSec } = shape;
  const perMessage = joinsPerMessage(shape);
  // Half of all others join after it, in the mean.
  const changes = networks * (1 + (nodes - 1) / 2 / perMessage);
  return changes / gathered((nodes * networks) / bootSec / perMessage, turnSec);
}

/**
 * How many of those that come at a rate are dealt with together, in the mean, when the first is dealt with at once, that
 * takes a while, and those that came meanwhile are next: turns begin at the rate 1 / (while + e^(−rate · while) / rate).
 */
function gathered(ratePerSec: number, whileSec: number): number {
  const meanwhile = ratePerSec * whileSec;
  return meanwhile + Math.exp(-meanwhile);
}

/** What makes the items of a machine with so many members in each network, from nothing. */
function operationsOf(role: 'host0' | 'node', networks: number, members: number): number {
  const local = '10.1.0.2' as Ipv4;
  const items = desiredItems({
    machine: role === 'host0' ? 'host0' : board(0),
    routes: false,
    host0:
      role === 'host0'
        ? { role, segments: [{ device: 'eth0', ipv4: '10.1.0.1' as Ipv4, subnet: SEGMENT }], nics: [] }
        : { role, ipv4: '10.1.0.1' as Ipv4, local, onLink: true, segments: [SEGMENT], reachable: [SEGMENT] },
    attachments: Array.from({ length: networks }, (_, number) => {
      const network = meshNumber(number);
      const others = Array.from({ length: members }, (_member, index) => memberNumber(network, index + 1));
      return { network, members: others, host0Answers: true };
    }),
    ports: [],
  });
  return items.values().reduce((sum, item) => sum + kindOf(item).create(item).length, 0);
}

function memberNumber(network: Network, number: number): Member {
  return member(network, board(number), `10.1.${(number + 1) >> 8}.${(number + 1) & 255}`, `node${number}`);
}

function bytesOf(document: unknown): number {
  return Buffer.byteLength(JSON.stringify(document));
}

function meanReportSec(): number {
  const sample = Array.from({ length: 256 }, (_, number) => reportIntervalMs(board(number)));
  return sample.reduce((sum, ms) => sum + ms, 0) / sample.length / 1_000;
}
