/** The bytes of an SNTP answer, and where the time server listens. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import { twoHosts } from '../../../test/kit/namespaces.ts';
import { inNetns } from '../../kernel/netns.ts';
import { boundDatagrams } from '../../kernel/sockets/listener.ts';
import { parseIpv4 } from '../../model/address/ipv4.ts';
import { systemClock } from '../../model/clock.ts';
import { openTimeServer, timeAnswer } from './time-server.ts';

const NOW = new Date('2026-11-21T10:00:00.500Z');

function question(first: number): Buffer {
  const packet = Buffer.alloc(48);
  packet[0] = first;
  packet[2] = 6;
  packet.write('mytime!!', 40);
  return packet;
}

test('an answer has the time of host0 and returns the time of the client', () => {
  const answer = timeAnswer(question(0x23), NOW);
  expect(answer).toHaveLength(48);
  expect([answer?.[0], answer?.[1], answer?.[2]]).toEqual([0x24, 10, 6]);
  expect(answer?.toString('latin1', 24, 32)).toBe('mytime!!');
  // 2026-11-21T10:00:00Z is 4004244000 s after 1900 (`date -d … +%s` plus 2208988800), and a half.
  for (const at of [16, 32, 40]) {
    expect([answer?.readUInt32BE(at), answer?.readUInt32BE(at + 4)]).toEqual([4_004_244_000, 2 ** 31]);
  }
});

test('the seconds wrap around in 2036', () => {
  const answer = timeAnswer(question(0x1b), new Date('2036-02-07T06:28:17Z'));
  expect([answer?.[0], answer?.readUInt32BE(40)]).toEqual([0x1c, 1]);
});

test.each([0x24, 0x26, 0x22, 0x03, 0x2b, 0x00])('a packet that begins with %i is not a request', (first) => {
  expect(timeAnswer(question(first), NOW)).toBeUndefined();
});

test('a packet that is cut off is not a request', () => {
  expect(timeAnswer(question(0x23).subarray(0, 47), NOW)).toBeUndefined();
});

test('the server listens on its segment, at host0’s address there and nowhere else', async () => {
  const { here, there, close } = twoHosts();
  onTestFinished(close);
  const server = inNetns(here, () => openTimeServer({ host0: parseIpv4('10.9.0.1'), device: 'eth0' }, systemClock));
  onTestFinished(() => server.close());
  const ask = async (netns: string, device: string, own: string, address: string) => {
    const client = createSocket('udp4').bind({
      fd: boundDatagrams({ address: parseIpv4(own), port: 0, device, netns }),
    });
    onTestFinished(() => void client.close());
    client.connect(123, address);
    await once(client, 'connect');
    client.send(question(0x23));
    const [answer] = (await once(client, 'message')) as [Buffer];
    return answer.readUInt32BE(40) - 2_208_988_800;
  };
  expect(Math.abs((await ask(there, 'eth0', '10.9.0.2', '10.9.0.1')) - Date.now() / 1000)).toBeLessThan(5);
  await expect(ask(here, 'lo', '127.0.0.1', '127.0.0.1')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
});
