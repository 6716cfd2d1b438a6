/** The step that gives a virtual machine an IPv4 address, at which the NAT64 of its network takes users in. */
import { MeshError } from '../../model/error.ts';
import type { Order } from '../../protocol/documents/order/order.ts';
import type { AddressMaps } from '../services/address-maps.ts';
import type { StepWork, WorkOutcome } from './step-work.ts';

/** Maps addresses. A machine has one address at most, so that the name of the machine says which is that of the order. */
export class AddressStep implements StepWork {
  readonly #maps: Pick<AddressMaps, 'list' | 'map' | 'unmap'>;

  constructor(maps: Pick<AddressMaps, 'list' | 'map' | 'unmap'>) {
    this.#maps = maps;
  }

  words({ wish }: Pick<Order, 'wish'>): string {
    return `give ${vmOf(wish)} an IPv4 address`;
  }

  async check({ wish }: Pick<Order, 'wish'>): Promise<void> {
    const vm = vmOf(wish);
    const known = this.#maps.list().find((map) => map.vm === vm);
    if (known === undefined) return;
    throw new MeshError('MESH_ADDRESS_MAPPED', `${vm} has the IPv4 address ${known.ipv4} already`, {
      object: vm,
      rule: 'A virtual machine has one IPv4 address of a NAT64.',
      remedy: `See \`mesh address list\`. \`mesh address unmap ${vm}\` takes the address back, unless an order gave it.`,
    });
  }

  async do({ wish }: Order): Promise<WorkOutcome> {
    const { vm, ipv4, ipv6 } = await this.#maps.map(vmOf(wish), undefined);
    return { made: { vm, ipv4, ipv6 } };
  }

  async undo({ wish }: Order): Promise<undefined> {
    const vm = vmOf(wish);
    if (this.#maps.list().some((map) => map.vm === vm)) await this.#maps.unmap(vm);
  }
}

function vmOf(wish: Order['wish']): string {
  if (wish.kind !== 'ipv4-address') throw new TypeError(`an order of the kind ${wish.kind} gives no address`);
  return wish.vm;
}
