/**
 * The shapes of the documents that both control sockets answer with (documents/views.ts). Fields that this version does not
 * know stay: `--json` prints what a newer process tells.
 */

import { type ErrorCode, errorCodeOf } from '../../model/error.ts';
import { isMachineId, type MachineWord } from '../../model/machine.ts';
import type { Holder } from '../../model/network/member.ts';
import type { Network } from '../../model/network/network.ts';
import type { MachineView } from '../documents/machine-view.ts';
import { type MeshDocument, meshDocument } from '../documents/mesh-document.ts';
import { HOPS, type TraceEnd, type TraceHop, type TraceView } from '../documents/trace.ts';
import type {
  AgentStatus,
  AssignmentView,
  ChannelView,
  DoctorView,
  DriftView,
  ExplainView,
  GivenNetworkView,
  Host0Status,
  LeadershipView,
  NetworkView,
  NodeRolesView,
  NodeView,
  PingResult,
  PlacedPortView,
  PlanView,
  PortView,
} from '../documents/views.ts';
import type { MeshEvent } from '../journal/event.ts';
import { PortIdShape } from './assigned-workload-shape.ts';
import { NicShape, SegmentShape } from './assignment-shape.ts';
import * as form from './form.ts';
import { InventoryShape } from './inventory-shape.ts';
import { MeshShape, NetworkShape } from './network-shape.ts';
import { GuestAddressesShape, ReasonsShape, RefusedShape } from './node-assignment-shape.ts';
import {
  DeviceShape,
  FindingsShape,
  Ipv4Shape,
  Ipv6Shape,
  MachineIdShape,
  MacShape,
  MemberShape,
  NETWORKS_MAX,
  NetworkIdShape,
  NodeNameShape,
  SEGMENTS_MAX,
  TextShape,
  VersionShape,
} from './parts.ts';
import { NetworkStateShape } from './state-shape.ts';
import { BootTroubleShape, StageShape } from './timeline-shape.ts';

/** The most entries of a list in a view: nodes, machines, items of a plan. */
export const ENTRIES_MAX = 1_000_000;
const Count = form.int(0);
const Code: form.Shape<ErrorCode> = form.mapped(form.string(), errorCodeOf);
const Word: form.Shape<MachineWord> = form.guard<MachineWord>(
  (value) => value === 'host0' || (typeof value === 'string' && isMachineId(value)),
  undefined,
  form.TEXT,
);

/** What `--json` prints has the fields of the version before, too. */
const MeshDocumentShape: form.Shape<MeshDocument> = form.mapped(MeshShape, meshDocument);

/** A network on one machine. */
export const NetworkViewShape: form.Shape<NetworkView> = form.looseObject({
  network: MeshDocumentShape,
  state: NetworkStateShape,
  self: form.looseObject({ mac: MacShape, ipv6: Ipv6Shape }),
  members: form.listOf(MemberShape, ENTRIES_MAX),
  host0Answers: form.exactOptional(form.boolean()),
  reasons: form.exactOptional(ReasonsShape),
});

/** A network that host0 has given to a machine. */
export const GivenNetworkShape: form.Shape<GivenNetworkView> = form.looseObject({
  network: NetworkShape,
  state: NetworkStateShape,
  self: form.looseObject({
    mac: MacShape,
    ipv6: Ipv6Shape,
    underlay: form.exactOptional(Ipv6Shape),
    addresses: form.exactOptional(form.listOf(form.union([Ipv4Shape, Ipv6Shape]), ENTRIES_MAX)),
  }),
  peers: form.exactOptional(
    form.listOf(
      form.looseObject({
        name: form.string(),
        machine: Word,
        underlay: form.union([Ipv4Shape, Ipv6Shape]),
        mac: MacShape,
        ipv6: Ipv6Shape,
      }),
      ENTRIES_MAX,
    ),
  ),
  ports: form.listOf(form.string(), ENTRIES_MAX),
  reasons: form.exactOptional(ReasonsShape),
});

const ChannelShape: form.Shape<ChannelView> = form.variants('state', [
  form.object({ state: form.literal('standing'), ageSec: Count }),
  form.object({ state: form.literal('down'), ageSec: Count, why: form.string() }),
  form.object({ state: form.literal('none'), why: form.string() }),
]);

/** A node as host0 knows it. */
export const NodeViewShape: form.Shape<NodeView> = form.looseObject({
  name: form.string(),
  machine: form.exactOptional(MachineIdShape),
  role: form.oneOf(['host0', 'node']),
  online: form.boolean(),
  ipv4: Ipv4Shape,
  lastSeenMsAgo: form.exactOptional(form.number()),
  channel: form.droppable(ChannelShape),
  meshes: form.listOf(
    form.looseObject({
      network: NetworkIdShape,
      name: form.string(),
      mac: MacShape,
      ipv6: Ipv6Shape,
      state: form.exactOptional(NetworkStateShape),
    }),
    NETWORKS_MAX,
  ),
});

