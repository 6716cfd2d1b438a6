/** On a real kernel: a bridge for which the rules have no verdict lets nothing through, and writing the rules anew costs no packet. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ip } from '../../../../../test/kit/namespaces.ts';
import { GIVEN, OUTSIDE, RoutedNode, routedNetwork } from '../../../../../test/kit/routed-node.ts';
import { inNetns } from '../../../../kernel/netns.ts';
import { Nft } from '../../../../kernel/nft.ts';
import { writeSysctl } from '../../../../kernel/sysctl.ts';
import { parseIpv4Cidr } from '../../../../model/address/ipv4.ts';
import type { Routing } from '../../../../model/network/routing.ts';
import { rulesetKind } from '../../../items/ruleset.ts';
import { hasBridge } from '../../bridged-network.ts';
import type { RuleContribution } from '../contribution.ts';
import { inetTable, ROUTED_SET } from '../inet-table.ts';
import { underlayRules } from '../underlay-rules.ts';
import { routingRules } from './routing-rules.ts';

const SET_UP_DEADLINE_MS = 30_000;
const WRITES = 60;

const NODE = underlayRules({ role: 'host0', segments: [], nics: [] }, [], false);

let routed: RoutedNode;
let nft: Nft;

/** The bridge is made by hand: no loop repairs the rules meanwhile. */
beforeEach(async () => {
  routed = await RoutedNode.open();
  const host = routed.at('host');
  nft = await Nft.open({ netns: host });
  ip(host, 'link add bra01 type bridge', 'link set tap0 master bra01', 'link set bra01 up');
  ip(host, 'address add 10.7.0.1/24 dev bra01');
  ip(routed.at('guest'), 'route add default via 10.7.0.1');
  inNetns(host, () => {
    for (const device of ['eth0', 'bra01']) writeSysctl(['net', 'ipv4', 'conf', device, 'forwarding'], '1');
  });
}, SET_UP_DEADLINE_MS);

afterEach(async () => {
  await nft.close();
  await routed[Symbol.asyncDispose]();
});

/** The rules of the network. */
function rulesOf(routing: Partial<Routing>): RuleContribution {
  const wide = { cidr: parseIpv4Cidr('10.66.0.0/16') };
  const network = routedNetwork(routing);
  const several = { ...network, subnets: [...network.subnets, wide] };
  if (!hasBridge(several)) throw new TypeError('the network has no bridge');
  return routingRules({ network: several, guests: new Map(), vxlanPorts: [], host0s: [] });
}

async function write(...contributions: readonly RuleContribution[]): Promise<void> {
  for (const operation of rulesetKind.create(inetTable([NODE, ...contributions])))
    if (operation.do === 'nft') await nft.run(operation.script);
}

test('a bridge that the rules only know as routed is cut off', async () => {
  expect(GIVEN).toHaveLength(2);
  await write(rulesOf({ mode: 'nat' }));
  expect(routed.pings('guest', OUTSIDE)).toBe(true);
  const name = { name: ROUTED_SET, declaration: 'type ifname', elements: ['"bra01"'], kind: 'sized' } as const;
  const other = rulesOf({ mode: 'nat' });
  const chains = other.inet?.chains?.map((chain) => {
    const verdicts = chain.verdicts && {
      ...chain.verdicts,
      elements: chain.verdicts.elements.map((element) => element.replace('bra01', 'bra02')),
    };
    return verdicts === undefined ? chain : { ...chain, verdicts };
  });
  await write({ ...other, inet: { sets: [name], ...(chains && { chains }) } });
  expect(routed.pings('guest', OUTSIDE)).toBe(false);
  routed.outsideKnowsTheWay();
  expect(routed.pings('outside', '10.7.0.11')).toBe(false);
});

test(
  'a flow of a network with several subnets loses no packet while its rules are written again and again',
  async () => {
    const [one, two] = [rulesOf({ mode: 'nat' }), rulesOf({ mode: 'nat', policy: { in: 'drop', out: 'accept' } })];
    await write(one);
    expect(routed.pings('guest', OUTSIDE)).toBe(true);
    // As fast as answers come, and at least a hundred a second.
    const argv = [`--net=${routed.at('guest')}`, 'ping', '-n', '-q', '-f', '-W', '1', OUTSIDE];
    const ping = spawn('nsenter', argv);
    let said = '';
    ping.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    const end = once(ping, 'close');
    for (let count = 0; count < WRITES && ping.exitCode === null; count++) await write(count % 2 === 0 ? two : one);
    ping.kill('SIGINT');
    await end;
    const [, sent = '0', received] = /(\d+) packets transmitted, (\d+) received/.exec(said) ?? [];
    expect(Number(sent)).toBeGreaterThan(100);
    // The answer to the last one may not have come yet.
    expect(Number(received)).toBeGreaterThanOrEqual(Number(sent) - 1);
  },
  SET_UP_DEADLINE_MS,
);
