/** A real kernel: while host0 leads on a node, the node answers at host0's addresses, and its own stay as they are. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { inside, twoHosts } from '../../../../test/kit/namespaces.ts';
import { board, manage, member } from '../../../../test/kit/networks.ts';
import { PlannedNode } from '../../../../test/kit/planned-node.ts';
import type { Member } from '../../../model/network/member.ts';
import { memberAddresses } from '../../../model/network/member.ts';
import { meshAttachment } from '../assignment.ts';

const [LEADER, OTHER] = [member(manage, board(1), '10.9.0.1'), member(manage, board(2), '10.9.0.2')];
const HOST0 = memberAddresses(manage, 'host0');
/** host0, on the machine of the first node. */
const ON_LEADER: Member = { name: 'host0', ipv4: LEADER.ipv4, mac: HOST0.bridgeMac, ipv6: HOST0.ipv6 };

let hosts: ReturnType<typeof twoHosts>;
let leader: PlannedNode;
let other: PlannedNode;
beforeEach(async () => {
  hosts = twoHosts();
  leader = await PlannedNode.open(hosts.here, board(1), LEADER.ipv4);
  other = await PlannedNode.open(hosts.there, board(2), OTHER.ipv4);
  await leader.take([meshAttachment({ network: manage, members: [OTHER], host0Answers: true })]);
  await other.take([meshAttachment({ network: manage, members: [ON_LEADER, LEADER], host0Answers: true })]);
});
afterEach(async () => {
  await leader[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
  hosts.close();
});

const linksHere = () => inside(hosts.here, 'ip', '-br', 'link');
const ping = (address: string) => inside(hosts.there, 'ping', '-6', '-c', '1', '-W', '5', address);

test('host0 is a device on the bridge, and goes again', async () => {
  await leader.lead(true);
  expect(linksHere()).toContain(HOST0.bridgeMac);
  expect(ping(HOST0.ipv6)).toContain(' 1 received');
  expect(ping(LEADER.ipv6)).toContain(' 1 received');
  // The node's own packets leave by its bridge, with its own address.
  expect(inside(hosts.here, 'ip', '-6', 'route', 'get', OTHER.ipv6)).toMatch(
    new RegExp(`dev ${manage.bridge.name} .*src ${LEADER.ipv6}`),
  );
  await leader.lead(false);
  expect(inside(hosts.here, 'ip', '-6', 'address')).not.toContain(`${HOST0.ipv6}/`);
  expect(ping(LEADER.ipv6)).toContain(' 1 received');
});
