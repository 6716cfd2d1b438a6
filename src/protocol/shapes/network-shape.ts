/** The form of networks in documents of other processes and of the disk; of a mesh also as the version before wrote it. */

import { AddressKeyShape, MeshPrefixShape } from '../../model/network/host-address.ts';
import { isMesh, type Mesh, meshNetwork } from '../../model/network/mesh.ts';
import { NetworkShape } from '../../model/network/network-shape.ts';
import { VniShape } from '../../model/network/types/vxlan.ts';
import { NameShape } from '../../model/network/words.ts';
import * as form from './form.ts';

export { NetworkShape } from '../../model/network/network-shape.ts';

/** A mesh of the version before. Its devices follow from its VNI. */
const FormerMesh: form.Shape<Mesh> = form.mapped(
  form.object({
    name: NameShape,
    fabric: form.object({
      kind: form.literal('mesh'),
      vni: VniShape,
      key: AddressKeyShape,
      prefix: MeshPrefixShape,
      mtuBytes: form.int(1_280, 65_535),
    }),
  }),
  ({ name, fabric: { mtuBytes, vni, key, prefix } }) => ({ ...meshNetwork({ name, vni, key, prefix }), mtuBytes }),
);

/** A mesh, as this version writes it and as the version before did. */
export const MeshShape: form.Shape<Mesh> = {
  outline: NetworkShape.outline,
  read: (value) => {
    if (typeof value === 'object' && value !== null && !Object.hasOwn(value, 'number')) return FormerMesh.read(value);
    const network = NetworkShape.read(value);
    if (isMesh(network)) return network;
    throw new form.Misfit(['type']);
  },
};
