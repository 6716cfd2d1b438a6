/** The mesh that every lab runs: the seed's own example. */
import type { Ipv6Cidr } from '../../model/address/ipv6.ts';
import { meshNetwork } from '../../model/network/mesh.ts';
import type { Vni } from '../../model/network/types/vxlan.ts';

/** The mesh as an administrator writes it; host0 and every node get this text as `manage.conf`. */
export const EXAMPLE_CONF = `name=manage
prefix=fd42:2345:1234:9abc::/64
vni=456
key=456
`;

/** The network that EXAMPLE_CONF describes. */
export const EXAMPLE_MESH = meshNetwork({
  name: 'manage',
  prefix: 'fd42:2345:1234:9abc::/64' as Ipv6Cidr,
  vni: 456 as Vni,
  key: '456',
});
