/** Which solicitations are answered, and when. On a real segment: test/system/80-boot/beside.test.ts. */
import { expect, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { encodeNeighbourFrame, groupMac, linkLocalOf } from '../../kernel/sockets/neighbour-frame.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { Mac } from '../../model/address/mac.ts';
import { RouterAnswer, solicitorOf } from './router-answer.ts';
import type { DhcpClientKind, DhcpSighting } from './sighting.ts';

const MAC = '52:54:00:12:34:56' as Mac;
const ASKER = { mac: MAC, ipv6: linkLocalOf(MAC) };

class Scene {
  readonly clock = new ManualClock();
  readonly sent: number[] = [];
  readonly answer = new RouterAnswer({
    mac: '02:00:00:00:00:01' as Mac,
    clock: this.clock,
    send: () => this.sent.push(this.clock.nowMs()),
  });

  dhcp(client: DhcpClientKind | undefined): void {
    const sighting: DhcpSighting = {
      kind: 'dhcp',
      atMs: this.clock.nowMs(),
      device: 'eth1',
      message: client === undefined ? 'OFFER' : 'DISCOVER',
      mac: MAC,
      port: 67,
      ...(client !== undefined && { client }),
    };
    this.answer.see(sighting);
  }
}

test('iPXE is answered after the time that routers need, whether it asks first for a router or for an address', async () => {
  const scene = new Scene();
  scene.answer.asked(ASKER, false);
  scene.answer.asked(ASKER, false);
  scene.dhcp('ipxe');
  await scene.clock.pass(5_000);
  expect(scene.sent).toEqual([600]);
  scene.dhcp(undefined);
  scene.answer.asked(ASKER, true);
  await scene.clock.pass(5_000);
  expect(scene.sent).toEqual([600, 5_050]);
});

test.each(['firmware', 'http boot', 'system'] as const)('%s gets no answer, even right after iPXE', async (client) => {
  const scene = new Scene();
  scene.dhcp('ipxe');
  scene.answer.asked(ASKER, false);
  scene.dhcp(client);
  await scene.clock.pass(5_000);
  expect(scene.sent).toEqual([]);
});

test('a machine without iPXE, or whose iPXE asked long ago, gets no answer', async () => {
  const scene = new Scene();
  scene.answer.asked(ASKER, false);
  await scene.clock.pass(5_000);
  scene.dhcp('ipxe');
  await scene.clock.pass(20_000);
  scene.answer.asked(ASKER, false);
  await scene.clock.pass(5_000);
  expect(scene.sent).toEqual([]);
});

test('a solicitation is taken only from a link-local address and with hop limit 255', () => {
  const routers = 'ff02::2' as Ipv6;
  const question = (from = ASKER) =>
    encodeNeighbourFrame(from, { mac: groupMac(routers), ipv6: routers }, Buffer.from([133, 0, 0, 0, 0, 0, 0, 0]));
  expect(solicitorOf(question())).toEqual(ASKER);
  expect(solicitorOf(question({ mac: MAC, ipv6: '::' as Ipv6 }))).toBeUndefined();
  expect(solicitorOf(question().fill(254, 21, 22))).toBeUndefined();
  expect(solicitorOf(question().fill(134, 54, 55))).toBeUndefined();
  for (let length = 0; length < question().length; length++) {
    expect(solicitorOf(question().subarray(0, length))).toBeUndefined();
  }
});
