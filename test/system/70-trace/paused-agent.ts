/** Makes a fault while the agent is stopped, so that the agent answers a question before it repairs the fault. */
import type { Lab } from '../../../src/lab/cluster/lab.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { AGENT_PORT, CHANNEL_PORT } from '../../../src/protocol/documents/tcp-ports.ts';
import { until } from '../until.ts';

/** The command that asks starts in a fifth of a second, but in seconds on a busy machine. */
const ASKED_DEADLINE_MS = 15_000;

/**
 * Makes the fault while the agent of `host` is stopped, asks, and continues the agent as soon as the question waits at
 * its sockets. The agent reads its kernel for the answer at once, and repairs the fault 20 ms after its kernel event.
 *
 * @param fault a command that runs on `host`
 */
export async function askedWhilePaused<T>(
  lab: Lab,
  host: LabHost,
  fault: readonly string[],
  ask: () => Promise<T>,
): Promise<T> {
  await lab.stop(host, 'agent', 'SIGSTOP');
  try {
    const { code, stderr } = await lab.exec(host, fault);
    if (code !== 0) throw new Error(`${fault.join(' ')} on ${host.name}: ${stderr}`);
    const answer = ask();
    await Promise.race([answer, until('the question is there', ASKED_DEADLINE_MS, () => isAsked(lab, host))]);
    await lab.stop(host, 'agent', 'SIGCONT');
    return await answer;
  } finally {
    await lab.stop(host, 'agent', 'SIGCONT');
  }
}

/** host0 pings each channel every three seconds: a frame of 17 bytes in a TLS record of 39. A question has a path of twice that. */
const PING_BYTES = 39;

/** Whether a request waits at the agent's endpoint in the mesh, at its control socket, or on its channel. */
async function isAsked(lab: Lab, host: LabHost): Promise<boolean> {
  const channel = await lab.exec(host, ['ss', '-Htn', 'state', 'established', `dport = :${CHANNEL_PORT}`]);
  if (Number.parseInt(channel.stdout, 10) > PING_BYTES) return true;
  const endpoint = ['ss', '-Htn', 'state', 'established', `sport = :${AGENT_PORT}`];
  const control = ['ss', '-Hxl', `src */agent.sock`];
  // The first number of a line counts the waiting bytes or connections.
  const waiting = async (command: readonly string[]) =>
    /^\s*(?:u_str\s+LISTEN\s+)?[1-9]/m.test((await lab.exec(host, command)).stdout);
  return (await waiting(endpoint)) || (await waiting(control));
}
