/**
 * Derives the desired items of a node from the planner's input. Parts that have not changed since the last pass are not
 * derived again: a join costs its own four entries, and one walk through the member list.
 * Tests: desired.test.ts, plan.test.ts, delta.test.ts.
 */

import { isDeepStrictEqual } from 'node:util';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { MachineWord } from '../../model/machine.ts';
import { type Member, type MemberAddresses, memberAddresses } from '../../model/network/member.ts';
import type { Mesh } from '../../model/network/mesh.ts';
import { mustRejoin } from '../../model/network/network-equality.ts';
import type { NetworkId } from '../../model/network/number.ts';
import type { Segment, UnderlayNic } from '../../protocol/documents/assignment.ts';
import { type Item, type ItemMap, itemKey, kindOf } from '../items/item.ts';
import type { ItemKey } from '../items/item-kind.ts';
import type { Changed } from '../loop/delta.ts';
import { AddressGuard } from './address-guard.ts';
import type { Attachment, DesiredInput, Host0Stance } from './assignment.ts';
import { addressItems, linkItems, memberItems } from './mesh-items.ts';
import { memberElements, rulesets, withMembers } from './ruleset.ts';
import type { MemberElements, RulesetInput } from './ruleset-input.ts';
import { behindHost0, vxlanWay } from './vxlan-way.ts';

/** The items of one mesh, and the input that they were derived from. */
interface MeshPart {
  network: Mesh;
  /** Source address of the VXLAN packets. */
  local: Ipv4 | undefined;
  /** This node's addresses in the mesh. */
  readonly own: MemberAddresses;
  readonly host0Ipv6: MemberAddresses['ipv6'];
  /** Keys of the links and of this node's addresses. */
  readonly items: Set<ItemKey>;
  readonly entries: Map<Member['ipv6'], MemberEntries>;
  /** Number of other members at each underlay address: one that moves may take an address that another one has left. */
  readonly senders: Map<Ipv4, number>;
  /** Addresses from which the rules accept VXLAN packets of this mesh. */
  sources: ReadonlySet<Ipv4>;
  /** Addresses that no port may send from. */
  readonly guard: AddressGuard;
  /** What the tables have of the members. */
  elements: MemberElements;
  /** This node's own underlay addresses. */
  here: ReadonlySet<Ipv4>;
  attachment: Attachment | undefined;
}

/** The entries of one member, and the input that they were derived from. */
interface MemberEntries {
  readonly member: Member;
  /** The member has no neighbour entry, so that the kernel asks for its Ethernet address. */
  readonly solicited: boolean;
  /** The member is behind a port of this node, so that nothing is sent to it through the VXLAN. */
  readonly isHere: boolean;
  readonly items: ReadonlyMap<ItemKey, Item>;
}

const NO_ADDRESSES: ReadonlySet<Ipv4> = new Set();

/** The desired items of a node, updated from pass to pass. It records which items each update has changed. */
export class DesiredItems {
  readonly #items = new Map<ItemKey, Item>();
  readonly #meshes = new Map<NetworkId, MeshPart>();
  #changed = new Map<ItemKey, Item | undefined>();
  /** Keys of ports, routes, NICs and settings. */
  readonly #others = new Set<ItemKey>();
  readonly #tables = new Set<ItemKey>();
  /** This node's own underlay addresses. */
  #here: ReadonlySet<Ipv4> = NO_ADDRESSES;
  /** The input that the tables were derived from. */
  #rules: RulesetInput | undefined;

  /** The present items, in a map that later updates change. */
  get items(): ItemMap {
    return this.#items;
  }

  /** The changes since the last call. */
  takeChanges(): Changed {
    const changed = this.#changed;
    this.#changed = new Map();
    return changed;
  }

