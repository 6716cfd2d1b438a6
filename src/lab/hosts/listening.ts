/** Whether a process listens on a port, read from the kernel's table: a connection would disturb that process. */
import { readFileSync } from 'node:fs';
import { inNetns, netnsPath } from '../../kernel/netns.ts';

/** TCP_LISTEN, linux/tcp_states.h. */
const LISTEN = '0A';

/** Whether a TCP socket over IPv6 listens on `port` in the namespace. */
export function isListening(netns: string, port: number): boolean {
  const table = inNetns(netnsPath(netns), () => readFileSync('/proc/thread-self/net/tcp6', 'utf8'));
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return table.split('\n').some((line) => {
    const [, local, , state] = line.trim().split(/\s+/);
    return state === LISTEN && local?.endsWith(suffix);
  });
}
