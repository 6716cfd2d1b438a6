import { expect, test } from 'vitest';
import { accountFiles } from './account-files.ts';

test('a node has an account for its emulators, which like all others has a group and cannot log in', () => {
  const lines = (path: string) =>
    (accountFiles().find((file) => file.path === path)?.text ?? '').split('\n').map((line) => line.split(':'));
  const accounts = lines('etc/passwd').filter(([name]) => name !== '');
  expect(accounts.map(([name]) => name)).toEqual(['root', 'meshwork-vm', 'meshwork-net', 'nobody']);
  expect(accounts.find(([name]) => name === 'meshwork-vm')?.slice(2)).toEqual([
    ...['990', '990', 'Virtual machines of Meshwork', '/nonexistent', '/usr/sbin/nologin'],
  ]);
  for (const [name, , , group] of accounts) {
    expect(lines('etc/shadow').find(([known]) => known === name)?.[1]).toBe('*');
    expect(lines('etc/group').some(([, , number]) => number === group)).toBe(true);
  }
});
