/** Every kind of state file, damaged at random places: each start succeeds, and nothing is lost without a word. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { NOTHING_ASSIGNED, withAssignment } from '../src/agent/assignment/assigned-objects.ts';
import { assignmentOnDisk, LastAssignment } from '../src/agent/assignment/last-assignment.ts';
import { type KnownMesh, LastKnown } from '../src/agent/membership/last-known.ts';
import { PluggedPortsFile } from '../src/agent/ports/plugged-ports.ts';
import { AcceptedSet } from '../src/disk/accepted-set.ts';
import { textOnDisk } from '../src/disk/state-file.ts';
import { InstallationSecret } from '../src/image/installation-secret.ts';
import { SeenIndexes } from '../src/image/mirror/seen-indexes.ts';
import { OverlayStore } from '../src/image/overlay/overlay-store.ts';
import type { MeshError } from '../src/model/error.ts';
import type { MachineId } from '../src/model/machine.ts';
import type { NetworkId } from '../src/model/network/number.ts';
import type { HealthSource } from '../src/protocol/documents/finding.ts';
import { Journal } from '../src/protocol/journal/journal.ts';
import { readNodeAssignment } from '../src/protocol/shapes/node-assignment-shape.ts';
import { seedOfRun } from './kit/damage.ts';
import { damageFile } from './kit/damaged-file.ts';
import { ManualClock } from './kit/manual-clock.ts';
import { board, member, mesh, storeNetwork } from './kit/networks.ts';
import { randomFrom } from './kit/random.ts';

/** What a start finds in a file, and what it tells. */
interface Found extends HealthSource {
  readonly document: unknown;
}

/** A kind of state file, by its path in the state directory. */
interface Kind {
  readonly file: string;
  /** Writes a whole file. */
  readonly write: (state: string, path: string) => Promise<unknown>;
  readonly start: (state: string, path: string) => Promise<Found>;
}

const network = 'mesh-456' as NetworkId;
const MESH = mesh('mesh456', 456);
const BLUE = storeNetwork('blue', 0x1001);
const KINDS: readonly Kind[] = [
  {
    file: 'ports.json',
    write: (_, path) => {
      const plugged = ['tap0', 'tap1', 'vnet12'].map((link) => ({ link, network }));
      return new PluggedPortsFile(path).write({ plugged, unplugging: [{ link: 'tap2', network }] });
    },
    start: async (_, path) => {
      const file = new PluggedPortsFile(path);
      return { document: await file.read(), health: () => file.health() };
    },
  },
  {
    file: 'members.json',
    write: async (_, path) => {
      const known = lastKnown(path, [
        {
          network: MESH,
          members: [1, 2, 3].map((n) => member(MESH, board(n), `10.11.0.${n}`, `node${n}`)),
          segments: [],
        },
      ]);
      known.changed();
      await known.close();
    },
    start: async (_, path) => {
      const known = lastKnown(path, []);
      await known.load();
      return { document: known.of(MESH), health: () => known.findings };
    },
  },
  {
    file: 'assigned.json',
    write: (state) => keepAssigned(state),
    start: (state) => assignedIn(state),
  },
  {
    file: `assigned/${BLUE.id}.json`,
    write: (state) => keepAssigned(state),
    start: (state) => assignedIn(state),
  },
  {
    file: 'networks.accepted.json',
    write: (_, path) => {
      const text = 'name=manage\nprefix=fd42:2345:1234:9abc::/64\nvni=456\nkey=456\n';
      return new AcceptedSet(path).write([{ file: '/var/pxen/networks/manage.conf', bytes: Buffer.from(text) }]);
    },
    start: async (_, path) => {
      const set = new AcceptedSet(path);
      const document = await set.read();
      const { trouble } = set;
      return { document, health: () => (trouble === undefined ? [] : [{ ...finding(trouble), object: path }]) };
    },
  },
  {
    file: 'overlays/index.json',
    write: (state) => {
      const names = ['node1', 'node2'];
      const machines = names.map((name, n) => ({ machine: `10eff96${n}` as MachineId, name, packages: ['nano'] }));
      return new OverlayStore(state).publish(machines, new Date('2026-11-21T00:00:00Z'));
    },
    start: async (state) => {
      const store = new OverlayStore(state);
      return { document: await store.index(), health: () => store.health() };
    },
  },
  {
    file: 'mirror/seen.json',
    write: (state) => {
      const repositories = ['v3.19/main/x86_64', 'v3.19/community/x86_64'];
      return new SeenIndexes(state).note(
        repositories.map((path) => ({ path, madeSec: 1_700_000_000 })),
        false,
      );
    },
    start: async (state) => {
      const seen = new SeenIndexes(state);
      return { document: await seen.dates(), health: () => seen.health() };
    },
  },
  {
    file: 'keys/installation',
    write: (state) => InstallationSecret.open(state),
    start: async (state) => {
      const secret = await InstallationSecret.open(state);
      return { document: secret.bytes, health: () => secret.health() };
    },
  },
];

