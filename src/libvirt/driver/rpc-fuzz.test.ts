/**
 * Bytes that no client of libvirt's would send, at the frames and the procedures of the driver: for half a second with a printed
 * seed, or as often as `MESH_RPC_FUZZ` says, of the seed `MESH_RPC_SEED`. A client is told an error or cut off, and nothing grows.
 */
import { expect, test } from 'vitest';
import { MemoryVirtualNetworks } from '../../../test/kit/memory-virtual-networks.ts';
import { pick, randomFrom } from '../../../test/kit/random.ts';
import { retainedBytes } from '../../../test/kit/retained-heap.ts';
import { FrameReader, frameBytes } from '../rpc/frame.ts';
import { VirError } from '../rpc/vir-error.ts';
import { XdrFault } from '../xdr/xdr-fault.ts';
import { driverFor, PROCEDURES } from './driver.ts';

const UUID = '11111111-2222-3333-4444-555555555555';
const FUZZ_MS = 500;
const COUNT = Number(process.env.MESH_RPC_FUZZ ?? 0);
/** Ten million rounds take some minutes. */
const TIMEOUT_MS = 1_800_000;
const SEED = Number(process.env.MESH_RPC_SEED ?? Math.floor(Math.random() * 2 ** 32));
/** What a long run may take of the heap beyond its begin. */
const GROWTH_MAX_BYTES = 32 * 1024 * 1024;

const NUMBERS = [...PROCEDURES.keys(), 0, 51, -1, 2 ** 31 - 1];
const WORDS = [0, 1, 2, 3, 4, 7, 16, 255, 4_194_304, 4_194_305, 0x7fffffff, 0xffffffff];
const KEY = Buffer.from(`00000003726564001111111122223333${'4444555555555555'}`, 'hex');

function payload(random: () => number): Buffer {
  const parts: Buffer[] = random() < 0.5 ? [KEY] : [];
  for (let count = Math.floor(random() * 8); count > 0; count--) {
    const word = Buffer.alloc(4);
    word.writeUInt32BE(random() < 0.7 ? pick(random, WORDS) : Math.floor(random() * 2 ** 32));
    parts.push(word);
  }
  const bytes = Buffer.concat(parts);
  return random() < 0.2 ? bytes.subarray(0, Math.floor(random() * bytes.length)) : bytes;
}

test(`bytes of seed ${SEED} cost nothing but an error`, { timeout: TIMEOUT_MS }, async () => {
  const random = randomFrom(SEED);
  const networks = new MemoryVirtualNetworks();
  await networks.define(`<network><name>red</name><uuid>${UUID}</uuid></network>`);
  const faults: unknown[] = [];
  const peer = { send: () => undefined, startKeepalive: () => undefined };
  const answerer = () =>
    driverFor({
      ...{ networks, peer, isReadOnly: true, maxCallbacks: 8 },
      onFault: (fault) => void faults.push(fault),
    });
  let driver = answerer();
  const open = () => driver.answer(1, Buffer.alloc(8));
  await open();
  let reader = new FrameReader(65_536);
  const told = { answers: 0, errors: 0, cuts: 0 };
  const startMs = performance.now();
  let startBytes = process.memoryUsage().heapUsed;
  for (let round = 0; COUNT > 0 ? round < COUNT : performance.now() - startMs < FUZZ_MS; round++) {
    if (round === 10_000) startBytes = retainedBytes();
    const header = {
      program: 0x2000_8086,
      version: 1,
      procedure: pick(random, NUMBERS),
      type: 0,
      serial: 0,
      status: 0,
    };
    const bytes = frameBytes({ ...header, payload: payload(random) });
    if (random() < 0.05) bytes.writeUInt32BE(pick(random, WORDS), 0);
    try {
      reader.push(bytes);
      for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
        try {
          await driver.answer(frame.procedure, frame.payload);
          told.answers++;
        } catch (thrown) {
          driver.errorOf(thrown);
          if (!(thrown instanceof VirError)) faults.push(thrown);
          told.errors++;
        }
      }
    } catch (fault) {
      if (!(fault instanceof XdrFault)) throw fault;
      told.cuts++;
      driver.closed();
      driver = answerer();
      await open();
      reader = new FrameReader(65_536);
    }
    if (faults.length > 0) throw new Error(`a fault in round ${round}`, { cause: faults[0] });
  }
  const grownBytes = retainedBytes() - startBytes;
  if (COUNT > 0) {
    process.stderr.write(`seed ${SEED}: ${JSON.stringify(told)} in ${Math.round(performance.now() - startMs)} ms, `);
    process.stderr.write(`heap ${Math.round(grownBytes / 1024)} kB more\n`);
    expect(grownBytes).toBeLessThan(GROWTH_MAX_BYTES);
  }
  expect(told.errors).toBeGreaterThan(0);
});
