/** Cards that are plugged into a guest that was switched on before. */
import type { QemuCard } from './qemu-spec.ts';
import type { QmpClient } from './qmp-client.ts';

/** A card whose tap QEMU opens itself. */
export type HotCard = Pick<QemuCard, 'id' | 'mac' | 'mtuBytes'> & { readonly tap: string };

/** Plugs a card of virtio in. The guest finds cards in the order in which they were plugged in. @throws MESH_QEMU_REFUSED, MESH_QEMU_SILENT */
export async function plugCard(monitor: QmpClient, { id, mac, mtuBytes, tap }: HotCard): Promise<void> {
  const backend = { type: 'tap', id: `net-${id}`, ifname: tap, script: 'no', downscript: 'no' };
  await monitor.execute('netdev_add', backend);
  const mtu = mtuBytes === undefined ? {} : { host_mtu: mtuBytes };
  const card = { driver: 'virtio-net-pci', id: `card-${id}`, netdev: `net-${id}`, mac, romfile: '', ...mtu };
  await monitor.execute('device_add', card);
}