  /** Derives again whatever differs from the input of the last update. */
  update(input: DesiredInput): void {
    const { attachments } = input;
    const here = ownUnderlay(input.host0);
    if (!isDeepStrictEqual(here, this.#here)) this.#here = here;
    this.#updateRulesets(rulesetInput(input));
    const ids = new Set(attachments.map(({ network }) => network.id));
    for (const [id, part] of this.#meshes) if (!ids.has(id)) this.#removeMesh(part);
    for (const attachment of attachments) this.#updateMesh(input, attachment);
    this.#updateOthers(input);
    this.#updateElements();
  }

  #updateMesh({ machine, host0 }: DesiredInput, attachment: Attachment): void {
    const { network, members, host0Answers, keptSources } = attachment;
    // host0 has no fixed source: it may have several segments, and uses on each its address there.
    const local = host0.role === 'node' ? host0.local : undefined;
    let part = this.#meshes.get(network.id);
    if (part !== undefined && hasOtherEntries(part.network, network)) {
      this.#removeMesh(part);
      part = undefined;
    }
    part ??= newPart(network, machine);
    this.#meshes.set(network.id, part);
    const before = part.attachment;
    if (before?.network !== network || part.local !== local) {
      part.network = network;
      part.local = local;
      this.#replace(part.items, [...linkItems(network, part.own, local), ...addressItems(network, part.own)]);
    }
    const moved = part.here !== this.#here;
    part.here = this.#here;
    if (before?.members !== members || before.host0Answers !== host0Answers || moved) {
      this.#updateMembers(part, members, host0.role, host0Answers);
    }
    if (before?.members !== members || before.keptSources !== keptSources || moved) {
      // One copy: a second one costs a join to a thousand members a tenth of a millisecond.
      const sources = new Set(part.senders.keys());
      for (const source of keptSources ?? []) sources.add(source);
      part.sources = sources;
    }
    if (before?.network !== network || before.members !== members || before.keptSources !== keptSources || moved) {
      // host0 takes packets from its whole segments.
      part.elements = memberElements(network, host0.role === 'host0' ? NO_ADDRESSES : part.sources, part.guard.guarded);
    }
    part.attachment = attachment;
  }

  #updateMembers(part: MeshPart, listed: readonly Member[], role: Host0Stance['role'], host0Answers: boolean): void {
    const { entries, own, host0Ipv6, network, here, guard } = part;
    const members = listed.filter(({ ipv6 }) => ipv6 !== own.ipv6);
    for (const member of members) {
      const { ipv6 } = member;
      const solicited = ipv6 === host0Ipv6 && !host0Answers;
      const isHere = here.has(member.ipv4);
      const before = entries.get(ipv6);
      if (before?.member === member && before.solicited === solicited && before.isHere === isHere) continue;
      const items = memberItems(network, member, role, !solicited).filter(({ kind }) => kind !== 'fdb' || !isHere);
      const after = { member, solicited, isHere, items: new Map(items.map((item) => [itemKey(item), item])) };
      if (before !== undefined) guard.remove(before.member);
      // A member at an underlay address of this node polls from behind a port: it must go on sending.
      if (!isHere) guard.add(member);
      if (!isHere) count(part.senders, member.ipv4, 1);
      entries.set(ipv6, after);
      if (before !== undefined) this.#removeEntries(part, before, after.items);
      for (const [key, item] of after.items) this.#put(key, item);
    }
    if (entries.size === members.length) return;
    const present = new Set(members.map(({ ipv6 }) => ipv6));
    for (const [ipv6, before] of entries) {
      if (present.has(ipv6)) continue;
      entries.delete(ipv6);
      guard.remove(before.member);
      this.#removeEntries(part, before, new Map());
    }
  }

  /**
   * Removes a member's items that are not among `after`. A flood entry stays while another member has the same underlay
   * address.
   */
  #removeEntries(part: MeshPart, { member, items, isHere }: MemberEntries, after: ReadonlyMap<ItemKey, Item>): void {
    const others = !isHere && count(part.senders, member.ipv4, -1) > 0;
    for (const [key, item] of items) {
      const shared = others && item.kind === 'fdb' && item.mac !== member.mac;
      if (!after.has(key) && !shared) this.#remove(key);
    }
  }

  #removeMesh({ network, items, entries }: MeshPart): void {
    this.#meshes.delete(network.id);
    for (const key of items) this.#remove(key);
    for (const entry of entries.values()) for (const key of entry.items.keys()) this.#remove(key);
  }

  #updateOthers({ host0, attachments, ports, firstRule }: DesiredInput): void {
    const items: Item[] = [];
    for (const { link, network: id, unplugging } of ports) {
      const network = unplugging ? undefined : this.#meshes.get(id)?.network;
      if (network !== undefined) items.push({ kind: 'port', network: id, link, bridge: network.bridge.name });
    }
    items.push(
      ...(host0.role === 'host0'
        ? [...forwardingItems(host0.segments), ...underlayItems(host0.nics)]
        : vxlanWay(host0, attachments.length > 0, firstRule)),
    );
    this.#replace(this.#others, items);
  }

  /** The tables without the elements that come and go with members: `#updateElements` adds them. */
  #updateRulesets(rules: RulesetInput): void {
    if (this.#rules !== undefined && haveSameRules(this.#rules, rules)) return;
    this.#rules = rules;
    this.#replace(this.#tables, rulesets(rules));
  }

  #updateElements(): void {
    const elements = Array.from(this.#meshes.values(), (part) => part.elements);
    for (const key of this.#tables) {
      const table = this.#items.get(key);
      if (table?.kind !== 'ruleset') continue;
      const now = withMembers(table, elements);
      if (now !== table) this.#put(key, now);
    }
  }

  /** Replaces the items of `keys` by `now`, and the keys by those of `now`. */
  #replace(keys: Set<ItemKey>, now: readonly Item[]): void {
    const gone = new Set(keys);
    for (const item of now) {
      const key = itemKey(item);
      gone.delete(key);
      keys.add(key);
      this.#put(key, item);
    }
    for (const key of gone) {
      keys.delete(key);
      this.#remove(key);
    }
  }

  #put(key: ItemKey, item: Item): void {
    const before = this.#items.get(key);
    if (before !== undefined && kindOf(item).differences(before, item).length === 0) return;
    if (!this.#changed.has(key)) this.#changed.set(key, before);
    this.#items.set(key, item);
  }

  #remove(key: ItemKey): void {
    if (!this.#changed.has(key)) this.#changed.set(key, this.#items.get(key));
    this.#items.delete(key);
  }
}

