/** A state directory on a disk of its own, so small that it can be filled. */
import { spawnSync } from 'node:child_process';
import { appendFileSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { LabHost } from '../../../src/lab/lab-host.ts';
import { pathsBelow } from '../../../src/protocol/paths.ts';

/** host0's store needs the most: half of this. */
const DISK_BYTES = 2 * 1024 * 1024;
const CHUNK = Buffer.alloc(4096);

/** To be called before the host's programs start. */
export function giveSmallDisk(host: LabHost): void {
  const { state } = pathsBelow(host.root);
  mkdirSync(state, { recursive: true });
  run('mount', '-t', 'tmpfs', '-o', `size=${DISK_BYTES},mode=0750`, 'meshwork-storm', state);
}

/** Also while a program has files open there. */
export function takeSmallDisk(host: LabHost): void {
  const { state } = pathsBelow(host.root);
  if (spawnSync('mountpoint', ['-q', state]).status === 0) run('umount', '--lazy', state);
}

/** Leaves no room. @returns how to give it back */
export function fillDisk(host: LabHost): () => void {
  const ballast = join(pathsBelow(host.root).state, 'ballast');
  try {
    for (let written = 0; written <= DISK_BYTES; written += CHUNK.length) appendFileSync(ballast, CHUNK);
  } catch (error) {
    if (!isNoSpace(error)) throw error;
    return () => rmSync(ballast);
  }
  throw new Error(`${ballast} fits`);
}

function isNoSpace(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOSPC';
}

function run(...[command = '', ...words]: readonly string[]): void {
  const { status, stderr } = spawnSync(command, words, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${words.join(' ')}: ${stderr}`);
}
