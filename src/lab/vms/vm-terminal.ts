/** Ways into a machine of a lab: ssh and telnet over the internal net, and files. */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { shellWords } from '../../image/shell-words.ts';
import { sshSettings } from '../../image/ssh-command.ts';
import { MeshError } from '../../model/error.ts';
import { findProgram } from '../../services/process/program-path.ts';
import { spawnInside } from '../hosts/host-process.ts';
import { vmIpv4, vmName } from '../topologies/vm-address.ts';
import { directoryOfVm } from './vm-files.ts';

/** A machine as its terminals need it. */
export interface TerminalPlace {
  /** The directory of the lab. */
  readonly directory: string;
  readonly netns: string;
  readonly number: number;
}

/** Where a terminal listens, as this machine reaches it. */
interface Listener {
  readonly host: string;
  readonly port: number;
}

const PORTS = { ssh: 22, telnet: 23 } as const;

/** A net set-up that does not join this machine to net 0 may write `HOST PORT` into `<lab>/vm-001.ssh` and `.telnet`. */
function listenerOf({ directory, number }: TerminalPlace, service: keyof typeof PORTS): Listener {
  const file = join(directory, `${vmName(number)}.${service}`);
  const [, host, port] = existsSync(file) ? (/^(\S+) (\d+)\s*$/.exec(readFileSync(file, 'utf8')) ?? []) : [];
  if (host !== undefined && port !== undefined) return { host, port: Number(port) };
  return { host: vmIpv4(0, number), port: PORTS[service] };
}

/** The ssh command that runs a command on a machine. Machines of labs have no passwords, and their host key is no secret. */
export function sshToVm(place: TerminalPlace, argv: readonly string[], terminal: boolean): string[] {
  const { host, port } = listenerOf(place, 'ssh');
  const settings = sshSettings({
    BatchMode: 'yes',
    CheckHostIP: 'no',
    ConnectTimeout: '10',
    // A handshake takes long without acceleration; many commands share one.
    ControlMaster: 'auto',
    ControlPath: join(directoryOfVm(place.directory, place.number), 'ssh.sock'),
    ControlPersist: '20',
    GlobalKnownHostsFile: 'none',
    IdentitiesOnly: 'yes',
    IdentityAgent: 'none',
    LogLevel: 'ERROR',
    StrictHostKeyChecking: 'no',
    UserKnownHostsFile: '/dev/null',
  });
  const words = argv.length === 0 ? [] : ['--', shellWords(argv)];
  return ['ssh', '-F', 'none', terminal ? '-t' : '-T', '-p', String(port), ...settings, '-l', 'root', host, ...words];
}

/** The telnet command for a machine; a command of ssh where this machine has no telnet. */
export function terminalToVm(place: TerminalPlace): string[] {
  const { host, port } = listenerOf(place, 'telnet');
  if (findProgram('telnet') !== undefined) return ['telnet', host, String(port)];
  if (findProgram('busybox') !== undefined) return ['busybox', 'telnet', host, String(port)];
  return sshToVm(place, [], true);
}

/** Starts a command on a machine. */
export function spawnOnVm(
  place: TerminalPlace,
  argv: readonly string[],
  options: SpawnOptions & { readonly terminal?: boolean },
): ChildProcess {
  const { terminal = false, ...rest } = options;
  return spawnInside(place.netns, sshToVm(place, argv, terminal), rest);
}

/** One end of a copy: a path, on a machine or here. */
export interface CopyEnd {
  readonly vm?: string;
  readonly path: string;
}

/** `vm-001:/etc/hosts`, or a path of this machine. */
export function copyEnd(word: string): CopyEnd {
  const [, vm, path] = /^(vm-\d{3}):(.*)$/s.exec(word) ?? [];
  return vm === undefined || path === undefined ? { path: word } : { vm, path: path === '' ? '.' : path };
}

/**
 * Copies a file or a directory with `tar` at both ends, to the place that `cp -r` would choose.
 * @param placeOf a machine of the lab by its name
 * @throws MESH_LAB_FAILED with the words of the end that failed
 */
export async function copyFiles(from: CopyEnd, to: CopyEnd, placeOf: (vm: string) => TerminalPlace): Promise<void> {
  const name = lastPart(from.path);
  const start = (end: CopyEnd, argv: readonly string[], stdio: SpawnOptions['stdio']): ChildProcess => {
    if (end.vm !== undefined) return spawnOnVm(placeOf(end.vm), argv, { stdio: stdio ?? 'pipe' });
    const [program = 'sh', ...rest] = argv;
    return spawn(program, rest, { stdio: stdio ?? 'pipe' });
  };
  const reader = start(from, ['sh', '-c', READ, 'copy', from.path], ['ignore', 'pipe', 'pipe']);
  const writer = start(to, unpacking(to.path, name), ['pipe', 'ignore', 'pipe']);
  if (reader.stdout === null || writer.stdin === null) throw new TypeError('no pipes');
  writer.stdin.on('error', () => {});
  reader.stdout.pipe(writer.stdin);
  const [read, written] = await Promise.all([endOf(reader), endOf(writer)]);
  const fault = read ?? written;
  if (fault === undefined) return;
  throw new MeshError('MESH_LAB_FAILED', `nothing was copied: ${fault}`, {
    object: read === undefined ? to.path : from.path,
    remedy: 'Name a path that is there; on a machine as vm-001:/path.',
  });
}

/** A single file or a whole directory, under the name of its last part. */
const READ = 'cd "$(dirname -- "$1")" && tar cf - -- "$(basename -- "$1")"';
/**
 * Into a directory, or under a new name. A machine may send any archive, also one with other names, owners and links than it was asked
 * for. So the archive is unpacked beside the place in a directory of its own, and only what was asked for leaves that directory. The
 * second tar replaces links that stand in its way, and does not follow them.
 */
const WRITE = `
if [ -d "$1" ]; then place=$1 new=; else place=$(dirname -- "$1") new=$(basename -- "$1"); fi
cd -- "$place" || exit
fresh=$(mktemp -d ./.copy.XXXXXX) || exit
trap 'rm -rf -- "$fresh"' EXIT
trap 'exit 1' HUP INT TERM
tar -x -f - -C "$fresh" --no-same-owner --no-same-permissions || exit
if [ ! -e "$fresh/$2" ] && [ ! -L "$fresh/$2" ]; then echo "the archive does not have $2" >&2; exit 1; fi
if [ -n "$new" ]; then mv -f -- "$fresh/$2" "./$new"; else tar -c -f - -C "$fresh" -- "$2" | tar -x -f -; fi
`;

/** The command that unpacks an archive from its standard input: what has this name in it, to the place that `cp -r` would choose. */
export function unpacking(path: string, name: string): string[] {
  return ['sh', '-c', WRITE, 'copy', path, name];
}

/** @throws MESH_LAB_FAILED for a path whose last part names nothing */
function lastPart(path: string): string {
  const last = path.replace(/\/+$/, '').split('/').at(-1) ?? '';
  if (last === '..') {
    throw new MeshError('MESH_LAB_FAILED', `nothing was copied: ${path} does not say what the copy is called`, {
      object: path,
      remedy: 'Name the path without .. at its end.',
    });
  }
  return last === '' ? '.' : last;
}

async function endOf(child: ChildProcess): Promise<string | undefined> {
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = `${said}${text}`.slice(-1_000);
  });
  return await new Promise((settle) => {
    child.once('error', ({ message }) => settle(message));
    child.once('close', (code) =>
      settle(code === 0 ? undefined : said.trim().split('\n').at(-1) || `ended with ${code}`),
    );
  });
}
