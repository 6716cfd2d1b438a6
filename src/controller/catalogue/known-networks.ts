/**
 * All networks that host0 knows, found by what they have: their identifier, number, name, devices, VNI or prefix. None of the answers
 * looks at all networks, so that the ten-thousandth costs what the first did.
 */
import type { Ipv6Cidr } from '../../model/address/ipv6.ts';
import type { Network } from '../../model/network/network.ts';
import {
  ClaimBook,
  claimedDevices,
  type NetworkClaim,
  type NetworkConflict,
} from '../../model/network/network-conflicts.ts';
import { hexNumber, type NetworkId, type NetworkNumber } from '../../model/network/number.ts';
import type { CatalogueState } from './catalogue-state.ts';

/** Answers from the networks in force, from those that are refused, and from those whose making is under way. */
export class KnownNetworks {
  readonly #state: Pick<CatalogueState, 'inForce' | 'refused' | 'claims'>;
  readonly #underWay = new ClaimBook<Network>();
  readonly #begun = new Set<Network>();

  constructor(state: Pick<CatalogueState, 'inForce' | 'refused' | 'claims'>) {
    this.#state = state;
  }

  /** A network will be made: no other one may have what it claims. */
  begin(network: Network): void {
    this.#underWay.add(network);
    this.#begun.add(network);
  }

  /** The network is made, or will not be. */
  end(network: Network): void {
    this.#underWay.remove(network);
    this.#begun.delete(network);
  }

  /** A network will run: none with its subnets may be started. @returns ends that, when its record says so or when it will not run */
  beginStart(network: Network): () => void {
    this.#begun.add(network);
    return () => this.#begun.delete(network);
  }

  /** The networks whose making or start is under way. */
  get begun(): Iterable<Network> {
    return this.#begun;
  }

  /** The network of a number, from whatever source. */
  numbered(number: NetworkNumber): Network | undefined {
    return this.#claiming('number', String(number))[0];
  }

  /** Another network that has the prefix. */
  withPrefix(prefix: Ipv6Cidr, number: NetworkNumber): Network | undefined {
    return this.#claiming('prefix', prefix).find((network) => network.number !== number);
  }

  /** What keeps a network from being beside the others. */
  conflictOf(network: Network): NetworkConflict | undefined {
    return (
      this.#state.claims.conflictOf(network) ??
      this.#underWay.conflictOf(network) ??
      new ClaimBook(this.#refused((other) => other.id !== network.id)).conflictOf(network)
    );
  }

  /** Another network that commands find by this word, which is no name: its identifier, or a device. */
  meantBy(word: string, id: NetworkId): Network | undefined {
    const devices = this.#claiming('device', word);
    const known = this.#state.inForce(word as NetworkId);
    return [...(known === undefined ? [] : [known]), ...devices].find((network) => network.id !== id);
  }

  /** Whether no network has the number, the VNI or a device of that name: `br1234` can be that of 1234 and of 0x1234. */
  isFree(number: NetworkNumber): boolean {
    const hex = hexNumber(number);
    const has = (text: string) => this.#claiming('device', text).length > 0;
    const { claims } = this.#state;
    return (
      this.numbered(number) === undefined &&
      !claims.hasVni(number) &&
      !this.#underWay.hasVni(number) &&
      this.#refused(({ type }) => type.kind === 'vxlan' && Number(type.vni) === number).length === 0 &&
      !has(`br${hex}`) &&
      !has(`vxlan${hex}`)
    );
  }

  /** The network of a name, or else of this identifier, number (`0x1000`) or device; the lowest number goes first. */
  called(word: string): Network | undefined {
    const hex = /^0x([1-9a-f][0-9a-f]*)$/.exec(word)?.[1];
    const inForce = this.#state.inForce(word as NetworkId);
    const lowest = (networks: readonly Network[]) => networks.toSorted((a, b) => a.number - b.number)[0];
    return (
      lowest(this.#shown('name', word)) ??
      lowest([
        ...(inForce === undefined || this.#state.refused.has(inForce.id) ? [] : [inForce]),
        ...(hex === undefined ? [] : this.#shown('number', String(Number.parseInt(hex, 16)))),
        ...this.#shown('device', word),
        ...this.#refused(({ id }) => id === word),
      ])
    );
  }

  /** Whether a network has a device of this name. @param own the network that is left aside */
  hasDevice(name: string, own?: NetworkId): boolean {
    return this.#claiming('device', name).some(({ id }) => id !== own);
  }

  /** The network that has a device of this name. */
  withDevice(name: string): Network | undefined {
    return this.#claiming('device', name)[0];
  }

  /** As `called`, by number alone, or by name alone. */
  shown(part: 'number' | 'name', text: string): Network | undefined {
    return this.#shown(part, text).toSorted((a, b) => a.number - b.number)[0];
  }

  #claiming(part: NetworkClaim['part'], text: string): readonly Network[] {
    const owners = [this.#state.claims, this.#underWay].flatMap((book) => book.ownerOf(part, text) ?? []);
    return [...owners, ...this.#refused((network) => hasClaim(network, part, text))];
  }

  /** Those that views show: of a network that is refused, its new definition, also where the one before is in force. */
  #shown(part: NetworkClaim['part'], text: string): readonly Network[] {
    const { claims, refused } = this.#state;
    const owner = claims.ownerOf(part, text);
    const isShown = owner !== undefined && !refused.has(owner.id);
    return [...(isShown ? [owner] : []), ...this.#refused((network) => hasClaim(network, part, text))];
  }

  #refused(isWanted: (network: Network) => boolean): readonly Network[] {
    const { refused } = this.#state;
    return refused.size === 0 ? [] : [...refused.values()].map(({ network }) => network).filter(isWanted);
  }
}

function hasClaim(network: Network, part: NetworkClaim['part'], text: string): boolean {
  if (part === 'number') return String(network.number) === text;
  if (part === 'name') return network.name === text;
  if (part === 'device') return claimedDevices(network).includes(text);
  return network.hostAddress.kind === 'derived' && network.hostAddress.prefix === text;
}