/** The form of `LeadershipView`. */
export const LeadershipShape: form.Shape<LeadershipView> = form.looseObject({
  state: form.oneOf(['leads', 'waits']),
  leader: form.exactOptional(TextShape),
  why: form.exactOptional(TextShape),
  key: form.exactOptional(form.string({ max: 64 })),
  tree: form.exactOptional(form.string({ max: 64 })),
  revision: form.exactOptional(form.int()),
  segments: form.exactOptional(form.listOf(SegmentShape, SEGMENTS_MAX)),
  nics: form.exactOptional(form.listOf(NicShape, SEGMENTS_MAX)),
});

/** The state of host0's daemon. */
export const Host0StatusShape: form.Shape<Host0Status> = form.looseObject({
  role: form.literal('host0'),
  version: form.string(),
  node: form.string(),
  upSec: form.number(),
  epoch: form.string(),
  revision: form.int(),
  segments: form.listOf(SegmentShape, SEGMENTS_MAX),
  nodesOnline: Count,
  networks: Count,
  leadership: form.exactOptional(LeadershipShape),
  health: FindingsShape,
});

const AssignmentShape: form.Shape<AssignmentView> = form.variants('state', [
  form.object({
    state: form.literal('in force'),
    version: VersionShape,
    from: form.oneOf(['host0', 'disk']),
    kept: form.boolean(),
  }),
  form.object({ state: form.literal('pending'), why: TextShape }),
]);

/** The state of a node's agent. */
export const AgentStatusShape: form.Shape<AgentStatus> = form.looseObject({
  role: form.literal('agent'),
  version: form.string(),
  node: form.string(),
  machine: Word,
  upSec: form.number(),
  host0: form.listOf(Ipv4Shape, SEGMENTS_MAX),
  channel: form.droppable(ChannelShape),
  assignment: form.droppable(AssignmentShape),
  networks: form.listOf(NetworkViewShape, NETWORKS_MAX),
  given: form.exactOptional(form.listOf(GivenNetworkShape, NETWORKS_MAX)),
  items: form.looseObject({ owned: Count, pending: Count, failed: Count }),
  health: FindingsShape,
});

/** A machine that has booted from host0 or has been a member. */
export const MachineViewShape: form.Shape<MachineView> = form.looseObject({
  machine: MachineIdShape,
  name: form.exactOptional(form.string()),
  hardware: form.recordOf(form.string(), form.string(), 64),
  firstSeen: form.string(),
  lastBoot: form.exactOptional(form.string()),
  boot: form.exactOptional(
    form.looseObject({
      state: form.oneOf(['booting', 'stuck', 'member']),
      stage: StageShape,
      ageMs: form.number(),
      trouble: form.exactOptional(BootTroubleShape),
    }),
  ),
  cards: form.listOf(
    form.looseObject({ mac: MacShape, segment: form.exactOptional(form.listOf(form.string(), 1_024)) }),
    256,
  ),
  inventory: form.exactOptional(InventoryShape),
});

const Step = form.looseObject({
  action: form.oneOf(['create', 'change', 'recreate', 'delete']),
  item: form.string(),
  text: form.string(),
  difference: form.exactOptional(form.string()),
});
/** The steps that the agent would take now. */
export const PlanShape: form.Shape<PlanView> = form.looseObject({
  steps: form.listOf(Step, ENTRIES_MAX),
  findings: form.exactOptional(FindingsShape),
});
/** The difference between the desired items and the kernel. */
export const DriftShape: form.Shape<DriftView> = form.looseObject({
  steps: form.listOf(Step, ENTRIES_MAX),
  cacheDifference: Count,
});

const MeshOrNetwork: form.Shape<Network> = form.union([MeshDocumentShape, NetworkShape]);

/** Why an object exists. */
export const ExplainShape: form.Shape<ExplainView> = form.looseObject({
  object: form.string(),
  network: form.exactOptional(MeshOrNetwork),
  reasons: form.listOf(form.string(), ENTRIES_MAX),
  items: form.listOf(
    form.looseObject({
      item: form.string(),
      text: form.string(),
      state: form.oneOf(['ready', 'missing', 'different', 'unwanted']),
    }),
    ENTRIES_MAX,
  ),
});

