/**
 * Derives the desired items of a node from the planner's input. They are the sum of parts: those of each network, by its
 * type, and those of the node. Only parts whose inputs have changed are built again: a join costs its own four entries,
 * and one walk through the member list.
 * Tests: desired.test.ts, plan.test.ts, delta.test.ts.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Network } from '../../model/network/network.ts';
import type { NetworkId } from '../../model/network/number.ts';
import type { NodeAttachment, NodeDocument } from '../../protocol/documents/node-assignment.ts';
import type { Item, ItemMap } from '../items/item.ts';
import type { ItemKey } from '../items/item-kind.ts';
import type { RulesetItem } from '../items/ruleset.ts';
import type { AdministeredForwarding } from '../kernel/administered-forwarding.ts';
import type { ForeignLink } from '../kernel/foreign-links.ts';
import type { OnLinkSubnet } from '../kernel/shared-subnets.ts';
import type { Changed } from '../loop/delta.ts';
import type { DesiredInput } from './assignment.ts';
import { familiesOfHost } from './host-shares.ts';
import { type NetworkContext, type NodeContext, nodeContext } from './node-context.ts';
import type { Part } from './part.ts';
import { PartFold } from './part-fold.ts';
import { uplinksPart } from './parts/routing.ts';
import { servicePart } from './parts/service.ts';
import { dhcpRulesPart, spacePart } from './parts/space.ts';
import { forwardingPart, nicPart } from './parts/underlay.ts';
import type { RuleContribution } from './rules/contribution.ts';
import { elsewhereRules } from './rules/port-rules.ts';
import { rulesets, withElements } from './rules/ruleset.ts';
import { underlayRules } from './rules/underlay-rules.ts';
import { foreignLinkOf, typeParts } from './types/type-parts.ts';
import { vxlanWay } from './vxlan-way.ts';

type Ports = DesiredInput['ports'];

const NO_PORTS: Ports = [];
const NO_LINKS: readonly ForeignLink[] = [];
const NOTHING_FORWARDS: AdministeredForwarding = { ipv4: [], ipv6: false };

/** The parts of the last input that are the same objects in the next one, where they are equal. */
interface Kept {
  readonly host0: DesiredInput['host0'];
  readonly segments: NodeDocument['segments'];
  readonly nics: NodeDocument['nics'];
  readonly node: NodeContext;
  readonly ports: Ports;
  readonly portsByNetwork: ReadonlyMap<NetworkId, Ports>;
  readonly elsewhere: readonly string[];
  readonly onLink: readonly OnLinkSubnet[];
  readonly administered: AdministeredForwarding;
  readonly foreignLinks: readonly ForeignLink[];
  readonly links: ReadonlyMap<string, ForeignLink>;
}

/** The desired items of a node, updated from pass to pass. It records which items each update has changed. */
export class DesiredItems {
  readonly #fold = new PartFold();
  #kept: Kept | undefined;
  /** The nft tables without the elements that come and go with members, and the contributions that they were collected from. */
  #tables: { readonly rules: readonly RuleContribution[]; readonly tables: readonly RulesetItem[] } = {
    rules: [],
    tables: [],
  };

  /** The present items, in a map that later updates change. */
  get items(): ItemMap {
    return this.#fold.items;
  }

  /** The changes since the last call. */
  takeChanges(): Changed {
    return this.#fold.takeChanges();
  }

  /** Name of the link that a network stands on and that is not there, or is there without an address. */
  missingLink(network: Network): string | undefined {
    const kept = this.#kept;
    const name = kept === undefined ? undefined : foreignLinkOf(network, kept.node);
    return name === undefined || kept?.links.has(name) === true ? undefined : name;
  }

  /** Derives again whatever differs from the input of the last update. */
  update(input: DesiredInput): void {
    this.#kept = keptOf(input, this.#kept);
    this.#fold.update(this.#partsOf(input, this.#kept));
  }

  /** All parts. The tables come last, because they collect the elements that the other parts have added. */
  *#partsOf(input: DesiredInput, kept: Kept): Iterable<Part> {
    yield { key: 'networks and node', inputs: [input], build: () => ({ parts: partsOf(input, kept) }) };
    const { elements, rules } = this.#fold;
    if (this.#tables.rules !== rules) this.#tables = { rules, tables: rulesets(rules) };
    const { tables } = this.#tables;
    const build = () => ({ items: tables.map((table) => withElements(table, elements)) });
    yield { key: 'tables', inputs: [tables, elements.revision], build };
  }
}

