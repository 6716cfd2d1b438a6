/** The faults of a storm: how often each occurs, and how many packets it may cost. The storm checks the product against this table. */

import type { Cost, Helper } from './excuse.ts';
import { addressChanged, cutOff, deafened, diskFilled, type Harm, killed, outsider, replaced } from './harms.ts';

/** One kind of fault. */
export interface FaultKind {
  readonly on: 'every host' | 'nodes' | 'host0';
  /** How often in the long run; half as often otherwise. */
  readonly times: number;
  /** The shortest and longest duration; absent for a fault without duration. */
  readonly lastsMs?: readonly [least: number, most: number];
  readonly cost: Cost;
  readonly withholds?: Helper;
  /** The part of the host that has the fault. Faults of the same part of one host come one after the other. */
  readonly part: 'agent' | 'daemon' | 'devices' | 'segment' | 'address' | 'disk';
  readonly harm: Harm;
}

/** Forwarding goes on without any process: these faults may cost no packet. */
const NOTHING: Cost = { free: true, settlesMs: 0 };
/** A repair takes about 50 ms on an idle machine. Here several agents delete links at once, under the lock of all namespaces. */
const A_REPAIR: Cost = { settlesMs: 3_000 };
/** The others are told of a changed member within a second, or three if the stream must reconnect. */
const NEWS: Cost = { settlesMs: 6_000, throughHost0: true };

/** All kinds, by name. */
export const FAULTS: Readonly<Record<string, FaultKind>> = {
  'agent killed': {
    on: 'every host',
    times: 8,
    lastsMs: [50, 3_000],
    cost: NOTHING,
    withholds: 'agent',
    part: 'agent',
    harm: killed('agent'),
  },
  "host0's agent killed": {
    on: 'host0',
    times: 2,
    lastsMs: [50, 3_000],
    cost: NOTHING,
    withholds: 'agent',
    part: 'agent',
    harm: killed('agent'),
  },
  "host0's daemon killed": {
    on: 'host0',
    times: 4,
    lastsMs: [50, 3_000],
    cost: NOTHING,
    withholds: 'host0',
    part: 'daemon',
    harm: killed('host0'),
  },
  'VXLAN deleted': {
    on: 'every host',
    times: 4,
    cost: A_REPAIR,
    part: 'devices',
    harm: outsider('ip link delete vxlan456'),
  },
  'bridge deleted': {
    on: 'every host',
    times: 4,
    cost: A_REPAIR,
    part: 'devices',
    harm: outsider('ip link delete br456'),
  },
  'VXLAN renamed': {
    on: 'every host',
    times: 3,
    cost: A_REPAIR,
    part: 'devices',
    harm: outsider('ip link set vxlan456 name stolen0'),
  },
  'bridge renamed': {
    on: 'every host',
    times: 3,
    cost: A_REPAIR,
    part: 'devices',
    harm: outsider('ip link set br456 down; ip link set br456 name stolen1 up'),
  },
  'bridge down': {
    on: 'every host',
    times: 4,
    cost: A_REPAIR,
    part: 'devices',
    harm: outsider('ip link set br456 down'),
  },
  'entries flushed': {
    on: 'every host',
    times: 4,
    cost: A_REPAIR,
    part: 'devices',
    harm: outsider('bridge fdb flush dev vxlan456 self; bridge fdb flush dev vxlan456 master'),
  },
  'neighbours flushed': {
    on: 'every host',
    times: 4,
    cost: A_REPAIR,
    part: 'devices',
    harm: outsider('ip -6 neighbour flush dev br456 nud permanent'),
  },
  'rules flushed': {
    on: 'every host',
    times: 5,
    cost: NOTHING,
    part: 'devices',
    harm: outsider(
      'nft delete table inet meshwork; nft delete table bridge meshwork',
      'nft list table inet meshwork; nft list table bridge meshwork',
    ),
  },
  'foreign bridge in our place': {
    on: 'every host',
    times: 3,
    lastsMs: [200, 3_000],
    cost: A_REPAIR,
    part: 'devices',
    harm: replaced('br456', 'link delete br456', 'link add br456 type bridge', 'link set br456 up'),
  },
  'foreign VXLAN with our VNI': {
    on: 'every host',
    times: 3,
    lastsMs: [200, 3_000],
    cost: A_REPAIR,
    part: 'devices',
    harm: replaced(
      'mine0',
      'link delete vxlan456',
      'link add mine0 type vxlan id 456 dstport 4789',
      'link set mine0 up',
    ),
  },
  'underlay cut': {
    on: 'nodes',
    times: 5,
    lastsMs: [100, 5_000],
    cost: NEWS,
    part: 'segment',
    harm: cutOff,
  },
  "host0's underlay cut": {
    on: 'host0',
    times: 1,
    lastsMs: [1_000, 5_000],
    cost: { ...NEWS, transit: true },
    withholds: 'host0',
    part: 'segment',
    harm: cutOff,
  },
  'underlay cut until all have dropped it': {
    on: 'nodes',
    times: 1,
    lastsMs: [12_000, 14_000],
    cost: NEWS,
    part: 'segment',
    harm: cutOff,
  },
  'IPv4 changed, and back': {
    on: 'nodes',
    times: 3,
    lastsMs: [1_000, 6_000],
    cost: NEWS,
    part: 'address',
    harm: addressChanged,
  },
  'disk full': {
    on: 'every host',
    times: 3,
    lastsMs: [500, 5_000],
    cost: NOTHING,
    part: 'disk',
    harm: diskFilled,
  },
  "host0's disk full": {
    on: 'host0',
    times: 1,
    lastsMs: [3_000, 6_000],
    cost: NOTHING,
    withholds: 'host0',
    part: 'disk',
    harm: diskFilled,
  },
  'monitor overflow': {
    on: 'every host',
    times: 4,
    cost: NOTHING,
    part: 'agent',
    harm: deafened,
  },
};
