/** The store in an etcd that has TLS and authentication. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { EtcdCluster } from '../../../test/kit/etcd.ts';
import { systemClock } from '../../model/clock.ts';
import { etcdPlace } from './etcd-credentials.ts';
import { EtcdStore } from './etcd-store.ts';

const directory = mkdtempSync(join(tmpdir(), 'mw-etcd-tls-'));
const at = (name: string) => join(directory, name);
let cluster: EtcdCluster;

function openssl(...args: readonly string[]): void {
  const { status, stderr } = spawnSync('openssl', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`openssl ${args.join(' ')}: ${stderr}`);
}

/** A certificate that `by` signs, for a server or client at 127.0.0.1. A client's has no common name: etcd would refuse it. */
function makeCertificate(name: string, subject: string, by?: string): void {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', at(`${name}.key`)];
  if (by === undefined) {
    openssl('req', '-x509', ...key, '-subj', subject, '-days', '2', '-out', at(`${name}.pem`));
    return;
  }
  const alternative = 'subjectAltName=IP:127.0.0.1,DNS:host0.example';
  openssl('req', ...key, '-subj', subject, '-out', at(`${name}.csr`));
  writeFileSync(at(`${name}.ext`), alternative);
  const signed = ['-CA', at(`${by}.pem`), '-CAkey', at(`${by}.key`), '-CAcreateserial', '-days', '2'];
  openssl(
    'x509',
    '-req',
    '-in',
    at(`${name}.csr`),
    ...signed,
    '-extfile',
    at(`${name}.ext`),
    '-out',
    at(`${name}.pem`),
  );
}

function ctl(...args: readonly string[]): string {
  const port = cluster.members[0]?.input.clientPort;
  const secure = ['--cacert', at('ca.pem'), '--cert', at('client.pem'), '--key', at('client.key')];
  const command = ['--endpoints', `https://127.0.0.1:${port}`, ...secure, ...args];
  const { stdout, stderr, status } = spawnSync('etcdctl', command, {
    encoding: 'utf8',
    env: { ...process.env, ETCDCTL_API: '3' },
  });
  if (status !== 0) throw new Error(stderr);
  return stdout;
}

beforeAll(async () => {
  makeCertificate('ca', '/CN=ca');
  makeCertificate('other', '/CN=other');
  makeCertificate('server', '/CN=server', 'ca');
  makeCertificate('client', '/O=meshwork', 'ca');
  cluster = await EtcdCluster.single(
    [
      '--cert-file',
      at('server.pem'),
      '--key-file',
      at('server.key'),
      '--client-cert-auth',
      '--trusted-ca-file',
      at('ca.pem'),
    ],
    true,
  );
  for (const deadline = performance.now() + 30_000; ; ) {
    try {
      ctl('endpoint', 'health');
      break;
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
  }
  ctl('user', 'add', 'root:rootword');
  ctl('user', 'grant-role', 'root', 'root');
  ctl('user', 'add', 'mesh:meshword');
  ctl('role', 'add', 'mesh');
  ctl('role', 'grant-permission', 'mesh', '--prefix=true', 'readwrite', '/v1/');
  ctl('user', 'grant-role', 'mesh', 'mesh');
  ctl('auth', 'enable');
}, 60_000);
afterAll(async () => {
  await cluster.close();
  rmSync(directory, { recursive: true, force: true });
});

const TLS = () => `ca="${at('ca.pem')}"\ncert="${at('client.pem')}"\nkey="${at('client.key')}"\n`;
const USER = 'user="mesh"\npassword="meshword"\n';

/** Opens the store with an `etcd.conf` of this text. */
async function open(text: string, mode = 0o600) {
  const file = at('etcd.conf');
  writeFileSync(file, text);
  chmodSync(file, mode);
  const store = await EtcdStore.open(await etcdPlace(cluster.place.endpoints, file), { clock: systemClock });
  onTestFinished(() => store.close());
  return store;
}

test('with certificate and user the store works, also after its token was lost', async () => {
  const store = await open(TLS() + USER);
  await store.txn([], [{ put: '/v1/a', value: '1' }]);
  expect((await store.get('/v1/a'))?.value).toBe('1');
  // A member knows its tokens only while it runs.
  const [member] = cluster.members;
  await member?.kill();
  member?.start();
  await member?.answers();
  const { succeeded } = await store.txn([], [{ put: '/v1/a', value: '2' }]);
  expect(succeeded).toBe(true);
  expect((await store.get('/v1/a'))?.value).toBe('2');
}, 60_000);

test.each([
  ['another authority', () => TLS().replace('ca.pem', 'other.pem') + USER, 'self-signed|certificate|verify'],
  ['no certificate of the client', () => `ca="${at('ca.pem')}"\n${USER}`, 'certificate|closed|ECONNRESET'],
  ['a wrong password', () => `${TLS()}user="mesh"\npassword="wrong"\n`, 'password'],
  ['no user', TLS, 'user name is empty|permission denied'],
])(
  '%s is refused, and the reason is told',
  async (_, text, reason) => {
    await expect(open(text())).rejects.toMatchObject({
      code: 'MESH_STORE_REFUSED',
      message: expect.stringMatching(reason),
    });
  },
  60_000,
);

test('a file of secrets that others can read is refused', async () => {
  await expect(open(TLS() + USER, 0o640)).rejects.toMatchObject({ code: 'MESH_KEY_REFUSED' });
  chmodSync(at('client.key'), 0o644);
  await expect(open(TLS() + USER)).rejects.toMatchObject({ code: 'MESH_KEY_REFUSED', object: at('client.key') });
  chmodSync(at('client.key'), 0o600);
  expect(readFileSync(at('client.key'), 'utf8')).toContain('PRIVATE KEY');
});
