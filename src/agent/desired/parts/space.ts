/** The space in which a network is served. */
import type { ServiceSpace } from '../../items/space/service-space.ts';
import { spaceItem } from '../../items/space/space-item.ts';
import type { Part } from '../part.ts';

/** The item of a space. The part is built again when the space is another object. */
export function spacePart(space: ServiceSpace): Part {
  return { key: `space ${space.name}`, inputs: [space], build: () => ({ items: [spaceItem(space)] }) };
}