/** All desired items for one input, derived from nothing. */
export function desiredItems(input: DesiredInput): Map<ItemKey, Item> {
  const desired = new DesiredItems();
  desired.update(input);
  return new Map(desired.items);
}

function* partsOf(
  { document: { attachments }, firstRule, routes, services = [], spaces = [], servers = [], guests }: DesiredInput,
  { host0, segments, nics, node, portsByNetwork, links, foreignLinks, elsewhere, onLink, administered }: Kept,
): Iterable<Part> {
  for (const attachment of attachments) {
    const { network } = attachment;
    const name = foreignLinkOf(network, node);
    const link = name === undefined ? undefined : links.get(name);
    const space = spaces.find((one) => one.network === network.id);
    const ofNetwork = portsByNetwork.get(network.id) ?? NO_PORTS;
    const known = guests?.get(network.id);
    yield networkPart(attachment, { node, ports: ofNetwork, link, servicePort: space?.port, guests: known });
    const gives = space?.gives ?? familiesOfHost(attachment, node.machine);
    if (gives.length > 0 && network.type.kind === 'vxlan') yield dhcpRulesPart(network, network.type.device, gives);
  }
  yield {
    key: 'underlay rules',
    inputs: [host0, onLink, routes],
    build: () => ({ rules: [underlayRules(host0, onLink, routes)] }),
  };
  yield { key: 'elsewhere', inputs: [elsewhere], build: () => ({ rules: [elsewhereRules(elsewhere)] }) };
  yield uplinksPart(attachments, foreignLinks, administered, routes);
  yield* spaces.map(spacePart);
  yield* [...services, ...servers].map(servicePart);
  if (host0.role === 'host0') {
    yield forwardingPart(segments);
    yield nicPart(nics);
  } else {
    const wanted = attachments.length > 0;
    const build = () => ({ items: vxlanWay(host0, wanted, firstRule) });
    yield { key: 'vxlan way', inputs: [host0, wanted, firstRule], build };
    if (host0.leads !== undefined) {
      yield forwardingPart(host0.leads.segments);
      yield nicPart(host0.leads.nics);
    }
  }
}

function networkPart(attachment: NodeAttachment, context: NetworkContext): Part {
  const { network, peers, hostAddresses } = attachment;
  const { node, ports, link, servicePort, guests } = context;
  return {
    key: network.id,
    inputs: [network, node, ports, link, servicePort, guests, hostAddresses, ...Object.values(peers)],
    build: () => ({ parts: typeParts(attachment, context) }),
  };
}

/** Keeps the objects of the last input that are equal in this one: parts compare their inputs by identity. */
function keptOf(input: DesiredInput, before: Kept | undefined): Kept {
  const host0 = same(before?.host0, input.host0);
  const segments = same(before?.segments, input.document.segments);
  const nics = same(before?.nics, input.document.nics);
  const node = same(before?.node, nodeContext(input));
  const ports = same(before?.ports, input.ports);
  const { foreignLinks = NO_LINKS } = input;
  return {
    host0,
    segments,
    nics,
    node,
    ports,
    elsewhere: same(before?.elsewhere, input.elsewhere ?? []),
    onLink: same(before?.onLink, input.onLink ?? []),
    administered: same(before?.administered, input.administered ?? NOTHING_FORWARDS),
    portsByNetwork: ports === before?.ports ? before.portsByNetwork : byNetwork(ports, before?.portsByNetwork),
    foreignLinks,
    links: foreignLinks === before?.foreignLinks ? before.links : byName(foreignLinks, before?.links),
  };
}

function byNetwork(ports: Ports, before: Kept['portsByNetwork'] = new Map()): Kept['portsByNetwork'] {
  const groups = Map.groupBy(ports, (port) => port.network);
  return new Map(Array.from(groups, ([network, group]) => [network, same(before.get(network), group)]));
}

function byName(links: readonly ForeignLink[], before: Kept['links'] = new Map()): Kept['links'] {
  return new Map(links.map((link) => [link.device, same(before.get(link.device), link)]));
}

function same<T>(before: T | undefined, now: T): T {
  return before !== undefined && isDeepStrictEqual(before, now) ? before : now;
}
