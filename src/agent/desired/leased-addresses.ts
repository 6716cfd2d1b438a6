/** What guests have from the servers of a node. */
import type { Ip } from '../../kernel/ip.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { NetworkId } from '../../model/network/number.ts';

/** Addresses of guests by their Ethernet address, in each network. */
export type LeasedAddresses = ReadonlyMap<NetworkId, ReadonlyMap<Mac, readonly Ip[]>>;
