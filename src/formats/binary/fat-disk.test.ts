/** The limits of a disk of FAT12. A real kernel reads one in src/agent/workloads/node-workloads.test.ts. */
import { expect, test } from 'vitest';
import { fatDisk } from './fat-disk.ts';

const file = (name: string, bytes: number) => ({ name, content: Buffer.alloc(bytes, name) });

test('the same files give the same bytes, and an empty file takes no sector', () => {
  const files = [file('meta-data', 1_000), file('user-data', 0)];
  expect(fatDisk('cidata', files)).toEqual(fatDisk('cidata', files));
  expect(fatDisk('cidata', files)).toHaveLength(1_474_560);
});

test('what does not fit is refused', () => {
  expect(() => fatDisk('cidata', [file('user-data', 1_500_000)])).toThrow('user-data does not fit');
  const many = Array.from({ length: 120 }, (_, index) => file(`file-${index}`, 1));
  expect(() => fatDisk('cidata', many)).toThrow('too many files');
});
