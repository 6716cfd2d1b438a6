/** A fault that an agent does not see at once, since it gets no CPU; and what it says of its kernel when it goes on. */
import type { Lab } from '../../../src/lab/cluster/lab.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { AGENT_PORT } from '../../../src/protocol/documents/tcp-ports.ts';
import { until } from '../until.ts';

/** The asking command starts in a fifth of a second; on a busy machine, in seconds. */
const ASKED_DEADLINE_MS = 15_000;

/**
 * Makes the fault while the agent of `host` is stopped, asks, and lets it go on as soon as the question has come in: the
 * agent looks at its kernel when it is asked, and mends it 20 ms after it has heard of the fault.
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

/** Whether a request waits at the agent's endpoint in the mesh, or at its control socket. */
async function isAsked(lab: Lab, host: LabHost): Promise<boolean> {
  const endpoint = ['ss', '-Htn', 'state', 'established', `sport = :${AGENT_PORT}`];
  const control = ['ss', '-Hxl', `src */agent.sock`];
  // The first number of a line is how many bytes, or connections, wait to be taken.
  const waiting = async (command: readonly string[]) =>
    /^\s*(?:u_str\s+LISTEN\s+)?[1-9]/m.test((await lab.exec(host, command)).stdout);
  return (await waiting(endpoint)) || (await waiting(control));
}
