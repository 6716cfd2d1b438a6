/** VXLAN devices as netlink attributes (linux/if_link.h, drivers/net/vxlan/vxlan_core.c): IFLA_VXLAN_*. */
import { parseIpv4 } from '../../model/address/ipv4.ts';
import { parseIpv6 } from '../../model/address/ipv6.ts';
import type { Vni } from '../../model/network/types/vxlan.ts';
import { isIpv6 } from '../ip.ts';
import type { AttributeTable } from '../netlink/attribute-table.ts';
import type { MessageWriter } from '../netlink/message-writer.ts';
import type { DontFragment, VxlanAttributes } from './objects.ts';
import type { VxlanChange, VxlanDevice } from './operation.ts';

const IFLA_VXLAN_ID = 1;
const IFLA_VXLAN_GROUP = 2;
const IFLA_VXLAN_LINK = 3;
const IFLA_VXLAN_LOCAL = 4;
const IFLA_VXLAN_TTL = 5;
const IFLA_VXLAN_LEARNING = 7;
const IFLA_VXLAN_LIMIT = 9;
const IFLA_VXLAN_PORT = 15;
const IFLA_VXLAN_GROUP6 = 16;
const IFLA_VXLAN_LOCAL6 = 17;
const IFLA_VXLAN_DF = 29;

/** VXLAN_DF_*, by number. */
const DONT_FRAGMENT: readonly DontFragment[] = ['unset', 'set', 'inherit'];

/** The value of IFLA_VXLAN_GROUP* of a device that has no such address. */
const NOWHERE = { ipv4: parseIpv4('0.0.0.0'), ipv6: parseIpv6('::') };

/**
 * Writes the attributes of a new VXLAN device, or of a change. A new device is of the family of its addresses, and of IPv4
 * without any.
 */
export function writeVxlan(writer: MessageWriter, vxlan: Partial<VxlanDevice> & VxlanChange): void {
  const { vni, udpPort, dev, local, group, hopLimit, learning, df, entriesMax } = vxlan;
  if (vni !== undefined) writer.attributeU32(IFLA_VXLAN_ID, vni);
  if (udpPort !== undefined) writer.attributePort(IFLA_VXLAN_PORT, udpPort);
  if (dev !== undefined) writer.attributeLink(IFLA_VXLAN_LINK, dev);
  if (local !== undefined) writer.attributeIp(isIpv6(local) ? IFLA_VXLAN_LOCAL6 : IFLA_VXLAN_LOCAL, local);
  if (group !== undefined) writer.attributeIp(isIpv6(group) ? IFLA_VXLAN_GROUP6 : IFLA_VXLAN_GROUP, group);
  if (vxlan.noGroup !== undefined) {
    writer.attributeIp(vxlan.noGroup === 'ipv6' ? IFLA_VXLAN_GROUP6 : IFLA_VXLAN_GROUP, NOWHERE[vxlan.noGroup]);
  }
  if (hopLimit !== undefined) writer.attributeU8(IFLA_VXLAN_TTL, hopLimit);
  if (learning !== undefined) writer.attributeU8(IFLA_VXLAN_LEARNING, Number(learning));
  if (df !== undefined) writer.attributeU8(IFLA_VXLAN_DF, DONT_FRAGMENT.indexOf(df));
  if (entriesMax !== undefined) writer.attributeU32(IFLA_VXLAN_LIMIT, entriesMax);
}

/** Reads the attributes of a VXLAN device. The kernel leaves out addresses and a link that the device does not have. */
export function readVxlan(data: AttributeTable): VxlanAttributes {
  const local = data.ip(IFLA_VXLAN_LOCAL) ?? data.ip(IFLA_VXLAN_LOCAL6);
  const group = data.ip(IFLA_VXLAN_GROUP) ?? data.ip(IFLA_VXLAN_GROUP6);
  const entriesMax = data.u32(IFLA_VXLAN_LIMIT);
  const underlay = data.u32(IFLA_VXLAN_LINK);
  const hopLimit = data.u8(IFLA_VXLAN_TTL);
  return {
    vni: data.u32(IFLA_VXLAN_ID) as Vni,
    udpPort: data.port(IFLA_VXLAN_PORT),
    ...(local !== undefined && { local }),
    learning: data.u8(IFLA_VXLAN_LEARNING) !== 0,
    df: DONT_FRAGMENT[data.u8(IFLA_VXLAN_DF)] ?? 'unset',
    ...(entriesMax !== 0 && { entriesMax }),
    ...(group !== undefined && { group }),
    ...(hopLimit !== 0 && { hopLimit }),
    ...(underlay !== 0 && { underlay }),
  };
}
