/**
 * Plans networks: what an order becomes, with the number and the prefix that the pools give for it. A plan holds what it took from
 * the pools until it is carried out or undone.
 */

import { orderedNetwork } from '../../formats/network/ordered-network.ts';
import { type Ipv6Cidr, ipv6Subnet, parseIpv6Interface } from '../../model/address/ipv6.ts';
import { MeshError } from '../../model/error.ts';
import type { Network } from '../../model/network/network.ts';
import { conflictError } from '../../model/network/network-conflicts.ts';
import { isNetworkNumber, type NetworkNumber, networkIdOf } from '../../model/network/number.ts';
import type { Subnet } from '../../model/network/subnet.ts';
import { unsupportedError } from '../../model/network/supported-parts.ts';
import type { NetworkOrder } from '../../protocol/documents/catalogue.ts';
import { type PoolMove, undoMoves } from '../pools/pool.ts';
import { nameMisleads, notANumber, numberStays, numberTaken } from './catalogue-error.ts';
import type { KnownNetworks } from './known-networks.ts';
import { isActive, liveOf } from './network-record.ts';
import { ownerOf, prefixOf, type StoredNetworks } from './stored-networks.ts';
import { wishesIn } from './subnet-blocks.ts';
import { type DeviceIn, subnetInUse } from './used-subnets.ts';

/** A network, with the moves of pools that are part of its transaction. */
export interface NetworkPlan {
  readonly network: Network;
  readonly moves: readonly PoolMove[];
}

type PlannedStore = Pick<
  StoredNetworks,
  'records' | 'numbers' | 'prefixes' | 'givenPrefix' | 'blocks' | 'wasOverwritten'
>;

/** Makes plans. */
export class NetworkPlanner {
  readonly #stored: PlannedStore;
  readonly #known: KnownNetworks;
  readonly #isOrphan: (number: number) => boolean;
  readonly #deviceIn: DeviceIn;

  /** @param known all networks of all sources */
  constructor(
    stored: PlannedStore,
    known: KnownNetworks,
    isOrphan: (number: number) => boolean,
    deviceIn: DeviceIn = () => undefined,
  ) {
    this.#stored = stored;
    this.#known = known;
    this.#isOrphan = isOrphan;
    this.#deviceIn = deviceIn;
  }

