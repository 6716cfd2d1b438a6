/** What a file of this folder tells of its kind of peers. */
import type { ObjectShape, Shape, Words } from '../../form.ts';
import type { NetworkNumber } from '../number.ts';
import type { UnderlayFamily, VxlanType } from '../types/vxlan.ts';

/** A way in which the VTEPs of a network know each other. */
export interface PeersRow<P extends { readonly kind: string }> {
  /** The form of the peers in documents. */
  readonly form: Shape<P> & Pick<ObjectShape<Readonly<Record<string, Shape<unknown>>>>, 'fields'>;
  /** The address family of the VXLAN's outer packets, where the document names none. */
  readonly underlay: UnderlayFamily;
  /** What a document need not say. */
  defaults(number: NetworkNumber): Readonly<Record<string, unknown>>;
  /** What the VXLAN of such a network lacks; undefined when it lacks nothing. */
  fault(peers: P, type: VxlanType): Words | undefined;
}
