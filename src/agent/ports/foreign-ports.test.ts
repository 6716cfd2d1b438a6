/** Proves which steps a plan has for foreign interfaces on our bridges: plugged, unplugged, and put there directly. */

import { expect, test } from 'vitest';
import { nodeDocument } from '../../../test/kit/desired-input.ts';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { manage as network, networkOfType } from '../../../test/kit/networks.ts';
import { KernelTables } from '../../kernel/mirror/kernel-tables.ts';
import type { Link } from '../../kernel/rtnl/objects.ts';
import { meshAttachment } from '../desired/assignment.ts';
import { desiredItems } from '../desired/desired.ts';
import { aliasOf, OUR_LINK_GROUP } from '../items/mark.ts';
import { portKind } from '../items/port.ts';
import { observedItems } from '../kernel/observed.ts';
import { plan, printStep } from '../loop/plan.ts';
import { ForeignPorts, type PortRecord } from './foreign-ports.ts';

const { id } = network;
const BRIDGE = {
  index: 1,
  name: 'br456',
  kind: 'bridge',
  group: OUR_LINK_GROUP,
  alias: aliasOf('bridge', id),
} as const;
const OTHER = { index: 2, name: 'other0', kind: 'bridge', group: 0, alias: '' } as const;
const NOTHING: PortRecord = { plugged: [], unplugging: [] };
const GUEST = { link: 'tap0', network: id };

/** @param masters by interface name; each interface is a veth */
function kernelWith(masters: Readonly<Record<string, 'br456' | 'other0' | ''>>): KernelTables {
  const indexes = { br456: BRIDGE.index, other0: OTHER.index, '': 0 };
  const ports = Object.entries(masters).map(([name, master], at) => {
    return { index: 3 + at, name, kind: 'veth', group: 0, alias: '', master: indexes[master] };
  });
  const bridges = [BRIDGE, OTHER].map((link) => ({ ...link, master: 0, conf: {} }));
  // Only these fields of a link matter here.
  return KernelTables.of({
    links: [...bridges, ...ports] as Link[],
    addresses: [],
    routes: [],
    neighbours: [],
    fdb: [],
  });
}

function foreignPorts(record: PortRecord): ForeignPorts {
  return new ForeignPorts(record, new ManualClock());
}

/** The steps for ports in one pass of the agent. */
function steps(foreign: ForeignPorts, kernel: KernelTables): string[] {
  const ports = foreign.takeIn(kernel, [network]);
  const host0 = { role: 'host0', segments: [], nics: [] } as const;
  const attachments = [meshAttachment({ network, members: [], host0Answers: true })];
  const desired = desiredItems({ routes: false, machine: 'host0', host0, document: nodeDocument(attachments), ports });
  const observed = observedItems(kernel, desired);
  for (const item of foreign.toTakeOff(kernel)) observed.set(`port:${item.link}`, item);
  const all = plan(observed, desired, { mayDelete: (item) => item.kind === 'port' });
  return all.filter(({ item }) => item.kind === 'port').map(printStep);
}

test('a plugged port is put on the bridge, and taken off when it is unplugged', () => {
  const foreign = foreignPorts(NOTHING);
  foreign.plug(GUEST);
  expect(steps(foreign, kernelWith({ tap0: '' }))).toEqual(['ip link set tap0 master br456']);
  expect(steps(foreign, kernelWith({ tap0: 'br456' }))).toEqual([]);
  expect(foreign.unplug('tap0')).toBe(true);
  const off = ['ip link set tap0 nomaster'];
  expect(steps(foreign, kernelWith({ tap0: 'br456' }))).toEqual(off);
  // The step failed, or the agent was killed before it.
  expect(steps(foreign, kernelWith({ tap0: 'br456' }))).toEqual(off);
  expect(steps(foreignPorts(foreign.record), kernelWith({ tap0: 'br456' }))).toEqual(off);
  expect(steps(foreign, kernelWith({ tap0: '' }))).toEqual([]);
  expect(foreign.record).toEqual(NOTHING);
});

test('a port that an administrator puts on the bridge stays, even after an unplug', () => {
  const foreign = foreignPorts({ plugged: [], unplugging: [GUEST] });
  expect(steps(foreign, kernelWith({ tap0: '', put0: 'br456' }))).toEqual([]);
  expect(steps(foreign, kernelWith({ tap0: 'br456', put0: 'br456' }))).toEqual([]);
  expect(foreign.unplug('nobody0')).toBe(false);
  expect(foreign.unplug('put0')).toBe(true);
  expect(steps(foreign, kernelWith({ put0: 'br456' }))).toEqual(['ip link set put0 nomaster']);
});

test.each([
  ['is on another bridge', kernelWith({ tap0: 'other0' })],
  ['does not exist any more', kernelWith({})],
])('an unplugged port that %s is left alone and forgotten', (_, kernel) => {
  const foreign = foreignPorts({ plugged: [], unplugging: [GUEST] });
  expect(steps(foreign, kernel)).toEqual([]);
  expect(foreign.record).toEqual(NOTHING);
});

