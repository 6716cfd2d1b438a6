/** Which addresses answer echoes from a namespace. */
import type { Ip } from '../../src/kernel/ip.ts';
import { netnsPath } from '../../src/kernel/netns.ts';
import { EchoSocket } from '../../src/kernel/sockets/echo.ts';
import type { LabHost } from '../../src/lab/hosts/lab-host.ts';
import { MeshError } from '../../src/model/error.ts';
import type { Mesh } from '../../src/model/network/mesh.ts';
import { addressIn } from '../kit/lab-networks.ts';
import { until } from './until.ts';

/** An address that does not answer within this time is silent; an answer takes a millisecond. */
const SILENCE_MS = 1_000;
/** For answers that must come: neighbours may have to be resolved first, on a busy machine. */
const ANSWER_DEADLINE_MS = 15_000;

/** Which of `addresses` answer at least one of three echoes from the namespace at `netns`. */
export async function reachable<T extends Ip>(netns: string, addresses: readonly T[]): Promise<T[]> {
  const socket = EchoSocket.open({ netns });
  try {
    const echoes = addresses.map(async (address) => {
      const answers = [1, 2, 3].map(() => isAnswered(socket, address));
      return (await Promise.all(answers)).includes(true) ? [address] : [];
    });
    return (await Promise.all(echoes)).flat();
  } finally {
    socket.close();
  }
}

/** Waits until all of `addresses` answer. */
export async function allReachable(netns: string, addresses: readonly Ip[]): Promise<void> {
  await until(`${addresses.join(', ')} answer`, ANSWER_DEADLINE_MS, async () => {
    return (await reachable(netns, addresses)).length === addresses.length;
  });
}

/** Waits until all pairs of `hosts` answer in `network`. */
export async function allAnswer(network: Mesh, hosts: readonly LabHost[]): Promise<void> {
  const addresses = hosts.map((host) => addressIn(network, host));
  await Promise.all(hosts.map(({ netns }) => allReachable(netnsPath(netns), addresses)));
}

async function isAnswered(socket: EchoSocket, address: Ip): Promise<boolean> {
  try {
    return (await socket.echo(address, { timeoutMs: SILENCE_MS })) !== undefined;
  } catch (error) {
    // There is no route yet.
    if (error instanceof MeshError) return false;
    throw error;
  }
}
