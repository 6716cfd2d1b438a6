/** Whoever has the port of VXLAN is named, and the VXLAN comes up when the port is free. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { kernelOfEachTest } from '../../../test/kit/kernel-of-each-test.ts';
import { MESH } from '../../../test/kit/mesh-operations.ts';
import { ip } from '../../../test/kit/namespaces.ts';
import type { MeshError } from '../../model/error.ts';

const here = kernelOfEachTest();

/** Makes the mesh, and returns the refusal. */
async function refusal(): Promise<MeshError | undefined> {
  const errors = await here().kernel.apply(MESH);
  expect(errors.filter((error) => error !== undefined)).toHaveLength(1);
  return errors.find((error) => error !== undefined);
}

async function comesUp(): Promise<void> {
  expect(await here().kernel.apply([{ do: 'link-set', link: 'vxlan456', change: { up: true } }])).toEqual([undefined]);
}

test('a device of another sort', async () => {
  const { netns } = here();
  ip(netns.path, 'link add vxlan_sys_4789 type vxlan dstport 4789 external', 'link set vxlan_sys_4789 up');
  expect(await refusal()).toMatchObject({
    code: 'MESH_VXLAN_PORT_TAKEN',
    object: 'vxlan456',
    message: 'vxlan456 cannot be set up: the device vxlan_sys_4789 has UDP port 4789',
    remedy: expect.stringMatching(/^Give vxlan_sys_4789 another port /),
  });
  ip(netns.path, 'link del vxlan_sys_4789');
  await comesUp();
});

test.each([
  ['udp4', '0.0.0.0'],
  ['udp6', '::'],
])('a process that listens (%s)', async (type, address) => {
  const { netns } = here();
  const script = `require('node:dgram').createSocket('${type}').bind(4789, '${address}', () => console.log('bound'))`;
  const child = spawn('nsenter', [`--net=${netns.path}`, process.execPath, '-e', script]);
  const ended = once(child, 'close');
  try {
    await once(child.stdout, 'data');
    expect(await refusal()).toMatchObject({
      code: 'MESH_VXLAN_PORT_TAKEN',
      message: expect.stringMatching(
        new RegExp(`^vxlan456 cannot be set up: \\S+ \\(process ${child.pid}\\) has UDP port 4789$`),
      ),
      remedy: expect.stringMatching(/^Stop /),
    });
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
  await comesUp();
});
