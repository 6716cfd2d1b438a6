/** How each fault is made on a host of a lab, and undone. */
import { readFileSync, writeFileSync } from 'node:fs';
import { printMeshConf } from '../../../src/formats/conf/mesh-conf.ts';
import { LastWords } from '../../../src/lab/checks/silence.ts';
import type { Lab } from '../../../src/lab/cluster/lab.ts';
import { EXAMPLE_MESH } from '../../../src/lab/hosts/example-mesh.ts';
import { parseIpv4 } from '../../../src/model/address/ipv4.ts';
import { MeshError } from '../../../src/model/error.ts';
import { agentClient, clientOf } from '../../../src/protocol/calls/control-client.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import type { DaemonName } from '../../../src/protocol/http/service-manager.ts';
import { fileOf } from '../../kit/lab-networks.ts';
import { statusOf } from '../drift.ts';
import { linkPicture } from '../kernel-picture.ts';
import { until } from '../until.ts';
import { deafen } from './deafness.ts';
import { stateDiskOf } from './state-disk.ts';

/** Makes a fault on the host of that name. @returns a function that undoes it */
export type Harm = (lab: Lab, name: string) => Promise<() => Promise<void>>;

/** A start takes a second on two busy cores; devices that an earlier fault removed are back as soon as their agent. */
const THERE_AGAIN_MS = 20_000;

/** Kills a program; undone by a start. */
export function killed(program: DaemonName): Harm {
  return async (lab, name) => {
    await lab.stop(lab.host(name), program, 'SIGKILL');
    return async () => {
      lab.start(lab.host(name), program);
      await answers(lab, name, program);
    };
  };
}

async function answers(lab: Lab, name: string, program: DaemonName): Promise<void> {
  const host = lab.host(name);
  const client = clientOf(program, pathsBelow(host.root));
  const answer = until(`the ${program} of ${name} answers`, THERE_AGAIN_MS, async () => {
    try {
      return await client.ask('GET /v1/status');
    } catch (error) {
      if (error instanceof MeshError) return undefined;
      throw error;
    }
  });
  await answer.catch((cause: unknown) => {
    throw new Error(`${cause}\n${new LastWords([host]).message}`, { cause });
  });
}

/**
 * Another program changes the kernel by a script. The script needs the mesh's devices, and is repeated until they exist.
 * @param repaired a script that succeeds once the agent has repaired the change, for a fault that costs no packets. A
 *   question to the agent is no substitute: it would make the agent look, and repair what it had not noticed.
 */
export function outsider(script: string, repaired?: string): Harm {
  return async (lab, name) => {
    await succeeds(lab, name, ['sh', '-c', `set -e; ${script}`]);
    return async () => {
      if (repaired !== undefined) await succeeds(lab, name, ['sh', '-c', `set -e; ${repaired}`]);
    };
  };
}

async function succeeds(lab: Lab, name: string, command: readonly string[]): Promise<void> {
  let said = '';
  try {
    await until(command.join(' '), THERE_AGAIN_MS, async () => {
      const { code, stderr } = await lab.exec(lab.host(name), command);
      said = stderr;
      return code === 0;
    });
  } catch (cause) {
    throw new Error(`${name}: ${command.join(' ')}: ${said}`, { cause });
  }
}

/**
 * Replaces a device of the mesh by a foreign one, `device`. Once the agent refuses the network, the foreign device must not
 * change. Before that, a pass that is under way may still change it, since it knows the device by name.
 */
export function replaced(device: string, ...batch: readonly string[]): Harm {
  return async (lab, name) => {
    const lines = batch.map((line) => `${line}\n`).join('');
    await succeeds(lab, name, ['sh', '-c', `printf '${lines}' | ip -batch -`]);
    await until(`the agent of ${name} refuses the network`, THERE_AGAIN_MS, async () => {
      if (lab.process(lab.host(name), 'agent') === undefined) return true;
      return (await statusOf(lab.host(name)))?.networks.some(({ state }) => state.phase === 'failed');
    });
    const before = await linkPicture(lab, lab.host(name), device);
    return async () => {
      const after = await linkPicture(lab, lab.host(name), device);
      if (after !== before) throw new Error(`the foreign device ${device} on ${name} was ${before}, and is ${after}`);
      await succeeds(lab, name, ['ip', 'link', 'delete', device]);
    };
  };
}

/** Pulls the cables of a host. */
export const cutOff: Harm = async (lab, name) => {
  await lab.cutCables(lab.host(name));
  return async () => await lab.healCables(lab.host(name));
};

/** Gives a node another underlay address. */
export const addressChanged: Harm = async (lab, name) => {
  const before = lab.host(name).member.ipv4;
  const [a, b, c, d] = before.split('.');
  await lab.setIpv4(lab.host(name), parseIpv4(`${a}.${b}.${c}.${Number(d) + 100}`));
  return async () => await lab.setIpv4(lab.host(name), before);
};

/** Fills the state disk, and changes a network file, since accepted files are kept on that disk. */
export const diskFilled: Harm = async (lab, name) => {
  const disk = stateDiskOf(lab.host(name));
  disk.fill();
  const file = fileOf(lab.host(name), EXAMPLE_MESH.name);
  const before = readFileSync(file, 'utf8');
  writeFileSync(file, `# saved while the disk is full\n${printMeshConf(EXAMPLE_MESH)}`);
  return async () => {
    disk.clear();
    writeFileSync(file, before);
  };
};

/** Makes the agent lose events, among them the change of a mesh's device. */
export const deafened: Harm = async (lab, name) => {
  const host = lab.host(name);
  const process = await until(`${name} has an agent`, THERE_AGAIN_MS, () => lab.process(host, 'agent'));
  await answers(lab, name, 'agent');
  const before = await overflows(lab, name);
  const hearAgain = deafen(process.pid);
  try {
    const flood = `for (i = 0; i < 300; i++) printf "address %s 10.99.%d.%d/32 dev storm0\\n", verb, i / 200, i % 200`;
    const addresses = (verb: string) => `awk -v verb=${verb} 'BEGIN { ${flood} }' | ip -batch -`;
    await succeeds(lab, name, [
      'sh',
      '-c',
      `ip link show storm0 >/dev/null 2>&1 || ip link add storm0 type bridge
       ip link set vxlan456 mtu 1300 && ${addresses('add')} && ip link set storm0 up && ${addresses('delete')} && ip link delete storm0`,
    ]);
    await until(
      `the agent of ${name} notes an overflow`,
      THERE_AGAIN_MS,
      async () => (await overflows(lab, name)) > before,
    );
  } finally {
    hearAgain();
  }
  return async () => {};
};

async function overflows(lab: Lab, name: string): Promise<number> {
  let count = 0;
  const events = agentClient(pathsBelow(lab.host(name).root)).events('GET /v1/events', { query: { follow: false } });
  for await (const { kind } of events) if (kind === 'monitor overflow') count++;
  return count;
}
