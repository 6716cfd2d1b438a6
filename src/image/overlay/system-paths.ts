/**
 * What is at which path of a node before its overlay comes, as far as that is the same on Alpine (alpine-baselayout, OpenRC)
 * and in Meshwork's own image (image/node/node-root.ts). Paths are relative to the root.
 */
import type { ManifestAction } from '../../formats/host0/manifest.ts';
import type { MeshErrorInit } from '../../model/error.ts';

/** Why a manifest may not put something at a path. */
export interface PathFault extends Pick<MeshErrorInit, 'rule' | 'remedy'> {
  readonly message: string;
}

/** Directories with a file system of their own, which is empty at each boot, and hides what the overlay has there. */
const MOUNTED = ['dev', 'proc', 'run', 'sys'];
/** Links of the base system to such a directory. With a directory in its place, Alpine's base package fails. */
const LINKED = ['var/lock', 'var/run'];

/** Directories of every node. Where one of them is in the way of a file or a link, tar stops, and the node has no overlay. */
const DIRECTORIES: ReadonlySet<string> = new Set([
  ...['bin', 'etc', 'home', 'lib', 'lib64', 'media', 'mnt', 'opt', 'root', 'sbin', 'srv', 'tmp', 'usr', 'var'],
  ...[
    'etc/apk',
    'etc/dropbear',
    'etc/init.d',
    'etc/local.d',
    'etc/meshwork',
    'etc/network',
    'etc/runlevels',
    'etc/ssh',
  ],
  ...['root/.ssh', 'usr/bin', 'usr/lib', 'usr/lib64', 'usr/local', 'usr/sbin', 'usr/share'],
  ...['var/cache', 'var/lib', 'var/log', 'var/pxen', 'var/pxen/networks', 'var/spool', 'var/tmp'],
]);

/** Permissions of directories that differ from 755. An overlay that makes one on the way to a file must not change them. */
const PERMISSIONS: ReadonlyMap<string, number> = new Map([
  ['etc/meshwork/keys', 0o700],
  ['root', 0o700],
  ['root/.ssh', 0o700],
  ['tmp', 0o1777],
  ['var/empty', 0o555],
  ['var/tmp', 0o1777],
]);

/** Programs without which host0 cannot command a node, and the node does not boot. */
const PROGRAMS: ReadonlySet<string> = new Set(
  ['busybox', 'dropbear', 'init', 'modprobe', 'mount', 'node', 'sh', 'tar', 'udhcpc', 'wget'].flatMap((name) =>
    ['bin', 'sbin', 'usr/bin', 'usr/sbin'].map((directory) => `${directory}/${name}`),
  ),
);
/** Where Meshwork itself is on a node. */
const MESHWORK = /^(?:usr\/)?lib\/meshwork(?:\/|$)/;
/** Its bundles: whoever repairs one before the next version does so here. */
const BUNDLE = /^(?:usr\/)?lib\/meshwork\/dist\/./;

/** Files that each node gets from host0 or makes for itself, each with the reason. */
const OWN: ReadonlyMap<string, string> = new Map([
  ['etc/dropbear/dropbear_ed25519_host_key', 'A node has the SSH host key by which host0 recognises it.'],
  [
    'etc/meshwork/machine',
    'host0 tells each machine its id when the machine boots; with another id, host0 does not find it.',
  ],
  ['etc/meshwork/token', 'host0 gives each machine another token at each boot.'],
  ['etc/ssh/ssh_host_ed25519_key', 'host0 gives each machine the SSH host key by which host0 recognises it.'],
]);

