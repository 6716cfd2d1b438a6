/** The permissions of what a process finds and makes. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { pathsBelow } from '../protocol/documents/paths.ts';
import { writeDurable } from './durable-file.ts';
import { claimPrivateDirectories } from './private-directories.ts';

function modeOf(path: string): string {
  return (statSync(path).mode & 0o7777).toString(8);
}

test('files that were open to all are private after the start, and so are new ones', async () => {
  const paths = pathsBelow(mkdtempSync(join(tmpdir(), 'mw-private-')));
  const umask = process.umask(0);
  onTestFinished(() => {
    process.umask(umask);
    rmSync(paths.root, { recursive: true });
  });
  const outside = join(paths.root, 'outside');
  writeFileSync(outside, '');
  const wanted: Readonly<Record<string, string>> = {
    'store.db': '640',
    'store.db-wal': '640',
    'boot/eth1.leases': '640',
    'boot/tftp/ipxe.efi': '666',
    'images/node/1/vmlinuz': '666',
    'keys/command': '600',
    'keys/command.pub': '640',
    'keys/hosts/2b1c0d3e': '600',
    'overlays/2b1c0d3e/x.tar.gz': '640',
  };
  for (const file of Object.keys(wanted)) {
    mkdirSync(dirname(join(paths.state, file)), { recursive: true });
    writeFileSync(join(paths.state, file), '');
  }
  symlinkSync(outside, join(paths.state, 'link'));
  mkdirSync(paths.run, { recursive: true });
  writeFileSync(join(paths.run, 'agent.pid'), '');
  writeFileSync(join(paths.run, 'agent.sock'), '');
  chmodSync(join(paths.run, 'agent.sock'), 0o660);
  mkdirSync(paths.logs, { recursive: true });

  await claimPrivateDirectories(paths);
  const modes = Object.keys(wanted).map((file) => [file, modeOf(join(paths.state, file))]);
  expect(Object.fromEntries(modes)).toEqual(wanted);
  const directories = [paths.state, join(paths.state, 'keys'), join(paths.state, 'boot'), paths.run, paths.logs];
  expect(directories.map(modeOf)).toEqual(['711', '700', '777', '750', '750']);
  expect(modeOf(join(paths.run, 'agent.sock'))).toBe('660');
  expect(modeOf(outside)).toBe('666');
  // The directories above are the system's.
  expect(modeOf(dirname(paths.state))).toBe('777');

  await writeDurable(join(paths.state, 'members.json'), '');
  writeFileSync(join(paths.run, 'host0.pid'), '');
  expect([modeOf(join(paths.state, 'members.json')), modeOf(join(paths.run, 'host0.pid'))]).toEqual(['640', '640']);
  // Again, with nothing to do.
  await claimPrivateDirectories(paths);
  expect(directories.map(modeOf)).toEqual(['711', '700', '777', '750', '750']);
});
