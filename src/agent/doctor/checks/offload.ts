/**
 * Offload bugs. A network card that computes checksums or cuts segments wrongly inside VXLAN cannot be detected itself,
 * but its packets arrive with a wrong checksum.
 */
import type { Check } from '../evidence.ts';

/**
 * A bit error passes the frame's own check once in billions of times; an offload bug makes many wrong packets a second.
 */
const MANY = 10;

/** Finds many packets with a wrong checksum. The remedy is on the machines that send them. */
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
        saw: `${checksumErrors} packets came in with a wrong checksum in the last two minutes`,
        matters:
          'They are dropped: connections are slow or hang, most often those with large packets. The usual cause is a network card or virtual switch that offloads VXLAN wrongly.',
        remedy: `Turn the offload off on the machines that send to this one and see whether the finding ends: ${off.join(', ')}; with virtio or vmxnet3 also \`tx off\`.`,
      },
    ];
  },
};
