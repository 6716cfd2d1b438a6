/** Runs commands in network namespaces, and makes two connected hosts that vanish with the test. */
import { type TemporaryNetns, temporaryNetns } from '../../src/kernel/netns.ts';
import { runToEnd } from './command.ts';

/**
 * Runs a command in the namespace at `netns`, and returns its output.
 * @throws Error when it fails
 */
export function inside(netns: string, ...command: readonly string[]): string {
  const { status, stdout, stderr } = runToEnd(command, { netns });
  if (status !== 0) throw new Error(`${command.join(' ')}: ${stderr}`);
  return stdout;
}

/**
 * Runs lines of `ip -batch` in the namespace at `netns`.
 * @throws Error when one fails
 */
export function ip(netns: string, ...lines: readonly string[]): void {
  const input = lines.join('\n');
  const { status, stderr } = runToEnd(['ip', '-batch', '-'], { input, netns });
  if (status !== 0) throw new Error(`${input}: ${stderr}`);
}

/** Makes two hosts on one segment: `eth0` on both; 10.9.0.1, fd09::1 and fe80::1 here, the same with 2 there. */
export function twoHosts(): { readonly here: string; readonly there: string; close(): void } {
  const namespaces: TemporaryNetns[] = [temporaryNetns(), temporaryNetns()];
  const close = (): void => {
    for (const netns of namespaces) netns.close();
  };
  const [here = '', there = ''] = namespaces.map(({ path }) => path);
  try {
    ip(here, `link add eth0 type veth peer name eth0 netns ${there}`);
    for (const [netns, host] of [
      [here, 1],
      [there, 2],
    ] as const) {
      ip(
        netns,
        'link set lo up',
        `address add 10.9.0.${host}/24 dev eth0`,
        'link set eth0 addrgenmode none',
        `address add fd09::${host}/64 dev eth0 nodad`,
        `address add fe80::${host}/64 dev eth0 nodad`,
        'link set eth0 up',
      );
    }
    for (const netns of [here, there]) carriesPackets(netns, 'eth0');
    return { here, there, close };
  } catch (error) {
    close();
    throw error;
  }
}

/** Waits until a link that was just set up has a queue: before that, it silently drops all packets. */
export function carriesPackets(netns: string, link: string): void {
  waitFor('state UP', netns, 'ip', 'link', 'show', link);
}

/** Waits until the kernel answers neighbour solicitations for a new IPv6 address: it joins the group a moment later. */
export function isAnsweredFor(netns: string, link: string, group: string): void {
  waitFor(group, netns, 'ip', '-6', 'maddress', 'show', 'dev', link);
}

function waitFor(sign: string, netns: string, ...command: readonly string[]): void {
  const deadline = performance.now() + 5_000;
  while (!inside(netns, ...command).includes(sign)) {
    if (performance.now() > deadline) throw new Error(`${command.join(' ')} does not show ${sign}`);
  }
}