test('plugging a port again cancels the unplugging', () => {
  const foreign = foreignPorts({ plugged: [], unplugging: [GUEST] });
  foreign.plug(GUEST);
  expect(steps(foreign, kernelWith({ tap0: 'br456' }))).toEqual([]);
  expect(foreign.record).toEqual({ plugged: [GUEST], unplugging: [] });
});

test('the rules for a guest stay until its port is off', () => {
  const foreign = foreignPorts({ plugged: [GUEST], unplugging: [] });
  foreign.takeIn(kernelWith({ tap0: 'br456' }), [network]);
  foreign.unplug('tap0');
  const guest = { ...GUEST, plugged: true, unplugging: true };
  expect(foreign.takeIn(kernelWith({ tap0: 'br456' }), [network])).toEqual([guest]);
  expect(foreign.takeIn(kernelWith({ tap0: '' }), [network])).toEqual([]);
});

test('a bridge that has lost one of its two marks is still ours', () => {
  const foreign = foreignPorts({ plugged: [], unplugging: [GUEST] });
  const kernel = kernelWith({ tap0: 'br456' });
  const bridge = kernel.linkNamed('br456');
  if (bridge === undefined) throw new TypeError('a bridge');
  kernel.take({ type: 'link', removed: false, link: { ...bridge, alias: '' }, echo: false });
  expect(foreign.takeIn(kernel, [network])).toHaveLength(1);
});

test('a port of a network that the node does not have waits, is recorded, and is plugged when the network comes', () => {
  const foreign = foreignPorts(NOTHING);
  foreign.wish({ link: 'tap9', networkName: 'blue' });
  expect(foreign.record).toEqual({ ...NOTHING, wished: [{ link: 'tap9', networkName: 'blue' }] });
  foreign.fulfil([{ id: network.id, name: 'red' }]);
  expect(foreign.plugged).toEqual([]);
  const again = foreignPorts(foreign.record);
  again.fulfil([{ id: network.id, name: 'blue' }]);
  expect(again.record).toEqual({ ...NOTHING, plugged: [{ link: 'tap9', network: network.id }] });
});

test('a waiting port is taken back by an unplug, and replaces a plug elsewhere', () => {
  const foreign = foreignPorts({ plugged: [GUEST], unplugging: [] });
  foreign.wish({ link: GUEST.link, networkName: 'blue' });
  expect(foreign.record).toEqual({
    plugged: [],
    unplugging: [GUEST],
    wished: [{ link: GUEST.link, networkName: 'blue' }],
  });
  expect(foreign.unplug(GUEST.link)).toBe(true);
  expect(foreign.wished).toEqual([]);
});

test('a port that host0 assigns is put on the bridge, and taken off when it is no longer assigned, also after a restart', () => {
  const foreign = foreignPorts(NOTHING);
  foreign.assign([GUEST]);
  expect(foreign.isAssigned('tap0')).toBe(true);
  expect(steps(foreign, kernelWith({ tap0: '' }))).toEqual(['ip link set tap0 master br456']);
  expect(steps(foreign, kernelWith({ tap0: 'br456' }))).toEqual([]);
  foreign.assign([]);
  const off = ['ip link set tap0 nomaster'];
  expect(steps(foreign, kernelWith({ tap0: 'br456' }))).toEqual(off);
  expect(steps(foreignPorts(foreign.record), kernelWith({ tap0: 'br456' }))).toEqual(off);
  // It is assigned again before it is off.
  foreign.assign([GUEST]);
  expect(steps(foreign, kernelWith({ tap0: 'br456' }))).toEqual([]);
  // Its administrator plugged it in, too.
  foreign.plug(GUEST);
  expect(foreign.isAssigned('tap0')).toBe(false);
  foreign.assign([]);
  expect(steps(foreign, kernelWith({ tap0: 'br456' }))).toEqual([]);
});

test('a port is unplugged from the bridge of another program, also after a restart of the agent', () => {
  const foreignNetwork = { ...networkOfType(0xff01, { kind: 'foreign-bridge', name: 'other0' }) };
  const port = { link: 'tap0', network: foreignNetwork.id };
  const foreign = foreignPorts({ plugged: [port], unplugging: [] });
  const kernel = kernelWith({ tap0: 'other0', tap1: 'other0' });
  expect(foreign.takeIn(kernel, [foreignNetwork])).toEqual([{ ...port, plugged: true, unplugging: false }]);
  expect(foreign.toTakeOff(kernel)).toEqual([]);
  expect(foreign.unplug('tap0')).toBe(true);
  // The network may be gone by now.
  for (const ports of [foreign, foreignPorts(foreign.record)]) {
    expect(ports.takeIn(kernel, [])).toEqual([{ ...port, plugged: true, unplugging: true }]);
    const off = ports.toTakeOff(kernel);
    expect(off).toEqual([{ kind: 'port', network: foreignNetwork.id, link: 'tap0', bridge: 'other0' }]);
    expect(off.map((item) => portKind.printRemove?.(item))).toEqual(['ip link set tap0 nomaster']);
    // Its owner has moved the port to a bridge of ours, or it is off.
    expect(ports.takeIn(kernelWith({ tap0: '' }), [])).toEqual([]);
    expect(ports.record).toEqual(NOTHING);
  }
});
