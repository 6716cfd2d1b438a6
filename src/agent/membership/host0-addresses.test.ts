/** host0's addresses are read from the option or the kernel command line. */
import { expect, test } from 'vitest';
import { host0Addresses } from './host0-addresses.ts';

const COMMAND_LINE = 'quiet host0=10.11.0.1,10.11.1.1 nothost0=10.9.9.9\n';

test('the option comes first, then the kernel command line', () => {
  expect(host0Addresses('10.12.0.1,10.12.1.1', COMMAND_LINE)).toEqual(['10.12.0.1', '10.12.1.1']);
  expect(host0Addresses(undefined, COMMAND_LINE)).toEqual(['10.11.0.1', '10.11.1.1']);
  expect(host0Addresses(undefined, 'host0=10.11.0.1')).toEqual(['10.11.0.1']);
});

test('a missing or malformed address is an error', () => {
  expect(() => host0Addresses(undefined, 'quiet nothost0=10.9.9.9')).toThrow(
    expect.objectContaining({ code: 'MESH_HOST0_UNKNOWN' }),
  );
  expect(() => host0Addresses('10.11.0.1,', '')).toThrow(expect.objectContaining({ code: 'MESH_ADDRESS_INVALID' }));
});
