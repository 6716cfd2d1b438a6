/**
 * What an overlay has besides its manifests for a machine that boots Alpine itself: network, locked root, the packages of every
 * such machine, and the scripts by which the machine gets its secrets and tells how far its boot is. The scripts are in the
 * overlay, not in the agent's package: a machine whose packages were not installed can still say so.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseDependency } from '../../formats/apk/dependency.ts';
import { ALPINE_SCRIPTS, BOOT_SCRIPTS } from '../node/program-files.ts';
import type { Overlay } from './overlay.ts';

/** The agent, in host0's own repository. */
export const AGENT_PACKAGE = 'meshwork';
/** An SSH server of the administrator's, in whose place no other is installed. */
const SSH_SERVERS = ['openssh', 'openssh-server', 'dropbear'];
/** The SSH server for host0, and what converts the machine's host key for it. */
const SHELL_PACKAGES = ['dropbear', 'dropbear-convert'];

/** Where the scripts are on a node, as in the node image. */
const SCRIPTS = 'usr/lib/meshwork/boot';
/** Those scripts of the node image that run on Alpine, too. */
const SHARED = ['common', 'secrets', 'shell-server'];
/** Scripts of OpenRC, with their runlevels. */
const SERVICES: Readonly<Record<string, string>> = {
  'meshwork-card': 'boot',
  'meshwork-boot': 'default',
  'meshwork-shell': 'default',
};

const INTERFACES = `auto lo
iface lo inet loopback
`;

/** Nobody logs in with a password. Alpine's own file lets root log in without one. */
const LOCKED = [
  ...['root', 'bin', 'daemon', 'lp', 'sync', 'shutdown', 'halt', 'mail', 'news', 'uucp'],
  ...['cron', 'ftp', 'sshd', 'games', 'ntp', 'guest', 'nobody'],
];
const [SHADOW_MODE, PROGRAM_MODE] = [0o600, 0o755];

/** Modules that no device announces: for networks, and for the taps of guests. */
const MODULES = ['tun', 'vxlan', 'bridge', 'nf_tables'];

/** The packages of a machine with Alpine: its own, and those of every such machine. */
export function alpinePackages(own: readonly string[]): readonly string[] {
  const names = own.map((word) => parseDependency(word)).flatMap((word) => (word?.conflict === false ? word.name : []));
  const hasServer = names.some((name) => SSH_SERVERS.includes(name));
  return [...new Set([...own, AGENT_PACKAGE, ...(hasServer ? [] : SHELL_PACKAGES)])];
}

/** Adds the files. What a manifest has put at a path stays. @param packages of the machine, without those added here */
export function addAlpineSystem(overlay: Overlay, packages: readonly string[]): void {
  const put = (path: string, content: string | Uint8Array, permissions?: number) => {
    if (!overlay.has(path)) overlay.putFile(path, content, permissions);
  };
  put('etc/network/interfaces', INTERFACES);
  put('etc/shadow', LOCKED.map((name) => `${name}:*:::::::\n`).join(''), SHADOW_MODE);
  put('etc/modules-load.d/meshwork.conf', MODULES.map((name) => `${name}\n`).join(''));
  addLink(overlay, 'boot', 'networking');
  const own = alpinePackages(packages);
  const hasShell = SHELL_PACKAGES.every((name) => own.includes(name));
  for (const [service, level] of Object.entries(SERVICES)) {
    if (service === 'meshwork-shell' && !hasShell) continue;
    overlay.putFile(`etc/init.d/${service}`, readFileSync(join(ALPINE_SCRIPTS, service)), PROGRAM_MODE);
    addLink(overlay, level, service);
  }
  for (const name of SHARED)
    overlay.putFile(`${SCRIPTS}/${name}`, readFileSync(join(BOOT_SCRIPTS, name)), PROGRAM_MODE);
  for (const name of readdirSync(ALPINE_SCRIPTS)) {
    if (name in SERVICES) continue;
    overlay.putFile(`${SCRIPTS}/${name}`, readFileSync(join(ALPINE_SCRIPTS, name)), PROGRAM_MODE);
  }
}

function addLink(overlay: Overlay, level: string, service: string): void {
  const path = `etc/runlevels/${level}/${service}`;
  if (!overlay.has(path)) overlay.putLink(path, `/etc/init.d/${service}`);
}
