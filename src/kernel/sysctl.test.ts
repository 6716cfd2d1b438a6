/** Reading and writing kernel settings in a real namespace. */
import { expect, test } from 'vitest';
import { ip } from '../../test/kit/namespaces.ts';
import { inNetns, temporaryNetns } from './netns.ts';
import { readSysctl, writeSysctl } from './sysctl.ts';

test("settings are read and written in the thread's namespace, also for device names with dots", () => {
  const netns = temporaryNetns();
  try {
    ip(netns.path, 'link add br4.5 type bridge');
    const name = ['net', 'ipv6', 'conf', 'br4.5', 'accept_ra'];
    inNetns(netns.path, () => {
      expect(readSysctl(name)).toBe('1');
      writeSysctl(name, 0);
      expect(readSysctl(name)).toBe('0');
    });
    expect(() => readSysctl(name)).toThrow(/ENOENT/);
  } finally {
    netns.close();
  }
});

test('an invalid value and a name outside /proc/sys are refused', () => {
  const netns = temporaryNetns();
  try {
    inNetns(netns.path, () => {
      expect(() => writeSysctl(['net', 'ipv6', 'conf', 'lo', 'accept_ra'], 'maybe')).toThrow(/EINVAL/);
    });
    expect(() => readSysctl(['net', '..', '..', 'version'])).toThrow(/does not name/);
    expect(() => readSysctl(['net/ipv6'])).toThrow(/does not name/);
  } finally {
    netns.close();
  }
});
