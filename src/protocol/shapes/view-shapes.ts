/**
 * The shapes of the documents that both control sockets answer with (documents/views.ts). Fields that this version does not
 * know stay: `--json` prints what a newer process tells.
 */
import * as z from 'zod/mini';
import { type ErrorCode, errorCodeOf } from '../../model/error.ts';
import { isMachineId, type MachineWord } from '../../model/machine.ts';
import type { MachineView } from '../documents/machine-view.ts';
import { HOPS, type TraceEnd, type TraceHop, type TraceView } from '../documents/trace.ts';
import type {
  AgentStatus,
  DoctorView,
  DriftView,
  ExplainView,
  Host0Status,
  NetworkView,
  NodeView,
  PingResult,
  PlanView,
  PortView,
} from '../documents/views.ts';
import type { MeshEvent } from '../journal/event.ts';
import { NetworkShape, SegmentShape } from './assignment-shape.ts';
import { listOf, recordOf, type Shape } from './document.ts';
import { InventoryShape } from './inventory-shape.ts';
import {
  FindingsShape,
  Ipv4Shape,
  Ipv6Shape,
  MachineIdShape,
  MacShape,
  MemberShape,
  NETWORKS_MAX,
  NetworkIdShape,
  SEGMENTS_MAX,
} from './parts.ts';
import { NetworkStateShape } from './state-shape.ts';
import { BootTroubleShape, StageShape } from './timeline-shape.ts';

/** The most entries of a list in a view: nodes, machines, items of a plan. */
export const ENTRIES_MAX = 1_000_000;
const Count = z.int().check(z.minimum(0));
const Code: Shape<ErrorCode> = z.pipe(z.string(), z.transform(errorCodeOf));
const Word: Shape<MachineWord> = z.custom<MachineWord>(
  (value) => value === 'host0' || (typeof value === 'string' && isMachineId(value)),
);

/** A network on one machine. */
export const NetworkViewShape: Shape<NetworkView> = z.looseObject({
  network: NetworkShape,
  state: NetworkStateShape,
  self: z.looseObject({ mac: MacShape, ipv6: Ipv6Shape }),
  members: listOf(MemberShape, ENTRIES_MAX),
  host0Answers: z.exactOptional(z.boolean()),
});

/** A node as host0 knows it. */
export const NodeViewShape: Shape<NodeView> = z.looseObject({
  name: z.string(),
  machine: z.exactOptional(MachineIdShape),
  role: z.enum(['host0', 'node']),
  online: z.boolean(),
  ipv4: Ipv4Shape,
  lastSeenMsAgo: z.exactOptional(z.number()),
  meshes: listOf(
    z.looseObject({
      network: NetworkIdShape,
      name: z.string(),
      mac: MacShape,
      ipv6: Ipv6Shape,
      state: z.exactOptional(NetworkStateShape),
    }),
    NETWORKS_MAX,
  ),
});

/** The state of host0's daemon. */
export const Host0StatusShape: Shape<Host0Status> = z.looseObject({
  role: z.literal('host0'),
  version: z.string(),
  node: z.string(),
  upSec: z.number(),
  epoch: z.string(),
  revision: z.int(),
  segments: listOf(SegmentShape, SEGMENTS_MAX),
  nodesOnline: Count,
  networks: Count,
  health: FindingsShape,
});

/** The state of a node's agent. */
export const AgentStatusShape: Shape<AgentStatus> = z.looseObject({
  role: z.literal('agent'),
  version: z.string(),
  node: z.string(),
  machine: Word,
  upSec: z.number(),
  host0: listOf(Ipv4Shape, SEGMENTS_MAX),
  networks: listOf(NetworkViewShape, NETWORKS_MAX),
  items: z.looseObject({ owned: Count, pending: Count, failed: Count }),
  health: FindingsShape,
});

/** A machine that has booted from host0 or has been a member. */
export const MachineViewShape: Shape<MachineView> = z.looseObject({
  machine: MachineIdShape,
  name: z.exactOptional(z.string()),
  hardware: recordOf(z.string(), z.string(), 64),
  firstSeen: z.string(),
  lastBoot: z.exactOptional(z.string()),
  boot: z.exactOptional(
    z.looseObject({
      state: z.enum(['booting', 'stuck', 'member']),
      stage: StageShape,
      ageMs: z.number(),
      trouble: z.exactOptional(BootTroubleShape),
    }),
  ),
  cards: listOf(z.looseObject({ mac: MacShape, segment: z.exactOptional(listOf(z.string(), 1_024)) }), 256),
  inventory: z.exactOptional(InventoryShape),
});

