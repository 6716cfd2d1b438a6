/** The tree that an Alpine package is made of: OpenRC's scripts instead of units, Alpine's own Node, .PKGINFO. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { installationTree } from './tree.ts';

const HERE = import.meta.dirname;

export async function alpineTree(directory: string, version: string): Promise<void> {
  const tree = await installationTree(directory);
  for (const service of ['meshwork-host0', 'meshwork-agent']) {
    tree.copy(`etc/init.d/${service}`, join(HERE, 'openrc', service), 0o755);
    tree.copy(`etc/conf.d/${service}`, join(HERE, 'default'));
  }
  const bytes = tree.files().reduce((sum, file) => sum + statSync(join(directory, file)).size, 0);
  tree.write('.PKGINFO', packageInfo(version, bytes));
  for (const script of ['.post-upgrade', '.pre-deinstall']) {
    tree.copy(script, join(HERE, 'alpine', script.slice(1)), 0o755);
  }
}

/**
 * In the order in which abuild writes it. koffi's native code for musl needs libstdc++. What this format cannot do is
 * recommend (apk-tools reads no such field of it): docs/install.md says what host0 needs besides.
 */
function packageInfo(version: string, bytes: number): string {
  return `pkgname = meshwork
pkgver = ${version}-r0
pkgdesc = private cloud network on bare machines
arch = x86_64
size = ${bytes}
license = Apache-2.0
depend = nodejs>=24
depend = libnftables
depend = libstdc++
depend = setpriv
`;
}
