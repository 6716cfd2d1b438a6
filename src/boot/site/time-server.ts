/**
 * host0's time for the machines of a segment (SNTP, RFC 4330), which have no way to any other server. It is what this
 * machine's clock says, and no claim that this is right: nodes are to agree with host0.
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
/** Whoever knows a better clock should take that. */
const STRATUM = 10;
/** 2^-10 s: this clock is read in milliseconds. */
const PRECISION = -10;
/** Of root dispersion, 16.16 bits: 10 ms. */
const DISPERSION = 0x0000028f;
/** Its clock is its own. */
const REFERENCE = 'LOCL';
/** Where the fields of RFC 4330, section 4, begin. */
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

/** @returns undefined for what is no question of a client */
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
  // The client tells its answer from others by its own time in it.
  asked.copy(answer, AT.origin, AT.sent, PACKET_BYTES);
  for (const at of [AT.reference, AT.received, AT.sent]) writeTime(answer, at, now);
  return answer;
}

/** Seconds since 1900, which begin anew in 2036, and their fraction: 32 bits each. */
function writeTime(packet: Buffer, at: number, time: Date): void {
  const ms = time.getTime();
  packet.writeUInt32BE((Math.floor(ms / 1000) + EPOCH_SEC) % 2 ** 32, at);
  packet.writeUInt32BE(Math.floor(((ms % 1000) / 1000) * 2 ** 32), at + 4);
}

export interface TimeServer {
  close(): void;
}

/** @throws MESH_KERNEL_REFUSED where another time server listens */
export function openTimeServer({ host0, device }: BootEndpoint, clock: Clock): TimeServer {
  const socket = createSocket('udp4');
  socket.on('message', (question, peer) => {
    const answer = timeAnswer(question, clock.wallTime());
    if (answer !== undefined) socket.send(answer, peer.port, peer.address, () => {});
  });
  // Of what could not be sent; the client asks again.
  socket.on('error', () => {});
  socket.bind({ fd: boundDatagrams({ address: host0, port: NTP_PORT, device }) });
  return { close: () => socket.close() };
}
