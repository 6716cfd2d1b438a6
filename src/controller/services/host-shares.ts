/**
 * From which addresses each node gives in networks that several nodes serve at addresses of their own. Each dynamic range is divided into
 * blocks, which host0 gives to the nodes that hold the network, and keeps in the store under `/v1/dhcp-shares/<network>`. A node that comes
 * takes some blocks of others, and one that goes leaves the others what they have.
 */
import { isDeepStrictEqual } from 'node:util';
import { IpShape } from '../../model/address/address-shapes.ts';
import type { Clock } from '../../model/clock.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { Network } from '../../model/network/network.ts';
import type { NetworkId } from '../../model/network/number.ts';
import { BLOCKS_MAX, blockCount, rangesOfBlocks } from '../../model/network/services/address-range.ts';
import { isServedByNodes } from '../../model/network/services/host-subnets.ts';
import type { DynamicRange } from '../../model/network/subnet.ts';
import { NETWORK_LIST_MAX } from '../../model/network/words.ts';
import { Signal, type Subscribable } from '../../model/signal.ts';
import { MEMBERS_MAX } from '../../protocol/documents/membership.ts';
import type { NodeAttachment } from '../../protocol/documents/node-assignment.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import * as form from '../../protocol/shapes/form.ts';
import { MachineWordShape } from '../../protocol/shapes/node-assignment-shape.ts';
import { NetworkIdShape } from '../../protocol/shapes/parts.ts';
import { Collection, jsonRecords, type RecordForm } from '../../store/collection.ts';
import { RecordTable } from '../../store/record-table.ts';
import type { Store } from '../../store/store.ts';
import type { HeldNetwork } from '../pools/host-addresses.ts';
import { nextShares } from './server-shares.ts';

/** A range, with the nodes that give from it. */
type SharedRange = form.TypeOf<typeof RangeShape>;

/** The ranges of one network. */
type SharesRecord = form.TypeOf<typeof SharesShape>;

const RECORD_MAX_LENGTH = 4 * 1024 * 1024;
const RangeShape = form.object({
  cidr: form.string({ max: 64 }),
  first: IpShape,
  last: IpShape,
  shares: form.listOf(
    form.object({
      machine: MachineWordShape,
      blocks: form.listOf(form.int(0, BLOCKS_MAX - 1), BLOCKS_MAX),
    }),
    MEMBERS_MAX + 1,
  ),
});
const SharesShape = form.object({
  format: form.literal(1),
  network: NetworkIdShape,
  ranges: form.listOf(RangeShape, NETWORK_LIST_MAX * NETWORK_LIST_MAX),
});
const SHARES: RecordForm<SharesRecord> = jsonRecords(
  '/v1/dhcp-shares/',
  ({ network }) => network,
  SharesShape,
  RECORD_MAX_LENGTH,
);

/** Gives nodes their blocks, and keeps them. */
export class HostShares {
  readonly #table: RecordTable<SharesRecord>;
  readonly #changes = new Signal<MachineWord>();
  /** Emits each node that gives from other addresses than before. */
  readonly changes: Subscribable<MachineWord> = this.#changes;
  #work: Promise<void> = Promise.resolve();

  private constructor(store: Store, clock: Clock, journal: Journal) {
    this.#table = new RecordTable({
      collection: new Collection(store, SHARES),
      clock,
      onChange: ({ before, after }) => {
        for (const machine of new Set([...machinesOf(before), ...machinesOf(after)])) this.#changes.emit(machine);
      },
      onLoad: async () => undefined,
      onFailure: (error) => journal.failure('shares of DHCP unreadable', error),
    });
  }

  /** Reads the shares, and keeps trying. */
  static async open({ store, clock, journal }: { store: Store; clock: Clock; journal: Journal }): Promise<HostShares> {
    const shares = new HostShares(store, clock, journal);
    await shares.#table.start();
    return shares;
  }

  /** The part of an attachment that has what a node gives; a node that has no share yet gives nothing. */
  partOf({ id, ...network }: Network, machine: MachineWord): Pick<NodeAttachment, 'dhcpRanges'> {
    if (!isServedByNodes(network)) return {};
    const shared = this.#table.get(id)?.ranges ?? [];
    const dhcpRanges = network.subnets.flatMap(({ cidr, dhcp }) =>
      dhcp === undefined
        ? []
        : [{ cidr, ranges: dhcp.ranges.flatMap((range) => partsOf(range, cidr, shared, machine)) }],
    );
    return dhcpRanges.length === 0 ? {} : { dhcpRanges };
  }

  /**
   * Gives each holder its blocks. One call after the other.
   * @param held all networks that nodes can hold, as they are when the call's turn comes
   * @param isGone whether a network is no more
   * @throws MESH_STORE_* when the store did not take the shares; the next call tries again
   */
  settle(held: () => readonly HeldNetwork[], isGone: (network: NetworkId) => boolean): Promise<void> {
    const work = this.#work.then(() => this.#settle(held(), isGone));
    this.#work = work.catch(() => undefined);
    return work;
  }

  close(): void {
    this.#table.close();
  }

  async #settle(held: readonly HeldNetwork[], isGone: (network: NetworkId) => boolean): Promise<void> {
    if (!this.#table.loaded) return;
    for (const { network, holders } of held) {
      if (!isServedByNodes(network)) continue;
      const machines = [...new Set(holders)].sort();
      const before = this.#table.get(network.id);
      const ranges = machines.length === 0 ? (before?.ranges ?? []) : nextRanges(network, machines, before?.ranges);
      const after: SharesRecord = { format: 1, network: network.id, ranges };
      if (ranges.length > 0 && !isDeepStrictEqual(before, after)) await this.#table.put(after);
    }
    for (const { network } of [...this.#table.records]) if (isGone(network)) await this.#table.remove(network);
  }
}

function nextRanges(
  { subnets }: Network,
  machines: readonly MachineWord[],
  before: readonly SharedRange[] = [],
): SharedRange[] {
  return subnets.flatMap(({ cidr, dhcp }) =>
    (dhcp?.ranges ?? []).map(({ first, last }): SharedRange => {
      const known = before.find((one) => one.cidr === cidr && one.first === first && one.last === last);
      const shares = nextShares(known?.shares ?? [], { machines, blocks: blockCount([{ first, last }]) });
      return { cidr, first, last, shares: shares.map(({ machine, blocks }) => ({ machine, blocks: [...blocks] })) };
    }),
  );
}

/** Each range on its own: they may have leases of different times. */
function partsOf(
  { first, last, leaseSec }: DynamicRange,
  cidr: string,
  shared: readonly SharedRange[],
  machine: MachineWord,
): DynamicRange[] {
  const known = shared.find((one) => one.cidr === cidr && one.first === first && one.last === last);
  const blocks = known?.shares.find((share) => share.machine === machine)?.blocks ?? [];
  return rangesOfBlocks([{ first, last }], blocks).map((part) => ({
    ...part,
    ...(leaseSec !== undefined && { leaseSec }),
  }));
}

function machinesOf(record: SharesRecord | undefined): MachineWord[] {
  return (record?.ranges ?? []).flatMap(({ shares }) => shares.map(({ machine }) => machine));
}
