/** Addresses of members, against the published vectors. */
import { expect, test } from 'vitest';
import { manage, storeNetwork } from '../../../test/kit/networks.ts';
import { machineIdOf, parseMachineId } from '../machine.ts';
import { memberAddresses } from './member.ts';
import { nodeAddresses } from './node-addresses.ts';

test('published vectors of a machine in manage/456/456', () => {
  expect(memberAddresses(manage, parseMachineId('10eff964'))).toEqual({
    vtepMac: '02:7e:61:7a:4a:d5',
    bridgeMac: '02:2f:55:d5:07:f4',
    ipv6: 'fd42:2345:1234:9abc:7647:6b77:cff:6931',
    linkLocal: 'fe80::7647:6b77:cff:6931',
  });
});

test('published vectors of host0 in manage/456/456', () => {
  expect(memberAddresses(manage, 'host0')).toEqual({
    vtepMac: '02:36:6e:09:0e:fa',
    bridgeMac: '02:47:8b:9e:81:6e',
    ipv6: 'fd42:2345:1234:9abc::1',
    linkLocal: 'fe80::1',
  });
});

test('without a key, addresses are made of number and machine alone, and the name may change', () => {
  const blue = storeNetwork('blue', 0xff01);
  const machine = parseMachineId('10eff964');
  const vector = {
    vtepMac: '02:24:77:aa:e4:aa',
    bridgeMac: '02:0f:06:2f:15:96',
    linkLocal: 'fe80::e550:27cd:e996:fc03',
  };
  // printf 'bridge\0%s\0%s' 65281 10eff964 | sha256sum | cut -c1-10
  expect(nodeAddresses(blue, machine)).toEqual(vector);
  expect(nodeAddresses({ ...blue, name: 'navy' }, machine)).toEqual(vector);
  expect(nodeAddresses(manage, machine)).toEqual(memberAddresses(manage, machine));
  const prefixed = { ...blue, hostAddress: manage.hostAddress };
  const { ipv6 } = memberAddresses(prefixed, machine);
  expect(memberAddresses({ ...prefixed, name: 'navy' }, machine).ipv6).toBe(ipv6);
  expect(nodeAddresses(blue, 'host0')).not.toEqual(vector);
});

test('a machine id is the first 8 digits of SHA-256 over "machine", NUL and the hardware text', () => {
  expect(machineIdOf('4c4c4544-0042-3510-8053-b4c04f564433')).toBe('d31a9ae7');
});
