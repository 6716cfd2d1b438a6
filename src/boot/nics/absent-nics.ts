/** Lines of host0.conf that name a device that this machine does not have. Pure. */
import { namedDevices } from '../../formats/host0/device-settings.ts';
import type { DeviceKey, Host0Settings } from '../../formats/host0/host0-conf.ts';
import type { Finding } from '../../protocol/documents/finding.ts';
import { isOurs, type NicLink } from './boot-nic.ts';

/** What the device was named for, and is not done. */
const LOST: Readonly<Record<DeviceKey, string>> = {
  segment_ports: 'no machine boots or joins there',
  boot_mode:
    'the mode holds for no NIC; a NIC that is neither named nor served already gets no more than this mode permits',
  manual_subnets: 'the subnet is given to no NIC',
  join_groups: 'it is in no group',
};

/** One finding for each device that is named and not there. */
export function absentNics(links: Iterable<NicLink>, settings: Pick<Host0Settings, DeviceSettingNames>): Finding[] {
  const present = [...links].filter((link) => !link.loopback && !isOurs(link)).map(({ name }) => name);
  const names = new Set(present);
  const byDevice = Map.groupBy(namedDevices(settings), ({ device }) => device);
  return [...byDevice].flatMap(([device, uses]): Finding[] => {
    if (names.has(device)) return [];
    const keys = [...new Set(uses.map(({ key }) => key))];
    const lost = keys.map((key) => `${key}: ${LOST[key]}`).join('; ');
    return [
      {
        code: 'MESH_SEGMENT_ABSENT',
        severity: 'warning',
        object: device,
        message: `host0.conf names ${device}, which this machine does not have (${lost})`,
        remedy: `Plug it in, or correct the line and restart host0. This machine has ${present.toSorted().join(', ') || 'no NIC'}.`,
      },
    ];
  });
}

type DeviceSettingNames = 'segmentNics' | 'bootModes' | 'manualSubnets' | 'joinGroups';
