/**
 * Offload bugs. A card that computes checksums or cuts segments wrongly inside of VXLAN cannot be seen from here as such;
 * what can be seen is its trace, packets that arrive with a wrong checksum.
 */
import type { Check } from '../evidence.ts';

/** A flipped bit on a segment passes the frame's own check once in billions; a bug, many times a second. */
const MANY = 10;

export const checksums: Check = {
  name: 'checksums',
  find({ counters: { checksumErrors }, underlay }) {
    if (checksumErrors < MANY) return [];
    const devices = underlay.map(({ link }) => link.name);
    const off = devices.map(
      (name) => `\`ethtool -K ${name} tx-udp_tnl-segmentation off tx-udp_tnl-csum-segmentation off\``,
    );
    return [
      {
        code: 'MESH_MACHINE_UNFIT',
        severity: 'warning',
        object: devices.join(', '),
        saw: `${checksumErrors} packets came in with a wrong checksum since boot`,
        matters:
          'They are thrown away: connections are slow or hang, most often large ones. The usual cause is a network card or virtual switch that offloads VXLAN wrongly.',
        remedy: `Turn the offload off on the machines that send to this one and see whether the count still grows: ${off.join(', ')}; with virtio or vmxnet3 also \`tx off\`.`,
      },
    ];
  },
};
