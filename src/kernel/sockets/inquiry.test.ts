/** Asking an underlay segment who has a mesh address. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { carriesPackets, inside, ip, isAnsweredFor, twoHosts } from '../../../test/kit/namespaces.ts';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { Vni } from '../../model/network/types/vxlan.ts';
import { askUnderlay } from './inquiry.ts';
import { decodeAdvertiser, encodeSolicitation, type Solicitation } from './solicitation.ts';

const question: Solicitation = {
  vni: 456 as Vni,
  from: { mac: '02:00:00:00:00:0a' as Mac, ipv6: 'fd42::a' as Ipv6 },
  target: 'fd42::1' as Ipv6,
};

describe('a link with another host', () => {
  let link: ReturnType<typeof twoHosts>;
  const ask = (changed: Partial<Solicitation> = {}) => {
    const index = Number(inside(link.here, 'ip', '-o', 'link', 'show', 'eth0').split(':')[0]);
    const port = { device: 'eth0', index, ipv4: '10.9.0.1' as Ipv4, broadcast: '10.9.0.255' as Ipv4 };
    return askUnderlay(port, { ...question, ...changed }, { netns: link.here, timeoutMs: 500 });
  };

  beforeAll(() => {
    link = twoHosts();
    ip(
      link.there,
      'link add br456 type bridge',
      'link add vxlan456 master br456 type vxlan id 456 dstport 4789',
      'link set br456 up',
      'link set vxlan456 up',
      'address add fd42::1/64 dev br456 nodad',
    );
    carriesPackets(link.there, 'br456');
    isAnsweredFor(link.there, 'br456', 'ff02::1:ff00:1');
  });
  afterAll(() => link.close());

  test('finds the machine that has the address in that VNI', async () => {
    expect(await ask()).toEqual(['10.9.0.2']);
    expect(await ask({ target: 'fd42::2' as Ipv6 })).toEqual([]);
    expect(await ask({ vni: 457 as Vni })).toEqual([]);
  });

  test('takes the answer before a firewall drops it', async () => {
    inside(link.here, 'nft', 'table inet t {\nchain c { type filter hook input priority -400; policy drop; }\n}');
    expect(await ask()).toEqual(['10.9.0.2']);
  });
});

test('a packet that is cut short or of another kind is no answer', () => {
  const datagram = encodeSolicitation(question);
  const packet = Buffer.concat([
    Buffer.from('4500006e000000004011000a0a0900020a0900010000', 'hex').subarray(0, 20),
    Buffer.alloc(8),
    datagram,
  ]);
  packet.writeUInt16BE(4789, 22);
  packet[9] = 17;
  expect(decodeAdvertiser(packet, question)).toBeUndefined();
  packet.writeUInt8(136, 20 + 8 + 8 + 14 + 40);
  expect(decodeAdvertiser(packet, question)).toBe('10.9.0.2');
  for (let length = 0; length < packet.length - 8; length++) {
    expect(decodeAdvertiser(packet.subarray(0, length), question)).toBeUndefined();
  }
  packet[0] = 0x4f;
  expect(decodeAdvertiser(packet, question)).toBeUndefined();
});
