/** The throughput of host0's boot server to a hundred machines that fetch one initrd at once, against nginx. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { inNetns } from '../src/kernel/netns.ts';
import { type twoHosts as TwoHosts, twoHosts } from '../test/kit/namespaces.ts';
import { compared, type Measurement, measured } from './measurement.ts';
import { memoryMb } from './process-cost.ts';
import { interleaved, type Run, unlessStopped } from './run.ts';

const CLIENTS = 100;
/** Two client processes, because one reads more slowly than either server writes. */
const PROCESSES = 2;
const SECONDS = 3;
const PAIRS = 5;
const FILE_BYTES = 46 * 1024 * 1024;
const GENERATION = '0123456789abcdef';
const HOST0 = '10.9.0.1';
const OURS_PORT = 80;
const NGINX_PORT = 8080;
const START_DEADLINE_MS = 10_000;
const PATH = `/image/${GENERATION}/initrd.img`;

type Ends = ReturnType<typeof TwoHosts>;

/** The benchmark `boot-http`; without nginx it has no yardstick. */
export async function bootHttp(run: Run): Promise<Measurement[]> {
  await using site = new Site();
  const { signal, stage } = run;
  stage('starting the boot server');
  const server = await site.start(site.ours());
  const ours = () => fetched(site.ends, OURS_PORT, signal);
  const named = {
    name: `boot server to ${CLIENTS} machines`,
    unit: 'GiB/s',
    budget: { of: 'value', atLeast: 1.5 },
  } as const;
  const memory: number[] = [];
  const watched = async () => {
    const speed = await ours();
    memory.push(memoryMb(server.pid ?? Number.NaN, 'Rss'));
    return speed;
  };
  const speed = await measureSpeed(run, site, watched, named);
  return [
    speed,
    measured({ name: 'memory of the boot server meanwhile', unit: 'MB', budget: { of: 'value', atMost: 200 } }, memory),
  ];
}

async function measureSpeed(
  run: Run,
  site: Site,
  ours: () => Promise<number>,
  named: Pick<Measurement, 'name' | 'unit' | 'budget'>,
): Promise<Measurement> {
  const nginx = site.nginx();
  if (nginx === undefined) {
    run.stage('there is no nginx to compare with: apt-get install nginx, or MESH_NGINX=/path/to/nginx');
    const speeds: number[] = [];
    for (let round = 0; round < PAIRS; round++) speeds.push(await ours());
    return measured(named, speeds);
  }
  await site.start(nginx);
  const theirs = () => fetched(site.ends, NGINX_PORT, run.signal);
  return compared(
    { ...named, name: `${named.name}, against nginx` },
    await interleaved(run, PAIRS, PATH, ours, theirs),
  );
}

/** GiB/s of all clients together. */
async function fetched({ there }: Ends, port: number, signal: AbortSignal): Promise<number> {
  const words = [
    program('boot-http-clients.ts'),
    ...[HOST0, port, PATH, CLIENTS / PROCESSES, SECONDS].map((word) => String(word)),
  ];
  const crowds = Array.from({ length: PROCESSES }, () =>
    inNetns(there, () => spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] })),
  );
  try {
    const said = await unlessStopped(signal, Promise.all(crowds.map(({ stdout }) => text(stdout))));
    return said.reduce((sum, bytesPerSec) => sum + Number(bytesPerSec), 0) / 1024 ** 3;
  } finally {
    for (const crowd of crowds) crowd.kill('SIGKILL');
  }
}

interface Command {
  readonly words: readonly [string, ...string[]];
  readonly port: number;
}

/** Two namespaces joined by a segment, a file to serve, and the servers. */
class Site implements AsyncDisposable {
  readonly ends = twoHosts();
  readonly #directory = mkdtempSync(join(tmpdir(), 'mw-boot-http-'));
  readonly #servers: ChildProcess[] = [];

  constructor() {
    // nginx's worker runs as the user nobody, and must be able to read the directory.
    chmodSync(this.#directory, 0o755);
    const image = join(this.#directory, 'image', GENERATION);
    mkdirSync(image, { recursive: true });
    writeFileSync(join(image, 'initrd.img'), randomBytes(FILE_BYTES));
  }

  ours(): Command {
    const words = [process.execPath, program('boot-http-server.ts'), join(this.#directory, 'image'), 'eth0', HOST0];
    return { words: words as [string, ...string[]], port: OURS_PORT };
  }

  nginx(): Command | undefined {
    const places = [process.env.MESH_NGINX ?? '', '/usr/sbin/nginx', '/usr/bin/nginx'];
    const nginx = places.find((place) => place !== '' && existsSync(place));
    if (nginx === undefined) return undefined;
    const conf = join(this.#directory, 'nginx.conf');
    writeFileSync(conf, nginxConf(this.#directory));
    return { words: [nginx, '-e', '/dev/null', '-c', conf], port: NGINX_PORT };
  }

  /** Starts a server, and resolves when it answers. */
  async start({ words: [command, ...rest], port }: Command): Promise<ChildProcess> {
    const server = inNetns(this.ends.here, () => spawn(command, rest, { stdio: ['ignore', 'ignore', 'inherit'] }));
    this.#servers.push(server);
    const ended = once(server, 'exit').then(() => {
      throw new Error(`${command} has ended`);
    });
    ended.catch(() => {});
    const deadline = performance.now() + START_DEADLINE_MS;
    const listening = async () => {
      while (performance.now() < deadline) {
        const { status } = spawnSync('nsenter', [
          `--net=${this.ends.there}`,
          'curl',
          '-sfI',
          '--max-time',
          '1',
          `http://${HOST0}:${port}${PATH}`,
        ]);
        if (status === 0) return server;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      throw new Error(`${command} does not listen`);
    };
    return Promise.race([listening(), ended]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers) {
      if (server.exitCode !== null || server.signalCode !== null) continue;
      // nginx removes its files as it ends.
      const ended = once(server, 'exit');
      server.kill('SIGTERM');
      await ended;
    }
    this.ends.close();
    rmSync(this.#directory, { recursive: true });
  }
}

function program(name: string): string {
  return new URL(name, import.meta.url).pathname;
}

/** nginx as a distribution configures it, without the access log. */
function nginxConf(directory: string): string {
  return `daemon off;
worker_processes auto;
pid ${directory}/nginx.pid;
error_log stderr;
events { worker_connections 1024; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  client_body_temp_path ${directory}/body;
  proxy_temp_path ${directory}/proxy;
  fastcgi_temp_path ${directory}/fastcgi;
  uwsgi_temp_path ${directory}/uwsgi;
  scgi_temp_path ${directory}/scgi;
  server { listen ${NGINX_PORT}; root ${directory}; }
}
`;
}
