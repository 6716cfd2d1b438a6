/** Sections of ELF files, and programs without their debug parts. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { elfSection, strippedProgram, withoutEmptyEnd } from './elf.ts';

/** A hundred megabytes, with debug parts. */
const node = readFileSync(process.execPath);

test('a section is found by its name', () => {
  expect(elfSection(node, '.interp')?.toString('latin1')).toBe('/lib64/ld-linux-x86-64.so.2\0');
  expect(elfSection(node, '.no-such-section')).toBeUndefined();
});

test('a stripped program is smaller and runs as before', () => {
  const directory = mkdtempSync(join(tmpdir(), 'mw-elf-'));
  try {
    const stripped = strippedProgram(node);
    expect(stripped.length).toBeLessThan(0.9 * node.length);
    const file = join(directory, 'node');
    writeFileSync(file, stripped);
    chmodSync(file, 0o755);
    const { stdout, status } = spawnSync(file, ['-e', 'console.log(process.version); process.exit(7)']);
    expect([String(stdout), status]).toEqual([`${process.version}\n`, 7]);
    expect(strippedProgram(stripped).equals(stripped)).toBe(true);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('a file that is not ELF has no sections and stays unchanged', () => {
  for (const text of ['', '#!/bin/sh\n', '\x7fELF']) {
    const file = Buffer.from(text);
    expect(elfSection(file, '.modinfo')).toBeUndefined();
    expect(strippedProgram(file)).toBe(file);
  }
});

test('a kernel loses the zeros at its end, up to the next page, and keeps all else', () => {
  const PAGE = 4096;
  const file = Buffer.alloc(6 * PAGE);
  file.write('\x7fELF\x02\x01', 'latin1');
  file.writeBigUInt64LE(64n, 32);
  file.writeUInt16LE(2, 56);
  const segment = (at: number, offset: number, bytes: number) => {
    file.writeUInt32LE(1, at);
    file.writeBigUInt64LE(BigInt(offset), at + 8);
    for (const size of [32, 40]) file.writeBigUInt64LE(BigInt(bytes), at + size);
  };
  segment(64, PAGE, PAGE);
  segment(120, 2 * PAGE, 4 * PAGE);
  file[2 * PAGE] = 1;
  file[3 * PAGE + 5] = 2;
  const cut = withoutEmptyEnd(file);
  expect(cut.length).toBe(4 * PAGE);
  expect([32, 40].map((size) => cut.readBigUInt64LE(120 + size))).toEqual([8192n, 8192n]);
  expect([32, 40].map((size) => cut.readBigUInt64LE(64 + size))).toEqual([4096n, 4096n]);
  expect(cut.subarray(PAGE).equals(file.subarray(PAGE, 4 * PAGE))).toBe(true);
  expect(withoutEmptyEnd(Buffer.from('no kernel')).toString()).toBe('no kernel');
});
