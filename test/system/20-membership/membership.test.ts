/** host0's membership of a mesh: its real process on the real kernel, with shell scripts as members. */
import type { ChildProcess } from 'node:child_process';
import { statSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Assignment } from '../../../src/protocol/documents/assignment.ts';
import { meshDocument } from '../../../src/protocol/documents/mesh-document.ts';
import type { Host0Status, NetworkView, NodeView } from '../../../src/protocol/documents/views.ts';
import { manage, mesh } from '../../kit/networks.ts';
import { type Host, Underlay, URL_IN_MESH, until } from './underlay.ts';

let underlay: Underlay;

/** Each test of the group has an underlay and a host0 of its own. */
function freshForEachTest(): void {
  beforeEach(() => {
    underlay = new Underlay();
  });
  afterEach(() => underlay[Symbol.asyncDispose]());
}

async function list(host: Host = underlay.host0): Promise<string[]> {
  const answer = await host.get(URL_IN_MESH);
  return answer === undefined ? [] : answer.body.split('\n').slice(0, -1);
}

function lineOf(name: string, host: Host): string {
  return `${name} ${host.ipv4} ${host.addresses.bridgeMac} ${host.addresses.ipv6}`;
}

const HOST0_LINE = 'host0 10.11.0.1 02:47:8b:9e:81:6e fd42:2345:1234:9abc::1';

describe('nodes that can only poll with curl and ip', () => {
  freshForEachTest();

  test('are full members, also across segments, and are removed everywhere when they vanish', async () => {
    const one = underlay.addHost(0, 11, '10eff964');
    const two = underlay.addHost(1, 12, '0000000b');
    await underlay.startHost0();
    expect(await list()).toEqual([HOST0_LINE]);

    underlay.poll(one, 'one');
    const second = underlay.poll(two, 'two');
    await until('both are members', async () => (await list()).length === 3);
    const [, ...members] = await list();
    expect(members.toSorted()).toEqual([lineOf('one', one), lineOf('two', two)]);
    expect((await list(two))[0]).toBe(HOST0_LINE.replace('10.11.0.1', '10.11.1.1'));

    await until(
      'each has its four entries for the other',
      () => one.entriesFor(two).length === 4 && two.entriesFor(one).length === 4,
    );
    expect(one.run('ping', '-6', '-c', '3', '-i', '0.1', '-W', '1', two.addresses.ipv6)).toContain(' 0% packet loss');

    await underlay.end(second);
    two.run('ip', 'link', 'set', 'eth0', 'down');
    await until('host0 drops it', async () => !(await list()).some((line) => line.startsWith('two ')));
    const nodes = await underlay.control<NodeView[]>('/v1/nodes');
    expect(nodes.map(({ name, online }) => `${name} ${online}`)).toEqual(['host0 true', 'one true', 'two false']);
    await until('the other has no entry for it', () => one.entriesFor(two).length === 0);
  });
});

describe('host0', () => {
  freshForEachTest();

  test('keeps its members and its epoch over kill -9', async () => {
    const one = underlay.addHost(0, 11, '10eff964');
    const daemon = await underlay.startHost0();
    underlay.poll(one, 'one');
    await until('the node is a member', async () => (await list()).length === 2);
    const before = await underlay.control<Host0Status>('/v1/status');

    await underlay.end(daemon);
    await underlay.startHost0();
    const after = await underlay.control<Host0Status>('/v1/status');
    // The second run has written its term (controller/assignments/assignment-epoch.ts), and nothing else.
    expect([after.epoch, after.revision]).toEqual([before.epoch, before.revision + 1]);
    expect(await list()).toEqual([HOST0_LINE, lineOf('one', one)]);
  });
});

describe('the control API', () => {
  freshForEachTest();

  test('sends the assignment to host0’s agent, and takes its report', async () => {
    const one = underlay.addHost(0, 11, '10eff964');
    await underlay.startHost0();
    const findings = async () => (await underlay.control<Host0Status>('/v1/status')).health.map(({ object }) => object);
    expect(await findings()).toEqual(['agent']);

    const heard = underlay.follow('http://control/v1/assignment', '--unix-socket', underlay.paths.controlSock);
    await until('the assignment came', () => heard().includes('event: snapshot'));
    const assignment = JSON.parse(/data: (.*)/.exec(heard())?.[1] ?? '') as Assignment;
    expect(assignment.networks).toEqual([meshDocument(manage)]);
    expect(assignment.members).toEqual({ [manage.id]: [] });
    expect(assignment.segments.map(({ device, ipv4 }) => `${device} ${ipv4}`)).toEqual([
      'eth0 10.11.0.1',
      'eth1 10.11.1.1',
    ]);
    underlay.poll(one, 'one');
    await until('the member came', () => /event: member\ndata: .*"change":"join".*"name":"one"/.test(heard()));

    const error = { code: 'MESH_KERNEL_VNI_BUSY', message: 'VNI 456 is taken', remedy: 'Remove vxlan9.' };
    const states = { networks: { [manage.id]: { phase: 'failed', error } } };
    await underlay.host0.get(
      'http://control/v1/self',
      '--unix-socket',
      underlay.paths.controlSock,
      ...['-X', 'PUT', '-H', 'content-type: application/json', '-d', JSON.stringify(states)],
    );
    expect(await findings()).toEqual(['manage']);
    expect((await underlay.control<NetworkView[]>('/v1/networks'))[0]?.state).toEqual({ phase: 'failed', error });
  });
});