const Step = z.looseObject({
  action: z.enum(['create', 'change', 'recreate', 'delete']),
  item: z.string(),
  text: z.string(),
  difference: z.exactOptional(z.string()),
});
/** The steps that the agent would take now. */
export const PlanShape: Shape<PlanView> = z.looseObject({ steps: listOf(Step, ENTRIES_MAX) });
/** The difference between the desired items and the kernel. */
export const DriftShape: Shape<DriftView> = z.looseObject({ steps: listOf(Step, ENTRIES_MAX), cacheDifference: Count });

/** Why an object exists. */
export const ExplainShape: Shape<ExplainView> = z.looseObject({
  object: z.string(),
  network: z.exactOptional(NetworkShape),
  reasons: listOf(z.string(), ENTRIES_MAX),
  items: listOf(
    z.looseObject({
      item: z.string(),
      text: z.string(),
      state: z.enum(['ready', 'missing', 'different', 'unwanted']),
    }),
    ENTRIES_MAX,
  ),
});

/** The result of a ping. */
export const PingShape: Shape<PingResult> = z.looseObject({
  network: z.string(),
  from: MemberShape,
  to: MemberShape,
  path: listOf(z.string(), 64),
  sent: Count,
  received: Count,
  rttMs: listOf(z.number(), ENTRIES_MAX),
  mtu: z.looseObject({ provedBytes: Count, promisedBytes: Count }),
});

/** A port of a bridge. */
export const PortShape: Shape<PortView> = z.looseObject({
  interface: z.string(),
  network: NetworkIdShape,
  state: z.enum(['wanted', 'plugged']),
  refused: z.exactOptional(
    listOf(z.looseObject({ kind: z.string(), frames: Count, macs: listOf(z.string(), ENTRIES_MAX) }), ENTRIES_MAX),
  ),
});

const Hop: Shape<TraceHop> = z.looseObject({
  node: z.string(),
  subject: z.enum(HOPS),
  state: z.enum(['ok', 'differs', 'unknown']),
  held: z.string(),
  wanted: z.exactOptional(z.string()),
  remedy: z.exactOptional(z.string()),
});
const End: Shape<TraceEnd> = z.looseObject({
  member: z.string(),
  memberIpv6: Ipv6Shape,
  guest: z.boolean(),
  mac: MacShape,
  ipv6: z.exactOptional(Ipv6Shape),
  ipv4: Ipv4Shape,
});
/** A path in both directions. */
export const TraceShape: Shape<TraceView> = z.looseObject({
  network: z.string(),
  from: End,
  to: End,
  forth: listOf(Hop, 1_024),
  back: listOf(Hop, 1_024),
});

const Setting = z.looseObject({ name: z.string(), value: z.string() });
/** The findings of `mesh doctor`. */
export const DoctorShape: Shape<DoctorView> = z.looseObject({
  checks: listOf(z.string(), 1_024),
  findings: listOf(
    z.looseObject({
      code: Code,
      severity: z.enum(['warning', 'error']),
      object: z.string(),
      message: z.string(),
      remedy: z.string(),
      check: z.string(),
      saw: z.string(),
      matters: z.string(),
      fix: z.exactOptional(listOf(Setting, 1_024)),
    }),
    ENTRIES_MAX,
  ),
  fixed: listOf(z.looseObject({ name: z.string(), value: z.string(), before: z.string() }), ENTRIES_MAX),
});

/** An event of a journal: in a stream, and as a line of a log. */
export const MeshEventShape: Shape<MeshEvent> = z.looseObject({
  seq: z.int(),
  time: z.string(),
  level: z.enum(['debug', 'info', 'warning', 'error']),
  source: z.string(),
  node: z.string(),
  kind: z.string(),
  message: z.string(),
  network: z.exactOptional(z.string()),
  object: z.exactOptional(z.string()),
  item: z.exactOptional(z.string()),
  step: z.exactOptional(z.string()),
  code: z.exactOptional(Code),
  errno: z.exactOptional(z.string()),
  remedy: z.exactOptional(z.string()),
  durationMs: z.exactOptional(z.number()),
  suppressed: z.exactOptional(z.int()),
  snapshot: z.exactOptional(z.literal(true)),
  conditions: z.exactOptional(z.int()),
});
