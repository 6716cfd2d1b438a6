/** Reads from /proc the counters of this network namespace, and the running programs that configure networks. */
import { readdir, readFile } from 'node:fs/promises';
import type { Counters as EvidenceCounters, ProcessorEvidence, TableFulls } from './evidence.ts';

type Counters = Omit<EvidenceCounters, 'fromElsewhere'>;

/** Process names as in /proc/PID/comm, which the kernel cuts to 15 characters (proc_pid_comm(5)). */
const RIVALS: ReadonlySet<string> = new Set([
  'NetworkManager',
  'systemd-network',
  'dhcpcd',
  'connmand',
  'wicked',
  'netifd',
]);

/**
 * Counters from the texts of /proc/net/netstat, /proc/net/snmp and /proc/net/snmp6. The first two have two lines for
 * each protocol, names and numbers; the third has one name and one number in each line. A missing counter is 0.
 */
export function parseCounters(texts: { netstat: string; snmp: string; snmp6: string }): Counters {
  const counts = new Map([...columns(texts.netstat), ...columns(texts.snmp), ...pairs(texts.snmp6)]);
  const of = (name: string) => counts.get(name) ?? 0;
  return {
    reversePathDrops: of('TcpExt IPReversePathFilter'),
    checksumErrors: of('Tcp InCsumErrors') + of('Udp InCsumErrors') + of('Udp6InCsumErrors') + of('Icmp6InCsumErrors'),
  };
}

function* columns(text: string): Generator<[string, number]> {
  const lines = text.split('\n').map((line) => line.trim().split(/\s+/));
  for (let index = 0; index + 1 < lines.length; index += 2) {
    const [[protocol = '', ...names] = [], [, ...numbers] = []] = [lines[index], lines[index + 1]];
    for (const [column, name] of names.entries()) yield [`${protocol.slice(0, -1)} ${name}`, Number(numbers[column])];
  }
}

function* pairs(text: string): Generator<[string, number]> {
  for (const line of text.split('\n')) {
    const [name = '', number = ''] = line.split(/\s+/);
    if (name !== '') yield [name, Number(number)];
  }
}

/** The counters of this network namespace. A kernel without IPv6 has no snmp6, which counts as 0 errors. */
export async function readCounters(): Promise<Counters> {
  const [netstat, snmp, snmp6] = await Promise.all(
    ['netstat', 'snmp', 'snmp6'].map((name) => readFile(`/proc/net/${name}`, 'utf8').catch(emptyIfAbsent)),
  );
  return parseCounters({ netstat: netstat ?? '', snmp: snmp ?? '', snmp6: snmp6 ?? '' });
}

/**
 * The sum of the column `table_fulls`, one row for each processor, in hexadecimal.
 * @param text of /proc/net/stat/arp_cache or ndisc_cache; empty where there is no such file
 */
export function parseTableFulls(text: string): number | undefined {
  const [names = [], ...rows] = text.split('\n').map((line) => line.trim().split(/\s+/));
  const column = names.indexOf('table_fulls');
  if (column < 0) return undefined;
  return rows.reduce((sum, row) => sum + Number.parseInt(row[column] ?? '0', 16), 0);
}

/** How often the neighbour tables were full. Only the machine's first network namespace has these files. */
export async function readTableFulls(): Promise<TableFulls> {
  const [arp, ndisc] = await Promise.all(
    ['arp_cache', 'ndisc_cache'].map((name) => readFile(`/proc/net/stat/${name}`, 'utf8').catch(emptyIfAbsent)),
  );
  return { ipv4: parseTableFulls(arp ?? ''), ipv6: parseTableFulls(ndisc ?? '') };
}

/** The names of running programs that also configure network devices, sorted. */
export async function runningRivals(): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  // A process may end between the two reads.
  const names = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/comm`, 'utf8').catch(emptyIfAbsent)));
  return [...new Set(names.map((name) => name.trim()))].filter((name) => RIVALS.has(name)).sort();
}

/** @param text of /proc/cpuinfo: the flags `vmx` and `svm` are those of Intel and AMD, and `hypervisor` is set in each guest */
export function parseProcessor(text: string): ProcessorEvidence {
  const flags = new Set(/^flags\s*:(.*)$/m.exec(text)?.[1]?.trim().split(/\s+/));
  return {
    virtualization: flags.has('vmx') || flags.has('svm'),
    isGuest: flags.has('hypervisor'),
    vendor: /^vendor_id\s*:\s*AuthenticAMD/m.test(text) ? 'amd' : 'intel',
  };
}

/** What the processor says of virtual machines. */
export async function readProcessor(): Promise<ProcessorEvidence> {
  return parseProcessor(await readFile('/proc/cpuinfo', 'utf8'));
}

function emptyIfAbsent(error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT' || error.code === 'ESRCH') return '';
  throw error;
}
