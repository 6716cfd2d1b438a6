/** The sources of a node are folded into one document: who wins, what host0 may add, and why an object is in it. */
import { expect, test } from 'vitest';
import { mesh, storeNetwork } from '../../../test/kit/networks.ts';
import type { Network } from '../../model/network/network.ts';
import type { AttachmentReason, NodeAttachment } from '../../protocol/documents/node-assignment.ts';
import { meshAttachment } from '../desired/assignment.ts';
import { foldSources, judgeGiven, NOTHING_GIVEN } from './node-document.ts';

const [manage, lab] = [mesh('manage', 456), mesh('lab', 500)];
const [blue, red] = [storeNetwork('blue', 0x1001), storeNetwork('red', 0x1002)];
const files = [manage, lab].map((network) => meshAttachment({ network, members: [], host0Answers: true }));

function given(network: Network, reasons: readonly AttachmentReason[], services: NodeAttachment['services'] = []) {
  return { network, reasons, peers: { kind: 'none' }, services } as const;
}

/** What host0 gives beside the two meshes. */
function judged(attachments: readonly NodeAttachment[], ports: readonly { link: string; network: Network }[] = []) {
  const assigned = ports.map(({ link, network }, at) => ({ id: at.toString(16), link, network: network.id }));
  return judgeGiven([manage, lab], { attachments, ports: assigned }, manage.id);
}

function reasonsIn({ attachments }: ReturnType<typeof foldSources>) {
  return Object.fromEntries(attachments.map(({ network, reasons }) => [network.name, reasons]));
}

test('a node of files alone has the same document, with the reason of each network', () => {
  const document = foldSources({ files, given: NOTHING_GIVEN, plugged: [{ link: 'tap0', network: lab.id }] });
  expect(reasonsIn(document)).toEqual({ manage: ['file'], lab: ['file', 'port'] });
  expect(document).toMatchObject({ ports: [{ link: 'tap0', network: lab.id }], segments: [], nics: [] });
  expect(document.attachments[0]).toBe(files[0]);
});

test('what host0 gives is beside the files, and its ports are a reason as those of the administrator are', () => {
  const fromHost0 = judged([given(blue, ['pinned']), given(red, ['port'])], [{ link: 'v1', network: blue }]);
  const document = foldSources({ files, given: fromHost0, plugged: [{ link: 'tap0', network: red.id }] });
  expect(reasonsIn(document)).toEqual({ manage: ['file'], lab: ['file'], blue: ['pinned', 'port'], red: ['port'] });
  expect(document.ports).toEqual([
    { link: 'tap0', network: red.id },
    { id: '0', link: 'v1', network: blue.id },
  ]);
});

test('host0 adds services and ports to the network of a file, and nothing to the management mesh', () => {
  const dhcp = [{ kind: 'other', id: 'dhcp-1', of: 'dhcp', document: { kind: 'dhcp', id: 'dhcp-1' } } as const];
  const other = { ...lab, description: 'another one' };
  const fromHost0 = judged(
    [given(other, ['service'], dhcp), given(manage, ['service'], dhcp)],
    [
      { link: 'v1', network: lab },
      { link: 'v2', network: manage },
    ],
  );
  const document = foldSources({ files, given: fromHost0, plugged: [] });
  expect(document.attachments[0]).toBe(files[0]);
  expect(document.attachments[1]).toEqual({ ...files[1], reasons: ['file', 'service', 'port'], services: dhcp });
  expect(document.attachments[1]?.network).toBe(lab);
  expect(document.ports.map(({ link }) => link)).toEqual(['v1']);
  expect(fromHost0.refusedPorts.get('v2')?.error).toMatchObject({ code: 'MESH_PORT_UNFIT', object: 'v2' });
});

test('a file wins for its name and devices, and the administrator for an interface', () => {
  const { refusedNetworks, attachments } = judged([given({ ...blue, name: 'lab' }, ['pinned'])]);
  expect(attachments).toEqual([]);
  expect(refusedNetworks.get(blue.id)).toMatchObject({ code: 'MESH_NET_NAME_TWICE' });
  const fromHost0 = judged([given(blue, ['port'])], [{ link: 'tap0', network: blue }]);
  const { ports } = foldSources({ files, given: fromHost0, plugged: [{ link: 'tap0', network: lab.id }] });
  expect(ports).toEqual([{ link: 'tap0', network: lab.id }]);
});
