/** Warnings about lines of host0.conf that name devices which this machine does not have. */
import { MeshError } from '../../model/error.ts';
import { nearest } from '../conf/nearest.ts';
import { namedDevices } from './device-settings.ts';
import type { Host0Conf } from './host0-conf.ts';

/** @param present the names of this machine's devices */
export function deviceWarnings({ settings, devicePlaces = {} }: Host0Conf, present: readonly string[]): MeshError[] {
  if (settings === undefined) return [];
  const names = new Set(present);
  const cards = present.filter((name) => name !== 'lo').toSorted();
  return namedDevices(settings).flatMap(({ key, device }) => {
    if (names.has(device)) return [];
    const place = devicePlaces[key];
    const meant = nearest(device, cards);
    const has = `This machine has ${cards.join(', ') || 'no network device'}`;
    return [
      new MeshError('MESH_SEGMENT_ABSENT', `${key} names ${device}, and this machine has no such network device`, {
        object: device,
        rule: 'A line that names a device holds while the device is there.',
        remedy: meant === undefined ? has : `Did you mean ${meant}? ${has}`,
        ...(place !== undefined && {
          place: { ...place, column: Math.max(place.column, place.text.indexOf(device, place.column - 1) + 1) },
        }),
      }),
    ];
  });
}
