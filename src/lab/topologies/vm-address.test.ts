import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { parseIpv6 } from '../../model/address/ipv6.ts';
import { shippedFile } from '../shipped-files.ts';
import {
  HOST_NUMBER,
  NET_MAX,
  numberInRole,
  roleOfNumber,
  tapOfVm,
  vmIpv4,
  vmIpv6,
  vmMac,
  vmName,
  vmNumberOf,
} from './vm-address.ts';

test('all addresses of a machine follow from its number and its net', () => {
  expect(vmName(3)).toBe('vm-003');
  expect(vmMac(1, 3)).toBe('02:00:00:01:01:03');
  expect(vmIpv4(1, 3)).toBe('192.168.1.3');
  expect(vmIpv6(1, 3)).toBe('fd00::c0a8:103');
  expect(vmIpv6(1, 3, 'fd12:3456::')).toBe('fd12:3456::c0a8:103');
  expect(tapOfVm(1, 201)).toBe('xcbr1_t201');
});

test('the number is read in the host name and in the MAC of the first card', () => {
  for (const number of [1, 99, 100, 200, 201, 220, 221, 240]) {
    expect(vmNumberOf({ hostName: vmName(number) })).toBe(number);
    expect(vmNumberOf({ mac: vmMac(0, number) })).toBe(number);
  }
  for (const hostName of ['vm-000', 'vm-251', 'vm-1', 'node1', 'vm-0001'])
    expect(vmNumberOf({ hostName })).toBeUndefined();
  expect(vmNumberOf({ mac: '52:54:00:12:34:56' })).toBeUndefined();
});

test('the role follows from the number', () => {
  expect([1, 200, 201, 220, 221, 240, 241, HOST_NUMBER].map(roleOfNumber)).toEqual([
    ...['node', 'node', 'router', 'router', 'tester', 'tester'],
    ...[undefined, undefined],
  ]);
});

test.each([
  [() => vmMac(0, 241), /no machine of a lab has the number 241/, /1 to 200, routers 201 to 220, testers 221 to 240/],
  [() => vmIpv4(256, 1), /cannot have a net 256/, new RegExp(`0 to ${NET_MAX}`)],
  [() => numberInRole('node', 201), /cannot have 201 machines of the role node/, /1 to 200: at most 200/],
  [() => numberInRole('router', 21), /cannot have 21 machines/, /201 to 220: at most 20/],
])('what does not fit into an address names the limit', (make, message, rule) => {
  expect(make).toThrow(
    expect.objectContaining({ message: expect.stringMatching(message), rule: expect.stringMatching(rule) }),
  );
});

test('the guest has the same formula', () => {
  const pairs = [0, 1, 2, 9, 10, 99, 100, 200, 255].flatMap((net) =>
    [1, 8, 9, 10, 77, 100, 200, 201, 240].map((vm) => [net, vm] as const),
  );
  const calls = pairs.map(
    ([net, vm]) => `lab_name ${vm}; lab_mac ${net} ${vm}; lab_ipv4 ${net} ${vm}; lab_ipv6 ${net} ${vm}; lab_role ${vm}`,
  );
  const names = ['vm-001', 'vm-010', 'vm-100', 'vm-240'].map((name) => `LAB_HOST=${name}; lab_number`);
  const script = [`. ${shippedFile('guest', 'addresses.sh')}`, ...calls, ...names].join('\n');
  const said = execFileSync('busybox', ['sh', '-c', script], { encoding: 'utf8' }).trim().split('\n');
  const wanted = pairs.flatMap(([net, vm]) => [
    vmName(vm),
    vmMac(net, vm),
    vmIpv4(net, vm),
    vmIpv6(net, vm),
    roleOfNumber(vm),
  ]);
  const normal = said.map((line) => (line.includes('::') ? parseIpv6(line) : line));
  expect(normal).toEqual([...wanted, '1', '10', '100', '240']);
});