  /** Lets a network start. @param moves undone before the refusal @throws MESH_NET_NOT_SUPPORTED, MESH_NET_SUBNET_IN_USE */
  mustStart(network: Network, moves: readonly PoolMove[] = []): void {
    const error = unsupportedError(network) ?? subnetInUse(network, this.#active(), this.#deviceIn);
    if (error === undefined) return;
    undoMoves(moves);
    throw error;
  }

  /** The networks that run, and those whose making or start is under way. */
  *#active(): Iterable<Network> {
    for (const record of this.#stored.records) if (isActive(record) && !record.deleting) yield liveOf(record);
    yield* this.#known.begun;
  }

  /** A new network. @param source where it is defined @throws MESH_NET_*, MESH_USAGE */
  create(order: NetworkOrder, source: Network['source'] = 'store'): NetworkPlan {
    const name = nameIn(order);
    const moves: PoolMove[] = [];
    const network = undoing(moves, () => {
      const number = this.#numberFor(order, name, moves);
      const prefixed = this.#withPrefix(order, { number, name }, moves);
      const { whole, picked } = this.#withBlocks(prefixed, { number, name }, moves);
      const made = orderedNetwork(whole, { number, name, source });
      this.#moveBlocks(made, picked, moves);
      this.#mustNotCollide(made);
      this.#mustBeName(made, order.id === made.id ? made : undefined);
      return made;
    });
    return { network, moves };
  }

  /**
   * A network that changes.
   * @param isEdit whether parts that the order does not name stay as they are, or become as in a new network
   * @param beside the other form of the network, definition or live: what that one has, the network keeps
   * @throws MESH_NET_*, MESH_USAGE
   */
  change(order: NetworkOrder, before: Network, isEdit: boolean, beside?: Network): NetworkPlan {
    const { number, source } = before;
    if (order.number !== undefined && order.number !== number) throw numberStays(before);
    const name = order.name === undefined ? before.name : nameIn(order);
    const moves: PoolMove[] = [];
    const network = undoing(moves, () => {
      const kept = isEdit ? before.subnets : [];
      const prefixed = this.#withPrefix(order, { number, name }, moves, before, beside);
      const { whole, picked } = this.#withBlocks(prefixed, { number, name }, moves, kept, isEdit ? [] : before.subnets);
      const made = orderedNetwork(whole, { number, name, source }, isEdit ? before : undefined);
      this.#moveBlocks(made, [...before.subnets, ...picked], moves, beside);
      if (![made, beside].some((form) => form && prefixOf(form) === prefixOf(before)))
        moves.push(...this.#stored.givenPrefix(before));
      this.#mustNotCollide(made);
      this.#mustBeName(made, before);
      return made;
    });
    return { network, moves };
  }

  /** What a network gives back that loses one of its two forms. */
  release(lost: Network, kept: Network): readonly PoolMove[] {
    const has = (cidr: Subnet['cidr']) => kept.subnets.some((subnet) => subnet.cidr === cidr);
    const blocks = lost.subnets.filter(({ cidr }) => !has(cidr));
    return [
      ...blocks.flatMap(({ cidr }) => this.#stored.blocks.leave(lost.id, cidr)),
      ...(prefixOf(lost) === prefixOf(kept) ? [] : this.#stored.givenPrefix(lost)),
    ];
  }

  /** The number that an order names, or the next one. */
  #numberFor({ number: wanted }: NetworkOrder, name: string, moves: PoolMove[]): NetworkNumber {
    if (wanted === undefined) {
      const { number, move } = this.#stored.numbers.allocate(ownerOf(name), (candidate) =>
        this.#isFree(candidate as NetworkNumber),
      );
      moves.push(move);
      return number as NetworkNumber;
    }
    if (!isNetworkNumber(wanted)) throw notANumber(wanted);
    const other = this.#known.numbered(wanted);
    if (other !== undefined) throw numberTaken(name, other);
    // A network whose record was overwritten has its number still.
    if (!this.#stored.wasOverwritten({ number: wanted, name }))
      moves.push(this.#stored.numbers.take(wanted, ownerOf(name)));
    return wanted;
  }

  /** The order with the host address that follows from its prefix. */
  #withPrefix(
    order: NetworkOrder,
    { number, name }: { readonly number: NetworkNumber; readonly name: string },
    moves: PoolMove[],
    before?: Network,
    beside?: Network,
  ): NetworkOrder {
    const known = before && prefixOf(before);
    const { prefix: wanted = prefixNamedIn(order), ...rest } = order;
    if (wanted === undefined) return rest;
    if (wanted === 'none') return { ...rest, hostAddress: { kind: 'none' } };
    const { prefixes } = this.#stored;
    const use = (prefix: Ipv6Cidr) => this.#known.withPrefix(prefix, number) && 'another network';
    const derived = (prefix: Ipv6Cidr) => ({ kind: 'derived', key: String(number), ...part(rest.hostAddress), prefix });
    if (wanted === 'auto') {
      if (known !== undefined) return { ...rest, hostAddress: derived(known) };
      const { prefix, move } = prefixes.allocate(ownerOf(name), use);
      moves.push(move);
      return { ...rest, hostAddress: derived(prefix) };
    }
    const prefix = prefixOfText(wanted);
    const isItsOwn = this.#stored.wasOverwritten({ number, name }) && prefixes.ownerOf(prefix) === ownerOf(name);
    if (prefix !== known && prefix !== (beside && prefixOf(beside)) && !isItsOwn)
      moves.push(prefixes.take(prefix, ownerOf(name), use));
    return { ...rest, hostAddress: derived(prefix) };
  }

  /**
   * The order with the subnets that its `addressPools` give.
   * @param before the subnets of an order that names none
   * @param reused subnets that the network keeps, if they are what the order wants
   */
  #withBlocks(
    { addressPools, ...order }: NetworkOrder,
    { number, name }: { readonly number: NetworkNumber; readonly name: string },
    moves: PoolMove[],
    before: readonly Subnet[] = [],
    reused: readonly Subnet[] = [],
  ): { readonly whole: NetworkOrder; readonly picked: readonly Subnet[] } {
    const wishes = wishesIn(addressPools);
    const { subnets = before } = order;
    // Something else than a list is refused with the rest of the order.
    if (wishes.length === 0 || !Array.isArray(subnets)) return { whole: order, picked: [] };
    const known: readonly unknown[] = subnets;
    const holder = { id: networkIdOf(number), name };
    const cidrs = this.#stored.blocks.pick(holder, wishes, reused, moves);
    // A subnet that is reused keeps what else is said of it.
    const picked = cidrs.map((cidr) => reused.find((subnet) => subnet.cidr === cidr) ?? { cidr });
    const fresh = picked.filter(({ cidr }) => !known.some((subnet) => Reflect.get(part(subnet), 'cidr') === cidr));
    return { whole: { ...order, subnets: [...known, ...fresh] }, picked };
  }

  /**
   * Takes the subnets that are new to a network from the address pools, and gives back those that it has no more.
   * @param before those that it had, and those that were picked for it
   */
  #moveBlocks(network: Network, before: readonly Subnet[], moves: PoolMove[], beside?: Network): void {
    const { blocks } = this.#stored;
    const { subnets: kept = [] } = beside ?? {};
    const has = (subnets: readonly Subnet[], { cidr }: Subnet) => subnets.some((subnet) => subnet.cidr === cidr);
    for (const subnet of network.subnets)
      if (!has([...before, ...kept], subnet)) moves.push(...blocks.claim(network, subnet.cidr));
    for (const subnet of before)
      if (!has([...network.subnets, ...kept], subnet)) moves.push(...blocks.leave(network.id, subnet.cidr));
  }

  #mustNotCollide(network: Network): void {
    const conflict = this.#known.conflictOf(network);
    if (conflict !== undefined) throw conflictError(conflict);
  }