/** Files that both systems have, so that an overlay can only replace them. */
const FILES: ReadonlySet<string> = new Set(
  [
    ...[
      'crontabs/root',
      'fstab',
      'group',
      'hosts',
      'inittab',
      'modules',
      'motd',
      'nsswitch.conf',
      'os-release',
      'passwd',
    ],
    ...[
      'profile',
      'protocols',
      'rc.conf',
      'securetty',
      'services',
      'shadow',
      'shells',
      'sysctl.conf',
      'issue',
      'mdev.conf',
    ],
    ...[
      'apk/repositories',
      'ssh/sshd_config',
      'network/interfaces',
      'resolv.conf',
      'udhcpd.conf',
      'modprobe.d/aliases.conf',
    ],
  ].map((name) => `etc/${name}`),
);
/** Directories in which packages install files. */
const OF_PACKAGES = /^(?:bin|etc|lib|lib64|sbin|usr(?!\/local\/)|var\/lib)\//;
/** Names below them that no package has: what the administrator or Meshwork makes, as in `/etc/sysctl.d`. */
const OF_NO_PACKAGE = /^(?:etc\/(?:apk\/world|hostname)|(?!etc\/(?:conf|init)\.d\/).*\.d\/.+|var\/lib\/misc\/.+)$/;

/** Permissions of a directory that an overlay makes on the way to a file. */
export function permissionsOnTheWay(path: string): number | undefined {
  return PERMISSIONS.get(path);
}

/** Why an action may not have this target, whatever else is in the overlay; undefined when it may. */
export function pathFault({ type, target }: Pick<ManifestAction, 'type' | 'target'>): PathFault | undefined {
  const path = target.slice(1);
  const at = (directory: string) => path === directory || path.startsWith(`${directory}/`);
  const mounted = [...MOUNTED, ...LINKED].find(at);
  if (mounted !== undefined) {
    const what = LINKED.includes(mounted) ? 'leads to /run, which is empty' : 'is empty';
    return {
      message: `${target} would not be there: /${mounted} ${what} at each boot`,
      rule: 'The overlay is unpacked before the system is up, and the system mounts /dev, /proc, /run and /sys.',
      remedy: 'Make it on the machine, by a script in /etc/local.d whose name ends in .start.',
    };
  }
  const isMeshwork = MESHWORK.test(path) && !BUNDLE.test(path);
  const own = OWN.get(path) ?? (isMeshwork ? 'Meshwork comes with the image, or as a package.' : undefined);
  if (own !== undefined) {
    return { message: `${target} belongs to Meshwork`, rule: own, remedy: 'Remove the line.' };
  }
  if (PROGRAMS.has(path)) {
    return {
      message: `without its own ${target} a machine does not boot, or takes no commands`,
      rule: 'The programs by which a node boots, and by which host0 commands it, come with the image.',
      remedy: 'Put another program into /usr/local/bin.',
    };
  }
  if (type === 'directory' || !DIRECTORIES.has(path)) return undefined;
  return {
    message: `${target} is a directory of the system`,
    rule: 'A file or a link cannot replace a directory of the system: the overlay would not unpack.',
    remedy: 'Choose a path below it.',
  };
}

/** Whether the image has a file at a path, to which an overlay cannot append: `yes`, `perhaps` a package has one, or `no`. */
export function imageHas(path: string): 'yes' | 'perhaps' | 'no' {
  if (FILES.has(path)) return 'yes';
  return OF_PACKAGES.test(path) && !OF_NO_PACKAGE.test(path) ? 'perhaps' : 'no';
}

/** What an action with this target does on some machines, and does not seem to do; undefined if there is nothing. */
export function pathWarning({ target }: Pick<ManifestAction, 'target'>): PathFault | undefined {
  const user = /^\/var\/spool\/cron\/crontabs\/([^/]+)$/.exec(target)?.[1];
  if (user !== undefined) {
    return {
      message: `${target} is not read on Alpine, where /var/spool/cron/crontabs is a link`,
      rule: "Alpine's cron reads /etc/crontabs; with a directory in place of the link, its base package fails.",
      remedy: `For machines with Alpine, write TGT=/etc/crontabs/${user}.`,
    };
  }
  if (!BUNDLE.test(target.slice(1))) return undefined;
  return {
    message: `${target} is replaced: the machine runs another Meshwork than its image has`,
    rule: 'host0 commands a machine through the agent. One that does not run locks host0 out.',
    remedy: 'Remove the line when you build the next image.',
  };
}
