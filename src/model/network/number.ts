/** Numbers and identifiers of networks. */
import * as form from '../form.ts';

/**
 * The number of a network, 1 to 0xffffff, unique in the cluster. It is the network's key in the store and, unless given
 * otherwise, its VNI.
 */
export type NetworkNumber = number & { readonly __brand: 'NetworkNumber' };

/**
 * Stable name of a network inside Meshwork: `mesh-<vni in decimal>` for a `.conf` mesh, `net-<number in hex>` for any
 * other network. It marks kernel objects: `meshwork:<kind>:<network id>`.
 */
export type NetworkId = string & { readonly __brand: 'NetworkId' };

/** Numbers have 24 bits, as VNIs have. */
export const NETWORK_NUMBER_MAX = 0xffffff;

/** Numbers from `first` to `last`. */
export interface NumberRange {
  readonly first: number;
  readonly last: number;
}

/** Which numbers are given to networks that name none, and when a number that was given back is given again. */
export interface NumberRules {
  readonly ranges: readonly NumberRange[];
  readonly reserved: readonly NumberRange[];
  readonly restSec: number;
}

/**
 * The rules where host0.conf has none. The groups below `ff05::1000` and from `ff05::1:0` to `ff05::1:ffff` are those of well-known
 * services. An hour is longer than a node that was cut off needs to tell that it still had a network.
 */
export const DEFAULT_NUMBER_RULES: NumberRules = {
  ranges: [
    { first: 0x1000, last: 0xffff },
    { first: 0x20000, last: NETWORK_NUMBER_MAX },
  ],
  reserved: [],
  restSec: 3_600,
};

/** Whether a value is the number of a network. */
export function isNetworkNumber(value: unknown): value is NetworkNumber {
  return Number.isInteger(value) && Number(value) >= 1 && Number(value) <= NETWORK_NUMBER_MAX;
}

/** The form of a number. */
export const NetworkNumberShape: form.Shape<NetworkNumber> = form.guard<NetworkNumber>(
  isNetworkNumber,
  { rule: `The number of a network is a whole number from 1 to ${NETWORK_NUMBER_MAX}.` },
  { kind: 'whole', min: 1, max: NETWORK_NUMBER_MAX },
);

/** A number as the store's keys, the names of devices and multicast groups have it: hex without leading zeros. */
export function hexNumber(number: NetworkNumber): string {
  return number.toString(16);
}

/** The identifier of a network that no `.conf` file defines. */
export function networkIdOf(number: NetworkNumber): NetworkId {
  return `net-${hexNumber(number)}` as NetworkId;
}