  /** A network that is taken up again, or stays what it is called, keeps its name. */
  #mustBeName({ name, id }: Network, before?: { readonly name: unknown }): void {
    if (before?.name === name) return;
    const meant = this.#known.meantBy(name, id);
    if (meant !== undefined || NUMBER_WORD.test(name)) throw nameMisleads(name, meant);
  }

  #isFree(number: NetworkNumber): boolean {
    return !this.#isOrphan(number) && this.#known.isFree(number);
  }
}

/** @throws MESH_USAGE for an order without a name */
function nameIn({ name }: NetworkOrder): string {
  if (typeof name === 'string') return name;
  throw new MeshError('MESH_USAGE', 'the order names no network', { rule: 'A network has a name.' });
}

function part(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {};
}

/** The prefix in the host address of an order that is a whole document. */
function prefixNamedIn({ hostAddress }: NetworkOrder): unknown {
  return Reflect.get(part(hostAddress), 'prefix');
}

/** @throws MESH_NET_PREFIX_NOT_64, MESH_NET_PREFIX_INVALID */
function prefixOfText(text: unknown): Ipv6Cidr {
  const fault = (code: 'MESH_NET_PREFIX_NOT_64' | 'MESH_NET_PREFIX_INVALID', message: string) =>
    new MeshError(code, message, {
      object: String(text),
      rule: 'The prefix of a network is an IPv6 network of exactly 64 bits.',
      remedy: 'Give one such as fd42:2345:1234:9abc::/64, or `auto`: host0 allocates one',
    });
  try {
    const { address, length } = parseIpv6Interface(String(text));
    if (length === 64) return ipv6Subnet(address, length);
  } catch {
    throw fault('MESH_NET_PREFIX_INVALID', `${JSON.stringify(text)} is not an IPv6 prefix`);
  }
  throw fault('MESH_NET_PREFIX_NOT_64', `${JSON.stringify(text)} is not a /64`);
}

/** Runs `work`; when it throws, the moves that were made by then are undone. */
function undoing<T>(moves: readonly PoolMove[], work: () => T): T {
  try {
    return work();
  } catch (error) {
    undoMoves(moves);
    throw error;
  }
}

/** A name that would be taken for the number of a network. */
const NUMBER_WORD = /^(?:0x[0-9a-f]+|\d+)$/i;
