/** The DHCP clients of a card. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { findMark, type ProcessMark } from '../services/process/process-mark.ts';
import { type ClientProgram, dhcpProgramOf, rootsProgram } from './dhcp-program.ts';

/** A client that runs for one device. */
export interface DhcpClient extends ClientProgram {
  readonly mark: ProcessMark;
}

/** Where udhcpc looks for its script if none is named: busybox, and Debian's package. */
const SCRIPTS = ['/etc/udhcpc/default.script', '/usr/share/udhcpc/default.script'];

/** The clients of a device in this network namespace that are root's. Those of other logins cannot change the device. */
export function dhcpClients(link: string): DhcpClient[] {
  const own = namespaceOf('self');
  return readdirSync('/proc').flatMap((entry): DhcpClient[] => {
    const pid = Number(entry);
    if (!Number.isInteger(pid)) return [];
    const argv = argvOf(pid);
    if (!argv.slice(1).includes(link) || namespaceOf(entry) !== own) return [];
    const mark = findMark(pid);
    const path = rootsProgram(pid);
    const client = path === undefined ? undefined : dhcpProgramOf(path, argv);
    return mark === undefined || client === undefined ? [] : [{ ...client, mark }];
  });
}

/** The script of the administrator, where the client was started by us. Only then the variable is ours. */
export function scriptBefore(pid: number, argv: readonly string[], directory: string): string | undefined {
  if (!argv.some((word) => word.startsWith(join(directory, 'udhcpc-')))) return undefined;
  const variable = readOr(`/proc/${pid}/environ`)
    .split('\0')
    .find((text) => text.startsWith('MESHWORK_SCRIPT='));
  return variable?.slice(variable.indexOf('=') + 1);
}

/** The script of the distribution. */
export function presentScript(): string {
  return SCRIPTS.find((path) => readOr(path) !== '') ?? '/etc/udhcpc/default.script';
}

function argvOf(pid: number): readonly string[] {
  return readOr(`/proc/${pid}/cmdline`).split('\0').slice(0, -1);
}

function namespaceOf(entry: string): string {
  try {
    return readlinkSync(`/proc/${entry}/ns/net`);
  } catch {
    return '';
  }
}

function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
