/** Counters are read from sample texts of /proc and from those of this kernel. */
import { expect, test } from 'vitest';
import { parseCounters, parseProcessor, parseTableFulls, readCounters, readProcessor, readTableFulls } from './proc.ts';

test('counters are found by name, in any column', () => {
  expect(
    parseCounters({
      netstat: 'TcpExt: SyncookiesSent IPReversePathFilter TCPPureAcks\nTcpExt: 1 22 3\nIpExt: InNoRoutes\nIpExt: 4\n',
      snmp: 'Tcp: RtoMin InCsumErrors\nTcp: 200 5\nUdp: InDatagrams InCsumErrors\nUdp: 9 7\n',
      snmp6: 'Ip6InReceives                   \t12\nUdp6InCsumErrors                \t100\nIcmp6InCsumErrors\t1000\n',
    }),
  ).toEqual({ reversePathDrops: 22, checksumErrors: 1112 });
});

test('this kernel has all counters', async () => {
  const { reversePathDrops, checksumErrors } = await readCounters();
  expect(reversePathDrops).toBeGreaterThanOrEqual(0);
  expect(checksumErrors).toBeGreaterThanOrEqual(0);
});

test('a full neighbour table is counted on each processor', () => {
  const text = 'entries  allocs table_fulls\n00000015 0000d12a 0000000f\n00000015 0000c38a 00000010\n';
  expect(parseTableFulls(text)).toBe(31);
  expect(parseTableFulls('')).toBeUndefined();
});

test('this kernel tells how often its neighbour tables were full', async () => {
  const { ipv4, ipv6 } = await readTableFulls();
  expect(ipv4).toBeGreaterThanOrEqual(0);
  expect(ipv6).toBeGreaterThanOrEqual(0);
});

test('a processor says whether it can run guests, and whether it is one of a guest', async () => {
  const text = (vendor: string, flags: string) => `processor : 0\nvendor_id\t: ${vendor}\nflags\t\t: fpu ${flags} de\n`;
  expect(parseProcessor(text('AuthenticAMD', 'svm'))).toEqual({ virtualization: true, isGuest: false, vendor: 'amd' });
  const guest = { virtualization: false, isGuest: true, vendor: 'intel' };
  expect(parseProcessor(text('GenuineIntel', 'hypervisor'))).toEqual(guest);
  expect(await readProcessor()).toMatchObject({ virtualization: expect.any(Boolean) });
});
