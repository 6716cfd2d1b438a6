/**
 * The tree that an Alpine package is made from: OpenRC scripts instead of systemd units, Alpine's own Node, .PKGINFO.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { EPOCH, installationTree } from './tree.ts';

const HERE = import.meta.dirname;

/** Writes the tree of a package with this version into `directory`, which is emptied first. */
export async function alpineTree(directory: string, version: string): Promise<void> {
  const tree = await installationTree(directory);
  for (const service of ['meshwork-host0', 'meshwork-agent']) {
    tree.copy(`etc/init.d/${service}`, join(HERE, 'openrc', service), 0o755);
    tree.copy(`etc/conf.d/${service}`, join(HERE, 'default'));
  }
  const bytes = tree.files().reduce((sum, file) => sum + statSync(join(directory, file)).size, 0);
  tree.write('.PKGINFO', packageInfo(version, bytes));
  for (const script of ['.post-install', '.post-upgrade', '.pre-deinstall']) {
    tree.copy(script, join(HERE, 'alpine', script.slice(1)), 0o755);
  }
}

/**
 * The contents of .PKGINFO. No package of Alpine is called libnftables: that library is in nftables. koffi's native code for
 * musl needs libstdc++, and the package's scripts need a shell. This format has no
 * field for recommended packages that apk-tools reads: docs/install.md lists what host0 needs besides.
 */
function packageInfo(version: string, bytes: number): string {
  return `pkgname = meshwork
pkgver = ${version}-r0
pkgdesc = private cloud network on bare machines
arch = x86_64
size = ${bytes}
license = Apache-2.0
builddate = ${EPOCH}
origin = meshwork
depend = /bin/sh
depend = nodejs>=24
depend = so:libnftables.so.1
depend = libstdc++
depend = setpriv
`;
}
