/** The numbers at which the commands of the seed fail with «argument "ff01" is wrong: invalid id»: the errors say what to write. */
import { expect, test } from 'vitest';
import { commandLine } from '../../../test/cli/mesh.ts';
import { runToEnd } from '../../../test/kit/command.ts';
import { temporaryNetns } from '../../kernel/netns.ts';

/** What iproute2 says. */
function ipSays(number: string): string {
  const netns = temporaryNetns();
  try {
    const words = `ip link add vxlan0 type vxlan id ${number} dstport 4789 group ff05::1 dev lo ttl 5`.split(' ');
    return runToEnd(words, { netns: netns.path }).stderr;
  } finally {
    netns.close();
  }
}

test.each([
  ['33554431', 'beyond the 24 bits of a VNI'],
  ['ff01', 'hexadecimal without 0x'],
  ['16777216', 'one too high'],
])('%s (%s) is refused with the range and both ways to write a number', async (number) => {
  expect(ipSays(number)).toContain(`argument "${number}" is wrong: invalid id`);
  const { code, stderr } = await commandLine(['network', 'create', 'blue', '--number', number]);
  expect(code).toBe(2);
  expect(stderr).toContain(`'${number}' is invalid`);
  expect(stderr).toContain('It must be a number from 1 to 0xffffff, decimal or hexadecimal.');
});
