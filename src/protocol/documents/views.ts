/**
 * The documents that the control sockets answer with, and that `--json` prints.
 *
 * host0, `control.sock`:  GET /v1/status → Host0Status · GET /v1/nodes → NodeView[] · GET /v1/networks → NetworkView[]
 *                         GET /v1/boot, POST /v1/scan, POST /v1/boot/stop (boot-views.ts)
 *                         GET /v1/events → SSE of MeshEvent · GET /v1/assignment → SSE (assignment.ts) · PUT /v1/self ← SelfStatus
 *                         GET /v1/machines → MachineView[] (machine-view.ts)
 *                         GET /v1/boots → TimelineView[] · GET /v1/boots/events → SSE of TimelineView (timeline-view.ts)
 * agent,  `agent.sock`:   GET /v1/status → AgentStatus · GET /v1/networks → NetworkView[] · GET /v1/plan → PlanView · GET /v1/drift → DriftView
 *                         GET /v1/explain?object=NAME → ExplainView · GET /v1/events → SSE of MeshEvent
 *                         POST /v1/ping ← PingRequest → PingResult · POST /v1/trace ← TraceRequest → TraceView (trace.ts)
 *                         GET /v1/capture?network=NAME&node=NAME&… → pcapng (capture.ts)
 *                         GET /v1/ports → PortView[]
 *                         GET /v1/doctor → DoctorView · POST /v1/doctor/fix → DoctorView, after what is safe to mend was mended
 *                         PUT /v1/ports/IFACE ← {network: string} → PortView · DELETE /v1/ports/IFACE
 * both:                   GET /health → Liveness · GET /ready → Readiness (readiness.ts) · GET /metrics → text for Prometheus, or Family[]
 * `GET /v1/events` is described in journal-stream.ts; with `?follow=0` it ends after the remembered events. An error is an ErrorDocument with the status of its code.
 */

import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { MachineId, MachineWord } from '../../model/machine.ts';
import type { Member } from '../../model/network/member.ts';
import type { Network, NetworkId } from '../../model/network/network.ts';
import type { Segment } from './assignment.ts';
import type { Finding } from './finding.ts';
import type { NetworkState } from './membership.ts';

export interface NetworkView {
  readonly network: Network;
  readonly state: NetworkState;
  /** This machine's own addresses in it. */
  readonly self: { readonly mac: Mac; readonly ipv6: Ipv6 };
  /** All members, this machine and host0 among them, host0 first. */
  readonly members: readonly Member[];
  /** On a node: whether host0 answers in this mesh now. */
  readonly host0Answers?: boolean;
}

/** A node as host0 knows it. Out of a node's own member lists come only those that are there now, without what is optional here. */
export interface NodeView {
  readonly name: string;
  readonly machine?: MachineId;
  readonly role: 'host0' | 'node';
  readonly online: boolean;
  readonly ipv4: Ipv4;
  readonly lastSeenMsAgo?: number;
  readonly meshes: readonly {
    readonly network: NetworkId;
    readonly name: string;
    readonly mac: Mac;
    readonly ipv6: Ipv6;
    readonly state?: NetworkState;
  }[];
}

export interface Host0Status {
  readonly role: 'host0';
  readonly version: string;
  readonly node: string;
  readonly upSec: number;
  readonly epoch: string;
  readonly revision: number;
  readonly segments: readonly Segment[];
  readonly nodesOnline: number;
  readonly networks: number;
  readonly health: readonly Finding[];
}

export interface AgentStatus {
  readonly role: 'agent';
  readonly version: string;
  readonly node: string;
  readonly machine: MachineWord;
  readonly upSec: number;
  readonly host0: readonly Ipv4[];
  readonly networks: readonly NetworkView[];
  /** Items that the agent owns in the kernel, and how many of them are not as they should be. */
  readonly items: { readonly owned: number; readonly pending: number; readonly failed: number };
  readonly health: readonly Finding[];
}

/** The local agent's own report to host0's daemon: how each network fares on host0 itself. */
export interface SelfStatus {
  readonly networks: Readonly<Record<NetworkId, NetworkState>>;
}

/** One line that an administrator knows: `ip link add …`, `bridge fdb replace …`. */
export interface StepView {
  readonly action: 'create' | 'change' | 'recreate' | 'delete';
  readonly item: string;
  readonly text: string;
  /** What is different, for a change: `mtu 1400 → 1380`. */
  readonly difference?: string;
}

export interface PlanView {
  readonly steps: readonly StepView[];
}

/** Desired against a fresh dump of the kernel; `cacheDifference` counts items in which the cache disagreed with that dump. */
export interface DriftView {
  readonly steps: readonly StepView[];
  readonly cacheDifference: number;
}

export interface ExplainView {
  readonly object: string;
  readonly network?: Network;
  /** Why it is there, most general first: file, network, member, item. */
  readonly reasons: readonly string[];
  /** The kernel objects that belong to it, as the commands that would make them; an unwanted one, as its removal. */
  readonly items: readonly {
    readonly item: string;
    readonly text: string;
    readonly state: 'ready' | 'missing' | 'different' | 'unwanted';
  }[];
}

export interface PingRequest {
  readonly network: string;
  readonly node: string;
  readonly count?: number;
  readonly intervalMs?: number;
}

export interface PingResult {
  readonly network: string;
  readonly from: Member;
  readonly to: Member;
  /** Devices and addresses on the way: `br456 → vxlan456 → 10.11.0.2`. */
  readonly path: readonly string[];
  readonly sent: number;
  readonly received: number;
  readonly rttMs: readonly number[];
  /** The largest IPv6 packet that came back whole, bytes, and what the network promises. */
  readonly mtu: { readonly provedBytes: number; readonly promisedBytes: number };
}

export interface PortView {
  readonly interface: string;
  readonly network: NetworkId;
  readonly state: 'wanted' | 'plugged';
}

/** A kernel setting, and what it should be. `name` is the path below /proc/sys: `net/ipv4/conf/eth0/rp_filter`. */
export interface Setting {
  readonly name: string;
  readonly value: string;
}

/** What is wrong with the machine or with what it stands on. */
export interface DoctorFinding extends Finding {
  /** The check that found it: `udp-4789`. */
  readonly check: string;
  /** The evidence, as people read it: the message, with its code where a process found it by itself. */
  readonly saw: string;
  /** What does not work, or may not, because of it. */
  readonly matters: string;
  /** What `--fix` sets; absent where no change is safe to make unasked. */
  readonly fix?: readonly Setting[];
}

export interface DoctorView {
  /** Every check that was made, in order. */
  readonly checks: readonly string[];
  /** The worst first; none on a healthy machine. */
  readonly findings: readonly DoctorFinding[];
  /** What was set in answer to `--fix`, with the value before. */
  readonly fixed: readonly (Setting & { readonly before: string })[];
}
