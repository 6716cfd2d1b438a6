/**
 * Serves host0's time to the machines of a segment (SNTP, RFC 4330), which may reach no other server. The time is that of
 * host0's clock, right or wrong: what matters is that nodes agree with host0.
 */
import { createSocket } from 'node:dgram';
import { boundDatagrams } from '../../kernel/sockets/listener.ts';
import type { Clock } from '../../model/clock.ts';
import type { BootEndpoint } from './boot-site.ts';

const NTP_PORT = 123;
const PACKET_BYTES = 48;
const CLIENT = 3;
const SERVER = 4;
/** From 1900 to 1970, in seconds. */
const EPOCH_SEC = 2_208_988_800;
/** A low rank, so that a client that knows a better clock prefers it. */
const STRATUM = 10;
/** 2^-10 s, because the clock is read in milliseconds. */
const PRECISION = -10;
/** The root dispersion, 10 ms, as a fixed-point number of 16.16 bits. */
const DISPERSION = 0x0000028f;
/** The reference id of a server that has no other clock than its own (RFC 4330 §4). */
const REFERENCE = 'LOCL';
/** The offsets of the fields (RFC 4330 §4). */
const AT = {
  stratum: 1,
  poll: 2,
  precision: 3,
  dispersion: 8,
  id: 12,
  reference: 16,
  origin: 24,
  received: 32,
  sent: 40,
};

/**
 * The answer to an SNTP packet.
 * @returns undefined if the packet is not a client's request
 */
export function timeAnswer(question: Uint8Array, now: Date): Buffer | undefined {
  const asked = Buffer.from(question);
  const [first = 0] = asked;
  const version = (first >> 3) & 7;
  if (asked.length < PACKET_BYTES || (first & 7) !== CLIENT || version < 1 || version > 4) return undefined;
  const answer = Buffer.alloc(PACKET_BYTES);
  answer.writeUInt8((version << 3) | SERVER);
  answer.writeUInt8(STRATUM, AT.stratum);
  answer.writeUInt8(asked.readUInt8(AT.poll), AT.poll);
  answer.writeInt8(PRECISION, AT.precision);
  answer.writeUInt32BE(DISPERSION, AT.dispersion);
  answer.write(REFERENCE, AT.id, 'latin1');
  // The client recognises the answer by its own time in it.
  asked.copy(answer, AT.origin, AT.sent, PACKET_BYTES);
  for (const at of [AT.reference, AT.received, AT.sent]) writeTime(answer, at, now);
  return answer;
}

/** Writes the seconds since 1900 and their fraction, 32 bits each. The seconds wrap around in 2036. */
function writeTime(packet: Buffer, at: number, time: Date): void {
  const ms = time.getTime();
  packet.writeUInt32BE((Math.floor(ms / 1000) + EPOCH_SEC) % 2 ** 32, at);
  packet.writeUInt32BE(Math.floor(((ms % 1000) / 1000) * 2 ** 32), at + 4);
}

/** An open time server. */
export interface TimeServer {
  close(): void;
}

/**
 * Opens the time server of one segment, bound to host0's address and device there.
 * @throws MESH_KERNEL_REFUSED if another time server listens there
 */
export function openTimeServer({ host0, device }: BootEndpoint, clock: Clock): TimeServer {
  const socket = createSocket('udp4');
  socket.on('message', (question, peer) => {
    const answer = timeAnswer(question, clock.wallTime());
    if (answer !== undefined) socket.send(answer, peer.port, peer.address, () => {});
  });
  // An answer could not be sent; the client asks again.
  socket.on('error', () => {});
  socket.bind({ fd: boundDatagrams({ address: host0, port: NTP_PORT, device }) });
  return { close: () => socket.close() };
}