describe('the membership API', () => {
  freshForEachTest();

  test('trusts the kernel and not the report', async () => {
    const one = underlay.addHost(0, 11, '10eff964');
    await underlay.startHost0();
    underlay.poll(one, 'one');
    await until('the node is a member', async () => (await list()).length === 2);
    const report = { machine: one.machine, name: 'one', instance: 'boot-1', ipv4: one.ipv4, state: { phase: 'ready' } };
    const put = (body: unknown) =>
      one.get(`${URL_IN_MESH}self`, '-X', 'PUT', '-H', 'content-type: application/json', '-d', JSON.stringify(body));
    const codes = async (body: unknown) => {
      const answer = await put(body);
      return `${answer?.status} ${(JSON.parse(answer?.body ?? '{}') as { code?: string }).code}`;
    };
    expect(await codes(report)).toBe('200 undefined');
    expect(await codes({ ...report, machine: '0000000b' })).toBe('403 MESH_MEMBER_FORGED');
    expect(await codes({ ...report, ipv4: '10.11.0.1' })).toBe('409 MESH_MEMBER_MOVING');
    expect(await codes({ ...report, name: 'a b' })).toBe('400 MESH_MEMBER_REPORT_INVALID');
    expect(await codes({ ...report, state: { phase: 'on fire' } })).toBe('400 MESH_MEMBER_REPORT_INVALID');
    expect(await codes({ ...report, unknown: true })).toBe('200 undefined');
    expect(await codes({ ...report, filler: 'x'.repeat(9000) })).toBe('413 MESH_MEMBER_REPORT_INVALID');
    const fromLinkLocal = await one.get('http://[fe80::1%25br456]:8000/');
    expect(fromLinkLocal).toBeUndefined();
  });

  test('reports a doubled machine id at both ends, and keeps the first machine', async () => {
    const first = underlay.addHost(0, 11, '10eff964');
    const copy = underlay.addHost(0, 99, '10eff964');
    await underlay.startHost0();
    const report = (host: Host, name: string) => {
      const { machine, ipv4 } = host;
      const body = JSON.stringify({ machine, name, instance: name, ipv4, state: { phase: 'ready' } });
      return host.get(`${URL_IN_MESH}self`, '-X', 'PUT', '-H', 'content-type: application/json', '-d', body);
    };
    const polls = underlay.poll(first, 'first');
    await until('the first is a member', async () => (await list()).length === 2);
    await underlay.end(polls);
    expect((await report(first, 'first'))?.status).toBe(200);

    const copying = underlay.poll(copy, 'copy');
    await until('the copy is refused with the reason', async () => {
      const answer = await report(copy, 'copy');
      return (
        answer?.status === 409 &&
        answer.body.includes('MESH_MEMBER_DOUBLE') &&
        answer.body.includes('first at 10.11.0.11')
      );
    });
    await underlay.end(copying);
    expect(underlay.journal.filter(({ code }) => code === 'MESH_MEMBER_DOUBLE').length).toBeGreaterThan(0);
    const { health } = await underlay.control<Host0Status>('/v1/status');
    expect(health.map(({ code }) => code)).toContain('MESH_MEMBER_DOUBLE');
  });
});

