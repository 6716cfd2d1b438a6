import { mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { type TemplateSpec, templateKey } from './template-key.ts';

let spec: TemplateSpec;
beforeEach(() => {
  const place = mkdtempSync(join(tmpdir(), 'mw-key-'));
  onTestFinished(() => rmSync(place, { recursive: true }));
  const [kernel, initrd] = [join(place, 'kernel'), join(place, 'initrd')];
  writeFileSync(kernel, 'kernel');
  writeFileSync(initrd, 'initrd');
  const boot = { kernel, initrd, append: 'quiet' };
  spec = { accelerator: 'tcg', translationMib: 24, cpuModel: 'Nehalem', threads: 1, memoryBytes: 2 ** 26, boot };
});

test('nothing changes the key but what a copy depends on', () => {
  const key = templateKey(spec);
  expect(key).toMatch(/^[\da-f]{32}$/);
  utimesSync(spec.boot.initrd, 1, 1);
  expect(templateKey({ ...spec })).toBe(key);
});

test.each<[string, (spec: TemplateSpec) => TemplateSpec]>([
  ['the accelerator', (old) => ({ ...old, accelerator: 'kvm' })],
  ['the processor', (old) => ({ ...old, cpuModel: 'max' })],
  ['the memory', (old) => ({ ...old, memoryBytes: 2 ** 27 })],
  ['the threads', (old) => ({ ...old, threads: 2 })],
  ['the command line', (old) => ({ ...old, boot: { ...old.boot, append: '' } })],
])('%s changes the key', (_, change) => {
  expect(templateKey(change(spec))).not.toBe(templateKey(spec));
});

test('another content of the archive and another kernel change the key', () => {
  const key = templateKey(spec);
  writeFileSync(spec.boot.initrd, 'INITRD');
  const second = templateKey(spec);
  expect(second).not.toBe(key);
  writeFileSync(`${spec.boot.kernel}.new`, 'KERNEL');
  renameSync(`${spec.boot.kernel}.new`, spec.boot.kernel);
  expect(templateKey(spec)).not.toBe(second);
});
