/** The devices that the settings of host0.conf name. */
import type { DeviceKey, Host0Settings } from './host0-conf.ts';

/** A device that a key names. */
export interface NamedDevice {
  readonly key: DeviceKey;
  readonly device: string;
}

/** All devices that the settings name, in the order of the keys. A device may come several times. */
export function namedDevices({
  segmentNics,
  bootModes,
  manualSubnets,
  joinGroups,
}: Pick<Host0Settings, 'segmentNics' | 'bootModes' | 'manualSubnets' | 'joinGroups'>): NamedDevice[] {
  const all = (key: DeviceKey, devices: readonly string[]) => devices.map((device) => ({ key, device }));
  return [
    ...all('segment_ports', segmentNics ?? []),
    ...all(
      'boot_mode',
      bootModes.map(({ port }) => port),
    ),
    ...all(
      'manual_subnets',
      manualSubnets.map(({ port }) => port),
    ),
    ...all('join_groups', joinGroups.flat()),
  ];
}
