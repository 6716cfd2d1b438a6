/** What host0 has for a rack of machines: a folder and an overlay for each, and an image of random bytes. */
import { spawn, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Generations, type NodeImage } from '../../../src/image/node/generations.ts';
import { commandDirectory } from '../../../src/image/node/program-files.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import type { CrowdMember } from './crowd.ts';

const MESH = join(commandDirectory, 'mesh');

/** The text in the overlay of one machine; that of any other machine differs. */
export function ownText({ name, machine }: Pick<CrowdMember, 'name' | 'machine'>, edition = 'first'): string {
  return `belongs to ${name} ${machine}, ${edition} edition`;
}

/** Writes the folders of all machines below `root`/host0/machines. */
export function writeMachines(
  root: string,
  crowd: readonly Pick<CrowdMember, 'name' | 'machine'>[],
  edition?: string,
): void {
  for (const member of crowd) {
    const folder = join(root, 'host0/machines', member.name);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'UUID'), `${member.machine}\n`);
    writeFileSync(join(folder, 'own'), `${ownText(member, edition)}\n`);
    const source = `/host0/machines/${member.name}/own`;
    writeFileSync(join(folder, 'manifest'), `O MODE=root:root:0600 SRC=${source} TGT=/etc/own\n`);
  }
}

/** How a command ended. */
export interface Configured {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `mesh system configure` to its end. */
export function configure(root: string): Configured {
  return meshCommand(root, 'system', 'configure');
}

/** Runs a `mesh` command with `--json` to its end. */
export function meshCommand(root: string, ...words: readonly string[]): Configured {
  return spawnSync(MESH, ['--root', root, ...words, '--json'], { encoding: 'utf8' });
}

/** Starts `mesh system configure`; the caller may kill it. */
export function configuring(root: string) {
  return spawn(MESH, ['--root', root, 'system', 'configure', '--json'], { stdio: 'ignore' });
}

/** Publishes an image of random bytes. @returns the SHA-256 of both files */
export async function publishImage(root: string, kernelBytes: number, initrdBytes: number) {
  const [vmlinuz, initrd] = [randomBytes(kernelBytes), randomBytes(initrdBytes)];
  const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
  const image: NodeImage = {
    generation: sha256(Buffer.concat([vmlinuz, initrd])).slice(0, 16),
    flavor: 'debian',
    kernelRelease: '6.1.0',
    kernelArguments: [],
    vmlinuz: { bytes: kernelBytes, sha256: sha256(vmlinuz) },
    initrd: { bytes: initrdBytes, sha256: sha256(initrd) },
    packages: [],
    meshworkVersion: '0.1.0',
    nodeVersion: process.version,
  };
  await new Generations(pathsBelow(root).state).publish(image, { vmlinuz, initrd });
  return { kernel: image.vmlinuz.sha256, initrd: image.initrd.sha256 };
}