/** The tests of one process that the tests before have left as it began; the last ones change its networks, and end it. */
describe('one host0', () => {
  let daemon: ChildProcess;
  beforeAll(async () => {
    underlay = new Underlay();
    daemon = await underlay.startHost0();
  });
  afterAll(() => underlay[Symbol.asyncDispose]());

  test('runs only once: a second process is refused, and the first runs on', async () => {
    const second = await underlay.startHost0().catch((error: unknown) => String(error));
    expect(second).toContain('ended with code 1');
    expect(await list()).toEqual([HOST0_LINE]);
    expect(statSync(underlay.paths.controlSock).mode & 0o777).toBe(0o660);
  });

  test('answers again when its devices have been deleted and made again', async () => {
    expect(await list()).toEqual([HOST0_LINE]);
    underlay.removeDevices();
    await until('host0 does not answer', async () => (await list()).length === 0);
    underlay.makeDevices();
    await until('it answers again', async () => (await list()).length === 1);
  });

  test('answers an unknown route with a code and an HTTP status', async () => {
    const answer = await underlay.host0.get('http://control/v1/nothing', '--unix-socket', underlay.paths.controlSock);
    expect(answer?.status).toBe(404);
    expect(answer?.body).toContain('MESH_OBJECT_UNKNOWN');
  });

  test('does not answer at host0’s IPv4, or to an underlay host that routes the prefix to host0’s link-local', async () => {
    const outsider = underlay.addHost(0, 66, '00000066');
    expect(await outsider.get('http://10.11.0.1:8000/')).toBeUndefined();
    const linkLocal = /inet6 (fe80::[0-9a-f:]+)/.exec(
      underlay.host0.run('ip', '-6', 'address', 'show', 'dev', 'eth0'),
    )?.[1];
    outsider.run('ip', '-6', 'route', 'add', manage.hostAddress.prefix, 'via', linkLocal ?? '', 'dev', 'eth0');
    outsider.run('ip', '-6', 'address', 'add', 'fd42:2345:1234:9abc::66/128', 'dev', 'eth0', 'nodad');
    expect(await outsider.get(URL_IN_MESH)).toBeUndefined();
    expect(await list()).toEqual([HOST0_LINE]);
  });

  test('answers 304 while nothing has changed', async () => {
    const etag = /etag: (\S+)/.exec((await underlay.host0.get(URL_IN_MESH))?.headers ?? '')?.[1] ?? '';
    const again = await underlay.host0.get(URL_IN_MESH, '-H', `If-None-Match: ${etag}`);
    expect([again?.status, again?.body]).toEqual([304, '']);
  });

  test('removes a segment when its address is removed', async () => {
    const subnets = async () =>
      (await underlay.control<Host0Status>('/v1/status')).segments.map(({ subnet }) => subnet);
    expect(await subnets()).toEqual(['10.11.0.0/24', '10.11.1.0/24']);
    underlay.host0.run('ip', 'address', 'del', '10.11.1.1/24', 'dev', 'eth1');
    await until('the segment is gone', async () => (await subnets()).length === 1);
  });

  test('streams joins, and closes a connection that sends no whole request', async () => {
    // Half a request. bash exits with 0 only when it was connected and the other side then closed the connection.
    const half = 'printf "GET / HTTP/1.1\\r\\nhost: x\\r\\n" >&3';
    const slow = underlay.host0.spawn(
      'bash',
      '-c',
      `exec 3<>/dev/tcp/fd42:2345:1234:9abc::1/8000 && ${half} && cat <&3 >/dev/null`,
    );
    const one = underlay.addHost(0, 11, '10eff964');
    const heard = underlay.follow(`${URL_IN_MESH}events`);
    await until('the snapshot came', () => heard().includes('event: snapshot'));
    const poller = underlay.poll(one, 'one');
    await until('the join came', () => heard().includes('event: join'));
    expect(/id: [0-9a-f]{16}\.[0-9]+\nevent: join\ndata: (.*)\n\n/.exec(heard())?.[1]).toContain('"name":"one"');
    await until('a comment came', () => heard().includes('\n\n: \n\n'));
    await underlay.end(poller);
    await until('the connection is cut', () => slow.exitCode !== null);
    expect(slow.exitCode).toBe(0);
  });

  test('adds and removes networks as their files come and go', async () => {
    const other = mesh('other', 7);
    underlay.writeNetwork(other);
    await until(
      'the other network is there',
      async () => (await underlay.control<Host0Status>('/v1/status')).networks === 2,
    );
    underlay.removeNetwork(manage);
    await until('the first is gone', async () => (await list()).length === 0);
    underlay.writeNetwork({ ...other, name: 'third' });
    await until('the duplicate is a finding', async () => {
      const { health } = await underlay.control<Host0Status>('/v1/status');
      return health.some(({ code, remedy }) => code.startsWith('MESH_NET_') && remedy !== '');
    });
    expect((await underlay.control<Host0Status>('/v1/status')).networks).toBe(1);
  });

  test('exits with 0 after SIGTERM, and leaves the kernel unchanged', async () => {
    const links = underlay.host0.run('ip', '-o', 'link');
    expect(await underlay.end(daemon, 'SIGTERM')).toBe(0);
    expect(underlay.host0.run('ip', '-o', 'link')).toBe(links);
  });
});
