/** host0's addresses are read from the option or the kernel command line. */
import { expect, test } from 'vitest';
import { MeshError } from '../model/error.ts';
import { host0Addresses, requireOthers } from './host0-addresses.ts';

const COMMAND_LINE = 'quiet host0=10.11.0.1,10.11.1.1 nothost0=10.9.9.9\n';

function refusal(option: string | undefined, commandLine = ''): string {
  try {
    return host0Addresses(option, commandLine).join();
  } catch (error) {
    const { code, message, remedy } = MeshError.from(error);
    return `${code} ${message} → ${remedy}`;
  }
}

test('the option comes first, then the kernel command line', () => {
  expect(host0Addresses('10.12.0.1,10.12.1.1', COMMAND_LINE)).toEqual(['10.12.0.1', '10.12.1.1']);
  expect(host0Addresses(undefined, COMMAND_LINE)).toEqual(['10.11.0.1', '10.11.1.1']);
  expect(host0Addresses(undefined, 'host0=10.11.0.1')).toEqual(['10.11.0.1']);
});

test.each(['10.11.0.1, 10.11.1.1', '10.11.0.1 10.11.1.1', ' 10.11.0.1 ,10.11.1.1 '])('takes the list %j', (option) => {
  expect(host0Addresses(option, '')).toEqual(['10.11.0.1', '10.11.1.1']);
});

test('what is given is named, with its source and with what is supported', () => {
  expect(
    ['host0.lan', 'fd00::1', '10.11.0.1,', '10.11.0', '10.11.0.1/24'].map((option) => refusal(option)),
  ).toMatchInlineSnapshot(`
    [
      "MESH_HOST0_UNKNOWN --host0: "host0.lan" is a name → Give the address (\`getent ahostsv4 host0.lan\` prints it), as in --host0 10.11.0.1.",
      "MESH_HOST0_UNKNOWN --host0: "fd00::1" is an IPv6 address → Give its IPv4 address, as in --host0 10.11.0.1, or several with commas.",
      "MESH_HOST0_UNKNOWN --host0: "" is no address → Give its IPv4 address, as in --host0 10.11.0.1, or several with commas.",
      "MESH_HOST0_UNKNOWN --host0: "10.11.0" is not an IPv4 address → Give its IPv4 address, as in --host0 10.11.0.1, or several with commas.",
      "MESH_HOST0_UNKNOWN --host0: "10.11.0.1/24" is not an IPv4 address → Give its IPv4 address, as in --host0 10.11.0.1, or several with commas.",
    ]
  `);
  expect(refusal(undefined, 'host0=host0.lan')).toMatch(/^MESH_HOST0_UNKNOWN host0= on the kernel command line: /);
  expect(refusal(undefined, 'quiet nothost0=10.9.9.9')).toMatch(/^MESH_HOST0_UNKNOWN .* --host0 10\.11\.0\.1 /);
});

test.each([
  '127.0.0.1',
  '0.0.0.0',
  '224.0.0.1',
  '255.255.255.255',
])('%s is no address of another machine', (address) => {
  expect(refusal(address)).toMatch(/^MESH_HOST0_UNKNOWN --host0: .* is not the address of another machine → Give /);
});

test('an address of this machine is none of host0', () => {
  const addresses = host0Addresses('10.11.0.1,10.11.0.2', '');
  requireOthers(addresses, ['127.0.0.1', '::1', '10.11.0.3']);
  expect(() => requireOthers(addresses, ['127.0.0.1', '10.11.0.2'])).toThrow(
    expect.objectContaining({ code: 'MESH_HOST0_UNKNOWN', object: '10.11.0.2' }),
  );
});
