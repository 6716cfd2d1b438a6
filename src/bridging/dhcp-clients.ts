/**
 * The DHCP clients of a card. The address stays on the machine while a client is started again on the other device: the old one is killed
 * without a word, so that it neither gives the lease back nor takes the address away; the new one asks for the same address.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { inNetns } from '../kernel/netns.ts';
import { awaitEnd, findMark, type ProcessMark, signalProcess } from '../services/process/process-mark.ts';
import { startUnsupervised } from '../services/process/process-start.ts';

/** A client that runs for one device. */
export interface DhcpClient {
  readonly program: 'udhcpc' | 'dhclient';
  readonly mark: ProcessMark;
  readonly argv: readonly string[];
}

const END_MS = 5_000;
/** Where udhcpc looks for its script if none is named: busybox, and Debian's package. */
const SCRIPTS = ['/etc/udhcpc/default.script', '/usr/share/udhcpc/default.script'];

/** Leaves out the first `deconfig`, which would take the address away before the lease is asked for again. */
const KEEPING_SCRIPT = `#!/bin/sh
if [ "$1" = deconfig ] && rm "$MESHWORK_FIRST" 2>/dev/null; then exit 0; fi
exec "$MESHWORK_SCRIPT" "$@"
`;

/** The clients of a device in this network namespace. */
export function dhcpClients(link: string): DhcpClient[] {
  const own = namespaceOf('self');
  return readdirSync('/proc').flatMap((entry): DhcpClient[] => {
    const pid = Number(entry);
    if (!Number.isInteger(pid)) return [];
    const argv = argvOf(pid);
    const program = programOf(argv);
    const mark = program && argv.slice(1).includes(link) && namespaceOf(entry) === own ? findMark(pid) : undefined;
    return mark === undefined || program === undefined ? [] : [{ program, mark, argv }];
  });
}

/**
 * Starts a client again, on another device. Its files that have the device in their names get new names.
 * @param directory for what the new client needs at its start
 * @param address that the client shall ask for; undefined if the card has none
 */
export async function moveClient(
  { program, mark, argv }: DhcpClient,
  {
    from,
    to,
    address,
    directory,
  }: { readonly from: string; readonly to: string; readonly address?: string; readonly directory: string },
): Promise<void> {
  const moved = argv.map((word) => onLink(word, from, to));
  const earlier = scriptBefore(mark.pid);
  await mkdir(directory, { recursive: true });
  signalProcess(mark, 'SIGKILL');
  await awaitEnd([mark], END_MS);
  if (program === 'dhclient') {
    await Promise.all(argv.map((word, at) => moveLeases(word, moved[at] ?? word, from, to)));
    start(program, to, directory, moved);
    return;
  }
  const [script, first] = [join(directory, `udhcpc-${to}`), join(directory, `udhcpc-${to}.first`)];
  await writeFile(script, KEEPING_SCRIPT, { mode: 0o700 });
  await writeFile(first, '');
  const { words, own } = withoutScript(moved);
  const ask = address === undefined || words.includes('-r') ? [] : ['-r', address];
  const env = { MESHWORK_SCRIPT: own ?? earlier ?? presentScript(), MESHWORK_FIRST: first };
  start(program, to, directory, [...words, ...ask, '-b', '-s', script], env);
}

/** Starts a client in a session of its own. @throws MESH_PROCESS_NOT_STARTED */
function start(
  program: string,
  link: string,
  directory: string,
  [first = program, ...rest]: readonly string[],
  env: Readonly<Record<string, string>> = {},
): void {
  const name = `${program}-${link}`;
  const argv: readonly [string, ...string[]] = [first, ...rest];
  const whole = { PATH: process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin', ...env };
  startUnsupervised({ name, title: `${program} on ${link}`, argv, env: whole }, directory, inNetns);
}

/** Without the words that end the client when no lease comes at once, and with its script apart. */
function withoutScript(argv: readonly string[]): { readonly words: readonly string[]; readonly own?: string } {
  const at = argv.findIndex((word) => word === '-s' || word === '--script');
  const own = at < 0 ? undefined : argv[at + 1];
  const isKeeping = own !== undefined && /\/udhcpc-[^/]*$/.test(own);
  const words = argv.filter(
    (word, place) =>
      !['-n', '-q', '-b', '--now', '--quit'].includes(word) && (at < 0 || (place !== at && place !== at + 1)),
  );
  return { words, ...(own !== undefined && !isKeeping && { own }) };
}

/** The script of the administrator, where the client was started by us. */
function scriptBefore(pid: number): string | undefined {
  const variable = readOr(`/proc/${pid}/environ`)
    .split('\0')
    .find((text) => text.startsWith('MESHWORK_SCRIPT='));
  return variable?.slice(variable.indexOf('=') + 1);
}

function presentScript(): string {
  return SCRIPTS.find((path) => readOr(path) !== '') ?? '/etc/udhcpc/default.script';
}

/** dhclient notes in each lease which device has it. */
async function moveLeases(before: string, after: string, from: string, to: string): Promise<void> {
  if (!/leases?$/.test(before) || before === after) return;
  const text = await readFile(before, 'utf8').catch(() => undefined);
  if (text === undefined) return;
  await writeFile(after, text.replaceAll(`interface "${from}";`, `interface "${to}";`));
}

/** A word of a command line, with the other device where the first one is named. */
function onLink(word: string, from: string, to: string): string {
  if (word === from) return to;
  return word
    .split(/([/.:=])/)
    .map((part) => (part === from ? to : part))
    .join('');
}

function programOf(argv: readonly string[]): DhcpClient['program'] | undefined {
  const [first = '', second = ''] = argv.map((word) => basename(word));
  if (first === 'dhclient') return 'dhclient';
  return first === 'udhcpc' || (first === 'busybox' && second === 'udhcpc') ? 'udhcpc' : undefined;
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