/** All desired items for one input, derived from nothing. */
export function desiredItems(input: DesiredInput): Map<ItemKey, Item> {
  const desired = new DesiredItems();
  desired.update(input);
  return new Map(desired.items);
}

/** Whether all member entries differ between `before` and `now`, so that the mesh is derived from nothing. */
function hasOtherEntries(before: Mesh, now: Mesh): boolean {
  return (
    before !== now &&
    (mustRejoin(before, now) || before.bridge.name !== now.bridge.name || before.type.device !== now.type.device)
  );
}

function newPart(network: Mesh, machine: MachineWord): MeshPart {
  const own = memberAddresses(network, machine);
  return {
    network,
    local: undefined,
    own,
    host0Ipv6: memberAddresses(network, 'host0').ipv6,
    items: new Set(),
    entries: new Map(),
    senders: new Map(),
    sources: NO_ADDRESSES,
    guard: new AddressGuard(own),
    elements: new Map(),
    here: NO_ADDRESSES,
    attachment: undefined,
  };
}

/**
 * The underlay addresses of this node itself. A machine that is behind a port of this node polls from here: an entry
 * that sent its frames to this node's own address would make it unreachable.
 */
function ownUnderlay(host0: Host0Stance): ReadonlySet<Ipv4> {
  if (host0.role === 'host0') return new Set(host0.segments.map(({ ipv4 }) => ipv4));
  return host0.local === undefined ? NO_ADDRESSES : new Set([host0.local]);
}

/** Adds `by` to the count of an address. @returns the new count */
function count(counts: Map<Ipv4, number>, ipv4: Ipv4, by: number): number {
  const now = (counts.get(ipv4) ?? 0) + by;
  if (now === 0) counts.delete(ipv4);
  else counts.set(ipv4, now);
  return now;
}

function rulesetInput(input: DesiredInput): RulesetInput {
  const { host0, attachments, ports, routes, machine, onLink = [], elsewhere = [] } = input;
  const segments = host0.role === 'host0' ? host0.segments : [];
  return {
    ports,
    elsewhere,
    routes,
    onLink: [...onLink, ...behindHost0(host0)],
    openTo: segments.flatMap(({ device, also = [], subnet }) =>
      [device, ...also].map((nic) => ({ device: nic, subnet })),
    ),
    countsOutsiders: host0.role === 'host0',
    segments: segments.length > 1 ? segments : [],
    underlay: segments.map(({ device }) => device),
    networks: attachments.map(({ network }) => ({ network, own: memberAddresses(network, machine) })),
  };
}

/**
 * Whether two inputs give the same rules, apart from sources. Cheap: unchanged networks and lists are the same objects.
 */
function haveSameRules(
  { networks: before, ...rest }: RulesetInput,
  { networks: now, ...restNow }: RulesetInput,
): boolean {
  const same = before.length === now.length && now.every(({ network }, i) => network === before[i]?.network);
  return same && isDeepStrictEqual(rest, restNow);
}

/** host0 with several segments forwards between their NICs. The ruleset lets only VXLAN through. */
function forwardingItems(segments: readonly Segment[]): Item[] {
  if (segments.length < 2) return [];
  return segments.map(({ device }) => ({
    kind: 'sysctl',
    path: ['net', 'ipv4', 'conf', device, 'forwarding'],
    value: '1',
  }));
}

/** NICs on which machines boot are up, and have the addresses that host0 gave them. */
function underlayItems(nics: readonly UnderlayNic[]): Item[] {
  return nics.flatMap(({ device: link, address }): Item[] => [
    { kind: 'underlay-link', link, up: true },
    ...(address === undefined
      ? []
      : [{ kind: 'underlay-address', link, address: address.ipv4, length: address.length } as const]),
  ]);
}