const HolderShape: form.Shape<Holder> = form.object({
  name: NodeNameShape,
  ipv4: form.exactOptional(Ipv4Shape),
  underlay: form.exactOptional(Ipv6Shape),
  mac: MacShape,
  ipv6: Ipv6Shape,
});

/** The result of a ping. */
export const PingShape: form.Shape<PingResult> = form.looseObject({
  network: form.string(),
  from: HolderShape,
  to: HolderShape,
  path: form.listOf(form.string(), 64),
  sent: Count,
  received: Count,
  rttMs: form.listOf(form.number(), ENTRIES_MAX),
  mtu: form.looseObject({ provedBytes: Count, promisedBytes: Count }),
});

/** A port of a bridge. */
export const PortShape: form.Shape<PortView> = form.looseObject({
  interface: form.string(),
  network: form.string({ max: 64 }),
  networkName: form.exactOptional(form.string({ max: 64 })),
  state: form.oneOf(['wanted', 'plugged']),
  why: form.exactOptional(TextShape),
  mtuBytes: form.exactOptional(Count),
  bound: form.exactOptional(form.literal(true)),
  down: form.exactOptional(form.literal(true)),
  refused: form.exactOptional(RefusedShape),
});

/** The roles of a node. */
export const NodeRolesShape: form.Shape<NodeRolesView> = form.looseObject({
  node: TextShape,
  machine: Word,
  roles: form.listOf(form.string({ max: 64 }), ENTRIES_MAX),
});

/** A port that host0 has placed on a node. */
export const PlacedPortShape: form.Shape<PlacedPortView> = form.looseObject({
  id: PortIdShape,
  network: NetworkIdShape,
  networkName: form.string({ max: 64 }),
  node: TextShape,
  machine: Word,
  interface: DeviceShape,
  mac: MacShape,
  name: form.exactOptional(form.string({ max: 64 })),
  addresses: form.exactOptional(GuestAddressesShape),
  vm: form.exactOptional(form.string({ max: 64 })),
  trusted: form.exactOptional(form.literal(true)),
  state: form.oneOf(['wanted', 'plugged', 'bound', 'gone']),
  why: form.exactOptional(TextShape),
  refused: form.exactOptional(RefusedShape),
});

const Hop: form.Shape<TraceHop> = form.looseObject({
  node: form.string(),
  subject: form.oneOf(HOPS),
  state: form.oneOf(['ok', 'differs', 'unknown']),
  held: form.string(),
  wanted: form.exactOptional(form.string()),
  remedy: form.exactOptional(form.string()),
});
const End: form.Shape<TraceEnd> = form.looseObject({
  member: form.string(),
  memberIpv6: Ipv6Shape,
  guest: form.boolean(),
  mac: MacShape,
  ipv6: form.exactOptional(Ipv6Shape),
  ipv4: Ipv4Shape,
});
/** A path in both directions. */
export const TraceShape: form.Shape<TraceView> = form.looseObject({
  network: form.string(),
  from: End,
  to: End,
  forth: form.listOf(Hop, 1_024),
  back: form.listOf(Hop, 1_024),
});

const Setting = form.looseObject({ name: form.string(), value: form.string() });
/** The findings of `mesh doctor`. */
export const DoctorShape: form.Shape<DoctorView> = form.looseObject({
  checks: form.listOf(form.string(), 1_024),
  findings: form.listOf(
    form.looseObject({
      code: Code,
      severity: form.oneOf(['warning', 'error']),
      object: form.string(),
      message: form.string(),
      remedy: form.string(),
      check: form.string(),
      saw: form.string(),
      matters: form.string(),
      fix: form.exactOptional(form.listOf(Setting, 1_024)),
    }),
    ENTRIES_MAX,
  ),
  fixed: form.listOf(
    form.looseObject({ name: form.string(), value: form.string(), before: form.string() }),
    ENTRIES_MAX,
  ),
});

/** An event of a journal: in a stream, and as a line of a log. */
export const MeshEventShape: form.Shape<MeshEvent> = form.looseObject({
  seq: form.int(),
  time: form.string(),
  level: form.oneOf(['debug', 'info', 'warning', 'error']),
  source: form.string(),
  node: form.string(),
  kind: form.string(),
  message: form.string(),
  network: form.exactOptional(form.string()),
  object: form.exactOptional(form.string()),
  item: form.exactOptional(form.string()),
  step: form.exactOptional(form.string()),
  code: form.exactOptional(Code),
  errno: form.exactOptional(form.string()),
  remedy: form.exactOptional(form.string()),
  durationMs: form.exactOptional(form.number()),
  suppressed: form.exactOptional(form.int()),
  snapshot: form.exactOptional(form.literal(true)),
  conditions: form.exactOptional(form.int()),
});
