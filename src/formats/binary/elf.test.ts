/** Sections of ELF files, and programs without their debug parts. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { elfSection, strippedProgram } from './elf.ts';

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
