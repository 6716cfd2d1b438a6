/** The state machine of a segment's mode: single transitions, and a random walk (`MESH_SEED=N` repeats one). */
import { describe, expect, test } from 'vitest';
import { pick, randomFrom } from '../../../test/kit/random.ts';
import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { BootMode, WantedMode } from '../../protocol/documents/boot-views.ts';
import type { Installation } from '../frames/host0-mark.ts';
import {
  FIRST_PROBES,
  type Foreknowledge,
  firstState,
  judge,
  type ModeEvent,
  type ModeState,
  OTHERS_MAX,
  PARTING_PROBES,
  QUIET_MS,
  RIVAL_MS,
  settlesInSec,
} from './boot-mode.ts';

const SERVER: ModeEvent = {
  type: 'server',
  heard: {
    server: '192.168.1.1' as Ipv4,
    mac: '02:00:00:00:00:01' as Mac,
    gives: 'addresses',
    subnet: '192.168.1.0/24' as Ipv4Cidr,
  },
};
const SILENCE: ModeEvent = { type: 'probed', answered: false };
const MINUTE = 60_000;

function host0(senior: boolean): ModeEvent {
  const installation = '0a0b0c0d' as Installation;
  return {
    type: 'host0',
    senior,
    mark: { installation, mac: '02:00:00:00:00:02' as Mac, ageMs: 1, reply: false, passive: false },
  };
}

test('made-up servers and host0s are bounded, and still make host0 careful', () => {
  const walk = new Walk('auto').after(1000, SILENCE, FIRST_PROBES).after(1000, SERVER);
  for (let number = 0; number < 10_000; number++) {
    const server = `10.${number >> 8}.${number & 255}.9` as Ipv4;
    const mac = '02:00:00:00:00:66' as Mac;
    walk.after(1, { type: 'server', heard: { server, mac, gives: 'addresses' } });
    const installation = number.toString(16).padStart(8, '0') as Installation;
    walk.after(1, {
      type: 'host0',
      senior: false,
      mark: { installation, mac, ageMs: 1, reply: false, passive: false },
    });
  }
  expect([walk.state.foreign.size, walk.state.rivals.size]).toEqual([OTHERS_MAX, OTHERS_MAX]);
  // The server that was heard first is not pushed out.
  expect(walk.state.foreign.has('192.168.1.1' as Ipv4)).toBe(true);
  expect(walk.notes.length).toBeLessThan(3 * OTHERS_MAX);
  expect([walk.mode, walk.state.lastForeignMs]).toEqual(['proxy', walk.nowMs - 1]);
});

/** Leads one segment through events. */
class Walk {
  state: ModeState;
  nowMs = 0;
  isGuest = false;
  notes: string[] = [];

  constructor(wanted: WantedMode, known: Foreknowledge = {}) {
    this.state = firstState(wanted, 0, known);
  }

  after(ms: number, event: ModeEvent, times = 1): this {
    for (; times > 0; times--) {
      this.nowMs += ms;
      const { state, notes } = judge(this.state, event, this.nowMs, { isGuest: this.isGuest });
      this.state = state;
      this.notes.push(...notes.map(({ note }) => note));
    }
    return this;
  }

  get mode(): BootMode {
    return this.state.mode;
  }
}

test('no server answers: host0 is a server after three probes, not before', () => {
  const walk = new Walk('auto').after(1500, SILENCE, FIRST_PROBES - 1);
  expect(walk.mode).toBe('observe');
  expect(walk.after(1500, SILENCE).mode).toBe('server');
});

