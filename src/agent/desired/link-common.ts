/** What all links of a network have in common. */
import type { Network } from '../../model/network/network.ts';
import { OUR_CONF } from '../items/link.ts';
import { OUR_LINK_GROUP } from '../items/mark.ts';

/** What the links of a network have in common. */
export function commonOfLinks({ id, mtuBytes }: Network) {
  return {
    kind: 'link',
    network: id,
    mtuBytes,
    up: true,
    group: OUR_LINK_GROUP,
    addressMode: 'none',
    conf: OUR_CONF,
  } as const;
}
