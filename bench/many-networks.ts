/** The desired items of a node with many networks, without members and before host0 has answered. */
import { desiredItems } from '../src/agent/desired/desired.ts';
import type { Item } from '../src/agent/items/item.ts';
import type { ItemKey } from '../src/agent/items/item-kind.ts';
import { parseMachineId } from '../src/model/machine.ts';
import type { Mesh } from '../src/model/network/mesh.ts';
import { nodeInput } from '../test/kit/desired-input.ts';
import { mesh } from '../test/kit/networks.ts';

/** The machine id of that node. */
export const MACHINE = parseMachineId('10eff964');

/** Lines of `ip -batch` that make the underlay of that node. */
export const UNDERLAY = [
  'link set lo up',
  'link add eth0 type veth peer name peer0',
  'address add 10.11.0.2/24 dev eth0',
  'link set eth0 up',
];

/** Networks with consecutive VNIs. @param first the VNI of the first, at least 1 */
export function networksFrom(first: number, count: number): Mesh[] {
  return Array.from({ length: count }, (_, i) =>
    mesh(`n${first + i}`, first + i, { prefix: `fd00:0:0:${(first + i).toString(16)}::/64` }),
  );
}

/** All items that an agent wants for these networks. */
export function itemsOf(networks: readonly Mesh[]): ReadonlyMap<ItemKey, Item> {
  const attachments = networks.map((network) => ({ network, members: [], host0Answers: false }));
  return desiredItems(nodeInput(attachments, { machine: MACHINE }));
}
