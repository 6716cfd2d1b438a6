/** The name of a node, from odd and late host names. */
import { expect, test } from 'vitest';
import { NodeName } from './node-name.ts';

/** A node whose host name can be changed. */
function node(hostName: string, option?: string) {
  const machine = { hostName };
  return { machine, name: new NodeName({ option, hostName: () => machine.hostName, process: 'the agent' }) };
}

test.each(['node1', 'node-1.example', 'localhost', 'n'.repeat(63)])('takes the host name %s', (hostName) => {
  const { name } = node(hostName);
  expect([name.name, name.health()]).toEqual([hostName, []]);
});

test.each([
  ['node_2', 'node-2'],
  ['(none)', 'node'],
  ['', 'node'],
  ['n'.repeat(64), 'n'.repeat(63)],
  ['knoten-ü', 'knoten-u'],
  ['узел', 'node'],
  ['-node', 'node'],
])('makes a name of the host name %j, with a warning', (hostName, expected) => {
  const { name } = node(hostName);
  expect(name.name).toBe(expected);
  expect(name.health()).toEqual([
    {
      code: 'MESH_NODE_NAME',
      severity: 'warning',
      object: expected,
      message: `the host name ${JSON.stringify(hostName)} cannot stand in a member list; here the node is ${expected}`,
      remedy: `Give the machine a host name of at most 63 letters, digits, dots and hyphens (\`hostnamectl hostname ${expected}\`), or give the agent --name NAME; then restart the agent.`,
    },
  ]);
});

test('a host name that changes later is a warning, until it is the old one again', () => {
  const { machine, name } = node('localhost');
  machine.hostName = 'node7';
  expect(name.name).toBe('localhost');
  expect(name.health()).toMatchObject([
    {
      message: 'the host name is "node7" now; here the node is still localhost',
      remedy: 'Restart the agent, which takes the host name when it starts.',
    },
  ]);
  machine.hostName = 'localhost';
  expect(name.health()).toEqual([]);
});

test('--name comes before the host name, and is refused if it cannot be a name', () => {
  const { name } = node('node_2', 'node2');
  expect([name.name, name.health()]).toEqual(['node2', []]);
  expect(() => node('node2', 'node_2')).toThrow(
    expect.objectContaining({
      code: 'MESH_USAGE',
      message: '"node_2" cannot stand in a member list',
      remedy: 'Give another with --name.',
    }),
  );
});