test('a port that just came up: silence counts once the port passes frames', () => {
  const walk = new Walk('auto', { settlesMs: 35_000 }).after(1500, SILENCE, 20);
  expect([walk.mode, walk.state.reason, settlesInSec(walk.state, walk.nowMs)]).toEqual(['observe', 'probing', 5]);
  expect(walk.after(5_000, { type: 'look' }).mode).toBe('observe');
  expect(walk.after(10, SILENCE).mode).toBe('server');
  expect(settlesInSec(walk.state, walk.nowMs)).toBe(0);
  // A fixed mode waits as well, since it fixes no more than what host0 does alone; a proxy gives no addresses.
  expect(new Walk('server', { settlesMs: 35_000 }).after(1500, SILENCE, 20).mode).toBe('observe');
  expect(new Walk('proxy', { settlesMs: 35_000 }).after(1500, SILENCE, 3).mode).toBe('proxy');
  expect(new Walk('auto', { settlesMs: 35_000 }).after(31_000, SERVER).mode).toBe('proxy');
});

test('the servers that an earlier host0 process knew are not replaced at once', () => {
  const { heard } = SERVER as Extract<ModeEvent, { type: 'server' }>;
  const walk = new Walk('auto', { servers: [heard] });
  expect([walk.mode, walk.state.reason]).toEqual(['proxy', 'as before']);
  expect(walk.after(MINUTE, SILENCE, PARTING_PROBES - 1).mode).toBe('proxy');
  expect(walk.after(MINUTE, SILENCE).mode).toBe('server');
  expect(new Walk('observe', { servers: [heard] }).mode).toBe('observe');
  expect(new Walk('server', { servers: [heard], serving: 'server' }).mode).toBe('proxy');
  expect(new Walk('auto', { servers: [{ ...heard, gives: 'boot files' }] }).after(1500, SILENCE, 3).mode).toBe(
    'server',
  );
});

test('a server answers: host0 is a proxy at once', () => {
  expect(new Walk('auto').after(1500, SILENCE).after(10, SERVER).mode).toBe('proxy');
});

test('a server appears later: host0 is a proxy at once, and the journal says so', () => {
  const walk = new Walk('auto').after(1500, SILENCE, 3).after(MINUTE, SERVER);
  expect(walk.mode).toBe('proxy');
  expect(walk.notes).toEqual(['mode', 'server appeared', 'mode']);
  expect([...walk.state.foreign.values()]).toMatchObject([{ intruded: true }]);
});

describe('the other server goes', () => {
  const nearlyGone = () => new Walk('auto').after(100, SERVER).after(MINUTE, SILENCE, PARTING_PROBES - 1);

  test('it is reported after two silent probes, and replaced after ten', () => {
    const walk = nearlyGone();
    expect(walk.mode).toBe('proxy');
    expect(walk.notes.filter((note) => note === 'server silent')).toHaveLength(1);
    expect(walk.after(MINUTE, SILENCE).mode).toBe('server');
    expect(walk.state.foreign.size).toBe(0);
  });

  test('it is not replaced while host0 has an address in its subnet', () => {
    const walk = nearlyGone();
    walk.isGuest = true;
    expect(walk.after(MINUTE, SILENCE, 100).mode).toBe('proxy');
    walk.isGuest = false;
    expect(walk.after(0, { type: 'look' }).mode).toBe('server');
  });

  test('it is not replaced within the quiet time, however many probes are silent', () => {
    const walk = new Walk('auto').after(100, SERVER).after(10, SILENCE, 1000);
    expect(walk.mode).toBe('proxy');
    expect(walk.after(QUIET_MS, SILENCE).mode).toBe('server');
  });
});

test('a server that gives boot files only does not keep host0 from being a server', () => {
  const { heard } = SERVER as Extract<ModeEvent, { type: 'server' }>;
  const pxe: ModeEvent = { type: 'server', heard: { ...heard, gives: 'boot files' } };
  expect(new Walk('auto').after(100, pxe).after(1500, SILENCE, 3).mode).toBe('server');
});

describe('another host0', () => {
  test('that was there first keeps this one passive until it is gone', () => {
    const walk = new Walk('auto').after(100, host0(true)).after(1500, SILENCE, 3);
    expect(walk.state).toMatchObject({ mode: 'observe', reason: 'another host0' });
    expect(walk.after(RIVAL_MS, SILENCE).mode).toBe('server');
    expect(walk.notes).toEqual(['host0 appeared', 'host0 gone', 'mode']);
  });

  test('that came later changes nothing', () => {
    expect(new Walk('auto').after(1500, SILENCE, 3).after(100, host0(false)).mode).toBe('server');
  });

  test('that was there first also overrides a fixed mode', () => {
    expect(new Walk('server').after(1500, SILENCE, 3).after(100, host0(true)).mode).toBe('observe');
  });
});

