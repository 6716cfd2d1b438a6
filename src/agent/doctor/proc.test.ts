/** Counters are read from sample texts of /proc and from those of this kernel. */
import { expect, test } from 'vitest';
import { parseCounters, readCounters } from './proc.ts';

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
