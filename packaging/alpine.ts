/**
 * The package for Alpine with all of Meshwork, host0 too: OpenRC scripts instead of systemd units, and Alpine's own Node. The agent
 * alone, as machines without a disk install it, is a package that host0 makes (src/image/mirror/agent-package.ts).
 */
import { lstatSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type PackageScript, packageArchive } from '../src/formats/apk/package-archive.ts';
import type { PackagedFile } from '../src/formats/apk/package-data-archive.ts';
import { AGENT_DEPENDS } from '../src/image/mirror/agent-package.ts';
import { EPOCH, installationTree } from './tree.ts';

const HERE = import.meta.dirname;
const SCRIPTS = ['post-install', 'post-upgrade', 'pre-deinstall'] as const satisfies PackageScript[];

/**
 * Writes the package. Nobody has signed it: `apk add --allow-untrusted` installs it, as dpkg does its file for Debian.
 * @param work a directory, which is emptied first
 */
export async function alpinePackage(file: string, { work, version }: { work: string; version: string }): Promise<void> {
  const tree = await installationTree(work);
  for (const service of ['meshwork-host0', 'meshwork-agent']) {
    tree.copy(`etc/init.d/${service}`, join(HERE, 'openrc', service), 0o755);
    tree.copy(`etc/conf.d/${service}`, join(HERE, 'default'));
  }
  const { bytes } = packageArchive({
    description: {
      name: 'meshwork',
      version: `${version}-r0`,
      description: 'private cloud network on bare machines',
      license: 'Apache-2.0',
      architecture: 'x86_64',
      // This format has no field for recommended packages that apk-tools reads: docs/install.md lists what host0 needs besides.
      depends: AGENT_DEPENDS,
      provides: [`cmd:mesh=${version}-r0`, `cmd:xc=${version}-r0`],
      builtSec: Number(EPOCH),
    },
    files: filesBelow(work),
    scripts: Object.fromEntries(SCRIPTS.map((script) => [script, readFileSync(join(HERE, 'alpine', script))])),
  });
  writeFileSync(file, bytes);
}

/** All files and links; links to directories are not followed. */
function filesBelow(directory: string, below = ''): readonly PackagedFile[] {
  return readdirSync(join(directory, below), { withFileTypes: true }).flatMap((entry): readonly PackagedFile[] => {
    const path = join(below, entry.name);
    const from = join(directory, path);
    if (entry.isDirectory()) return filesBelow(directory, path);
    if (entry.isSymbolicLink()) return [{ type: 'link', path, to: readlinkSync(from) }];
    return [{ type: 'file', path, content: readFileSync(from), permissions: lstatSync(from).mode & 0o777 }];
  });
}