/** What host0 has given: a network with a port. */
function lastAssignment(state: string): LastAssignment {
  const clock = new ManualClock();
  return new LastAssignment({
    clock,
    journal: new Journal(clock, 'agent', 'node1'),
    disk: assignmentOnDisk(state, textOnDisk),
  });
}

async function keepAssigned(state: string): Promise<void> {
  const attachment = { network: BLUE, reasons: ['port'], peers: { kind: 'assigned', peers: [] }, services: [] };
  const port = { id: '1', network: BLUE.id, link: 'v1', mac: '02:00:00:00:00:01' };
  const frame = { format: 1, epoch: 'a', revision: 1, term: 't', workloads: [], segments: [], nics: [] };
  const text = JSON.stringify({ ...frame, attachments: [attachment], ports: [port] });
  const last = lastAssignment(state);
  await last.load();
  await last.keep(withAssignment(NOTHING_ASSIGNED, readNodeAssignment(text)));
}

async function assignedIn(state: string): Promise<Found> {
  const last = lastAssignment(state);
  const { networks, ports, version, term } = await last.load();
  return { document: { networks: [...networks], ports: [...ports], version, term }, health: () => last.findings };
}

function lastKnown(path: string, meshes: readonly KnownMesh[]): LastKnown {
  const clock = new ManualClock();
  return new LastKnown({
    clock,
    journal: new Journal(clock, 'agent', 'node1'),
    text: textOnDisk(path),
    now: () => meshes,
  });
}

function finding({ code, message, remedy = '' }: MeshError) {
  return { code, message, remedy, severity: 'warning' as const };
}

const ROUNDS = 100;

test.each(KINDS)('$file', async ({ file, write, start }) => {
  const random = randomFrom(seedOfRun());
  const state = mkdtempSync(join(tmpdir(), 'mw-state-files-'));
  onTestFinished(() => rmSync(state, { recursive: true }));
  const path = join(state, file);
  await write(state, path);
  const whole = await start(state, path);
  expect(whole.health()).toEqual([]);
  copyFileSync(path, `${path}.whole`);
  for (let round = 0; round < ROUNDS; round++) {
    rmSync(path, { recursive: true, force: true });
    rmSync(`${path}.damaged`, { recursive: true, force: true });
    copyFileSync(`${path}.whole`, path);
    const what = damageFile(path, random);
    const damaged = statSync(path).isFile() ? readFileSync(path) : undefined;
    const found = await start(state, path);
    const told = found.health();
    for (const { code, object } of told) {
      expect(code, what).toMatch(/^MESH_STATE_(DAMAGED|LATER)$/);
      expect(object, what).toBe(path);
    }
    if (told.length === 0) expect(found.document, what).toEqual(whole.document);
    // What was damaged is there for the administrator.
    else if (damaged !== undefined) {
      const kept = [path, `${path}.damaged`].flatMap((each) =>
        statSync(each, { throwIfNoEntry: false })?.isFile() ? [readFileSync(each)] : [],
      );
      expect(
        kept.some((bytes) => bytes.equals(damaged)),
        `${what}: the damaged file is kept`,
      ).toBe(true);
    }
  }
});
