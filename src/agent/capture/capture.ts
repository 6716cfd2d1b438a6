/**
 * One capture on one node, as a stream of pcapng. Its duration, the length of a packet and the packets per second are
 * limited. When the reader is too slow, the kernel drops packets and counts them; the agent's memory does not grow.
 */
import type { Writable } from 'node:stream';
import { innerFrame, parseFrameFilter } from '../../formats/capture/frame-filter.ts';
import { pcapngInterface, pcapngPacket, pcapngSection, pcapngStatistics } from '../../formats/capture/pcapng.ts';
import { type CapturedFrame, CaptureSocket } from '../../kernel/sockets/capture-socket.ts';
import type { Clock } from '../../model/clock.ts';
import { VERSION } from '../../model/version.ts';
import type { CaptureSettings } from '../../protocol/documents/capture.ts';
import type { CapturePoint } from './points.ts';

/** Often enough for a live view, and the sockets' buffers hold the packets of this time. */
const TICK_MS = 50;
/** 10,000 packets a second at each point: a tenth of a core. */
const FRAMES_PER_TICK = 500;
/** A reader may pause for a while. One that reads nothing for so long is gone, and its capture ends. */
const STUCK_MS = 60_000;

interface Probe {
  readonly point: CapturePoint;
  readonly socket: CaptureSocket;
}

interface Captured extends CapturedFrame {
  readonly interfaceId: number;
}

/**
 * Captures until the duration is over or the stream is closed. Then all sockets are closed and the stream is ended.
 * @param open begins the stream, when nothing can be refused any more
 * @throws MESH_USAGE for the filter, MESH_KERNEL_REFUSED
 */
export async function capture(
  points: readonly CapturePoint[],
  settings: CaptureSettings,
  open: () => Writable,
  clock: Clock,
): Promise<void> {
  const wanted = parseFrameFilter(settings.filter);
  const probes = openAll(points, settings.snapBytes);
  try {
    await write(probes, settings, open(), clock, wanted);
  } finally {
    for (const { socket } of probes) socket.close();
  }
}

async function write(
  probes: readonly Probe[],
  settings: CaptureSettings,
  to: Writable,
  clock: Clock,
  wanted: (frame: Uint8Array) => boolean,
): Promise<void> {
  const points = probes.map(({ point }) => point);
  try {
    to.write(pcapngSection(`meshwork ${VERSION}`));
    for (const { device, side } of points) {
      to.write(pcapngInterface({ name: `${device} (${side})`, snapBytes: settings.snapBytes }));
    }
    const endMs = clock.nowMs() + settings.durationSec * 1000;
    let held: Captured[] = [];
    let movedMs = clock.nowMs();
    let last = false;
    while (!last) {
      await nextTick(clock, to);
      last = to.destroyed || clock.nowMs() >= endMs;
      // While the reader is full, packets stay in the sockets, and the kernel counts those that it has to drop.
      if (to.writableNeedDrain && clock.nowMs() - movedMs > STUCK_MS) to.destroy();
      if (to.destroyed || to.writableNeedDrain) continue;
      movedMs = clock.nowMs();
      // A later packet may be in one socket and not yet in another. To keep the order of time, it waits for the next
      // tick.
      const untilNs = BigInt(clock.wallTime().getTime()) * 1_000_000n;
      const frames = [...held, ...drained(probes)].sort((a, b) => Number(a.timeNs - b.timeNs));
      held = last ? [] : frames.filter(({ timeNs }) => timeNs >= untilNs);
      const ready = last ? frames : frames.filter(({ timeNs }) => timeNs < untilNs);
      const blocks = ready
        .filter(({ interfaceId, bytes }) => wanted(points[interfaceId]?.side === 'outer' ? innerFrame(bytes) : bytes))
        .map(pcapngPacket);
      to.write(Buffer.concat([...blocks, ...statistics(probes, untilNs)]));
    }
  } finally {
    to.end();
  }
}

function openAll(points: readonly CapturePoint[], snapBytes: number): Probe[] {
  const probes: Probe[] = [];
  try {
    for (const point of points) probes.push({ point, socket: CaptureSocket.open({ ...point, snapBytes }) });
    return probes;
  } catch (error) {
    for (const { socket } of probes) socket.close();
    throw error;
  }
}

function drained(probes: readonly Probe[]): Captured[] {
  return probes.flatMap(({ socket }, interfaceId) =>
    [...socket.frames(FRAMES_PER_TICK)].map((frame) => ({ ...frame, interfaceId })),
  );
}

function statistics(probes: readonly Probe[], timeNs: bigint): Buffer[] {
  return probes.map(({ socket }, interfaceId) => {
    const { frames: received, dropped } = socket.counters();
    return pcapngStatistics({ interfaceId, timeNs, received, dropped });
  });
}

function nextTick(clock: Clock, to: Writable): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      alarm.cancel();
      to.off('close', done);
      resolve();
    };
    const alarm = clock.after(TICK_MS, done);
    to.once('close', done);
  });
}
