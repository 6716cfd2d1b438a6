/** What a node has in a mesh while its own host0 leads: a macvlan on the bridge with host0's addresses. */

import { host0DeviceOf } from '../../../model/host0-device.ts';
import { type MemberAddresses, memberAddresses } from '../../../model/network/member.ts';
import type { Mesh } from '../../../model/network/mesh.ts';
import { nodeAddresses } from '../../../model/network/node-addresses.ts';
import type { Item } from '../../items/item.ts';
import { aliasOf } from '../../items/mark.ts';
import { nftName } from '../../items/nft-text.ts';
import { commonOfLinks } from '../link-common.ts';
import type { Part } from '../part.ts';
import type { RuleContribution } from '../rules/contribution.ts';

/** Packets of the node itself leave by the bridge: its route to the prefix has the metric 256. */
const METRIC = 1_024;

/** The part of host0's device; nothing where host0 does not lead on this node. */
export function seatParts(network: Mesh, leads: boolean): Part[] {
  if (!leads) return [];
  const build = () => ({ items: seatItems(network), rules: [seatRules(network)] });
  return [{ key: 'host0', inputs: [network], build }];
}

function seatItems(network: Mesh): Item[] {
  const { bridgeMac, ipv6 }: MemberAddresses = memberAddresses(network, 'host0');
  const { linkLocal } = nodeAddresses(network, 'host0');
  const link = host0DeviceOf(network);
  const address = { kind: 'address', network: network.id, link, length: 64, onHost0Device: true } as const;
  return [
    {
      ...commonOfLinks(network),
      device: 'host0',
      name: link,
      mac: bridgeMac,
      master: '',
      onBridge: network.bridge.name,
      alias: aliasOf('host0', network.id),
    },
    { ...address, address: ipv6, metric: METRIC },
    { ...address, address: linkLocal, metric: METRIC },
  ];
}

/** The device is one of the network's: nothing is forwarded from it, and packets for host0's addresses come in by it. */
function seatRules(network: Mesh): RuleContribution {
  const device = nftName(host0DeviceOf(network));
  const { ipv6 } = memberAddresses(network, 'host0');
  const { linkLocal } = nodeAddresses(network, 'host0');
  return {
    number: network.number,
    what: 'host0',
    inet: {
      sets: [
        { name: 'bridges', declaration: 'type ifname', elements: [device], kind: 'sized' },
        {
          name: 'homes',
          declaration: 'type ifname . ipv6_addr',
          elements: [`${device} . ${ipv6}`, `${device} . ${linkLocal}`],
          kind: 'sized',
        },
      ],
    },
  };
}
