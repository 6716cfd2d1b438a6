/** Static routes of networks beside routes of other programs, in a real kernel. */
import { expect, onTestFinished, test } from 'vitest';
import { kernelOfEachTest } from '../../../../test/kit/kernel-of-each-test.ts';
import { inside, ip } from '../../../../test/kit/namespaces.ts';
import type { KernelOperation } from '../../../kernel/rtnl/operation.ts';
import { Rtnl } from '../../../kernel/rtnl/rtnl.ts';
import { parseIpv4, parseIpv4Cidr } from '../../../model/address/ipv4.ts';
import type { NetworkId } from '../../../model/network/number.ts';
import { type StaticRouteItem, staticRouteKind } from './static-route.ts';

const present = kernelOfEachTest();

test('a route of another program to the same destination stays, and ours is refused', async () => {
  const netns = present().netns.path;
  const foreign = 'blackhole 10.77.0.0/16 metric 7';
  ip(netns, 'link add br7 type bridge', 'link set br7 up', 'address add 10.7.0.1/24 dev br7', `route add ${foreign}`);
  const item: StaticRouteItem = {
    ...{ kind: 'static-route', of: 'net-7' as NetworkId, link: 'br7', metric: 7 },
    ...{ destination: parseIpv4Cidr('10.77.0.0/16'), gateway: parseIpv4('10.7.0.12') },
  };
  const rtnl = await Rtnl.open({ netns });
  onTestFinished(() => rtnl.close());
  const make = async (one: StaticRouteItem) => {
    const [route] = staticRouteKind.create(one).filter((step): step is KernelOperation => step.do === 'route-replace');
    if (route === undefined) throw new TypeError('no route is made');
    return (await rtnl.apply([route]))[0]?.errno;
  };
  const shown = () => inside(netns, 'ip', 'route', 'show', '10.77.0.0/16').trim();
  expect(await make(item)).toBe('EEXIST');
  expect(shown()).toBe(foreign);
  ip(netns, `route delete ${foreign}`);
  expect(await make(item)).toBeUndefined();
  expect(shown()).toBe('10.77.0.0/16 via 10.7.0.12 dev br7 proto 200 metric 7');
});
