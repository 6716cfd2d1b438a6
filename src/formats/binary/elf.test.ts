/** Sections of ELF files, and programs without their debug parts. */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { elfSection, strippedProgram } from './elf.ts';

test('a section is found by its name', () => {
  const node = readFileSync(process.execPath);
  expect(elfSection(node, '.interp')?.toString('latin1')).toBe('/lib64/ld-linux-x86-64.so.2\0');
  expect(elfSection(node, '.no-such-section')).toBeUndefined();
});

test('a stripped program is smaller and runs as before', () => {
  const directory = mkdtempSync(join(tmpdir(), 'mw-elf-'));
  try {
    const node = readFileSync(process.execPath);
    const stripped = strippedProgram(node);
    expect(stripped.length).toBeLessThan(0.9 * node.length);
    const file = join(directory, 'node');
    writeFileSync(file, stripped);
    chmodSync(file, 0o755);
    expect(execFileSync(file, ['-p', 'process.version'], { encoding: 'utf8' }).trim()).toBe(process.version);
    expect(spawnSync(file, ['-e', 'process.exit(7)']).status).toBe(7);
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