test.each([
  ['off', 'off', 'off'],
  ['observe', 'observe', 'observe'],
  ['proxy', 'proxy', 'proxy'],
  ['server', 'server', 'proxy'],
  ['auto', 'server', 'proxy'],
] as const)('%s is %s alone and %s beside a server', (wanted, alone, beside) => {
  expect(new Walk(wanted).after(1500, SILENCE, 3).mode).toBe(alone);
  expect(new Walk(wanted).after(1500, SILENCE, 3).after(10, SERVER).mode).toBe(beside);
});

test('the mode of an earlier host0 process is kept until an event speaks against it', () => {
  expect(new Walk('auto', { serving: 'server' }).after(1, { type: 'look' }).mode).toBe('server');
  expect(new Walk('auto', { serving: 'server' }).after(1, SERVER).mode).toBe('proxy');
  expect(new Walk('auto', { serving: 'proxy' }).after(1500, SILENCE, 3).mode).toBe('proxy');
  expect(new Walk('observe', { serving: 'server' }).mode).toBe('observe');
  expect(new Walk('proxy', { serving: 'server' }).mode).toBe('observe');
});

const ALLOWED: Readonly<Record<WantedMode, readonly BootMode[]>> = {
  off: ['off'],
  observe: ['observe'],
  proxy: ['observe', 'proxy'],
  server: ['observe', 'proxy', 'server'],
  auto: ['observe', 'proxy', 'server'],
};

test('a random walk is never a server within the quiet time after another one was heard', () => {
  const seed = Number(process.env.MESH_SEED ?? Math.floor(Math.random() * 2 ** 32));
  console.info(`MESH_SEED=${seed}`);
  const random = randomFrom(seed);
  const seen = new Map<string, number>();
  const wrong: string[] = [];
  for (let run = 0; run < 300; run++) {
    const wanted = pick(random, ['auto', 'auto', 'server', 'proxy', 'observe', 'off'] as const);
    const serving = pick(random, ['nothing', 'nothing', 'proxy', 'server'] as const);
    const settlesMs = pick(random, [0, 35_000]);
    const walk = new Walk(wanted, { ...(serving !== 'nothing' && { serving }), settlesMs });
    const talkative = random();
    let lastHeardMs = -Infinity;
    let lastSeniorMs = -Infinity;
    for (let step = 0; step < 200; step++) {
      walk.isGuest = random() < 0.1;
      const event: ModeEvent =
        random() < talkative * 0.2
          ? pick(random, [SERVER, host0(true), host0(false)])
          : pick(random, [SILENCE, SILENCE, SILENCE, { type: 'look' } as const]);
      walk.after(pick(random, [1, 500, 1500, 4000, MINUTE, MINUTE, 5 * MINUTE]), event);
      if (event === SERVER) lastHeardMs = walk.nowMs;
      if (event.type === 'host0') lastSeniorMs = event.senior ? walk.nowMs : -Infinity;
      const server = walk.mode === 'server';
      const right =
        !(server && walk.nowMs - lastHeardMs < QUIET_MS) &&
        !(server && walk.nowMs - lastSeniorMs < RIVAL_MS) &&
        !(server && serving !== 'server' && walk.nowMs < settlesMs) &&
        ALLOWED[wanted].includes(walk.mode);
      if (!right) wrong.push(`${walk.mode} with ${wanted} at step ${step} of run ${run}`);
      seen.set(walk.mode, (seen.get(walk.mode) ?? 0) + 1);
    }
  }
  expect(wrong).toEqual([]);
  console.info(Object.fromEntries(seen));
  for (const mode of ['off', 'observe', 'proxy', 'server']) expect(seen.get(mode) ?? 0).toBeGreaterThan(100);
});
