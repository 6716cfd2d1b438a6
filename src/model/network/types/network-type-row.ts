/** What a file of this folder tells of its type of networks. */
import type { ObjectShape, Shape } from '../../form.ts';
import type { NetworkNumber } from '../number.ts';

/** Something that one network alone can have on a node. */
export interface NodeClaim {
  readonly part: 'device' | 'vni';
  /** Two claims of one part with the same text collide. */
  readonly text: string;
}

/** A type of networks. */
export interface NetworkTypeRow<T extends { readonly kind: string }> {
  /** The form of the type in documents. */
  readonly form: Shape<T> & Pick<ObjectShape<Readonly<Record<string, Shape<unknown>>>>, 'fields'>;
  /** Whether a bridge carries the network on each node. */
  readonly hasBridge: boolean;
  /** Whether VTEPs carry the network between nodes, so that it has `peers`. */
  readonly hasPeers: boolean;
  /** What a document need not say. */
  defaults(number: NetworkNumber): Readonly<Record<string, unknown>>;
  /** The largest packet on an underlay of 1500 bytes. */
  mtuBytes(type: T): number;
  /** What a network of this type claims beside its bridge. */
  claims(type: T): readonly NodeClaim[];
  /** Whether a change makes the device of the type anew: the kernel cannot change the device in place. */
  remakesDevice(before: T, now: T): boolean;
}
