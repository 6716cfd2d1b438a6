/**
 * What host0 needs on a machine to command it: its key for root, an account of root that the SSH server takes, and the
 * management mesh. An overlay that takes one of them away would lock host0 out, so it is refused before a machine boots it.
 */
import { basename } from 'node:path';
import { judgeNetworkFiles, type NetworkFile } from '../../formats/conf/network-set.ts';
import type { Mode } from '../../formats/host0/manifest.ts';
import { MeshError } from '../../model/error.ts';
import { sameNetwork } from '../../model/network/network-equality.ts';
import type { Overlay } from './overlay.ts';

/** The network through which `shell-server` on the node lets host0 in. */
const MANAGEMENT = 'manage';
const NETWORKS = 'var/pxen/networks';
const KEYS = 'root/.ssh/authorized_keys';
/** Shells that dropbear takes where the overlay brings no `/etc/shells`: those of Alpine and of Meshwork's image. */
const SHELLS = ['/bin/sh', '/bin/ash'];
const WRITABLE_BY_OTHERS = 0o022;

/**
 * Checks what manifests have put into an overlay, before Meshwork adds its own parts, and says why host0 could not command the
 * machine any more.
 * @param networks the network files of host0 that every machine gets
 */
export function accessFaults(overlay: Overlay, networks: readonly NetworkFile[]): MeshError[] {
  return [...fileFaults(overlay), ...modeFaults(overlay), ...accountFaults(overlay), ...meshFaults(overlay, networks)];
}

/** Files that Meshwork reads or extends on each node: a link or a directory in their place cannot be. */
function fileFaults(overlay: Overlay): MeshError[] {
  return [
    'etc/apk/world',
    'etc/group',
    'etc/hostname',
    'etc/nsswitch.conf',
    'etc/passwd',
    'etc/shadow',
    'etc/shells',
    KEYS,
  ]
    .filter((path) => overlay.has(path) && overlay.get(path)?.type !== 'file')
    .map((path) =>
      locks(overlay, path, `/${path} is not a file`, 'Meshwork needs a file there.', 'Put a file there with O.'),
    );
}

/** dropbear takes no key from a place where another user could write (svr-authpubkey.c, checkpubkeyperms). */
function modeFaults(overlay: Overlay): MeshError[] {
  return ['root', 'root/.ssh'].flatMap((path) => {
    const mode = modeOf(overlay, path);
    if (mode === undefined || (mode.uid === 0 && (mode.permissions & WRITABLE_BY_OTHERS) === 0)) return [];
    const rule = "The SSH server takes host0's key only from files of root that no other user may write.";
    const closed = (mode.permissions & ~WRITABLE_BY_OTHERS).toString(8).padStart(4, '0');
    const message = `other users may write /${path}: host0 could not command the machine`;
    return locks(overlay, path, message, rule, `Write MODE=root:root:${closed}`);
  });
}

function accountFaults(overlay: Overlay): MeshError[] {
  const faults: MeshError[] = [];
  const check = (path: string, isRight: (lines: readonly string[]) => boolean, what: string, remedy: string) => {
    const lines = linesOf(overlay, path);
    if (lines === undefined || isRight(lines)) return;
    const rule = 'host0 commands a machine by SSH, as root.';
    faults.push(locks(overlay, path, `/${path} ${what}: host0 could not command the machine`, rule, remedy));
  };
  const shells = linesOf(overlay, 'etc/shells')?.map((line) => line.trim()) ?? SHELLS;
  const shell = rootOf(linesOf(overlay, 'etc/passwd'))?.[6] ?? '/bin/sh';
  check(
    'etc/passwd',
    (lines) => {
      const [name, , uid, , , home] = rootOf(lines) ?? [];
      return name === 'root' && uid === '0' && home === '/root';
    },
    'has no account root with the number 0 and the home /root',
    'Begin the file with the line root:x:0:0:root:/root:/bin/sh.',
  );
  check(
    overlay.has('etc/passwd') ? 'etc/passwd' : 'etc/shells',
    () => shell === '' || shells.includes(shell),
    `gives root no shell that is in /etc/shells (${shell})`,
    'Give root the shell /bin/sh, or name its shell in /etc/shells.',
  );
  check(
    'etc/shadow',
    (lines) => lines.some((line) => line.startsWith('root:')),
    'has no line of root',
    'Add the line root:*:::::::.',
  );
  check(
    'etc/nsswitch.conf',
    (lines) => lines.some((line) => /^\s*passwd:.*\b(?:files|compat)\b/.test(line)),
    'does not say that accounts are in files',
    'Add the line passwd: files.',
  );
  return faults;
}

/** The fields of the account that is found under the name root. */
function rootOf(lines: readonly string[] | undefined): readonly string[] | undefined {
  return lines?.map((line) => line.split(':')).find(([name]) => name === 'root');
}

/** The network files of an overlay are judged together on the node: two that collide take each other away. */
function meshFaults(overlay: Overlay, networks: readonly NetworkFile[]): MeshError[] {
  const path = `${NETWORKS}/${MANAGEMENT}.conf`;
  const ofHost0 = networks.find(({ file }) => basename(file) === basename(path));
  const files = overlay.filesBelow(NETWORKS).filter((entry) => entry.path.endsWith('.conf'));
  const isAdded = files.some((entry) => !networks.some((network) => isSameFile(network, entry)));
  // Nearly every machine has files of host0 alone, which are judged already.
  if (!isAdded && (ofHost0 === undefined || overlay.has(path))) return [];
  const named = files.map(({ path: own, content }) => {
    const origin = overlay.originOf(own);
    return { file: origin !== undefined && 'source' in origin ? origin.source : `/${own}`, bytes: content };
  });
  const { accepted, errors } = judgeNetworkFiles(named);
  if (ofHost0 === undefined || errors.length > 0) return [...errors];
  const [wanted] = judgeNetworkFiles([ofHost0]).accepted;
  const own = accepted[files.findIndex((entry) => entry.path === path)];
  if (wanted === undefined || (own !== undefined && sameNetwork(own.network, wanted.network))) return [];
  const message = `the machine is not in the network ${MANAGEMENT} of host0: host0 could not command it`;
  const rule = `host0 commands machines through the network ${MANAGEMENT}, which is among default_networks.`;
  const remedy = `Remove the line that changes /${path}, or take ${MANAGEMENT} out of default_networks in host0.conf.`;
  return [locks(overlay, path, message, rule, remedy)];
}

function isSameFile({ file, bytes }: NetworkFile, { path, content }: { path: string; content: Uint8Array }): boolean {
  return basename(file) === basename(path) && Buffer.compare(bytes, content) === 0;
}

function modeOf(overlay: Overlay, path: string): Mode | undefined {
  const entry = overlay.get(path);
  return entry === undefined || entry.type === 'link' ? undefined : entry.mode;
}

function linesOf(overlay: Overlay, path: string): readonly string[] | undefined {
  const entry = overlay.get(path);
  return entry?.type === 'file' ? Buffer.from(entry.content).toString('utf8').split('\n') : undefined;
}

function locks(overlay: Overlay, path: string, message: string, rule: string, remedy: string): MeshError {
  const place = overlay.originOf(path)?.targetPlace;
  return new MeshError('MESH_MANIFEST_TARGET', message, {
    rule,
    remedy,
    ...(place === undefined ? { object: `/${path}` } : { place }),
  });
}
